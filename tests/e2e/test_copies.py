"""Copies of payloads on their way to nodes, forced one reason at a time by real calls, and a way that has none."""

import gzip
import json
import re
from collections.abc import Mapping
from typing import Any

import grpc
import numpy
import pytest
from support import serving, wire
from support.clients import PREDICTIONS
from support.raw_node import JSON, RawNode
from support.servers import grpc_node

from executor._native import seldon

NUMBERS = numpy.arange(6, dtype="float64").reshape(2, 3)
BUILT = bytes(seldon.build("tensor", NUMBERS))


def shifted(by: int) -> bytes:
    """A message of these numbers, which lie `by` bytes behind a multiple of eight. An unknown field makes room."""
    ways = (wire.text(99, "x" * size) + BUILT for size in range(8))
    return next(way for way in ways if way.index(NUMBERS.tobytes()) % 8 == by)


PLAIN, MISALIGNED = shifted(0), shifted(3)
TEXT = {"strData": "x"}
JSON_TYPE = ("Content-Type", "application/json")
COMBINER = serving.node("c", "combiner", serving.node("a", "model"), serving.node("b", "model"),
                        implementation="AVERAGE_COMBINER")  # fmt: skip


def asked(served: serving.Served, data: bytes, compression: grpc.Compression | None = None) -> None:
    call = served.grpc.channel.unary_unary("/seldon.protos.Seldon/Predict")
    assert call(data, timeout=20, compression=compression)


def copies(served: serving.Served) -> dict[tuple[str, str], tuple[int, int]]:
    """How many, and of how many bytes, by node and reason; those that there were."""
    text = served.call(served.process.scrape(""))[1].decode()
    form = r'{model_name="(\w+)",reason="(\w+)"} (\d+)'
    counts = {(node, why): int(count) for node, why, count in re.findall(f"millrace_payload_copies_total{form}", text)}
    sizes = re.findall(f"millrace_payload_copied_bytes_total{form}", text)
    assert len(sizes) == len(counts) > 0
    return {(node, why): (counts[node, why], int(size)) for node, why, size in sizes if counts[node, why]}


def model(components: Mapping[str, str] | None = None, endpoint: str = "") -> serving.Served:
    return serving.graph(serving.node("m", "model"), components, {"m": endpoint} if endpoint else None)


def test_ordinary_ways_copy_nothing() -> None:
    chain = serving.node("t", "transformer", serving.node("m", "model"))
    with grpc_node() as other:
        where = {"t": f"grpc://{other.target}", "m": f"grpc://{other.target}"}
        with serving.graph(chain, endpoints=where) as served:
            for data in (PLAIN, MISALIGNED, bytes(seldon.build("binData", b"x" * 100_000))):
                asked(served, data)
            assert copies(served) == {}
    with model({"m": "Echo"}) as served:
        asked(served, PLAIN)
        assert copies(served) == {}
    with RawNode({"/predict": json.dumps(TEXT).encode()}) as other_rest, model(endpoint=other_rest.url) as served:
        body = json.dumps({"strData": "x" * 100_000}).encode()
        assert served.rest.ask("POST", PREDICTIONS, body, [JSON_TYPE])[0] == 200
        assert copies(served) == {}


def test_transcoded() -> None:
    with grpc_node() as other, model(endpoint=f"grpc://{other.target}") as served:
        served.rest.predict(TEXT)
        found = copies(served)
    assert list(found) == [("m", "transcoded")]
    assert found["m", "transcoded"][0] == 2  # there and back


def test_aligned() -> None:
    with model({"m": "Echo"}) as served:
        asked(served, MISALIGNED)
        assert copies(served) == {("m", "aligned"): (1, NUMBERS.nbytes)}
    with model({"m": "Late"}) as served:  # in a thread
        asked(served, MISALIGNED)
        assert copies(served) == {("m", "aligned"): (1, NUMBERS.nbytes)}


def test_shared_and_contiguous() -> None:
    with serving.graph(COMBINER, {"a": "Late", "b": "Late"}) as served:
        asked(served, PLAIN)
        found = copies(served)
    # Whoever looks last may write to the bytes, since nobody else sees them any more.
    assert {found.pop((name, "shared"), (1, NUMBERS.nbytes)) for name in "ab"} == {(1, NUMBERS.nbytes)}
    count, size = found.pop(("c", "contiguous"))
    assert (count, found) == (1, {})
    assert size > 2 * NUMBERS.nbytes


def test_a_tensor_in_two_pieces_is_made_one() -> None:
    data = NUMBERS.tobytes()
    numbers = wire.nested(2, data[:16]) + wire.nested(2, data[16:])
    with model({"m": "Echo"}) as served:
        asked(served, wire.nested(3, wire.nested(2, wire.packed(1, [2, 3]) + numbers)))
        assert copies(served) == {("m", "contiguous"): (1, NUMBERS.nbytes)}


@pytest.mark.parametrize("compressed", [True, False])
def test_answers_over_grpc_inflated(compressed: bool) -> None:
    compression = grpc.Compression.Gzip if compressed else None
    data = bytes(seldon.build("binData", b"x" * 1000))
    with grpc_node(compression=compression) as other, model(endpoint=f"grpc://{other.target}") as served:
        asked(served, data)
        assert copies(served) == ({("m", "inflated"): (1, len(data))} if compressed else {})


def test_answers_over_rest_inflated() -> None:
    text = json.dumps({"strData": "x" * 1000}).encode()
    with RawNode({"/predict": (200, {**JSON, "Content-Encoding": "gzip"}, gzip.compress(text))}) as other:
        with model(endpoint=other.url) as served:
            served.rest.predict(TEXT)
            found = copies(served)
    assert found.pop(("m", "inflated")) == (1, len(text))
    assert list(found) == [("m", "bytes")]  # the request's few


def test_requests_inflated() -> None:
    body = json.dumps({"data": {"ndarray": [[1.0] * 200]}}).encode()
    data = bytes(seldon.build("strData", "x" * 1000))
    with model({"m": "Echo"}) as served:
        asked(served, data, grpc.Compression.Gzip)
        kinds = [JSON_TYPE, ("Content-Encoding", "gzip")]
        assert served.rest.ask("POST", PREDICTIONS, gzip.compress(body), kinds)[0] == 200
        kinds = [JSON_TYPE, ("Content-Encoding", "identity")]
        assert served.rest.ask("POST", PREDICTIONS, body, kinds)[0] == 200
        assert copies(served)["m", "inflated"] == (2, len(data) + len(body))


def test_made_one_object_for_python() -> None:
    with model({"m": "Echo"}) as served:
        asked(served, bytes(seldon.build("binData", b"x" * 1000)))
        assert copies(served) == {("m", "bytes"): (1, 1000)}
    body = json.dumps(TEXT).encode()
    with RawNode({"/predict": body}) as other, model(endpoint=other.url) as served:
        assert served.rest.ask("POST", PREDICTIONS, body, [JSON_TYPE])[0] == 200
        assert copies(served) == {("m", "bytes"): (1, len(body))}


def test_a_call_that_fails_has_been_copied_for_too() -> None:
    def picky(call: Any, context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no")
        raise AssertionError("unreachable")

    with grpc_node(picky) as other, model(endpoint=f"grpc://{other.target}") as served:
        status, _, _ = served.rest.ask("POST", PREDICTIONS, json.dumps(TEXT).encode(), [JSON_TYPE])
        assert status == 400
        assert list(copies(served)) == [("m", "transcoded")]
