"""OTLP's form, held against the messages of opentelemetry-proto."""

import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.trace.v1 import trace_pb2
from support.collector import attributes

from executor._native import span


def test_the_static_part_of_a_span() -> None:
    told: dict[str, str | int] = {"text": "µ-text", "number": 7, "large": 1 << 40, "empty": "", "negative": -1}
    found = trace_pb2.Span.FromString(span.static("pkg.Service/Method", span.CLIENT, told))
    assert (found.name, found.kind) == ("pkg.Service/Method", trace_pb2.Span.SPAN_KIND_CLIENT)
    assert attributes(found.attributes) == told


@pytest.mark.parametrize("size", [0, 1, 127, 128, 2047, 2048, 2049, 70_000])
def test_texts_of_all_lengths_are_cut_where_they_are_long(size: int) -> None:
    found = trace_pb2.Span.FromString(span.static("n" * size, span.SERVER, {"k": "v" * size}))
    assert found.name == "n" * min(size, 2048)
    assert attributes(found.attributes)["k"] == "v" * min(size, 2048)


@pytest.mark.parametrize("letter", ["é", "€", "𝄞"])
@pytest.mark.parametrize("shift", range(4))
def test_a_text_is_cut_into_utf8(letter: str, shift: int) -> None:
    text = "x" * shift + letter * 2048
    found = trace_pb2.Span.FromString(span.static(text, span.SERVER, {})).name
    assert len(found.encode()) == 2048
    assert text.startswith(found.rstrip("?"))


def test_many_attributes_make_it_grow() -> None:
    told = {f"key {number}": f"value {number}" * 10 for number in range(500)}
    found = trace_pb2.Span.FromString(span.static("many", span.INTERNAL, told))
    assert attributes(found.attributes) == told


def test_a_request_has_resource_scope_and_spans() -> None:
    source = span.source({"service.name": "s", "process.pid": 7}, "millrace", "1.0")
    inside = [trace_pb2.ScopeSpans(spans=[trace_pb2.Span(name=name)]).SerializeToString() for name in "ab"]
    found = trace_service_pb2.ExportTraceServiceRequest.FromString(span.request(source, inside))
    (group,) = found.resource_spans
    (scope,) = group.scope_spans
    assert attributes(group.resource.attributes) == {"service.name": "s", "process.pid": 7}
    assert (scope.scope.name, scope.scope.version) == ("millrace", "1.0")
    assert [each.name for each in scope.spans] == ["a", "b"]
    assert (
        not trace_service_pb2.ExportTraceServiceRequest.FromString(span.request(source, []))
        .resource_spans[0]
        .scope_spans[0]
        .spans
    )
