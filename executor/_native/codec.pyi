"""Owns the table of codecs, one set of functions per encoding. Must not know any protocol."""

def registered() -> list[int]:
    """The encodings that have a codec."""
