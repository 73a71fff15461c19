import asyncio

from executor._native.budget import Budget
from executor._native.pool import Pool

class Reactor:
    loop: asyncio.AbstractEventLoop

    budget: Budget
    pool: Pool

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None, budget: Budget | None = None) -> None: ...
    @property
    def timers(self) -> int: ...
    @property
    def open_connections(self) -> int: ...
    def close(self) -> None: ...

class Connection: ...
