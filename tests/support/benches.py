"""Owns the life of a test's `Bench`es: closed at the end, with nothing left behind.

Must not know what is run on them.
"""

import asyncio
import contextlib
import gc
from collections.abc import Callable, Iterator
from typing import Any

from support.graphs import Bench

from executor._native import buffer

Make = Callable[..., Bench]


@contextlib.contextmanager
def benches() -> Iterator[Make]:
    """Makes benches; at the end they are closed, and every buffer has gone back."""
    gc.collect()  # what earlier tests left in cycles is not ours
    before = buffer.live_buffers()
    made: list[Bench] = []

    def build(*arguments: Any, **options: Any) -> Bench:
        made.append(Bench(*arguments, **options))
        return made[-1]

    yield build
    while made:
        made.pop().close()
    gc.collect()  # a caught error and the frame that caught it hold each other
    assert buffer.live_buffers() == before


async def wait_for(condition: Callable[[], bool]) -> None:
    """Returns once the condition is true; fails the test when that takes more than 5 s."""
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("did not come true in 5 s")
