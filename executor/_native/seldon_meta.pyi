"""Owns Meta, Metric and Status as dicts. Must not know what they are used for, nor has it a face to Python."""
