"""Python that is told of a cancelled call and acts at once: on the request that it was of, or on its other calls."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from support.benches import Make, benches, wait_for
from support.graphs import failing, node

from executor import errors
from executor._native import exits, front, seldon
from executor._native import message as native
from executor.graph.spec import Node
from executor.types import Form, Method, Mode, Walk


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    with benches() as build:
        yield build


class Waiting:
    """A callback node that answers nothing; `told` is called when a call of it is cancelled."""

    def __init__(self, told: Callable[[], Any]) -> None:
        self.told = told
        self.pending: list[exits.Pending] = []

    def begin(self, message: native.Message, context: exits.Context, pending: exits.Pending) -> "Waiting":
        self.pending.append(pending)
        return self

    def cancel(self) -> None:
        self.told()

    def handlers(self) -> dict[Method, tuple[Mode, Any]]:
        return dict.fromkeys(Method, (Mode.CALLBACK, self.begin))


def graph(*children: Node) -> Node:
    return node("c", "combiner", *children)


async def heard_nothing(bench: Any, request: front.Request) -> None:
    await wait_for(lambda: bench.engine.in_flight == 0)
    await asyncio.sleep(0)
    assert request.future is not None
    assert not request.future.done()


@pytest.mark.parametrize("mode", [Mode.BLOCKING, Mode.ASYNC])
async def test_a_request_cancelled_while_it_fails_is_heard_of_no_more(make: Make, mode: Mode) -> None:
    request: front.Request

    async def fail_later(message: native.Message, context: exits.Context) -> native.Message:
        raise ValueError("no")

    waiting = Waiting(lambda: request.cancel())
    bad = dict.fromkeys(Method, (mode, fail_later if mode is Mode.ASYNC else failing()[Method.PREDICT][1]))
    bench = make(graph(node("w"), node("v"), node("bad")), replaced={
        "w": waiting.handlers(), "v": Waiting(lambda: None).handlers(), "bad": bad
    })  # fmt: skip
    request = bench.submit(seldon.build("strData", "x"))
    await heard_nothing(bench, request)
    assert bench.endpoints["w"].running == bench.endpoints["v"].running == 0


@pytest.mark.parametrize("walk", [Walk.PREDICT, Walk.FEEDBACK])
async def test_a_request_cancelled_by_a_call_that_is_late(make: Make, walk: Walk) -> None:
    request: front.Request
    waiting, other = Waiting(lambda: request.cancel()), Waiting(lambda: None)
    bench = make(graph(node("w"), node("v")), replaced={"w": waiting.handlers(), "v": other.handlers()})
    bench.endpoints["w"].timeout_s = 0.01
    form = Form.FEEDBACK if walk is Walk.FEEDBACK else Form.MESSAGE
    request = bench.submit(native.Message(b"", 0, int(form)), walk)
    await heard_nothing(bench, request)
    assert (len(waiting.pending), len(other.pending)) == (1, 1)
    assert bench.endpoints["w"].running == bench.endpoints["v"].running == 0


@pytest.mark.parametrize("mode", [Mode.BLOCKING, Mode.ASYNC])
async def test_calls_that_fail_while_others_are_cancelled_change_nothing(make: Make, mode: Mode) -> None:
    first, second = Waiting(lambda: second.pending[0].fail(errors.NodeError("gone", node="v"))), Waiting(lambda: None)

    async def fail_later(message: native.Message, context: exits.Context) -> native.Message:
        raise ValueError("no")

    def fail(message: native.Message, context: exits.Context) -> native.Message:
        raise ValueError("no")

    bad = dict.fromkeys(Method, (mode, fail_later if mode is Mode.ASYNC else fail))
    bench = make(graph(node("w"), node("v"), node("bad")), replaced={
        "w": first.handlers(), "v": second.handlers(), "bad": bad
    })  # fmt: skip
    with pytest.raises(ValueError, match="no"):
        await bench.run(seldon.build("strData", "x"))
    assert bench.engine.in_flight == 0
    assert bench.endpoints["w"].running == bench.endpoints["v"].running == 0
