"""Traces as a receiver of OTLP sees them: one from the client through the executor to every node."""

import json
import logging
import re
from pathlib import Path
from typing import Any

import grpc
import pytest
from support import clients, serving
from support.clients import PREDICTIONS
from support.collector import CLIENT, ERROR, INTERNAL, SERVER, GrpcCollector, HttpCollector, Span
from support.processes import Programs
from support.servers import Call, free_port, grpc_node

from executor._pb import seldon_pb2
from executor.telemetry import span_export

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{CALLER}-01"
ASKED = {"strData": "x"}


def of(spans: list[Span], **wanted: Any) -> list[Span]:
    return [each for each in spans if all(getattr(each, key) == value for key, value in wanted.items())]


def one(spans: list[Span], **wanted: Any) -> Span:
    found = of(spans, **wanted)
    assert len(found) == 1, (wanted, found)
    return found[0]


def refuse(call: Call, context: grpc.ServicerContext) -> bytes:
    context.abort(grpc.StatusCode.UNAVAILABLE, "out of order")
    raise AssertionError("unreachable")


def test_one_connected_trace_from_the_client_to_every_node(collector: GrpcCollector) -> None:
    asked: list[dict[str, str]] = []

    def predict(call: Call, context: Any) -> bytes:
        asked.append({key: str(value) for key, value in call.metadata})
        return call.data

    graph = serving.node("a", "transformer", serving.node("b", "transformer", serving.node("foreign", "model")))
    with (
        grpc_node(predict) as foreign,
        serving.component("Said", "TRANSFORMER", "a") as a,
        serving.component("Said", "TRANSFORMER", "b") as b,
        serving.graph(
            graph,
            endpoints={
                "a": f"grpc://{a.target}",
                "b": f"grpc://{b.target}",
                "foreign": f"grpc://{foreign.target}",
            },
        ) as served,
    ):
        served.grpc.predict(ASKED, [("traceparent", PARENT), ("tracestate", "x=1")])
        spans = collector.got.wait(8)
    assert {each.trace for each in spans} == {TRACE}
    server = one(spans, service="executor", kind=SERVER)
    assert (server.name, server.parent) == ("seldon.protos.Seldon/Predict", CALLER)
    assert server.attributes["rpc.grpc.status_code"] == 0
    calls = of(spans, service="executor", kind=CLIENT)
    assert [each.attributes["millrace.node"] for each in calls] == ["a", "b", "foreign"]
    assert {each.parent for each in calls} == {server.id}
    for name, call in zip("ab", calls, strict=False):
        answered = one(spans, service=name, kind=SERVER)
        assert answered.parent == call.id
        assert one(spans, service=name, kind=INTERNAL).parent == answered.id
        assert call.start <= answered.start <= answered.end <= call.end
    assert calls[2].name == "seldon.protos.Model/Predict"
    assert calls[2].attributes["server.port"] == int(foreign.target.rpartition(":")[2])
    assert asked[0]["traceparent"] == f"00-{TRACE}-{calls[2].id}-01"
    assert asked[0]["tracestate"] == "x=1"
    assert server.resource["telemetry.sdk.name"] == "millrace"


