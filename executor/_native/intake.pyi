"""Owns what a stream brought while its message waits for the budget. Native callers only. Must not know HTTP/2."""
