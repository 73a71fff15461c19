"""Owns gRPC's framing of messages, in both directions. Native callers only. Must not know HTTP/2."""
