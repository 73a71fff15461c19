"""Owns properties of the seldon-protobuf codec: whatever bytes come, it reads what google.protobuf reads."""

import math
from typing import Any

import numpy
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support import wire

from executor import errors
from executor._native import codec_face, cursor, seldon
from executor._native import message as native
from executor._pb import seldon_pb2 as pb
from executor.types import Form

nodes = st.dictionaries(wire.words, st.integers(-2, 5), max_size=4)


def same(ours: Any, theirs: Any) -> bool:
    return repr(ours) == repr(theirs)


def check_metric(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    # Ours is the shortest number that is the same float.
    assert numpy.float32(ours["value"]) == theirs["value"]
    assert {**ours, "value": 0} == {**theirs, "value": 0}


def check_meta(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert ours.keys() == theirs.keys()
    for mine, other in zip(ours.get("metrics", []), theirs.get("metrics", []), strict=True):
        check_metric(mine, other)
    assert same(sorted_maps(ours), sorted_maps(theirs))


def sorted_maps(meta: dict[str, Any]) -> dict[str, Any]:
    return {key: sort(value) for key, value in sorted(meta.items()) if key != "metrics"}


def sort(value: Any) -> Any:
    """The order of a map's entries means nothing."""
    if isinstance(value, dict):
        return {key: sort(item) for key, item in sorted(value.items())}
    return [sort(item) for item in value] if isinstance(value, list) else value


def check_tensor(parts: seldon.Parts, tensor: pb.Tensor) -> None:
    shape = list(tensor.shape) or ([] if len(tensor.values) == 1 else [len(tensor.values)])
    if min(shape, default=0) < 0 or math.prod(shape) != len(tensor.values):
        with pytest.raises(errors.DecodeError, match="shape"):
            parts.array()
        return
    array = parts.array()
    assert list(array.shape) == shape
    assert array.ravel().tolist() == list(tensor.values)


def check_ndarray(parts: seldon.Parts, values: list[Any]) -> None:
    assert same(sort(parts.value()), sort(values))
    try:
        expected = numpy.array(values)
    except ValueError:
        with pytest.raises(errors.DecodeError, match="differ in length"):
            parts.array()
        return
    array = parts.array()
    assert array.shape == expected.shape
    assert array.dtype == expected.dtype
    assert same(sort(array.tolist()), sort(expected.tolist()))


def check_payload(parts: seldon.Parts, message: pb.SeldonMessage) -> None:
    kind = parts.kind
    if kind == "tensor":
        check_tensor(parts, message.data.tensor)
    elif kind == "ndarray":
        check_ndarray(parts, wire.plain(message.data.ndarray))
    elif kind == "jsonData":
        assert same(sort(parts.value()), sort(wire.plain(message.jsonData)))
    elif kind == "customData":
        assert parts.value() == (message.customData.type_url, message.customData.value)
    elif kind in ("strData", "binData"):
        assert parts.value() == getattr(message, kind)
    else:
        assert kind in ("", "tftensor")


def check(parts: seldon.Parts, message: pb.SeldonMessage) -> None:
    assert parts.kind == wire.kind_of(message)
    assert parts.names == list(message.data.names)
    assert parts.has_meta == message.HasField("meta")
    check_meta(parts.meta, wire.plain_meta(message.meta))
    assert pb.Meta.FromString(parts.raw_meta()) == message.meta
    assert parts.status == (wire.plain_status(message.status) if message.HasField("status") else None)
    check_payload(parts, message)


@given(wire.messages)
@example(wire.nested(3, wire.nested(2, wire.doubles(2, [1.0]))) + wire.nested(4, b"x") + wire.nested(3, b""))
@example(
    wire.nested(3, wire.nested(3, b"")) + wire.nested(3, wire.nested(2, b"") + wire.nested(3, wire.nested(1, b"")))
)
def test_a_message_reads_as_google_protobuf_reads_it(data: bytes) -> None:
    message = native.Message(data)
    codec_face.scan(message)
    check(seldon.open(message), pb.SeldonMessage.FromString(data))


@given(wire.lists)
def test_a_list_reads_as_google_protobuf_reads_it(data: bytes) -> None:
    message = native.Message(data, form=Form.LIST)
    codec_face.scan(message)
    theirs = pb.SeldonMessageList.FromString(data).seldonMessages
    for parts, other in zip(seldon.open_list(message), theirs, strict=True):
        check(parts, other)
        assert pb.SeldonMessage.FromString(bytes(parts.message())) == other


@given(wire.feedbacks, st.lists(wire.words, max_size=3))
def test_feedback_reads_as_google_protobuf_reads_it(data: bytes, names: list[str]) -> None:
    message = native.Message(data, form=Form.FEEDBACK)
    codec_face.scan(message)
    ours = seldon.open_feedback(message)
    theirs = pb.Feedback.FromString(data)
    assert ours.reward == theirs.reward
    for name in ("request", "response", "truth"):
        parts = getattr(ours, name)
        assert (parts is not None) == theirs.HasField(name)
        if parts is not None:
            check(parts, getattr(theirs, name))
    routing = theirs.response.meta.routing
    names += routing
    assert codec_face.feedback_routes(message, names) == [routing.get(name, -1) for name in names]
    assert codec_face.feedback_puid(message) == theirs.response.meta.puid


@given(wire.messages, nodes, wire.words)
def test_an_edit_adds_to_the_one_meta_field(data: bytes, routing: dict[str, int], puid: str) -> None:
    expected = pb.SeldonMessage.FromString(data)
    if routing or puid:
        expected.meta.SetInParent()
    expected.meta.routing.update(routing)
    expected.meta.puid = puid or expected.meta.puid if expected.HasField("meta") else ""
    if not expected.meta.ByteSize() and not data:
        expected.ClearField("meta")
    edited = codec_face.edit_meta(native.Message(data), routing, puid)
    found = pb.SeldonMessage.FromString(bytes(edited))
    assert found.meta == expected.meta
    assert (wire.kind_of(found), found.data, found.status) == (wire.kind_of(expected), expected.data, expected.status)
    tops = [(number, kind) for number, kind, _, _ in cursor.fields(bytes(edited))]
    before = [(number, kind) for number, kind, _, _ in cursor.fields(data)]
    assert tops.count((2, 2)) == (1 if routing or puid else min(before.count((2, 2)), 1))
    assert [top for top in tops if top != (2, 2)] == [top for top in before if top != (2, 2)]


@given(st.lists(wire.messages, min_size=1, max_size=4))
def test_a_made_list_holds_the_messages_as_they_were(datas: list[bytes]) -> None:
    made = codec_face.make_list([native.Message(data) for data in datas])
    assert made.form == Form.LIST
    theirs = pb.SeldonMessageList.FromString(bytes(made)).seldonMessages
    assert list(theirs) == [pb.SeldonMessage.FromString(data) for data in datas]


# --- the other way: what we build, google.protobuf reads ---

json_values = st.recursive(
    st.none() | st.booleans() | wire.numbers | wire.words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(wire.words, inner, max_size=4),
    max_leaves=12,
)
json_metas = st.fixed_dictionaries(
    {},
    optional={
        "puid": wire.words.filter(bool),
        "tags": st.dictionaries(wire.words, json_values, min_size=1, max_size=3),
        "routing": st.dictionaries(wire.words, wire.int32s, min_size=1, max_size=3),
        "requestPath": st.dictionaries(wire.words, wire.words, min_size=1, max_size=3),
        "metrics": st.lists(
            st.fixed_dictionaries(
                {"key": wire.words, "type": st.sampled_from(["COUNTER", "GAUGE", "TIMER"]), "value": st.just(0.5)}
            ),
            min_size=1,
            max_size=2,
        ),
    },
)
statuses = st.none() | st.fixed_dictionaries(
    {"code": wire.int32s, "info": wire.words, "reason": wire.words, "status": st.sampled_from(["SUCCESS", "FAILURE"])}
)
payloads = st.one_of(
    st.tuples(st.just("jsonData"), json_values),
    st.tuples(st.just("ndarray"), st.lists(json_values, max_size=4)),
    st.tuples(st.just("strData"), wire.words),
    st.tuples(st.just("binData"), st.binary(max_size=20)),
    st.tuples(st.just("customData"), st.tuples(wire.words, st.binary(max_size=5))),
    st.tuples(st.just(""), st.none()),
)


@given(payloads, st.lists(wire.words, max_size=3), st.none() | json_metas, statuses)
def test_what_is_built_reads_the_same(
    payload: tuple[str, Any], names: list[str], meta: dict[str, Any] | None, status: dict[str, Any] | None
) -> None:
    kind, value = payload
    built = seldon.build(kind, value, names, meta, status)
    theirs = pb.SeldonMessage.FromString(bytes(built))
    parts = seldon.open(built)
    check(parts, theirs)
    assert parts.kind == kind
    assert same(sort(parts.value()), sort(value))
    assert parts.meta == (meta or {})
    assert parts.has_meta == (meta is not None)
    assert parts.status == status
    assert parts.names == (names if kind == "ndarray" else [])


shapes = st.lists(st.integers(0, 4), min_size=1, max_size=4)


@given(shapes, st.sampled_from("bBhHiIqQefd?"), st.sampled_from(["tensor", "ndarray", "tftensor"]), st.booleans())
def test_arrays_come_back_equal(shape: list[int], code: str, kind: str, turned: bool) -> None:
    array = numpy.arange(math.prod(shape)).astype(code).reshape(shape)
    array = array.T if turned else array
    parts = seldon.open(seldon.build(kind, array))
    found = parts.array()
    if kind != "ndarray" or found.size:
        # A list of no lists has one dimension, whatever the others were.
        assert found.shape == array.shape
    keeps = kind == "tftensor" or (kind == "ndarray" and code == "?" and found.size)
    assert found.dtype == (array.dtype if keeps else "float64")
    assert (found == array).all() if found.shape == array.shape else not found.size
    assert found.flags.writeable
