"""Owns what is counted of requests and of calls, as native code reaches it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from executor._native import stats

HTTP_OK: int

class Meter:
    """Durations by status. `keys` names the histogram and the sketch of a status, when the first of it comes."""

    def __init__(
        self,
        segment: stats.Segment,
        keys: Callable[[int], tuple[bytes, bytes]],
        bounds: tuple[float, ...],
        http: bool = False,
    ) -> None: ...
    def since(self, code: int, began: float) -> None:
        """Counts what began at `began` on the monotonic clock and is over now."""

class NodeMeter:
    """What is counted of one node; `methods` are the meters of its calls, `keys` the names of its other series."""

    def __init__(
        self,
        segment: stats.Segment,
        methods: Mapping[Any, Meter],
        keys: Mapping[str, Any],
        queue_bounds: tuple[float, ...],
    ) -> None: ...

class EngineMeter:
    """What is counted of one engine, by the keys of its series."""

    def __init__(self, segment: stats.Segment, in_flight: bytes, rejected: Sequence[bytes]) -> None: ...
    def refused(self, reason: int) -> None:
        """Counts what was refused outside of the engine, by the number of the reason."""
