import asyncio
import ssl
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from executor._native import endpoint, message, transport

class Ticket:
    future: asyncio.Future[message.Message]

    def cancel(self) -> None: ...

class Channel(endpoint.Endpoint):
    target: str
    on_change: Callable[[], None] | None
    on_lost: Callable[[int, str, bool], None] | None

    def __init__(
        self,
        reactor: transport.Reactor,
        target: str,
        authority: str,
        paths: Mapping[Any, str],
        *,
        encoding: int = 0,
        max_message: int = ...,
        max_header: int = ...,
        active_max: int = 4096,
        waiting_max: int = 10_000,
        keepalive: float = 0,
        pong: float = 20,
        user_agent: str = "millrace",
        secure: bool = False,
    ) -> None: ...
    def attach(self, fd: int, context: ssl.SSLContext | None = None, host: str | None = None) -> int: ...
    def retire(self, number: int) -> None: ...
    def steer(self, crowd: int, full: bool) -> None: ...
    def links(self) -> list[tuple[int, str, int]]: ...
    def take_peak(self) -> int: ...
    def refuse(self, reason: str) -> None: ...
    def call(
        self, path: str, message: message.Message, headers: Iterable[tuple[str, str]] = (), deadline: float = 0
    ) -> Ticket: ...
    def close(self) -> None: ...
    @property
    def connections(self) -> int: ...
    @property
    def ready(self) -> int: ...
    @property
    def active(self) -> int: ...
    @property
    def sent(self) -> int: ...
    @property
    def waiting(self) -> int: ...
