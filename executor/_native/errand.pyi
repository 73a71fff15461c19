"""Owns the span of a request that the flow does not have: Python answers it, or it was refused before it ran."""

from collections.abc import Iterable

from executor._native import flow, http1, tracer

class Errand:
    """One request, whose span begins with `label`; `began` is when it did, in `time.monotonic()`, 0 is now."""

    def __init__(
        self,
        engine: flow.Engine,
        label: tracer.Label,
        headers: Iterable[tuple[str, str]] | http1.Fields,
        began: float = 0,
    ) -> None: ...
    @property
    def headers(self) -> list[tuple[str, str]]:
        """What goes on to nodes: the request's own, with its span in them where it is traced."""

    def end(self, status: int, error: Exception | None = None, puid: str | None = None) -> None:
        """It was answered with this HTTP status, because of `error` where it failed."""
