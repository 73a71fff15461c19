"""Spans of requests that the flow does not have."""

import time
from collections.abc import AsyncIterator, Callable

import pytest
from support.collector import ERROR, UNSET, parsed
from support.graphs import Bench, node

from executor import errors
from executor._native import errand, flow, propagation, span, tracer

TRACE, PARENT = f"{7:032x}", f"{9:016x}"
LABEL = tracer.Label(span.static("GET /x", span.SERVER, {}), lambda error: error.http_status)
CALLED = ("traceparent", f"00-{TRACE}-{PARENT}-01")

Make = Callable[[float], tuple[flow.Engine, tracer.Tracer]]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Engines that trace such a share."""
    benches: list[Bench] = []

    def engine(ratio: float) -> tuple[flow.Engine, tracer.Tracer]:
        benches.append(Bench(node("m")))
        made = tracer.Tracer(benches[-1].reactor, [propagation.W3C], ratio=ratio, parents=False)
        benches[-1].engine.trace(made)
        return benches[-1].engine, made

    yield engine
    for each in benches:
        each.close()


async def test_its_span_is_below_the_caller_s_and_above_the_nodes(make: Make) -> None:
    engine, traced = make(1.0)
    one = errand.Errand(engine, LABEL, [CALLED, ("a", "b")], time.monotonic() - 5)
    told = dict(one.headers)
    one.end(503, errors.NodeError("away"), "p")
    one.end(200)  # it has ended
    (found,) = parsed(traced.take(10)[0])
    assert told == {"traceparent": f"00-{TRACE}-{found.id}-01", "a": "b"}
    assert (found.name, found.trace, found.parent) == ("GET /x", TRACE, PARENT)
    assert (found.status, found.said) == (ERROR, "away")
    assert found.attributes == {"millrace.puid": "p", "http.response.status_code": 503, "error.type": "503"}
    assert found.end - found.start > 4.9e9


async def test_headers_that_cannot_travel_are_not_read(make: Make) -> None:
    engine, traced = make(1.0)
    one = errand.Errand(engine, LABEL, [CALLED, ("a", "line\nbreak")])
    one.end(404, errors.RequestError("no", http_status=404))
    (found,) = parsed(traced.take(10)[0])
    assert (found.parent, found.status, found.attributes) == ("", UNSET, {"http.response.status_code": 404})
    assert found.events[0][1]["exception.message"] == "no"


async def test_what_is_not_traced_has_none_and_nodes_are_told(make: Make) -> None:
    engine, traced = make(0.0)
    with_parent, alone = (errand.Errand(engine, LABEL, headers) for headers in ([CALLED], [("a", "b")]))
    with_parent.end(200)
    alone.end(200)
    assert dict(with_parent.headers)["traceparent"].endswith("-00")
    assert alone.headers == [("a", "b")]
    assert traced.take(10) == ([], 0)


async def test_an_engine_that_traces_nothing() -> None:
    bench = Bench(node("m"))
    one = errand.Errand(bench.engine, LABEL, [CALLED, ("millrace-timing", "1")])
    one.end(500, errors.Error("x"))
    assert one.headers == [CALLED, ("millrace-timing", "1")]
    bench.close()
