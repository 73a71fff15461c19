"""What can go wrong while `flow` runs a request: errors, deadlines, cancelling, slow code; and copies not made."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import numpy
import pytest
from support.benches import Make, benches, wait_for
from support.graphs import answer, failing, node, text

from executor import errors
from executor._native import exits, seldon, seldon_json
from executor._native import message as native
from executor.status import Status
from executor.types import Encoding, Method, Mode


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    with benches() as build:
        yield build


# Callback handlers answer through an object: `test_exits` has their faults.
MODES = pytest.mark.parametrize("mode", [Mode.QUICK, Mode.ASYNC, Mode.BLOCKING])


# --- errors, deadlines, cancelling --------------------------------------------------------------


def sleeping(log: list[str]) -> dict[Method, tuple[Mode, Any]]:
    async def handle(message: native.Message, context: exits.Context) -> native.Message:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            log.append(f"{context.node} cancelled")
            raise
        return message

    return dict.fromkeys(Method, (Mode.ASYNC, handle))


async def test_error_of_a_node_ends_the_request_with_its_status(make: Make) -> None:
    bench = make(node("t", "transformer", node("m")), replaced={"m": failing()})
    with pytest.raises(errors.ComponentError, match="m says no") as caught:
        await bench.predict("x")
    assert caught.value.status is Status.FAILED_PRECONDITION


async def test_failing_branch_cancels_its_siblings(make: Make) -> None:
    log: list[str] = []
    graph = node("c", "combiner", node("slow"), node("bad"), node("never"))
    bench = make(graph, replaced={"slow": sleeping(log), "bad": failing(), "never": sleeping(log)})
    with pytest.raises(errors.ComponentError, match="bad says no"):
        await bench.predict("x")
    await asyncio.sleep(0.01)
    assert log == ["slow cancelled"] or log == []  # a Task cancelled before its first step never ran
    assert bench.endpoints["slow"].running == bench.endpoints["never"].running == 0


async def test_deadline_ends_the_request_and_cancels_calls(make: Make) -> None:
    log: list[str] = []
    bench = make(node("m"), replaced={"m": sleeping(log)})
    request = bench.submit(seldon.build("strData", "x"), deadline=time.monotonic() + 0.03)
    with pytest.raises(errors.DeadlineError, match=r"deadline exceeded after \d"):
        await asyncio.wait_for(request.future, 10)
    await asyncio.sleep(0)
    assert log == ["m cancelled"]


async def test_deadline_of_a_blocking_call_keeps_the_slot_until_the_thread_is_done(make: Make) -> None:
    gate = threading.Event()

    def handle(message: native.Message, context: exits.Context) -> native.Message:
        gate.wait(60)
        return message

    bench = make(node("m"), replaced={"m": {Method.PREDICT: (Mode.BLOCKING, handle)}})
    request = bench.submit(seldon.build("strData", "x"), deadline=time.monotonic() + 0.03)
    with pytest.raises(errors.DeadlineError):
        await asyncio.wait_for(request.future, 10)
    assert bench.endpoints["m"].running == 1
    gate.set()
    await wait_for(lambda: bench.endpoints["m"].running == 0)


async def test_cancelled_request_cancels_its_calls(make: Make) -> None:
    log: list[str] = []
    bench = make(node("c", "combiner", node("a"), node("b")), replaced={"a": sleeping(log), "b": sleeping(log)})
    request = bench.submit(seldon.build("strData", "x"))
    await asyncio.sleep(0.01)
    request.cancel()
    request.cancel()
    await asyncio.sleep(0.01)
    assert sorted(log) == ["a cancelled", "b cancelled"]
    assert bench.engine.in_flight == 0


async def test_call_beyond_the_bound_is_refused_at_once(make: Make) -> None:
    log: list[str] = []
    bench = make(node("m"), replaced={"m": sleeping(log)})
    small = exits.Component(bench.reactor, "m", sleeping(log), bench.pool, running_max=2)
    bench.program = type(bench.program)(bench.plan.nodes, [small])
    requests = [bench.submit(seldon.build("strData", "x")) for _ in range(3)]
    with pytest.raises(errors.LimitError, match="node 'm': 2 calls are running or waiting"):
        await asyncio.wait_for(requests[2].future, 10)
    for request in requests:
        request.cancel()
    await wait_for(lambda: small.running == 0)


@MODES
async def test_handler_that_answers_nonsense_is_an_error(make: Make, mode: Mode) -> None:
    def nonsense(message: native.Message, context: exits.Context) -> Any:
        return 42

    async def async_nonsense(message: native.Message, context: exits.Context) -> Any:
        return 42

    handler = async_nonsense if mode is Mode.ASYNC else nonsense
    bench = make(node("m"), replaced={"m": {Method.PREDICT: (mode, handler)}})
    with pytest.raises(errors.ComponentError, match="node 'm': the handler answered int"):
        await bench.predict("x")


@MODES
async def test_exception_that_is_not_ours_becomes_internal(make: Make, mode: Mode) -> None:
    def fail(message: native.Message, context: exits.Context) -> Any:
        raise ZeroDivisionError("oh")

    async def async_fail(message: native.Message, context: exits.Context) -> Any:
        raise ZeroDivisionError("oh")

    bench = make(node("m"), replaced={"m": {Method.PREDICT: (mode, async_fail if mode is Mode.ASYNC else fail)}})
    with pytest.raises(ZeroDivisionError, match="oh"):
        await bench.predict("x")


async def test_method_that_is_not_offered_is_unimplemented(make: Make) -> None:
    def echo(message: native.Message, context: exits.Context) -> native.Message:
        return message

    bench = make(node("m"), replaced={"m": {Method.ROUTE: (Mode.QUICK, echo)}})
    with pytest.raises(errors.Error, match="node 'm': the component does not offer this method") as caught:
        await bench.predict("x")
    assert caught.value.status is Status.UNIMPLEMENTED


async def test_context_tells_of_the_request(make: Make) -> None:
    seen: list[Any] = []

    def look(message: native.Message, context: exits.Context) -> native.Message:
        seen.extend(
            [context.puid, context.headers, context.node, context.method, context.remaining(), context.deadline]
        )
        return answer("ok", message)

    bench = make(node("m"), replaced={"m": {Method.PREDICT: (Mode.QUICK, look)}})
    due = time.monotonic() + 5
    request = bench.submit(seldon.build("strData", "x"), deadline=due)
    assert text(await asyncio.wait_for(request.future, 10)) == "ok"
    assert seen[:4] == ["puid-1", [("a", "b")], "m", Method.PREDICT]
    assert 0 < seen[4] <= 5
    assert seen[5] == due


async def test_hundred_requests_at_once_in_threads(make: Make) -> None:
    def work(message: native.Message, context: exits.Context) -> native.Message:
        time.sleep(0.001)
        return answer(text(message) + "!", message)

    bench = make(
        node("a", "model", node("b")), replaced={name: {Method.PREDICT: (Mode.BLOCKING, work)} for name in "ab"}
    )
    said = await asyncio.gather(*(bench.predict(str(index)) for index in range(100)))
    assert said == [f"{index}!!" for index in range(100)]


# --- what slow Python code in the loop must not do ----------------------------------------------


def slow(log: list[str]) -> dict[Method, tuple[Mode, Any]]:
    def handle(message: native.Message, context: exits.Context) -> native.Message:
        log.append(context.node)
        time.sleep(0.005)
        return message

    return dict.fromkeys(Method, (Mode.QUICK, handle))


async def test_deadline_holds_while_quick_handlers_are_not_quick(make: Make) -> None:
    log: list[str] = []
    names = [f"m{index}" for index in range(60)]
    bench = make(node("c", "combiner", *map(node, names)), replaced={name: slow(log) for name in names})
    request = bench.submit(seldon.build("strData", "x"), deadline=time.monotonic() + 0.05)
    with pytest.raises(errors.DeadlineError):
        await asyncio.wait_for(request.future, 10)
    # All 60 would have taken 300 ms; those not begun at the deadline never are.
    assert 0 < len(log) < 60


async def test_loop_gets_its_turn_between_batches_of_quick_handlers(make: Make) -> None:
    turns = 0

    def turn() -> None:
        nonlocal turns
        turns += 1
        if bench.engine.in_flight:
            asyncio.get_running_loop().call_soon(turn)

    names = [f"m{index}" for index in range(30)]
    bench = make(node("c", "combiner", *map(node, names)), replaced={name: slow([]) for name in names})
    request = bench.submit(seldon.build("strData", "x"))
    turn()
    await asyncio.wait_for(request.future, 10)
    assert turns > 5


# --- copies that are not made -------------------------------------------------------------------


def noting(kept: list[Any]) -> dict[Method, tuple[Mode, Any]]:
    """Handlers that note where the array of a message lies, and pass the message's bytes on."""

    def handle(message: native.Message, context: exits.Context) -> native.Message:
        array = seldon.open(message).array()
        kept.append(array.__array_interface__["data"][0])
        return seldon.build("tensor", array)

    return dict.fromkeys(Method, (Mode.QUICK, handle))


