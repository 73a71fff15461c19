"""What is counted of requests and their calls, whichever way they end."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.graphs import Bench, failing, node, text

from executor import errors
from executor._native import exits, flow, meters, program, seldon, stats
from executor._native import message as native
from executor.status import Status
from executor.types import Encoding, Method, Mode, Walk

BOUNDS = (0.01, 1.0)
NAMES = ("in_flight", "sent", "received", "retries", "critical", "queued")
REASONS = ("transcoded", "aligned", "shared", "contiguous", "inflated", "bytes")
REJECTED = ("in flight", "queue", "deadline", "message", "connections", "slow", "unread")


class Counted:
    """A bench whose engine and nodes are counted."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.region = stats.Region(0)
        self.segment = stats.Segment(self.region, 0)
        self.engine = meters.EngineMeter(self.segment, b"requests", [name.encode() for name in REJECTED])
        bench.engine.count(self.engine)
        bound = [bench.endpoints[each.name] if each.calls else None for each in bench.plan.nodes]
        made = [self._node(each.name) for each in bench.plan.nodes]
        bench.program = program.Program(bench.plan.nodes, bound, meters=made)

    def _node(self, name: str) -> meters.NodeMeter:
        keys: dict[str, Any] = {each: f"{name} {each}".encode() for each in NAMES}
        keys["copies"] = [f"{name} {reason}".encode() for reason in REASONS]
        keys["copied"] = [f"{name} {reason} bytes".encode() for reason in REASONS]
        calls = {method: meters.Meter(self.segment, self._keys(name, method), BOUNDS) for method in Method}
        return meters.NodeMeter(self.segment, calls, keys, BOUNDS)

    @staticmethod
    def _keys(name: str, method: Method) -> Any:
        return lambda code: (f"{name} {method.name} {code}".encode(), f"{name} {method.name} {code}".encode())

    def read(self) -> dict[str, float]:
        """Counters and gauges that are not 0, and how many values each histogram has."""
        series: dict[Any, Any] = self.region.read(time.monotonic())
        found = {}
        for (kind, key), value in series.items():
            if kind != stats.SKETCH:
                found[key.decode()] = sum(value[1]) if kind == stats.HISTOGRAM else value
        return {name: value for name, value in found.items() if value}

    def close(self) -> None:
        self.bench.close()
        self.region.close()


@pytest.fixture
async def two() -> AsyncIterator[Counted]:
    made = Counted(Bench(node("t", "transformer", node("m"))))
    yield made
    made.close()


async def test_calls_are_counted_by_node_and_method(two: Counted) -> None:
    message = seldon.build("strData", "x")
    size = len(message)
    answer = await two.bench.run(message)
    found = two.read()
    assert found["t TRANSFORM_INPUT 0"] == found["m PREDICT 0"] == 1
    assert found["t queued"] == found["m queued"] == 1
    assert found["t sent"] == size
    assert found["t received"] == found["m sent"]
    assert found["m received"] == len(answer)
    assert not {"requests", "t in_flight", "m in_flight", "t retries"} & set(found)


async def test_what_is_under_way_is_counted() -> None:
    release = asyncio.Event()

    async def hold(message: native.Message, context: exits.Context) -> native.Message:
        await release.wait()
        return message

    counted = Counted(Bench(node("m"), replaced={"m": {Method.PREDICT: (Mode.ASYNC, hold)}}))
    runs = [counted.bench.submit(seldon.build("strData", "x")) for _ in range(3)]
    await asyncio.sleep(0)
    assert (counted.read()["requests"], counted.read()["m in_flight"]) == (3, 3)
    runs[0].cancel()
    found = counted.read()
    assert (found["requests"], found["m in_flight"], found["m PREDICT 1"]) == (2, 2, 1)
    release.set()
    await asyncio.gather(*(each.future for each in runs[1:]))
    found = counted.read()
    assert found["m PREDICT 0"] == 2
    assert not {"requests", "m in_flight"} & set(found)
    counted.close()


async def test_errors_are_counted_by_their_status() -> None:
    counted = Counted(Bench(node("m"), replaced={"m": failing(Status.FAILED_PRECONDITION)}))
    with pytest.raises(errors.Error):
        await counted.bench.predict("x")
    found = counted.read()
    assert found["m PREDICT 9"] == 1
    assert "m received" not in found
    counted.close()


