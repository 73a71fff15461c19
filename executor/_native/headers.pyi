"""Owns header blocks in memory: received, or waiting to be sent. Native callers only. Must not know HTTP/2 frames."""
