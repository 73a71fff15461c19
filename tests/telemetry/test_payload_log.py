"""The queue of payloads and its workers, with a sender that does what the test says."""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
from support.rest import until

from executor._native import message as messages
from executor.settings import Deployment, PayloadLogSettings
from executor.telemetry import losses, payload_log
from executor.telemetry.cloudevents import Event, Headers, Kind, Origin
from executor.telemetry.payload_log import PayloadLog, SendError

ORIGIN = Origin("m", "http://sink/", source="http://here/", deployment=Deployment("d", "n", "p"))


class Sender:
    """Holds every event until `release`d, then takes it or raises what it is told to."""

    def __init__(self, held: bool = False, error: BaseException | None = None) -> None:
        self.taken: list[bytes] = []
        self.begun = 0
        self.error = error
        self.gate = asyncio.Event()
        if not held:
            self.gate.set()

    async def __call__(self, url: str, headers: Headers, data: Sequence[memoryview]) -> None:
        assert url == "http://sink/"
        self.begun += 1
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.taken.append(b"".join(data))


def event(data: bytes | str = b"x") -> Event:
    data = data.encode() if isinstance(data, str) else data
    return Event(ORIGIN, Kind.REQUEST, "p", messages.Message(data, 1), 0.0)


def _has_sent(log: PayloadLog, count: int) -> bool:
    return log.sent == count


def log_of(sender: Sender, **settings: Any) -> PayloadLog:
    return PayloadLog(PayloadLogSettings(**settings), sender)


async def test_events_are_sent_in_order_by_one_worker() -> None:
    sender = Sender()
    log = log_of(sender, workers=1)
    for number in range(20):
        log.put(event(str(number)))
    assert (log.waiting, log.sent) == (20, 0)  # put only takes them
    await until(lambda: log.sent == 20)
    assert sender.taken == [str(number).encode() for number in range(20)]
    # One that comes when all workers have ended is sent too.
    log.put(event("late"))
    await until(lambda: log.sent == 21)
    await log.close()
    assert (log.lost, log.waiting) == (0, 0)


async def test_an_event_that_comes_as_the_last_worker_ends_is_sent() -> None:
    log = log_of(Sender(), workers=1)
    for count in range(1, 200):
        log.put(event())
        while log.sent < count:
            await asyncio.sleep(0)
    await log.close()


async def test_as_many_are_sent_at_once_as_there_are_workers() -> None:
    sender = Sender(held=True)
    log = log_of(sender, workers=3)
    for _ in range(10):
        log.put(event())
    await until(lambda: sender.begun == 3)
    assert log.waiting == 7
    sender.gate.set()
    await log.close()
    assert (log.sent, log.lost) == (10, 0)


async def test_a_receiver_that_hangs_holds_up_no_other() -> None:
    gate, taken = asyncio.Event(), list[str]()

    async def send(url: str, headers: Headers, data: Sequence[memoryview]) -> None:
        if url == "http://stuck/":
            await gate.wait()
        taken.append(url)

    log = PayloadLog(PayloadLogSettings(workers=2, queue_max=3, write_timeout_ms=0, bytes_max=20), send)
    ways = {
        url: Origin("m", url, source="s", deployment=Deployment("d", "n", "p"))
        for url in ("http://stuck/", "http://w/")
    }

    def put(url: str, size: int = 1) -> None:
        log.put(Event(ways[url], Kind.REQUEST, "p", messages.Message(b"x" * size, 1), 0.0))

    put("http://w/")
    for _ in range(9):  # two with workers, three in the queue; the others are lost
        put("http://stuck/")
        await asyncio.sleep(0)
    await until(lambda: log.lost == 4)
    put("http://stuck/", 6)  # no more than half of the bytes are its own
    assert log.lost == 5
    for sent in range(1, 6):
        put("http://w/", 9)
        await until(partial(_has_sent, log, sent + 1))
    assert log.lost == 5
    gate.set()
    await log.close()
    assert (log.sent, log.lost, log.waiting) == (11, 5, 0)


async def test_a_full_queue_drops_at_once_without_a_write_timeout(caplog: pytest.LogCaptureFixture) -> None:
    for timeout_ms in (0, -1):
        sender = Sender(held=True)
        log = log_of(sender, workers=1, queue_max=3, write_timeout_ms=timeout_ms)
        for _ in range(5):
            log.put(event())
        assert (log.waiting, log.lost) == (3, 2)
        sender.gate.set()
        await log.close()
        assert log.sent == 3
        assert "payloads not logged: 1: the queue of 3 is full" in caplog.text


