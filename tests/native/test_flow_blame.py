"""Whose fault it is that a message cannot be put into a node's encoding: the caller's, or that of the nodes before it.

Tests `calling.in_encoding` in all shapes of graphs, and shapes whose nodes answer without a call.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.benches import Make, benches
from support.graphs import answer, node, plan, text

from executor import errors
from executor._native import exits, seldon, seldon_json
from executor._native import message as native
from executor.graph.spec import Node
from executor.status import Status
from executor.types import Encoding, Form, Method, Mode, Walk

JSON, PROTO = Encoding.SELDON_JSON, Encoding.SELDON_PROTO
RAGGED = b'{"data":{"tensor":{"shape":[2],"values":[1,"x"]}}}'
CALLER, NODE = Status.INVALID_ARGUMENT, Status.INTERNAL


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    with benches() as build:
        yield build


def simple(name: str, *children: Node) -> Node:
    """A node that makes no call: what reaches it goes on."""
    return node(name, "", *children, implementation="SIMPLE_MODEL")


def answering(raw: bytes, encoding: Encoding = JSON) -> dict[Method, tuple[Mode, Any]]:
    """Handlers that answer `raw`, which need not be any."""

    def handle(message: native.Message, context: exits.Context) -> native.Message:
        return native.Message(raw, int(encoding))

    return dict.fromkeys(Method, (Mode.QUICK, handle))


def blind(graph: Node, route: int) -> dict[str, dict[Method, tuple[Mode, Any]]]:
    """Handlers for all nodes that look at nothing of what they are asked."""

    def send(message: native.Message, context: exits.Context) -> native.Message:
        if message.encoding == PROTO:
            return seldon.build("ndarray", [[route]])
        return seldon_json.build("ndarray", [[route]])

    def say(message: native.Message, context: exits.Context) -> native.Message:
        return answer(context.node, message)

    handlers = {**dict.fromkeys(Method, (Mode.QUICK, say)), Method.ROUTE: (Mode.QUICK, send)}
    return {each.name: handlers for each in plan(graph).nodes}


IN_SHAPES: list[tuple[Node, dict[str, Encoding], int]] = [
    (node("m"), {"m": PROTO}, 0),
    (node("c", "combiner", node("a"), node("m")), {"c": JSON, "a": JSON, "m": PROTO}, 0),
    (node("c", "combiner", node("m"), node("a")), {"c": JSON, "a": JSON, "m": PROTO}, 0),
    (node("c", "combiner", simple("s"), node("a")), {"c": PROTO, "a": JSON}, 0),
    (node("c", "combiner", node("a"), simple("s")), {"c": PROTO, "a": JSON}, 0),
    (node("r", "router", node("m"), node("a")), {"r": PROTO, "m": JSON}, 0),
    (node("r", "router", node("m"), node("a")), {"r": JSON, "m": PROTO}, 0),
    (node("r", "router", node("a"), node("m")), {"r": JSON, "m": PROTO}, -1),
    (node("o", "output", node("r", "router", node("a"), node("b"))), {"o": PROTO, "r": JSON}, -2),
    (node("o", "output", simple("s")), {"o": PROTO}, 0),
    (node("o", "output", simple("s", simple("s1"), simple("s2"))), {"o": PROTO}, 0),
    (node("o", "output"), {"o": PROTO}, 0),
    (node("c", "combiner", node("o", "output", node("m")), node("a")), {"m": PROTO, "a": JSON, "c": JSON}, 0),
]
"""A graph, what its nodes take, and where its router sends requests: a node meets what the caller wrote."""


@pytest.mark.parametrize("case", IN_SHAPES, ids=lambda case: " ".join(case[1]))
async def test_what_the_caller_wrote_is_the_callers_fault(make: Make, case: tuple[Node, Any, int]) -> None:
    graph, encoding, route = case
    bench = make(graph, encoding=encoding, replaced=blind(graph, route))
    with pytest.raises(errors.Error, match=r"data\.tensor\.values: expected a number") as caught:
        await bench.run(native.Message(RAGGED, int(JSON)))
    assert caught.value.status is CALLER
    assert bench.engine.in_flight == 0


OUT_SHAPES: list[tuple[Node, dict[str, Encoding], int]] = [
    (node("bad", "model", node("m")), {"m": PROTO}, 0),
    (node("bad", "transformer", node("m")), {"m": PROTO}, 0),
    (node("bad", "transformer", node("c", "combiner", node("a"), node("m"))), {"m": PROTO, "c": JSON}, 0),
    (node("bad", "transformer", node("r", "router", node("a"), node("b"))), {"r": PROTO}, 0),
    (node("bad", "transformer", node("r", "router", node("m"), node("b"))), {"r": JSON, "m": PROTO}, 0),
    (node("o", "output", node("bad", "transformer", node("r", "router", node("a")))), {"o": PROTO, "r": JSON}, -2),
    (node("o", "output", node("bad")), {"o": PROTO}, 0),
    (node("o", "output", simple("s", node("bad"), simple("s2"))), {"o": PROTO}, 0),
    (node("o", "output", node("r", "router", node("a"), node("bad"))), {"o": PROTO, "r": JSON}, 1),
    (node("c", "combiner", node("a"), node("bad")), {"c": PROTO, "a": PROTO}, 0),
    (node("c", "combiner", simple("s"), node("bad")), {"c": PROTO}, 0),
    (node("c", "combiner", node("bad"), simple("s")), {"c": PROTO}, 0),
    (node("bad", "", node("m"), methods=(Method.TRANSFORM_INPUT, Method.TRANSFORM_OUTPUT)), {"m": PROTO}, 0),
    (node("bad", "transformer", simple("s", node("m"), node("a"))), {"m": PROTO}, 0),
]
"""The same where a node meets what the one called `bad` answered."""


@pytest.mark.parametrize("case", OUT_SHAPES, ids=lambda case: " ".join(case[1]))
async def test_what_a_node_answered_is_not_the_callers_fault(make: Make, case: tuple[Node, Any, int]) -> None:
    graph, encoding, route = case
    replaced = {**blind(graph, route), "bad": answering(RAGGED)}
    bench = make(graph, encoding={**encoding, "bad": JSON}, replaced=replaced)
    with pytest.raises(errors.Error, match="expected a number") as caught:
        await bench.run(seldon_json.build("strData", "x"))
    assert caught.value.status is NODE
    assert bench.engine.in_flight == 0


async def test_an_answer_that_cannot_go_back_in_the_clients_encoding(make: Make) -> None:
    bench = make(node("bad"), encoding=JSON, replaced={"bad": answering(RAGGED)})
    for walk in (Walk.PREDICT, Walk.FEEDBACK, Walk.CALL):
        with pytest.raises(errors.Error, match="expected a number") as caught:
            await bench.run(native.Message(b"", int(PROTO), int(Form.FEEDBACK if walk is Walk.FEEDBACK else 0)), walk)
        assert caught.value.status is NODE


async def test_meta_that_cannot_be_added_to(make: Make) -> None:
    broken = b"\x0a\x09"  # a meta that runs past the end
    graph = node("r", "router", node("m"))
    bench = make(graph, routes={"r": -2}, routing=1)
    with pytest.raises(errors.Error) as caught:
        await bench.run(native.Message(broken, int(PROTO)))
    assert caught.value.status is CALLER
    bench = make(graph, routes={"r": 0}, routing=1, replaced={"m": answering(broken, PROTO)})
    with pytest.raises(errors.Error) as caught:
        await bench.predict("x")
    assert caught.value.status is NODE


# --- feedback -----------------------------------------------------------------------------------


async def test_feedback_that_one_node_cannot_read_reaches_the_others(make: Make) -> None:
    graph = node("c", "combiner", node("m"), node("a"), node("b"), methods=(Method.SEND_FEEDBACK,))
    bench = make(graph, encoding={"c": JSON, "m": PROTO, "a": JSON, "b": JSON})
    feedback = json.dumps({"reward": 1, "request": json.loads(RAGGED)}).encode()
    with pytest.raises(errors.Error, match=r"node 'm': .*expected a number") as caught:
        await bench.run(native.Message(feedback, int(JSON), int(Form.FEEDBACK)), Walk.FEEDBACK)
    assert caught.value.status is CALLER
    assert bench.calls == [f"{name}.send_feedback(feedback(1))" for name in ("a", "b", "c")]


# --- nodes that answer at once ------------------------------------------------------------------


@pytest.mark.parametrize("several", [2, 3])
async def test_children_that_make_no_call_answer_for_a_node_that_makes_one(make: Make, several: int) -> None:
    inner = node("t", "transformer", *(simple(f"s{index}") for index in range(several)))
    bench = make(node("c", "combiner", inner, node("a", "model", node("b"))))
    assert await bench.predict("x") == "c.aggregate([t.transform_input(x),b.predict(a.predict(x))])"


async def test_nobody_makes_a_call_below_a_combiner(make: Make) -> None:
    inner = simple("i", simple("s", simple("s1"), simple("s2")), simple("s3"))
    bench = make(node("c", "combiner", inner, node("o", "output", simple("s4"), simple("s5")), node("a")))
    assert await bench.predict("x") == "c.aggregate([x,o.transform_output(x),a.predict(x)])"


async def test_joined_at_once_and_put_out(make: Make) -> None:
    methods = (Method.AGGREGATE, Method.TRANSFORM_OUTPUT)
    bench = make(node("n", "", simple("s1"), simple("s2"), methods=methods), mode=Mode.ASYNC)
    assert await bench.predict("x") == "n.transform_output(n.aggregate([x,x]))"
    message = seldon.build("strData", "y")
    assert text(await bench.run(answer("y", message))) == "n.transform_output(n.aggregate([y,y]))"
