"""Owns google.protobuf's Value family. Must not know the messages that hold it, nor has it a face to Python."""
