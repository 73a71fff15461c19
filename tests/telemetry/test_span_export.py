"""Batches of spans and how they are sent, with a sender that does what the test says."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from support.graphs import Bench, node
from support.rest import until

from executor._native import program as programs
from executor._native import span, tracer
from executor.telemetry import losses, span_export
from executor.telemetry.span_export import Refused, Said, SpanExport
from executor.types import Method

SOURCE = span.source({"service.name": "s"}, "millrace", "1")


class Sender:
    """Takes what it is sent once it is `released`, after it has raised what it is told to."""

    def __init__(self, *failures: Exception, held: bool = False, rejects: int = 0, why: str = "") -> None:
        self.requests: list[bytes] = []
        self.tried = 0
        self.failures = [*failures]
        self.said = Said(rejects, why)
        self.gate = asyncio.Event()
        if not held:
            self.gate.set()

    async def __call__(self, request: bytes) -> Said:
        self.tried += 1
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)
        self.requests.append(request)
        return self.said


class Traced:
    """A bench whose every request makes one span of a call."""

    def __init__(self, **sampler: int) -> None:
        self.bench = Bench(node("m"))
        self.tracer = tracer.Tracer(self.bench.reactor, [], **sampler)  # type: ignore[arg-type]
        self.bench.engine.trace(self.tracer)
        spans = [(0, {Method.PREDICT: span.static("call", span.INTERNAL, {})})]
        self.bench.program = programs.Program(self.bench.plan.nodes, [self.bench.endpoints["m"]], spans=spans)

    async def spans(self, count: int) -> None:
        for _ in range(count):
            await self.bench.predict("x")


@pytest.fixture
async def traced() -> AsyncIterator[Traced]:
    made = Traced(batch=4, waiting_max=20)
    yield made
    made.bench.close()


def exporting(traced: Traced, sender: Sender, **settings: float) -> SpanExport:
    made = SpanExport(SOURCE, sender, batch_max=int(settings.pop("batch_max", 4)), **settings)
    traced.tracer.wake = made.wake
    made.start(traced.tracer)
    return made


async def test_a_full_batch_is_sent_at_once_and_others_in_time(traced: Traced) -> None:
    sender = Sender()
    export = exporting(traced, sender, delay_s=60)
    await traced.spans(3)
    await asyncio.sleep(0.02)
    assert sender.requests == []
    await traced.spans(1)
    await until(lambda: export.sent == 4)
    await export.close()
    other = exporting(traced, sender, delay_s=0.01)
    await traced.spans(1)
    await until(lambda: other.sent == 1)
    await other.close()
    assert (len(sender.requests), export.refused, other.refused) == (2, 0, 0)


async def test_the_end_sends_what_waits(traced: Traced) -> None:
    sender = Sender()
    export = exporting(traced, sender, delay_s=60, batch_max=2)
    await traced.spans(3)
    await export.close()
    await export.close()
    assert (export.sent, len(sender.requests), traced.tracer.waiting) == (3, 2, 0)


async def test_what_may_go_well_later_is_tried_again(traced: Traced, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(span_export, "FIRST_RETRY_S", 0.01)
    sender = Sender(Refused("down", True), Refused("down", True))
    export = exporting(traced, sender)
    await traced.spans(4)
    await until(lambda: export.sent == 4)
    assert (sender.tried, export.refused) == (3, 0)
    await export.close()


@pytest.mark.parametrize(
    ("failure", "told"),
    [(Refused("http://c: bad", False), "4: http://c: bad"), (ValueError("odd"), "4: ValueError: odd")],
)
async def test_what_will_not_is_lost_and_told(
    traced: Traced, caplog: pytest.LogCaptureFixture, failure: Exception, told: str
) -> None:
    sender = Sender(failure)
    export = exporting(traced, sender)
    with caplog.at_level(logging.WARNING):
        await traced.spans(4)
        await until(lambda: export.refused == 4)
        await traced.spans(4)
        await until(lambda: export.sent == 4)
        await export.close()
    assert [each.message for each in caplog.records] == [f"spans not sent: {told}"]


async def test_after_some_attempts_a_batch_is_given_up(traced: Traced, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(span_export, "FIRST_RETRY_S", 0.0001)
    sender = Sender(*(Refused("down", True) for _ in range(100)))
    export = exporting(traced, sender)
    await traced.spans(4)
    await until(lambda: export.refused == 4)
    assert sender.tried == span_export.RETRIES_MAX + 1
    await export.close()


async def test_a_receiver_that_hangs_holds_nobody_up(
    traced: Traced, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(span_export, "FLUSH_S", 0.05)
    monkeypatch.setattr(losses, "TELL_S", 60)
    sender = Sender(held=True)
    export = exporting(traced, sender, batch_max=4)
    await traced.spans(4)
    await until(lambda: sender.tried == 1)
    await traced.spans(50)
    assert (traced.tracer.waiting, traced.tracer.lost) == (20, 30)
    with caplog.at_level(logging.WARNING):
        await export.close()
    assert (export.sent, export.refused, traced.tracer.waiting) == (0, 24, 0)
    assert "30: the queue is full" in caplog.text
    assert "20: the process ended 0.05 s after its last request" in caplog.text


async def test_why_a_batch_ran_out_of_its_time_is_told(traced: Traced, caplog: pytest.LogCaptureFixture) -> None:
    sender = Sender(Refused("http://c: refused", True))
    export = exporting(traced, sender, export_s=0.05)  # over before it is sent again
    with caplog.at_level(logging.WARNING):
        await traced.spans(4)
        await until(lambda: export.refused == 4)
        await export.close()
    assert caplog.messages == ["spans not sent: 4: not taken within 0.05 s (http://c: refused)"]


async def test_a_batch_has_its_time(traced: Traced) -> None:
    sender = Sender(held=True)
    export = exporting(traced, sender, export_s=0.02)
    await traced.spans(4)
    await until(lambda: export.refused == 4)
    sender.gate.set()
    await traced.spans(4)
    await until(lambda: export.sent == 4)
    await export.close()


async def test_spans_that_the_receiver_did_not_take_are_lost(traced: Traced, caplog: pytest.LogCaptureFixture) -> None:
    sender = Sender(rejects=3, why="too old")
    export = exporting(traced, sender)
    with caplog.at_level(logging.WARNING):
        await traced.spans(4)
        await until(lambda: export.refused == 3)
        sender.said = Said(9)  # more than there were, and no word why
        await traced.spans(4)
        await until(lambda: export.refused == 7)
        assert export.sent == 1
        await export.close()
    assert [record.message for record in caplog.records] == [
        "spans not sent: 3: the receiver did not take them: too old",
        "spans not sent: 4: the receiver did not take them",
    ]


async def test_a_receiver_s_warning_is_told_once(traced: Traced, caplog: pytest.LogCaptureFixture) -> None:
    export = exporting(traced, Sender(why="send less"))
    with caplog.at_level(logging.WARNING):
        for count in (4, 8):
            await traced.spans(4)
            await until(lambda: export.sent == count)  # noqa: B023 it is over before the next
        await export.close()
    assert [record.message for record in caplog.records] == ["the receiver of spans took them, and says: send less"]
    assert export.refused == 0


async def test_the_end_waits_for_no_further_attempt(traced: Traced) -> None:
    sender = Sender(Refused("down", True))
    export = exporting(traced, sender)
    await traced.spans(4)
    await until(lambda: sender.tried == 1)
    await export.close()  # the pause before the next attempt ends
    assert (export.sent, sender.tried) == (4, 2)
