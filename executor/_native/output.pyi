"""Owns the queue of bytes that wait for the socket. Native callers only. Must not know what the bytes are."""
