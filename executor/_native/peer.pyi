"""Owns one client connection of the gRPC server, and its patience. Native callers only. Must not know what is asked."""