async def test_a_late_request_is_rejected_and_its_call_cancelled() -> None:
    async def hold(message: native.Message, context: exits.Context) -> native.Message:
        await asyncio.sleep(60)
        return message

    counted = Counted(Bench(node("m"), replaced={"m": {Method.PREDICT: (Mode.ASYNC, hold)}}))
    late = counted.bench.submit(seldon.build("strData", "x"), deadline=time.monotonic() + 0.02)
    with pytest.raises(errors.DeadlineError):
        await asyncio.wait_for(late.future, 10)
    found = counted.read()
    assert (found["deadline"], found["m PREDICT 1"]) == (1, 1)
    await asyncio.sleep(0)
    counted.close()


async def test_a_full_queue_and_a_full_engine_are_counted() -> None:
    async def hold(message: native.Message, context: exits.Context) -> native.Message:
        await asyncio.sleep(60)
        return message

    bench = Bench(node("m"))
    handlers = {Method.PREDICT: (Mode.ASYNC, hold)}
    bench.endpoints["m"] = exits.Component(bench.reactor, "m", handlers, bench.pool, running_max=1)
    bench.engine = flow.Engine(bench.reactor, 2)
    counted = Counted(bench)
    first = bench.submit(seldon.build("strData", "x"))
    with pytest.raises(errors.LimitError, match="1 calls are running"):
        await bench.run(seldon.build("strData", "x"))
    assert counted.read()["queue"] == 1
    bench.endpoints["m"] = exits.Component(bench.reactor, "m", handlers, bench.pool)
    second = Counted(bench)
    runs = [bench.submit(seldon.build("strData", "x"))]
    with pytest.raises(errors.LimitError, match="2 requests are in flight"):
        bench.submit(seldon.build("strData", "x"))
    assert second.read()["in flight"] == 1
    for each in (first, *runs):
        each.cancel()
    await asyncio.sleep(0.01)
    second.region.close()
    counted.close()


async def test_waiting_for_a_thread_is_counted() -> None:
    def slow(message: native.Message, context: exits.Context) -> native.Message:
        time.sleep(0.03)
        return message

    bench = Bench(node("m"))
    pool = exits.Pool(bench.reactor, 1)
    bench.endpoints["m"] = exits.Component(bench.reactor, "m", {Method.PREDICT: (Mode.BLOCKING, slow)}, pool)
    counted = Counted(bench)
    await asyncio.gather(*(bench.run(seldon.build("strData", "x")) for _ in range(3)))
    series: dict[Any, Any] = counted.region.read(0.0)
    _, counts, total = series[stats.HISTOGRAM, b"m queued"]
    assert sum(counts) == 3
    assert counts[1] >= 2
    assert total > 0.05
    pool.stop()
    counted.close()


async def test_transcoded_messages_are_counted_where_they_are_needed() -> None:
    counted = Counted(Bench(node("m"), encoding=Encoding.SELDON_JSON))
    assert text(await counted.bench.run(seldon.build("strData", "x"))) == "m.predict(x)"
    assert counted.read()["m transcoded"] == 2
    counted.close()


async def test_feedback_is_counted_as_calls(two: Counted) -> None:
    feedback = native.Message(b"{}", Encoding.SELDON_JSON, 2)
    await two.bench.run(feedback, Walk.FEEDBACK)
    assert two.read()["m SEND_FEEDBACK 0"] == 1


@pytest.mark.parametrize("how", ["answered", "failed", "cancelled"])
async def test_what_callback_calls_say_of_their_way_is_counted(how: str) -> None:
    class Call:
        waited = 0.5
        retries = 2
        pending: Any

        def cancel(self) -> None:
            self.waited = 2.0

    made = Call()

    def begin(message: native.Message, context: exits.Context, pending: Any) -> Call:
        made.pending = pending
        return made

    bench = Bench(node("m"))
    bench.endpoints["m"] = exits.Component(bench.reactor, "m", {Method.PREDICT: (Mode.CALLBACK, begin)})
    counted = Counted(bench)
    request = bench.submit(seldon.build("strData", "x"))
    if how == "answered":
        made.pending.answer(seldon.build("strData", "y"))
        await request.future
    elif how == "failed":
        made.pending.fail(errors.NodeError("out", node="m"))
        with pytest.raises(errors.NodeError):
            await request.future
    else:
        request.cancel()
    series: dict[Any, Any] = counted.region.read(time.monotonic())
    _, counts, waited = series[stats.HISTOGRAM, b"m queued"]
    assert (sum(counts), waited) == (1, 2.0 if how == "cancelled" else 0.5)
    assert series[stats.COUNTER, b"m retries"] == 2
    counted.close()
