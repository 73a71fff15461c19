import asyncio
from collections.abc import Callable, Iterable

from executor._native import flow, http1, message, program, tracer

class Request:
    future: asyncio.Future[message.Message]
    puid: str

    def cancel(self) -> None: ...

def new_puid(engine: flow.Engine) -> str: ...
def submit(
    engine: flow.Engine,
    program: program.Program,
    walk: int,
    method: int,
    message: message.Message,
    headers: Iterable[tuple[str, str]] | http1.Fields,
    puid: str,
    deadline: float = 0,
    done: Callable[[message.Message | None, Exception | None], object] | None = None,
    timed: Callable[[str], object] | None = None,
    label: tracer.Label | None = None,
) -> Request: ...
