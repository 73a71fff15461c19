import asyncio
from collections.abc import Iterable

from executor._native import flow, message, program

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
    headers: Iterable[tuple[str, str]],
    puid: str,
    deadline: float = 0,
) -> Request: ...
