"""Owns the sending half of the HTTP/2 session. Native callers only. Must not know what comes in."""
