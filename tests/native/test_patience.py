"""How long a node may take for one call: late ones fail the request, or are noted in feedback; others feel nothing."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.benches import Make, benches, wait_for
from support.graphs import answer, node, text

from executor import errors
from executor._native import endpoint, exits
from executor._native import message as native
from executor.status import Status
from executor.types import Method, Mode, Walk

FEEDBACK = b"\x1d\x00\x00\x80?"  # reward 1


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    with benches() as build:
        yield build


def pausing(seen: list[Any], pause_s: float = 30) -> dict[Method, tuple[Mode, Any]]:
    """Handlers that note what time they have, and take theirs."""

    async def handle(message: native.Message, context: exits.Context) -> native.Message:
        seen.append(context.remaining())
        try:
            await asyncio.sleep(pause_s)
        except asyncio.CancelledError:
            seen.append(f"{context.node} cancelled")
            raise
        return answer(f"{context.node}({text(message)})", message)

    return dict.fromkeys(Method, (Mode.ASYNC, handle))


async def test_a_late_node_fails_the_request_and_its_call_is_cancelled(make: Make) -> None:
    seen: list[Any] = []
    bench = make(node("t", "transformer", node("m")), replaced={"m": pausing(seen)})
    bench.endpoints["m"].timeout_s = 0.02
    with pytest.raises(errors.DeadlineError, match=r"^node 'm': no answer within 20 ms$") as caught:
        await bench.predict("x")
    assert caught.value.status is Status.DEADLINE_EXCEEDED
    await wait_for(lambda: seen[-1] == "m cancelled")
    assert 0 < seen[0] <= 0.02
    assert bench.endpoints["m"].running == 0
    assert bench.reactor.timers == 0


async def test_the_bound_is_each_calls_own(make: Make) -> None:
    due: list[float] = []

    async def handle(message: native.Message, context: exits.Context) -> native.Message:
        assert context.deadline is not None
        due.append(context.deadline)
        await asyncio.sleep(0.02)
        return message

    names = ["a", "b", "c"]
    graph = node("a", "model", node("b", "model", node("c")))
    bench = make(graph, replaced={name: dict.fromkeys(Method, (Mode.ASYNC, handle)) for name in names})
    for name in names:
        bench.endpoints[name].timeout_s = 20.0
    assert await bench.predict("x") == "x"
    assert due == sorted(set(due))
    assert len(due) == 3
    assert bench.reactor.timers == 0


@pytest.mark.parametrize("left_s", [0.05, 5.0])
async def test_what_ends_first_bounds_the_call(make: Make, left_s: float) -> None:
    seen: list[Any] = []
    bench = make(node("m"), replaced={"m": pausing(seen)})
    bench.endpoints["m"].timeout_s = 0.5
    request = bench.submit(native.Message(b"*\x01x"), deadline=time.monotonic() + left_s)
    said = "deadline exceeded after" if left_s < 0.5 else "node 'm': no answer within 500 ms"
    with pytest.raises(errors.DeadlineError, match=said):
        await asyncio.wait_for(request.future, 10)
    assert seen[0] <= min(left_s, 0.5)
    await wait_for(lambda: seen[-1] == "m cancelled")


async def test_a_late_branch_cancels_the_others(make: Make) -> None:
    seen: list[Any] = []
    graph = node("c", "combiner", node("a"), node("b"))
    bench = make(graph, replaced={"a": pausing(seen), "b": pausing(seen)})
    bench.endpoints["a"].timeout_s, bench.endpoints["b"].timeout_s = 0.02, 20.0
    with pytest.raises(errors.DeadlineError, match=r"node 'a': no answer within 20 ms"):
        await bench.predict("x")
    await wait_for(lambda: {"a cancelled", "b cancelled"} <= set(seen))
    assert bench.reactor.timers == 0


async def test_in_feedback_a_late_node_is_told_at_the_end(make: Make) -> None:
    seen: list[Any] = []
    graph = node("r", "router", node("a"), node("b"))
    bench = make(graph, replaced={"a": pausing(seen)})
    bench.endpoints["a"].timeout_s = 0.02
    with pytest.raises(errors.DeadlineError, match=r"node 'a': no answer within 20 ms"):
        await bench.run(native.Message(FEEDBACK, form=2), Walk.FEEDBACK)
    assert bench.calls == ["b.send_feedback(feedback(1))", "r.send_feedback(feedback(1))"]
    assert bench.reactor.timers == 0


async def test_a_thread_that_is_late_ends_in_the_background(make: Make) -> None:
    def handle(message: native.Message, context: exits.Context) -> native.Message:
        time.sleep(0.1)
        return answer("late", message)

    bench = make(node("m"), replaced={"m": dict.fromkeys(Method, (Mode.BLOCKING, handle))})
    bench.endpoints["m"].timeout_s = 0.02
    with pytest.raises(errors.DeadlineError, match="node 'm': no answer within 20 ms"):
        await bench.predict("x")
    await wait_for(lambda: bench.endpoints["m"].running == 0)


async def test_cancelled_and_quick_requests_leave_no_timer(make: Make) -> None:
    seen: list[Any] = []
    bench = make(node("t", "transformer", node("m")), replaced={"m": pausing(seen)})
    bench.endpoints["t"].timeout_s = bench.endpoints["m"].timeout_s = 20.0
    request = bench.submit(native.Message(b"*\x01x"))
    await wait_for(lambda: bool(seen))
    assert bench.reactor.timers == 1
    request.cancel()
    assert bench.reactor.timers == 0
    await wait_for(lambda: seen[-1] == "m cancelled")


async def test_the_bound_of_an_endpoint_is_a_time(make: Make) -> None:
    bench = make(node("m"))
    each: endpoint.Endpoint = bench.endpoints["m"]
    assert each.timeout_s is None
    each.timeout_s = 1.5
    assert each.timeout_s == 1.5
    for wrong in (0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="allowed are numbers above 0"):
            each.timeout_s = wrong
    each.timeout_s = None
    assert each.timeout_s is None


@pytest.mark.parametrize("first", [Mode.QUICK, Mode.CALLBACK])
async def test_what_another_handler_took_is_not_the_nodes_time(make: Make, first: Mode) -> None:
    """A handler on the loop's thread holds everybody up; the next call's time begins when it does."""
    seen: list[Any] = []

    def hold(message: native.Message, context: exits.Context, pending: exits.Pending | None = None) -> Any:
        time.sleep(0.06)
        if pending is None:
            return message
        pending.answer(message)
        return None

    replaced = {"t": dict.fromkeys(Method, (first, hold)), "m": pausing(seen, 0)}
    bench = make(node("t", "transformer", node("m")), replaced=replaced)
    bench.endpoints["m"].timeout_s = 0.05
    assert await bench.predict("x") == "m(x)"
    assert 0 < seen[0] <= 0.05
