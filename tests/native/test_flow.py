"""The walks of a plan, with components in this process that note how they are called; `routing` in their answers.

Tests `feedback` too.
"""

from collections import Counter
from collections.abc import AsyncIterator

import pytest
from support.benches import Make, benches
from support.graphs import failing, node, text

from executor import errors
from executor._native import message as native
from executor._native import seldon, seldon_json
from executor.status import Status
from executor.types import Encoding, Form, Method, Mode, Walk


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    with benches() as build:
        yield build


MODES = pytest.mark.parametrize("mode", list(Mode))


@MODES
async def test_model_chain_calls_in_order_with_each_answer(make: Make, mode: Mode) -> None:
    bench = make(node("a", "model", node("b")), mode=mode)
    assert await bench.predict("x") == "b.predict(a.predict(x))"


@MODES
async def test_transformer_then_model(make: Make, mode: Mode) -> None:
    bench = make(node("t", "transformer", node("m")), mode=mode)
    assert await bench.predict("x") == "m.predict(t.transform_input(x))"


@MODES
async def test_output_transformer_comes_after_its_child(make: Make, mode: Mode) -> None:
    bench = make(node("o", "output", node("m")), mode=mode)
    assert await bench.predict("x") == "o.transform_output(m.predict(x))"


@MODES
@pytest.mark.parametrize(
    ("route", "said"), [(0, "m0.predict(x)"), (1, "m1.predict(x)"), (-1, "m0.predict(x)"), (-2, "x")]
)
async def test_router_sends_the_request_down_the_route(make: Make, mode: Mode, route: int, said: str) -> None:
    bench = make(node("r", "router", node("m0"), node("m1")), mode=mode, routes={"r": route})
    assert await bench.predict("x") == said
    assert len(bench.calls) == {0: 2, 1: 2, -1: 3, -2: 1}[route]


@MODES
async def test_combiner_gets_the_answers_in_child_order(make: Make, mode: Mode) -> None:
    bench = make(node("c", "combiner", node("m0"), node("m1"), node("m2")), mode=mode)
    assert await bench.predict("x") == "c.aggregate([m0.predict(x),m1.predict(x),m2.predict(x)])"


async def test_several_children_without_combiner_answer_with_the_first(make: Make) -> None:
    bench = make(node("a", "model", node("b"), node("c")))
    assert await bench.predict("x") == "b.predict(a.predict(x))"
    assert "c.predict(a.predict(x))" in bench.calls


async def test_methods_add_calls_on_one_node(make: Make) -> None:
    methods = (Method.TRANSFORM_INPUT, Method.ROUTE, Method.AGGREGATE, Method.TRANSFORM_OUTPUT)
    bench = make(node("n", "", node("k0"), node("k1"), methods=methods), routes={"n": -1})
    expected = "n.transform_output(n.aggregate([k0.predict(n.transform_input(x)),k1.predict(n.transform_input(x))]))"
    assert await bench.predict("x") == expected
    assert bench.calls[1] == "n.route(n.transform_input(x))"


@MODES
async def test_nested_graph(make: Make, mode: Mode) -> None:
    inner = node("r", "router", node("m0"), node("m1"))
    bench = make(node("t", "transformer", node("c", "combiner", inner, node("m2"))), mode=mode, routes={"r": 1})
    said = await bench.predict("x")
    assert said == "c.aggregate([m1.predict(t.transform_input(x)),m2.predict(t.transform_input(x))])"


async def test_combiner_under_one_route_gets_one_answer(make: Make) -> None:
    methods = (Method.ROUTE, Method.AGGREGATE)
    bench = make(node("n", "", node("k0"), node("k1"), methods=methods), routes={"n": 1})
    assert await bench.predict("x") == "n.aggregate([k1.predict(x)])"


async def test_many_children_overflow_the_small_list(make: Make) -> None:
    bench = make(node("c", "combiner", *(node(f"m{index}") for index in range(70))))
    assert await bench.predict("x") == "c.aggregate([" + ",".join(f"m{index}.predict(x)" for index in range(70)) + "])"


async def test_simple_router_and_model_need_no_calls(make: Make) -> None:
    bench = make(node("r", "", node("a", "", implementation="SIMPLE_MODEL"), node("b"), implementation="SIMPLE_ROUTER"))
    assert await bench.predict("x") == "x"
    assert bench.calls == []


async def test_ab_test_splits_by_ratio(make: Make) -> None:
    bench = make(node("ab", "", node("a"), node("b"), implementation="RANDOM_ABTEST", parameters={"ratioA": 0.2}))
    counts = Counter([await bench.predict("x") for _ in range(2000)])
    assert set(counts) == {"a.predict(x)", "b.predict(x)"}
    # Binomial(2000, 0.2): five standard deviations are 90.
    assert abs(counts["a.predict(x)"] - 400) < 90


@pytest.mark.parametrize("route", [2, 17, -3])
async def test_route_out_of_range_names_node_value_and_range(make: Make, route: int) -> None:
    bench = make(node("r", "router", node("m0"), node("m1")), routes={"r": route})
    with pytest.raises(errors.Error, match=rf"node 'r': route {route} does not exist; .* 0 to 1") as caught:
        await bench.predict("x")
    assert caught.value.status is Status.INTERNAL


# --- routing in meta ----------------------------------------------------------------------------


