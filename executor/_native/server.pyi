import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from executor._native import flow, journal, meters, program, tracer

class Stream:
    path: str
    headers: list[tuple[str, str]]

    async def receive(self) -> bytes | None: ...
    def send(self, data: bytes) -> None: ...
    def finish(self, status: int = 0, text: str = "") -> None: ...
    @property
    def open(self) -> bool: ...
    @property
    def draining(self) -> asyncio.Future[None]: ...

class Server:
    def __init__(
        self,
        engine: flow.Engine,
        program: program.Program,
        natives: Mapping[str, tuple[Any, Any, Any]],
        handlers: Mapping[str, Callable[[Stream], Awaitable[None]]],
        *,
        encoding: int = 0,
        default_timeout_s: float = 0,
        max_message: int = ...,
        max_header: int = ...,
        max_streams: int = 1000,
        unread_max: int = ...,
        header_timeout_s: float = 10,
        body_timeout_s: float = 60,
        receive_grace_s: float = 10,
        receive_rate: float = 1024,
        journal: journal.Journal | None = None,
    ) -> None: ...
    def count(self, meters: Mapping[str, meters.Meter]) -> None:
        """Counts requests by the meter of their RPC's path from now on; those without one are not counted."""

    def trace(self, labels: Mapping[str, tracer.Label]) -> None:
        """What spans of requests begin with from now on, by their RPC's path; those without one have none."""

    def use(self, program: program.Program) -> None: ...
    def accept(self, fd: int, context: ssl.SSLContext | None = None) -> None: ...
    def drain(self, last: bool = False) -> None: ...
    def close(self) -> None: ...
    @property
    def connections(self) -> int: ...
    @property
    def rpcs(self) -> int: ...
