"""Owns the life of HTTP/2 streams: made, listed, reused, closed. Native callers only. Must not know the protocol."""
