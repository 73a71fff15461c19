"""Owns which requests of an engine are traced, and the finished spans until Python takes them."""

from collections.abc import Callable, Sequence
from typing import Any

from executor._native import transport

class Label:
    """What spans of requests of one kind begin with; `error_status` is the HTTP status of what failed, `answer_status`
    that of an answer's body.
    """

    def __init__(
        self,
        data: bytes,
        error_status: Callable[[Any], int] | None = None,
        answer_status: Callable[[bytes], int] | None = None,
    ) -> None: ...
    def status(self, error: Any) -> int:
        """The HTTP status of `error`."""

class Tracer:
    """Decides which requests are traced, and keeps their spans."""

    wake: Callable[[], object] | None

    def __init__(
        self,
        reactor: transport.Reactor,
        forms: Sequence[int],
        *,
        parents: bool = True,
        ratio: float = 1.0,
        rate: float = 0,
        wake: Callable[[], object] | None = None,
        waiting_max: int = 2048,
        batch: int = 512,
        bytes_max: int = ...,
    ) -> None: ...
    def set_clock(self) -> None: ...
    def take(self, most: int) -> tuple[list[bytes], int]:
        """Up to `most` finished spans, or those of one request if they are more: chunks, and how many."""

    @property
    def waiting(self) -> int: ...
    @property
    def lost(self) -> int: ...
    @property
    def sampled(self) -> int: ...
