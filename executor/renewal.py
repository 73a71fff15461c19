"""Owns replacing workers that have served their number of requests, one after another: a new one serves before the old
one drains, so that somebody always does.

Must not choose who is worn, nor hand out connections: workers say the one, their parent does the other.
"""

import asyncio
import contextlib
import logging
from typing import Generic, Protocol, TypeVar

from executor import errors
from executor.supervisor import Child

log = logging.getLogger("millrace")

PATIENCE_S = 600.0
"""What requests may take that a worker has when it is replaced: nothing is in a hurry."""
AGAIN_S = 10.0
"""How long after one that could not be replaced it is tried again."""


class Worker(Protocol):
    """A worker as its parent sees it."""

    leaving: bool

    @property
    def child(self) -> Child: ...
    def say(self, said: dict[str, object]) -> None: ...
    def close(self) -> None: ...


W = TypeVar("W", bound=Worker)


class Crew(Protocol[W]):
    """Its parent."""

    def hire(self, name: str) -> W: ...
    async def served(self, worker: W) -> None: ...
    def dismiss(self, worker: W) -> None: ...
    def changed(self) -> None: ...


class Renewal(Generic[W]):
    """Those that are to be replaced. `spare` is the name that no worker has."""

    def __init__(self, crew: Crew[W], spare: str) -> None:
        self._crew = crew
        self._spare = spare
        self._worn: list[W] = []
        self._stopped = False
        self._task: asyncio.Task[None] | None = None

    def ask(self, worker: W) -> None:
        """Has a worker replaced, as soon as it is its turn."""
        if worker not in self._worn:  # one that died meanwhile may be worn once more
            self._worn.append(worker)
        if not self._stopped and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Replaces nobody any more."""
        self._stopped = True
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while self._worn:
            if await self._replace(self._worn[0]):
                del self._worn[0]
            else:
                await asyncio.sleep(AGAIN_S)

    async def _replace(self, old: W) -> bool:
        crew, new = self._crew, self._crew.hire(self._spare)
        try:
            await new.child.start()
            await crew.served(new)
        except (errors.Error, OSError) as error:
            log.error("no worker can be put in the place of %s: %s", old.child.name, error)
            await new.child.stop()
            crew.dismiss(new)
            return False
        new.child.keep()
        log.info("worker %s takes the place of %s, which has served its requests", self._spare, old.child.name)
        old.leaving = True
        crew.changed()
        await old.child.stop(PATIENCE_S, lambda: old.say({"say": "drain", "patience_s": PATIENCE_S}))
        crew.dismiss(old)
        self._spare = old.child.name
        return True
