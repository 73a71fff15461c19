from collections.abc import Callable, Mapping
from typing import Any

from executor._native import endpoint, transport
from executor._native.message import Message

class Context:
    node: str
    method: int
    @property
    def puid(self) -> str: ...
    @property
    def headers(self) -> list[tuple[str, str]]: ...
    @property
    def fields(self) -> list[tuple[bytes, bytes]]: ...
    @property
    def deadline(self) -> float | None: ...
    def remaining(self) -> float | None: ...

class Pool:
    size: int

    def __init__(self, reactor: transport.Reactor, size: int) -> None: ...
    def stop(self, timeout_s: float = 5.0) -> int: ...

class Waiter: ...

class Pending:
    def answer(self, message: Message) -> None: ...
    def fail(self, error: BaseException) -> None: ...

class Component(endpoint.Endpoint):
    name: str

    def __init__(
        self,
        reactor: transport.Reactor,
        name: str,
        handlers: Mapping[Any, tuple[Any, Callable[..., Any]]],
        pool: Pool | None = None,
        encoding: int = -1,
        running_max: int = 1024,
    ) -> None: ...
    @property
    def running(self) -> int: ...
