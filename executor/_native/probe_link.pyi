"""Owns the connections of the load generator. Must not decide when a request is sent. Python sees nothing of it."""
