"""Owns reference-counted memory: what of it Python can see. Must not know what the bytes mean."""

class Memory:
    """A part of a native buffer, lent to Python through the buffer protocol; the memory lives as long as this does."""

    def __len__(self) -> int: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

def live_buffers() -> int:
    """How many buffers are in use; a test that ends with more than it began with has found a leak."""
