"""Owns what is waited for: work in a thread that keeps no process from ending, callbacks, questions asked once for all.

Must not be used for requests: these have their own threads, and bounds.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from executor import errors

Result = TypeVar("Result")

PATIENCE_S = 90.0
"""How long whoever asks waits for an answer to somebody else: longer than a node may take for its health."""

Done = Callable[[Result | None, Exception | None], None]
"""Is told an answer, or the error that there was instead."""


def awaited() -> tuple[asyncio.Future[Result], Done[Result]]:
    """A future, and the function that is told its outcome; later words count for nothing."""
    future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()

    def done(answer: Result | None, error: Exception | None) -> None:
        if future.done():
            return
        if answer is not None:
            future.set_result(answer)
        else:
            future.set_exception(error or errors.Error("no answer"))

    return future, done


async def in_thread(work: Callable[[], Result], name: str = "aside") -> Result:
    """What `work` answers, in a thread of its own. The process does not wait for it at its end, as it would for
    asyncio's own: Ctrl-C must not have to wait until a model is loaded.
    """
    outcome: Future[Result] = Future()
    outcome.set_running_or_notify_cancel()  # whoever gives up does not call it back

    def run() -> None:
        try:
            outcome.set_result(work())
        except StopIteration as error:  # no future of asyncio's takes that one
            outcome.set_exception(RuntimeError(f"StopIteration: {error}"))
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await asyncio.wrap_future(outcome)


class Questions:
    """Questions by name: whoever asks one that is being answered waits with the others for that answer, unless it has
    taken `patience_s` already: what hangs may be asked anew, but not by everybody.
    """

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._asked: dict[str, tuple[asyncio.Task[Any], float]] = {}

    def once(self, name: str, ask: Callable[[], Coroutine[Any, Any, Result]]) -> Awaitable[Result]:
        """The answer of `ask`, or of the one under way by that name. Giving up takes nothing from the others."""
        now = asyncio.get_running_loop().time()
        task, since = self._asked.get(name, (None, now))
        if task is None or task.done() or now - since >= self._patience_s:
            task = asyncio.create_task(ask())
            task.add_done_callback(_seen)
            self._asked[name] = task, now
        return asyncio.shield(task)

    async def close(self) -> None:
        """Gives up those that are being answered."""
        tasks = [task for task, _ in self._asked.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _seen(task: asyncio.Task[Any]) -> None:
    """Its error is no news when all who asked have given up."""
    if not task.cancelled():
        task.exception()
