"""Traces as a receiver of OTLP sees them: one from the client through the executor to every node."""

from collections.abc import Iterator
from typing import Any

import pytest
from support import serving
from support.collector import CLIENT, INTERNAL, SERVER, GrpcCollector, Span
from support.servers import Call, grpc_node

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{CALLER}-01"
ASKED = {"strData": "x"}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[GrpcCollector]:
    with GrpcCollector() as made:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", made.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        yield made


def of(spans: list[Span], **wanted: Any) -> list[Span]:
    return [each for each in spans if all(getattr(each, key) == value for key, value in wanted.items())]


def one(spans: list[Span], **wanted: Any) -> Span:
    found = of(spans, **wanted)
    assert len(found) == 1, (wanted, found)
    return found[0]


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
    for each in spans: print(each)
    assert {each.trace for each in spans} == {TRACE}
