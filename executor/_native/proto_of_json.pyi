"""Owns the way from JSON text to protobuf. Must not write JSON, nor has it a face to Python: see codec_face."""
