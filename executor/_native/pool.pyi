class Pool:
    """Blocks that are kept for the next one who needs some: `Pool(keep)` keeps that many bytes at most."""

    def __init__(self, keep: int = 4194304) -> None: ...
    @property
    def kept(self) -> int:
        """Bytes that are kept."""

    @property
    def lent(self) -> int:
        """Blocks that are in use."""
