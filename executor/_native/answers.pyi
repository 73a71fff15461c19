"""Owns how the answers of a gRPC server leave. Native callers only. Must not know what was asked, nor who answers."""
