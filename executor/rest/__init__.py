"""Owns HTTP/JSON: the REST front of a server, and the client for REST nodes. Translation only.

Must not know a protocol's paths (see `executor.protocol`) nor parse payloads.
"""
