"""What the log is told of requests: every line once, floods counted, bounds kept."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from executor._native import budget, journal, transport

WHAT, HTTP, STATUS, AGE, SECONDS, CAME, WENT, PATH, PUID, NODE, TEXT = range(11)


class Taken:
    """What a journal told."""

    def __init__(self) -> None:
        self.lines: list[Any] = []
        self.batches = self.lost = 0
        self._more = asyncio.Event()

    def __call__(self, lines: list[Any], lost: int) -> None:
        self.lines += lines
        self.lost += lost
        self.batches += 1
        self._more.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.lines) < count:
                self._more.clear()
                await self._more.wait()

    def of(self, what: int) -> list[Any]:
        return [line for line in self.lines if line[WHAT] == what]


@pytest.fixture
async def reactor() -> AsyncIterator[transport.Reactor]:
    made = transport.Reactor(budget=budget.Budget())
    yield made
    made.close()


@contextmanager
def kept(reactor: transport.Reactor, access: bool = False) -> Iterator[tuple[journal.Journal, Taken]]:
    taken = Taken()
    made = journal.Journal(reactor, taken, access)
    yield made, taken
    made.close()


async def test_a_failure_is_told_with_all_that_is_known(reactor: transport.Reactor) -> None:
    with kept(reactor) as (made, taken):
        made.ended(500, time.monotonic() - 0.25, b"/p", b"id", 3, 4, b"m", b"why")
        assert taken.lines == []
        await taken.until(1)
    (line,) = taken.lines
    assert line[:3] == (journal.FAILED, True, 500)
    assert line[CAME:] == (3, 4, b"/p", b"id", b"m", b"why")
    assert 0 <= line[AGE] < 5
    assert line[SECONDS] >= 0.25


async def test_what_went_well_is_told_in_the_access_log_alone(reactor: transport.Reactor) -> None:
    with kept(reactor) as (made, taken), kept(reactor, access=True) as (other, heard):
        assert (made.access, other.access) == (False, True)
        for each in (made, other):
            each.ended(200, time.monotonic(), b"/p", None, 1, 2)
        await heard.until(1)
    assert taken.lines == []
    assert [line[WHAT] for line in heard.lines] == [journal.SERVED]
    assert heard.lines[0][PATH:] == (b"/p", b"", b"", b"")


async def test_a_failure_stands_in_the_access_log_too(reactor: transport.Reactor) -> None:
    with kept(reactor, access=True) as (made, taken):
        made.ended(400, time.monotonic(), b"/p", b"id", 1, 2, None, b"why")
        await taken.until(2)
    assert [(line[WHAT], line[TEXT]) for line in taken.lines] == [(journal.SERVED, b""), (journal.FAILED, b"why")]


async def test_lines_are_told_together(reactor: transport.Reactor) -> None:
    with kept(reactor, access=True) as (made, taken):
        for number in range(1000):
            made.ended(200, time.monotonic(), b"/p", b"%d" % number, 0, 0)
        await taken.until(1000)
    assert [line[PUID] for line in taken.lines] == [b"%d" % number for number in range(1000)]
    assert taken.batches < 50


async def test_a_flood_is_counted_by_kind(reactor: transport.Reactor) -> None:
    with kept(reactor) as (made, taken):
        for number in range(300):
            made.ended(500, time.monotonic(), b"/p", b"%d" % number, 0, 0, b"m" if number % 3 else b"n", b"why")
        await taken.until(12)  # the rest comes by itself, when the window is over
    told = [line[NODE] for line in taken.of(journal.FAILED)]
    assert (told.count(b"m"), told.count(b"n")) == (5, 5)
    assert {line[NODE]: line[CAME] for line in taken.of(journal.MORE)} == {b"m": 195, b"n": 95}
    assert {line[STATUS] for line in taken.of(journal.MORE)} == {500}


async def test_kinds_are_bounded(reactor: transport.Reactor) -> None:
    with kept(reactor) as (made, taken):
        for number in range(1000):
            made.ended(500, time.monotonic(), b"/p", b"id", 0, 0, b"node %d" % number, b"why")
        made.close()
    assert len(taken.of(journal.FAILED)) == 32 + 5
    assert [(*line[STATUS:CAME][0:1], line[CAME], line[NODE]) for line in taken.of(journal.MORE)] == [
        (-1, 1000 - 32 - 5, b"")
    ]


async def test_closing_tells_what_waits(reactor: transport.Reactor) -> None:
    with kept(reactor) as (made, taken):
        for _ in range(7):
            made.ended(500, time.monotonic(), b"/p", b"id", 0, 0, None, b"why")
    assert [line[WHAT] for line in taken.lines] == [journal.FAILED] * 5 + [journal.MORE]
    assert taken.lines[-1][CAME] == 2
    made.close()
    assert len(taken.lines) == 6


async def test_long_texts_are_cut(reactor: transport.Reactor) -> None:
    with kept(reactor) as (made, taken):
        long = b"x" * 10_000
        made.ended(500, time.monotonic(), long, long, 0, 0, long, long)
        await taken.until(1)
    assert [len(text) for text in taken.lines[0][PATH:]] == [200, 2048, 128, 400]


async def test_what_finds_no_room_is_counted(reactor: transport.Reactor) -> None:
    taken = Taken()
    made: list[journal.Journal] = []

    def take(lines: list[Any], lost: int) -> None:
        taken(lines, lost)
        if taken.batches == 1:  # all within one pass
            for _ in range(10_000):
                made[0].ended(200, time.monotonic(), b"/p", b"id", 0, 0)

    made.append(journal.Journal(reactor, take, True))
    made[0].ended(200, time.monotonic(), b"/p", b"id", 0, 0)
    await taken.until(2)
    assert taken.lost > 1000
    assert len(taken.lines) + taken.lost == 10_001
    made[0].close()


async def test_a_sink_that_fails_ends_nothing(reactor: transport.Reactor) -> None:
    said: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(str(context["exception"])))

    def take(lines: list[Any], lost: int) -> None:
        raise OSError("no")

    made = journal.Journal(reactor, take)
    made.ended(500, time.monotonic(), b"/p", b"id", 0, 0, None, b"why")
    async with asyncio.timeout(10):
        while not said:
            await asyncio.sleep(0.01)
    assert said == ["no"]
    made.tell()
    assert said == ["no"]


async def test_a_journal_that_goes_with_lines_in_it_is_forgotten(reactor: transport.Reactor) -> None:
    taken = Taken()
    made = journal.Journal(reactor, taken)
    for _ in range(10):
        made.ended(500, time.monotonic(), b"/p", b"id", 0, 0, None, b"why")
    del made
    await asyncio.sleep(0.1)
    assert taken.lines == []
