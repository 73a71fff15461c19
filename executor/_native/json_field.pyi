"""Owns scalars and arrays of numbers in JSON. Must not know any message type, nor has it a face to Python."""