async def test_component_works_on_the_bytes_that_came_in(make: Make) -> None:
    kept: list[int] = []
    names = "abc"
    bench = make(node("a", "model", node("b", "model", node("c"))), replaced={name: noting(kept) for name in names})
    whole = bytes(seldon.build("tensor", numpy.zeros(1000)))
    # One span, owned by the message alone, as a message that came over a connection is.
    message = native.Message(bytearray(whole))
    (part,) = message.parts()
    start = numpy.frombuffer(memoryview(part), "u1").__array_interface__["data"][0]
    del part
    request = bench.submit(message)
    del message
    await asyncio.wait_for(request.future, 10)
    aligned = (start + whole.index(bytes(64))) % 8 == 0
    assert (start <= kept[0] < start + len(whole)) == aligned


async def test_children_that_need_another_encoding_share_one_transcoded_message(make: Make) -> None:
    seen: list[tuple[int, ...]] = []

    def handle(message: native.Message, context: exits.Context) -> native.Message:
        seen.append(
            tuple(numpy.frombuffer(memoryview(part), "u1").__array_interface__["data"][0] for part in message.parts())
        )
        return message

    children = [node(f"m{index}") for index in range(4)]
    replaced = {child.name: {Method.PREDICT: (Mode.QUICK, handle)} for child in children}
    bench = make(node("c", "combiner", *children), replaced=replaced, encoding=Encoding.SELDON_PROTO)
    await bench.run(seldon_json.build("ndarray", [[1, 2]]))
    assert len(seen) == 4
    assert len(set(seen)) == 1


@MODES
async def test_component_that_wants_to_end_the_process_fails_its_request_alone(make: Make, mode: Mode) -> None:
    def leave(message: native.Message, context: exits.Context) -> native.Message:
        raise SystemExit(3)

    bench = make(node("m"), replaced={"m": {Method.PREDICT: (mode, leave)}})
    with pytest.raises(errors.ComponentError, match="SystemExit: 3"):
        await bench.predict("x")
