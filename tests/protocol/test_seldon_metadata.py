"""Metadata on the wire, held against google.protobuf both ways."""

from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st

from executor import errors
from executor._pb import seldon_pb2
from executor.protocol import seldon_metadata, wire

NUMBER = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBER | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
TEXT = st.text(min_size=1, max_size=8)
TENSOR = st.fixed_dictionaries(
    {},
    optional={
        "messagetype": TEXT,
        "schema": JSON,
        "name": TEXT,
        "datatype": TEXT,
        "shape": st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=4),
    },
)
TENSORS = st.lists(TENSOR, min_size=1, max_size=3)
MODEL = st.fixed_dictionaries(
    {},
    optional={
        "name": TEXT,
        "versions": st.lists(st.text(max_size=4), min_size=1, max_size=3),
        "platform": TEXT,
        "inputs": TENSORS,
        "outputs": TENSORS,
        "custom": st.dictionaries(st.text(max_size=4), st.text(max_size=4), min_size=1, max_size=3),
    },
)
GRAPH = st.fixed_dictionaries(
    {
        "name": st.text(max_size=5),
        "models": st.dictionaries(TEXT, MODEL, max_size=3),
        "graphinputs": st.lists(TENSOR, max_size=2),
        "graphoutputs": st.lists(TENSOR, max_size=2),
    }
)


def set_model(model: Any, metadata: dict[str, Any]) -> None:
    """Fills a SeldonModelMetadata in with google.protobuf."""
    json_format.ParseDict(metadata, model)


@settings(max_examples=60, deadline=None)
@given(MODEL)
def test_model_against_protobuf(metadata: dict[str, Any]) -> None:
    oracle = seldon_pb2.SeldonModelMetadata()
    set_model(oracle, metadata)
    ours = seldon_pb2.SeldonModelMetadata.FromString(seldon_metadata.encode_model(metadata))
    assert ours == oracle
    assert seldon_metadata.decode_model(oracle.SerializeToString()) == metadata


@settings(max_examples=60, deadline=None)
@given(GRAPH)
def test_graph_against_protobuf(graph: dict[str, Any]) -> None:
    oracle = seldon_pb2.SeldonGraphMetadata(name=graph["name"])
    for name, metadata in graph["models"].items():
        set_model(oracle.models[name], metadata)
    for tensor in graph["graphinputs"]:
        json_format.ParseDict(tensor, oracle.inputs.add())
    for tensor in graph["graphoutputs"]:
        json_format.ParseDict(tensor, oracle.outputs.add())
    assert seldon_pb2.SeldonGraphMetadata.FromString(seldon_metadata.encode_graph(graph)) == oracle
    assert seldon_metadata.decode_graph(oracle.SerializeToString()) == graph


def test_requests() -> None:
    request = seldon_pb2.SeldonModelMetadataRequest(name="m1")
    assert seldon_metadata.encode_request("m1") == request.SerializeToString()
    assert seldon_metadata.decode_request(request.SerializeToString()) == "m1"
    assert seldon_metadata.decode_request(b"") == ""


def test_unknown_fields_and_unpacked_shapes_pass() -> None:
    unknown = b"\x7d\x00\x00\x00\x00" + b"\x79" + b"\x00" * 8 + b"\x78\x05"
    assert seldon_metadata.decode_model(unknown + b"\x0a\x01a") == {"name": "a"}
    tensor = b"\x28\x02\x28" + b"\xff" * 9 + b"\x01"
    assert seldon_metadata.decode_model(b"\x22" + bytes([len(tensor)]) + tensor) == {"inputs": [{"shape": [2, -1]}]}


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for decode in (seldon_metadata.decode_model, seldon_metadata.decode_graph, seldon_metadata.decode_request):
        try:
            decode(data)
        except errors.DecodeError as error:
            assert error.message


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"\x0a\x05a", "longer than"), (b"\x0a", "varint"), (b"\x0b", "wire type 3"), (b"\x08\x01", "number where text"),
     (b"\x0a\x01\xff", "UTF-8"), (b"\x20\x01", "number where a message")],
)  # fmt: skip
def test_hostile_bytes(data: bytes, message: str) -> None:
    with pytest.raises(errors.DecodeError, match=message):
        seldon_metadata.decode_model(data)


def test_deep_schemas_are_refused() -> None:
    schema: Any = 1
    for _ in range(80):
        schema = [schema]
    with pytest.raises(errors.EncodeError, match="deeper than 64"):
        seldon_metadata.encode_model({"inputs": [{"schema": schema}]})
    value = b"\x11" + b"\x00" * 8
    for _ in range(80):
        inner = b"\x0a" + wire.varint(len(value)) + value
        value = b"\x32" + wire.varint(len(inner)) + inner
    tensor = b"\x12" + wire.varint(len(value)) + value
    with pytest.raises(errors.DecodeError, match="deeper than 64"):
        seldon_metadata.decode_model(b"\x22" + wire.varint(len(tensor)) + tensor)


def test_what_has_no_json_form() -> None:
    with pytest.raises(errors.EncodeError, match="set has no JSON form"):
        seldon_metadata.encode_model({"inputs": [{"schema": {"a": {1}}}]})
