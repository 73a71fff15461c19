"""Owns tensorflow.TensorProto. Must not know the messages that hold it, nor has it a face to Python."""
