"""Owns the text in which an answer says where its time went, and reading what a node says of its own."""

def read(text: bytes) -> tuple[float, float] | None:
    """Seconds that a node took as a whole, and those of them that were waiting; None for what is not of ours."""