def test_over_rest_too_and_in_all_forms(collector: GrpcCollector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_PROPAGATORS", "b3multi,jaeger,tracecontext")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "ours")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
    with (
        serving.component("Said", name="m") as m,
        serving.graph(serving.node("m", "model"), endpoints={"m": f"http://127.0.0.1:{m.port}"}) as served,
    ):
        served.rest.predict(ASKED, [("uber-trace-id", f"{TRACE}:{CALLER}:0:1")])
        spans = collector.got.wait(4)
    assert {each.trace for each in spans} == {TRACE}
    assert {each.service for each in spans} == {"ours"}
    assert spans[0].resource["deployment.environment"] == "test"
    outer, inner = one(spans, name=f"POST {PREDICTIONS}"), one(spans, name="POST /predict", kind=SERVER)
    call = one(spans, kind=CLIENT)
    assert (outer.parent, call.parent, inner.parent) == (CALLER, outer.id, call.id)
    assert call.attributes["url.full"] == f"http://127.0.0.1:{m.port}/predict"
    assert {each.attributes["http.response.status_code"] for each in (outer, call, inner)} == {200}
    assert outer.attributes["http.route"] == PREDICTIONS


def test_errors_of_nodes_are_told(collector: GrpcCollector) -> None:
    with (
        grpc_node(refuse) as foreign,
        serving.graph(serving.node("m", "model"), endpoints={"m": f"grpc://{foreign.target}"}) as served,
    ):
        with pytest.raises(clients.Refused):
            served.grpc.predict(ASKED)
        with pytest.raises(clients.Refused):
            served.rest.predict(ASKED)
        spans = collector.got.wait(4)
    calls, servers = of(spans, kind=CLIENT), of(spans, kind=SERVER)
    for each in [*calls, *servers]:
        assert each.status == ERROR
        assert "out of order" in each.said
        assert "out of order" in each.events[0][1]["exception.message"]
    assert [each.attributes["rpc.grpc.status_code"] for each in calls] == [14, 14]
    assert servers[0].attributes["rpc.grpc.status_code"] == 14
    assert servers[1].attributes["http.response.status_code"] == 503


def test_what_is_refused_before_it_runs_is_told(collector: GrpcCollector) -> None:
    with serving.graph(serving.node("m", "model"), {"m": "Echo"}) as served:
        call = served.grpc.channel.unary_unary("/seldon.protos.Seldon/Predict")
        with pytest.raises(grpc.RpcError) as caught:
            call(b"\xff\xff", metadata=[("traceparent", PARENT)], timeout=20)
        (span,) = collector.got.wait(1)
    assert (span.trace, span.parent, span.kind) == (TRACE, CALLER, SERVER)
    assert span.attributes["rpc.grpc.status_code"] == caught.value.code().value[0]
    assert span.events[0][1]["exception.message"] == caught.value.details()


def test_a_component_in_a_process_of_its_own_goes_on_with_the_trace(collector: GrpcCollector) -> None:
    with serving.graph(serving.node("m", "model"), {"m": "Echo"}, isolate=("m",)) as served:
        served.grpc.predict(ASKED)
        spans = collector.got.wait(4)
    assert len({each.trace for each in spans}) == 1
    call, answered = one(spans, kind=CLIENT), one(spans, kind=SERVER, name="seldon.protos.Model/Predict")
    assert (answered.parent, answered.service) == (call.id, "m")
    assert str(call.attributes["server.address"]).endswith(".sock")


def test_http_and_a_share_of_the_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    with HttpCollector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20x")
        monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
        monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.0")
        with serving.graph(serving.node("m", "model"), {"m": "Echo"}) as served:
            for _ in range(5):
                served.grpc.predict(ASKED)
            served.grpc.predict(ASKED, [("traceparent", PARENT)])
        # It was sent as the process ended.
        assert len(collector.got.spans) == 2
        assert {each.trace for each in collector.got.spans} == {TRACE}
        assert collector.paths == ["/v1/traces"]
        assert collector.got.requests[0]["authorization"] == "Bearer x"
        assert collector.got.requests[0]["content-encoding"] == "gzip"


def test_seldon_s_variables(collector: GrpcCollector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_PROTOCOL")
    monkeypatch.setenv("TRACING", "1")
    monkeypatch.setenv("JAEGER_SERVICE_NAME", "seldons")
    monkeypatch.setenv("JAEGER_SAMPLER_TYPE", "const")
    monkeypatch.setenv("JAEGER_SAMPLER_PARAM", "1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc")
    with serving.graph(serving.node("m", "model"), {"m": "Echo"}) as served:
        served.grpc.predict(ASKED, [("uber-trace-id", f"{TRACE}:{CALLER}:0:1")])
        spans = collector.got.wait(2)
    assert {(each.service, each.trace) for each in spans} == {("seldons", TRACE)}


def test_each_worker_sends_its_own(collector: GrpcCollector, tmp_path: Path) -> None:
    manifest = tmp_path / "graph.json"
    manifest.write_text(serving.deployment(serving.node("m", "model")))
    with Programs() as programs:
        component = f"m={serving.COMPONENTS}:Echo"
        program = programs.serve("run", str(manifest), "--component", component, "--workers", "2")
        program.ready()
        for _ in range(8):
            client = clients.GrpcClient(program.grpc)
            client.predict(ASKED)
            client.channel.close()
        program.process.terminate()
        assert program.ended() == 0
    assert len(of(collector.got.spans, kind=SERVER)) == len(of(collector.got.spans, kind=INTERNAL)) == 8
    assert len({each.resource["service.instance.id"] for each in collector.got.spans}) == 2


# --- a receiver in trouble ----------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", ["down", "slow"])
def test_a_receiver_in_trouble_fails_no_request(
    collector: GrpcCollector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, trouble: str
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "20")
    if trouble == "down":
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    else:
        collector.got.held.clear()
    monkeypatch.setattr(span_export, "FLUSH_S", 0.2)
    with caplog.at_level(logging.WARNING), serving.graph(serving.node("m", "model"), {"m": "Echo"}) as served:
        for _ in range(100):
            served.grpc.predict(ASKED)
        assert served.process.tracing.tracer is not None
        lost = served.process.tracing.tracer.lost
        assert lost >= 100
        scraped = served.call(served.process.scrape(""))[1].decode()
    found = re.search(r'millrace_spans_total{result="lost"} (\d+)', scraped)
    assert found is not None
    assert int(found[1]) >= lost
    assert "spans not sent" in caplog.text


# --- where the time went ------------------------------------------------------------------------------


def rest_times(served: serving.Served, headers: list[tuple[str, str]]) -> str | None:
    kind = [] if any(name == "Content-Type" for name, _ in headers) else [("Content-Type", "application/json")]
    status, told, _ = served.rest.ask("POST", PREDICTIONS, json.dumps(ASKED).encode(), [*kind, *headers])
    assert status == 200
    return str(told["Server-Timing"]) if "Server-Timing" in told else None


def test_times_are_told_by_executor_and_nodes() -> None:
    graph = serving.node("a", "transformer", serving.node("foreign", "model"))
    headers = [("millrace-timing", "1")]
    with (
        grpc_node() as foreign,
        serving.component("Said", "TRANSFORMER", "a") as a,
        serving.graph(graph, endpoints={"a": f"grpc://{a.target}", "foreign": f"grpc://{foreign.target}"}) as served,
    ):
        served.grpc.predict(ASKED)  # connects
        stub = served.grpc.stub
        message = seldon_pb2.SeldonMessage(strData="x")
        _, call = stub.Predict.with_call(message, metadata=headers, timeout=20)
        told = dict(call.trailing_metadata())["millrace-timing"]
        _, call = stub.Predict.with_call(message, timeout=20)
        assert "millrace-timing" not in dict(call.trailing_metadata())
        over_rest = rest_times(served, headers)
        long_way = rest_times(served, [*headers, ("Content-Type", "application/json; charset=utf-8")])
    number = r"\d+\.\d{3}"
    for text in (told, over_rest, long_way):
        assert text is not None
        assert re.fullmatch(
            rf'millrace;dur={number};queue={number};desc="a foreign"'
            rf", a;dur={number};queue={number};network={number};compute={number}"
            rf", foreign;dur={number};queue={number}",
            text,
        )


def test_times_over_rest_nodes() -> None:
    with (
        serving.component("Said", name="m") as m,
        serving.graph(serving.node("m", "model"), endpoints={"m": f"http://127.0.0.1:{m.port}"}) as served,
    ):
        served.rest.predict(ASKED)
        told = rest_times(served, [("Millrace-Timing", "1")])
        assert rest_times(served, []) is None
    assert told is not None
    assert re.search(r", m;dur=[\d.]+;queue=[\d.]+;network=[\d.]+;compute=[\d.]+$", told)


def test_the_critical_path_is_counted() -> None:
    graph = serving.node("c", "combiner", serving.node("slow", "model"), serving.node("fast", "model"),
                         implementation="AVERAGE_COMBINER")  # fmt: skip
    with serving.graph(graph, {"slow": "Late", "fast": "Echo"}) as served:
        for _ in range(3):
            served.grpc.predict({"data": {"ndarray": [[1.0]]}})
        scraped = served.call(served.process.scrape(""))[1].decode()
    found = dict(re.findall(r'millrace_node_critical_path_seconds_total{model_name="(\w+)"} (\S+)', scraped))
    assert float(found["slow"]) > 0.05
    assert float(found["fast"]) == 0
    assert float(found["c"]) > 0