async def test_routing_is_reported_for_nodes_that_chose(make: Make) -> None:
    graph = node("t", "transformer", node("r", "router", node("m0"), node("m1")))
    bench = make(graph, routes={"r": 1}, routing=1)
    said = seldon.open(await bench.run(seldon.build("strData", "x", meta={"tags": {"k": 1.0}})))
    assert said.meta["routing"] == {"r": 1}


async def test_routing_of_every_visited_node(make: Make) -> None:
    graph = node("t", "transformer", node("r", "router", node("m0"), node("m1")))
    bench = make(graph, routes={"r": 1}, routing=2)
    said = seldon.open(await bench.run(seldon.build("strData", "x")))
    assert said.meta["routing"] == {"t": -1, "r": 1, "m1": -1}


async def test_routing_in_json(make: Make) -> None:
    bench = make(node("r", "router", node("m0"), node("m1")), routes={"r": 0}, routing=1)
    said = await bench.run(seldon_json.build("strData", "x"))
    assert said.encoding == Encoding.SELDON_JSON
    assert seldon_json.open(said).meta["routing"] == {"r": 0}


# --- encodings ----------------------------------------------------------------------------------


@pytest.mark.parametrize("client", [Encoding.SELDON_PROTO, Encoding.SELDON_JSON])
@pytest.mark.parametrize("endpoints", [Encoding.SELDON_PROTO, Encoding.SELDON_JSON, Encoding.ANY])
async def test_messages_change_encoding_only_on_edges_that_need_it(
    make: Make, client: Encoding, endpoints: Encoding
) -> None:
    bench = make(node("c", "combiner", node("m0"), node("m1")), encoding=endpoints)
    codec = seldon if client is Encoding.SELDON_PROTO else seldon_json
    said = await bench.run(codec.build("strData", "x"))
    assert said.encoding == client
    assert text(said) == "c.aggregate([m0.predict(x),m1.predict(x)])"


async def test_broken_json_on_an_edge_that_needs_protobuf_is_the_callers_error(make: Make) -> None:
    bench = make(node("m"), encoding=Encoding.SELDON_PROTO)
    with pytest.raises(errors.Error) as caught:
        await bench.run(native.Message(b'{"data":{"ndarray":[[1,}', int(Encoding.SELDON_JSON)))
    assert caught.value.status is Status.INVALID_ARGUMENT
    assert "node 'm'" in caught.value.message
    assert "byte" in caught.value.message


# --- feedback -----------------------------------------------------------------------------------


def feedback(routing: dict[str, int] | None, encoding: Encoding = Encoding.SELDON_PROTO) -> native.Message:
    codec = seldon if encoding is Encoding.SELDON_PROTO else seldon_json
    response = codec.build("strData", "r", meta={"routing": routing} if routing is not None else None)
    message: native.Message = codec.build_feedback(codec.build("strData", "q"), response, 0.5, None)
    assert message.form == Form.FEEDBACK
    return message


@pytest.mark.parametrize("encoding", [Encoding.SELDON_PROTO, Encoding.SELDON_JSON])
async def test_feedback_follows_the_route_children_first(make: Make, encoding: Encoding) -> None:
    bench = make(node("r", "router", node("m0"), node("m1")))
    said = await bench.run(feedback({"r": 1}, encoding), Walk.FEEDBACK)
    assert bench.calls == ["m1.send_feedback(feedback(0.5))", "r.send_feedback(feedback(0.5))"]
    assert text(said) == "r.send_feedback(feedback(0.5))"


async def test_feedback_without_routing_goes_to_all(make: Make) -> None:
    bench = make(node("r", "router", node("m0"), node("m1")))
    await bench.run(feedback(None), Walk.FEEDBACK)
    assert [call.split(".")[0] for call in bench.calls] == ["m0", "m1", "r"]


async def test_feedback_skips_nodes_that_take_none_and_a_root_of_these_gives_it_back(make: Make) -> None:
    bench = make(node("t", "transformer", node("m")))
    said = await bench.run(feedback(None), Walk.FEEDBACK)
    assert bytes(said) == b""  # a Feedback of protobuf is no SeldonMessage
    assert [call.split(".")[0] for call in bench.calls] == ["m"]
    given = feedback(None, Encoding.SELDON_JSON)
    said = await bench.run(given, Walk.FEEDBACK)
    assert bytes(said) == bytes(given) != b""


async def test_feedback_error_stops_nobody_and_is_reported(make: Make) -> None:
    bench = make(node("r", "router", node("bad"), node("m1")), replaced={"bad": failing()})
    with pytest.raises(errors.ComponentError, match="bad says no"):
        await bench.run(feedback(None), Walk.FEEDBACK)
    assert [call.split(".")[0] for call in bench.calls] == ["m1", "r"]


async def test_feedback_after_no_child_was_asked_reaches_the_router_alone(make: Make) -> None:
    bench = make(node("r", "router", node("m0"), node("m1")))
    await bench.run(feedback({"r": -2}), Walk.FEEDBACK)
    assert [call.split(".")[0] for call in bench.calls] == ["r"]


@pytest.mark.parametrize("route", [2, -3])
async def test_feedback_route_out_of_range_names_node_value_and_range(make: Make, route: int) -> None:
    bench = make(node("r", "router", node("m0"), node("m1")))
    with pytest.raises(errors.Error, match=rf"node 'r': response.meta.routing is {route}; .* 0 to 1") as caught:
        await bench.run(feedback({"r": route}), Walk.FEEDBACK)
    assert caught.value.status is Status.INVALID_ARGUMENT
    assert bench.calls == []
