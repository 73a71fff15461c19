"""Owns what RPCs and paths mean, one module per payload protocol; see `executor.protocol.seldon`.

Must not serve or call anything: data and pure functions only.
"""
