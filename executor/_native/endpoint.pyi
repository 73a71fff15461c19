class Endpoint:
    """Where a node is reached; components and channels are endpoints."""

    timeout_s: float | None
    """Seconds that one call may take; None has no bound but the request's deadline."""

    @property
    def encoding(self) -> int: ...