async def test_a_full_queue_is_waited_for_as_long_as_the_write_timeout() -> None:
    sender = Sender(held=True)
    log = log_of(sender, workers=1, queue_max=2, write_timeout_ms=50)
    for number in range(5):
        log.put(event(str(number)))
    # As many again may wait for room as the queue holds.
    assert (log.waiting, log.lost) == (4, 1)
    # One is with the worker, one came up in its place; the last is dropped in time.
    await until(lambda: log.lost == 2)
    assert log.waiting == 2
    sender.gate.set()
    await log.close()
    assert sender.taken == [b"0", b"1", b"2"]


async def test_what_waits_for_room_is_sent_in_order_when_there_is_some() -> None:
    sender = Sender(held=True)
    log = log_of(sender, workers=1, queue_max=2, write_timeout_ms=60_000)
    for number in range(4):
        log.put(event(str(number)))
    sender.gate.set()
    await log.close()
    assert sender.taken == [b"0", b"1", b"2", b"3"]
    assert log.lost == 0


async def test_bytes_are_bounded_those_being_sent_among_them() -> None:
    sender = Sender(held=True)
    log = log_of(sender, workers=1, bytes_max=100)
    log.put(event(b"a" * 60))
    await until(lambda: sender.begun == 1)
    log.put(event(b"b" * 40))
    log.put(event(b"c"))
    log.put(event(b"d" * 101))
    assert (log.waiting, log.lost) == (1, 2)
    sender.gate.set()
    await until(lambda: log.sent == 2)
    log.put(event(b"e" * 100))
    await log.close()
    assert (log.sent, log.lost) == (3, 2)


@pytest.mark.parametrize("timeout_ms", [0, 20])
async def test_bytes_of_what_is_dropped_are_free_again(timeout_ms: int) -> None:
    sender = Sender(held=True)
    log = log_of(sender, workers=1, queue_max=1, bytes_max=30, write_timeout_ms=timeout_ms)
    log.put(event(b"a" * 10))
    await until(lambda: sender.begun == 1)
    log.put(event(b"b" * 10))
    log.put(event(b"c" * 10))
    await until(lambda: log.lost == 1)
    sender.gate.set()
    await until(lambda: log.sent == 2)
    log.put(event(b"d" * 30))
    await log.close()
    assert log.sent == 3


@pytest.mark.parametrize(
    ("error", "told"),
    [(SendError("http://sink/: answered 503"), "answered 503"), (RuntimeError("oh"), "http://sink/: RuntimeError: oh")],
)
async def test_what_cannot_be_sent_is_lost_and_the_worker_goes_on(
    error: Exception, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    sender = Sender(error=error)
    log = log_of(sender, workers=1)
    log.put(event())
    await until(lambda: log.lost == 1)
    assert told in caplog.text
    sender.error = None
    log.put(event(b"y"))
    await log.close()
    assert (log.sent, log.lost) == (1, 1)


async def test_a_receiver_that_hangs_is_left(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(payload_log, "SEND_TIMEOUT_S", 0.05)
    sender = Sender(held=True)
    log = log_of(sender, workers=1)
    log.put(event())
    log.put(event())
    await until(lambda: log.lost == 2)
    assert sender.begun == 2
    assert "http://sink/: no answer within 0.05 s" in caplog.text
    await log.close()


async def test_the_end_is_bounded_and_counts_what_is_left(caplog: pytest.LogCaptureFixture) -> None:
    sender = Sender(held=True)
    log = log_of(sender, workers=2, queue_max=3, write_timeout_ms=60_000)
    for _ in range(6):
        log.put(event())
    await until(lambda: sender.begun == 2)
    await log.close(0.01)
    assert (log.sent, log.lost, log.waiting) == (0, 6, 0)
    log.put(event())
    assert (log.lost, log.waiting) == (7, 0)
    assert "4: the process ended 0.01 s after its last request" in caplog.text
    await log.close()


async def test_losses_are_told_at_once_and_then_together(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(losses, "TELL_S", 0.05)
    caplog.set_level(logging.WARNING)
    log = log_of(Sender())
    for number in range(100):
        log.lose(1, f"reason {number}")
    assert [each.message for each in caplog.records] == ["payloads not logged: 1: reason 0"]
    await until(lambda: len(caplog.records) == 2)
    told = caplog.records[1].message
    assert "91: other reasons" in told
    assert told.count("reason ") == losses.REASONS_MAX
    await asyncio.sleep(0.1)
    assert len(caplog.records) == 2
    log.lose(5, "more")
    assert caplog.records[2].message == "payloads not logged: 5: more"
    await log.close()
