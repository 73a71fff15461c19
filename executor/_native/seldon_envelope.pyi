"""Owns the envelopes of seldon.protos messages. Must not look into payloads, nor has it a face to Python."""
