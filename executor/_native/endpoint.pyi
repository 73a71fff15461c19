class Endpoint:
    """Where a node is reached; components and channels are endpoints."""

    @property
    def encoding(self) -> int: ...
