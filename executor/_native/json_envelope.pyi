"""Owns the envelope of messages as JSON text. Must not look into payloads, nor has it a face to Python."""
