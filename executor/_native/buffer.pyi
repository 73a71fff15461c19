"""Owns reference-counted memory: what of it Python can see. Must not know what the bytes mean."""

class Memory:
    """A part of a native buffer, lent to Python through the buffer protocol; the memory lives as long as this does."""

    def __len__(self) -> int: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

def room(size: int) -> int:
    """What memory a buffer for `size` bytes takes; a build that watches memory has no size classes."""

def keep_at_most(size: int) -> None:
    """Bounds what all shelves together keep of memory that nobody uses; 256 MiB is the most."""

def live_buffers() -> int:
    """How many buffers are in use; a test that ends with more than it began with has found a leak."""
