"""Owns how a process is asked to stop: SIGINT and SIGTERM as events, and work that is given up when they come.

Must not know what is stopped.
"""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar

Result = TypeVar("Result")

STOPPING = (signal.SIGINT, signal.SIGTERM)


class Signals:
    """SIGINT and SIGTERM as events: the first asks to stop, the second to stop at once."""

    def __init__(self) -> None:
        self.first = asyncio.Event()
        self.second = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> Self:
        for number in STOPPING:
            self._loop.add_signal_handler(number, self._came)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in STOPPING:
            self._loop.remove_signal_handler(number)
            signal.signal(number, signal.default_int_handler)

    def ask(self) -> None:
        """Asks to stop, as the first signal does; not at once."""
        self.first.set()

    def _came(self) -> None:
        (self.second if self.first.is_set() else self.first).set()


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Outside of `Signals`, where user code is imported for instance, a signal ends the process, but cleanly:
    sockets' files and child processes go. Both signals do, even where a shell has SIGINT ignored in the background.
    """
    before = {number: signal.signal(number, signal.default_int_handler) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def unless(event: asyncio.Event, work: Coroutine[Any, Any, Result]) -> Result | None:
    """What `work` answers; None if `event` is set first, and the work is then cancelled."""
    task = asyncio.create_task(work)
    wait = asyncio.create_task(event.wait())
    try:
        await asyncio.wait([task, wait], return_when=asyncio.FIRST_COMPLETED)
        return await task if task.done() else None
    finally:
        for each in (task, wait):
            each.cancel()
        await asyncio.gather(task, wait, return_exceptions=True)
