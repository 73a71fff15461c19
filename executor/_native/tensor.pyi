"""Owns the dtype table and the way between message bytes and arrays. Must not know any message type."""

from typing import Any

def dtypes() -> dict[int, tuple[str, Any]]:
    """The dtype table: {TensorFlow's number: (its name, numpy dtype)} of what a tftensor may hold."""
