"""How spans are sent: over TLS, over HTTP and gRPC, and what answers mean."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from opentelemetry.proto.trace.v1 import trace_pb2
from support.certificates import Scene
from support.collector import GrpcCollector, HttpCollector, attributes
from support.servers import free_port

from executor import errors
from executor._native import flow, span, transport
from executor.graph import plan as plans
from executor.graph.spec import Node, NodeType, Predictor
from executor.protocol.seldon import EXECUTOR_REST, EXECUTOR_RPCS
from executor.settings import parse_url
from executor.telemetry.span_export import Refused, Said
from executor.telemetry.trace_settings import GRPC, HTTP, TraceSettings
from executor.tracing import GrpcSender, HttpSender, Tracing
from executor.types import Method

REQUEST = span.request(span.source({"service.name": "s"}, "millrace", "1"), [])


@pytest.fixture
async def reactor() -> AsyncIterator[transport.Reactor]:
    made = transport.Reactor()
    yield made
    made.close()


async def test_grpc_says_what_became_of_it(reactor: transport.Reactor) -> None:
    with GrpcCollector() as collector:
        sender = GrpcSender(TraceSettings(collector.url, GRPC, (("api-key", "x"),)), reactor)
        assert await sender(REQUEST) == Said()
        assert collector.got.requests[0]["api-key"] == "x"
        collector.got.rejects, collector.got.why = 2, "too\nold"
        assert await sender(REQUEST) == Said(2, r"too\x0aold")
        collector.got.rejects = 0
        assert await sender(REQUEST) == Said(0, r"too\x0aold")
        for code, again in ((grpc.StatusCode.UNAVAILABLE, True), (grpc.StatusCode.INVALID_ARGUMENT, False)):
            collector.got.failures = [code]
            with pytest.raises(Refused, match="not now") as caught:
                await sender(REQUEST)
            assert caught.value.again == again
        await sender.close()


async def test_http_says_what_became_of_it(reactor: transport.Reactor) -> None:
    with HttpCollector() as collector:
        url = f"{collector.url}/v1/traces"
        sender = HttpSender(TraceSettings(url, HTTP, (("api-key", "x"),)), reactor)
        assert await sender(REQUEST) == Said()
        assert collector.got.requests[0]["api-key"] == "x"
        assert collector.got.requests[0]["content-type"] == "application/x-protobuf"
        collector.got.rejects, collector.got.why = 3, "no room"
        assert await sender(REQUEST) == Said(3, "no room")
        for status, again in ((503, True), (429, True), (400, False), (500, False)):
            collector.got.failures = [status]
            with pytest.raises(Refused, match=f"answered {status}") as caught:
                await sender(REQUEST)
            assert caught.value.again == again
        await sender.close()


@pytest.mark.parametrize("answer", [b"not protobuf", b"\x0a\x02\x08", b"", b"\x0a\x0b\x08" + b"\xff" * 9 + b"\x01"])
async def test_an_answer_that_says_nothing_rejects_nothing(reactor: transport.Reactor, answer: bytes) -> None:
    with HttpCollector() as collector:
        collector.got.raw = answer
        sender = HttpSender(TraceSettings(f"{collector.url}/v1/traces", HTTP), reactor)
        assert await sender(REQUEST) == Said()
        await sender.close()


@pytest.mark.parametrize("kind", [GrpcSender, HttpSender])
async def test_nobody_there_and_nobody_who_answers(
    reactor: transport.Reactor, kind: type[GrpcSender] | type[HttpSender]
) -> None:
    sender = kind(TraceSettings(f"http://127.0.0.1:{free_port()}"), reactor)
    with pytest.raises(Refused, match=r"refused|failed") as caught:
        await sender(REQUEST)
    assert caught.value.again
    await sender.close()
    with GrpcCollector() as silent, HttpCollector() as slow:
        silent.got.held.clear()
        slow.got.held.clear()
        url = silent.url if kind is GrpcSender else slow.url
        sender = kind(TraceSettings(url, timeout_s=0.05), reactor)
        with pytest.raises(Refused) as caught:
            await sender(REQUEST)
        assert caught.value.again
        await sender.close()


async def test_tls_to_those_it_trusts_alone(reactor: transport.Reactor, tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    with GrpcCollector(credentials=scene.grpc_server()) as collector:
        trusting = GrpcSender(TraceSettings(collector.url, GRPC, ca=scene.reaching().ca), reactor)
        assert await trusting(REQUEST) == Said()
        await trusting.close()
        doubting = GrpcSender(TraceSettings(collector.url, GRPC), reactor)
        with pytest.raises(Refused, match="certificate"):
            await doubting(REQUEST)
        await doubting.close()
    for kind in (GrpcSender, HttpSender):
        with pytest.raises(errors.RequestError, match="no-such-file"):
            kind(TraceSettings("https://localhost:1", ca="/no-such-file"), reactor)


async def test_nothing_is_made_where_nothing_is_traced(reactor: transport.Reactor) -> None:
    tracing = Tracing(reactor, flow.Engine(reactor), {})
    tracing.start()
    assert (tracing.tracer, tracing.rpcs(EXECUTOR_RPCS), tracing.rest(EXECUTOR_REST)) == (None, {}, {})
    await tracing.stop()


async def test_what_spans_of_nodes_begin_with(reactor: transport.Reactor) -> None:
    tracing = Tracing(reactor, flow.Engine(reactor), {"OTEL_TRACES_EXPORTER": "otlp"})
    names = ("inside", "grpc", "unix", "rest")
    root = Node("c", type=NodeType.COMBINER, children=tuple(Node(name, type=NodeType.MODEL) for name in names))
    addresses = [None, None, parse_url("grpc://h:1"), parse_url("unix:/s"), parse_url("http://h:2/base")]
    found = tracing.nodes(plans.compile_plan(Predictor("p", root), "d"), addresses)
    assert found is not None
    read = [trace_pb2.Span.FromString(calls[Method.PREDICT]) for _, calls in found]
    assert [kind for kind, _ in found] == [0, 0, 1, 1, 2]
    assert [each.name for each in read[1:]] == [
        "predict inside", "seldon.protos.Model/Predict", "seldon.protos.Model/Predict", "POST /predict",
    ]  # fmt: skip
    told = [attributes(each.attributes) for each in read]
    assert (told[2]["server.address"], told[2]["server.port"], told[2]["millrace.node"]) == ("h", 1, "grpc")
    assert told[3]["server.address"] == "/s"
    assert told[4]["url.full"] == "http://h:2/base/predict"
