"""Plans in native form; test_flow walks them."""

import asyncio
from typing import Any

import pytest
from support.graphs import Bench, answer, node

from executor._native import endpoint, exits, program, seldon
from executor._native import message as native
from executor.types import Encoding, Method, Mode


async def test_nodes_that_make_calls_need_endpoints() -> None:
    bench = Bench(node("r", "router", node("m0"), node("m1")))
    bound = [bench.endpoints[each.name] for each in bench.plan.nodes]
    assert len(program.Program(bench.plan.nodes, bound)) == 3
    with pytest.raises(ValueError, match="node 'm1' makes calls but has no endpoint"):
        program.Program(bench.plan.nodes, [*bound[:2], None])
    with pytest.raises(ValueError, match="3 nodes but 2 endpoints"):
        program.Program(bench.plan.nodes, bound[:2])
    with pytest.raises(ValueError, match="at least one node"):
        program.Program([], [])
    wrong: Any = object()
    with pytest.raises(TypeError):
        program.Program(bench.plan.nodes, [*bound[:2], wrong])
    bench.close()


async def test_nodes_that_make_none_need_none() -> None:
    root = node("r", "", node("a", "", implementation="SIMPLE_MODEL"), implementation="SIMPLE_ROUTER")
    bench = Bench(root)
    assert len(program.Program(bench.plan.nodes, [None, None])) == 2
    bench.close()


async def test_requests_in_flight_keep_their_program() -> None:
    release = asyncio.Event()

    async def hold(message: native.Message, context: exits.Context) -> native.Message:
        await release.wait()
        return answer("held", message)

    bench = Bench(node("m"), replaced={"m": {Method.PREDICT: (Mode.ASYNC, hold)}})
    requests = [bench.submit(seldon.build("strData", "x")) for _ in range(3)]
    assert bench.program.in_flight == 3
    # Nobody else knows the program and its component any more.
    bench.program = program.Program(bench.plan.nodes, [exits.Component(bench.reactor, "m", {})])
    bench.endpoints.clear()
    await asyncio.sleep(0.01)
    release.set()
    for request in requests:
        assert seldon.open(await asyncio.wait_for(request.future, 10)).value() == "held"
    assert bench.program.in_flight == 0
    bench.close()


async def test_endpoints_say_what_they_take() -> None:
    bench = Bench(node("m"), encoding=Encoding.SELDON_JSON)
    component: endpoint.Endpoint = bench.endpoints["m"]
    assert component.encoding == Encoding.SELDON_JSON
    bench.close()
