"""Owns the way from protobuf to JSON text. Must not read JSON, nor has it a face to Python: see codec_face."""
