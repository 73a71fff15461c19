"""Requests and feedback at a router that learns: who is picked, what the answer says, and whose the reward is.

Tests `flow`, `routing`, `program` and `weights` together.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.benches import Make, benches
from support.graphs import Bench, node

from executor import errors
from executor._native import front, program, seldon, seldon_json, weights
from executor._native import message as native
from executor.graph.spec import Node
from executor.status import Status
from executor.types import Method, Walk

SLOTS = 24 * 1024
CODECS = pytest.mark.parametrize("codec", [seldon, seldon_json])


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    with benches() as build:
        yield build


def router(*children: str) -> Node:
    return node("r", "", *(node(name) for name in children), implementation="EXP3")


def learning(bench: Bench, memory: bytearray, *names: str) -> weights.Weights:
    """Puts a table in place of the bench's plan's own."""
    table = weights.Weights(names, 1, memory)
    bound = [bench.endpoints[each.name] for each in bench.plan.nodes]
    bench.program = program.Program(bench.plan.nodes, bound, 1, True, {0: table})
    return table


async def ask(bench: Bench, message: native.Message, puid: str, walk: Walk = Walk.PREDICT) -> native.Message:
    request = front.submit(bench.engine, bench.program, walk, Method.PREDICT, message, [], puid, 0)
    return await asyncio.wait_for(request.future, 10)


@CODECS
async def test_an_answer_says_which_branch_and_which_request(make: Make, codec: Any) -> None:
    bench = make(router("a", "b"))
    table = learning(bench, bytearray(SLOTS), "a", "b")
    table.set_chances([0.0, 1.0])
    said = codec.open(await ask(bench, codec.build("strData", "x"), "id-1"))
    assert said.meta == {"puid": "id-1", "routing": {"r": 1}}
    assert bench.calls == ["b.predict(x)"]
    assert table.pulls == [0, 1]
    assert table.recall("id-1") == (weights.mark("b"), 1, 1.0)


def feedback(codec: Any, puid: str, route: int) -> native.Message:
    response = codec.build("strData", "y", meta={"puid": puid, "routing": {"r": route}})
    made: native.Message = codec.build_feedback(None, response, 1.0, None)
    return made


@CODECS
@pytest.mark.parametrize(
    ("children", "took", "gets"),
    [
        (("a", "b", "c"), 1, ["b"]),  # nothing has changed
        (("x", "a", "b"), 1, ["b"]),  # it has moved
        (("a", "c"), 1, []),  # it has gone
        (("b",), 1, ["b"]),  # it is where no branch was
        (("a", "b", "c"), 2, ["c"]),  # another request of the same puid took this one
    ],
)
async def test_late_feedback_finds_its_branch(
    make: Make,
    codec: Any,
    children: tuple[str, ...],
    took: int,
    gets: list[str],
) -> None:
    memory = bytearray(SLOTS)
    before = weights.Weights(["a", "b", "c"], None, memory)
    before.set_chances([0.0, 1.0, 0.0])
    before.pick("late")
    bench = make(router(*children))
    learning(bench, memory, *children)
    await ask(bench, feedback(codec, "late", took), "", Walk.FEEDBACK)
    assert bench.calls == [*(f"{name}.send_feedback(feedback(1))" for name in gets), "r.send_feedback(feedback(1))"]


@CODECS
async def test_a_route_that_never_was_is_refused(make: Make, codec: Any) -> None:
    bench = make(router("a", "b"))
    learning(bench, bytearray(SLOTS), "a", "b")
    with pytest.raises(errors.Error, match=r"node 'r': response.meta.routing is 2; allowed are .* 0 to 1") as caught:
        await ask(bench, feedback(codec, "unknown", 2), "", Walk.FEEDBACK)
    assert caught.value.status is Status.INVALID_ARGUMENT


async def test_a_table_needs_a_branch_for_each_child(make: Make) -> None:
    bench = make(router("a", "b"))
    with pytest.raises(ValueError, match="node 'r' has 2 children, its table 3 branches"):
        learning(bench, bytearray(SLOTS), "a", "b", "c")
