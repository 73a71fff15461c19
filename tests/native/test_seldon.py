"""Owns tests of opened messages and of routes: every kind, merged pieces, refusals, and what is shared."""

import sys
from typing import Any

import numpy
import pytest
from fuzz import seldon as fuzzer
from support import wire

from executor import errors
from executor._native import buffer, codec_face, message, seldon
from executor.types import Encoding, Form


def opened(data: bytes) -> seldon.Parts:
    return seldon.open(message.Message(data))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("ndarray", [[1.0, "a"], [None, True]]),
        ("binData", b"\x00\xff"),
        ("strData", "tüxt"),
        ("jsonData", {"a": [1.0, None]}),
        ("customData", ("type.googleapis.com/x", b"\x08\x01")),
        ("", None),
    ],
)
def test_each_kind_gives_its_value(kind: str, value: Any) -> None:
    parts = seldon.open(seldon.build(kind, value))
    assert (parts.kind, parts.value(), parts.names, parts.status) == (kind, value, [], None)
    assert repr(parts) == f"<Parts {kind or 'without payload'}, {len(seldon.build(kind, value))} bytes>"


def test_the_value_of_a_tensor_is_its_array() -> None:
    for kind in ("tensor", "tftensor"):
        value = seldon.open(seldon.build(kind, numpy.eye(2))).value()
        assert isinstance(value, numpy.ndarray)
        assert (value == numpy.eye(2)).all()


def test_data_without_a_payload_has_names_alone() -> None:
    parts = opened(wire.nested(3, wire.text(1, "a") + wire.number(90, 1) + wire.text(1, "b")))
    assert (parts.kind, parts.names, parts.value()) == ("", ["a", "b"], None)


@pytest.mark.parametrize("kind", ["", "strData"])
def test_an_array_needs_data(kind: str) -> None:
    parts = seldon.open(seldon.build(kind, "x" if kind else None))
    with pytest.raises(errors.DecodeError, match=f"the message holds {kind or 'no payload'}; an array needs tensor"):
        parts.array()


def test_a_split_tensor_is_one() -> None:
    first = wire.nested(2, wire.packed(1, [2]) + wire.doubles(2, [1.0]))
    second = wire.nested(2, wire.number(1, 2) + wire.double(2, 2.0) + wire.doubles(2, [3.0, 4.0]))
    data = wire.nested(3, wire.text(1, "a") + first) + wire.nested(2, b"") + wire.nested(3, second + wire.text(1, "b"))
    parts = opened(data)
    assert parts.names == ["a", "b"]
    assert parts.array().tolist() == [[1.0, 2.0], [3.0, 4.0]]
    # Both come from the joined pieces, yet none sees the other's changes.
    one, two = parts.array(), parts.array()
    one[:] = 0.0
    assert two.sum() == 10.0


def test_the_last_payload_counts_and_clears_the_one_before() -> None:
    tensor = wire.nested(3, wire.nested(2, wire.doubles(2, [1.0])))
    assert opened(tensor + wire.text(5, "x")).value() == "x"
    assert opened(tensor + wire.text(5, "x") + tensor).array() == 1.0
    lists = wire.nested(3, wire.nested(3, b""))
    assert opened(tensor + lists).value() == []
    assert opened(wire.text(5, "a") + wire.text(5, "b")).value() == "b"


def test_meta_in_pieces_is_one() -> None:
    parts = opened(wire.nested(2, wire.text(1, "a")) + wire.text(5, "x") + wire.nested(2, wire.text(1, "b")))
    assert parts.meta == {"puid": "b"}
    assert parts.raw_meta() == wire.text(1, "a") + wire.text(1, "b")
    assert opened(b"").raw_meta() == b""


def test_status_in_pieces_is_one() -> None:
    parts = opened(wire.nested(1, wire.number(1, 400)) + wire.nested(1, wire.text(3, "why") + wire.number(4, 1)))
    assert parts.status == {"code": 400, "info": "", "reason": "why", "status": "FAILURE"}


def test_feedback_gives_what_is_there() -> None:
    request, truth = seldon.build("strData", "q"), seldon.build("tensor", [1.0])
    parts = seldon.open_feedback(seldon.build_feedback(request, None, -1.5, truth))
    assert parts.request is not None
    assert parts.truth is not None
    assert (parts.request.value(), parts.response, parts.reward) == ("q", None, -1.5)
    assert parts.truth.array().tolist() == [1.0]
    assert bytes(parts.request.message()) == bytes(request)


def test_a_request_of_feedback_in_pieces_is_one() -> None:
    data = wire.nested(1, wire.nested(2, wire.text(1, "p"))) + wire.nested(1, wire.text(5, "x"))
    parts = seldon.open_feedback(message.Message(data, form=Form.FEEDBACK))
    assert parts.request is not None
    assert (parts.request.meta, parts.request.value()) == ({"puid": "p"}, "x")
    assert bytes(parts.request.message()) == wire.nested(2, wire.text(1, "p")) + wire.text(5, "x")


def test_each_message_of_a_list_lends_its_own_array() -> None:
    whole = codec_face.make_list([seldon.build("tensor", numpy.full(200, float(number))) for number in range(3)])
    items = seldon.open_list(whole)
    arrays = [parts.array() for parts in items]
    for array in arrays:
        array += 1.0
    assert [array[0] for array in arrays] == [1.0, 2.0, 3.0]
    assert [bytes(parts.message()) == bytes(whole) for parts in items] == [False] * 3


def test_a_message_that_others_hold_is_not_made_flat_under_them() -> None:
    edited = codec_face.edit_meta(seldon.build("tensor", [1.0]), {"a": 1})
    part = seldon.open(edited).message()
    assert bytes(part) == bytes(edited)
    # Without a change an edit gives the same message again: two now hold it.
    shared = codec_face.edit_meta(codec_face.edit_meta(seldon.build("tensor", [1.0]), {"a": 1}), {})
    spans = shared.spans
    other = codec_face.transcode(shared, Encoding.SELDON_PROTO)
    assert seldon.open(other).array().tolist() == [1.0]
    assert shared.spans == spans


@pytest.mark.parametrize("face", [seldon.open, seldon.open_list, seldon.open_feedback])
def test_opening_takes_messages_of_its_form_alone(face: Any) -> None:
    form = {"open": Form.MESSAGE, "open_list": Form.LIST, "open_feedback": Form.FEEDBACK}[face.__name__]
    for other in set(Form) - {form}:
        with pytest.raises(ValueError, match="is needed; the message is"):
            face(message.Message(b"", form=other))
    with pytest.raises(ValueError, match=r"in encoding 0 is needed; the message is .* in encoding 1"):
        face(message.Message(b"{}", Encoding.SELDON_JSON, form))
    with pytest.raises(TypeError):
        face(b"")
    with pytest.raises(TypeError, match="None given"):
        face(None)
    with pytest.raises(errors.DecodeError, match="end inside a varint"):
        face(message.Message(b"\x08", form=form))
    with pytest.raises(errors.DecodeError):
        face(message.Message(wire.nested(1, b"\x0a\x09"), form=form)) if form else face(
            message.Message(b"\x1a\x01\x08")
        )


def test_parts_are_made_by_opening_alone() -> None:
    for form in (seldon.Parts, seldon.FeedbackParts):
        with pytest.raises(TypeError, match="made by"):
            form()


# --- routes: what a router's answer means ---


def value_list(*values: bytes) -> bytes:
    return wire.nested(3, wire.nested(3, b"".join(wire.nested(1, value) for value in values)))


@pytest.mark.parametrize(
    ("kind", "value", "route"),
    [
        ("ndarray", [[1]], 1),
        ("ndarray", [2], 2),
        ("ndarray", [3, 4], 3),
        ("ndarray", [[1, 2], [3, 4]], 1),
        ("ndarray", [[-1]], -1),
        ("ndarray", [[-2.9]], -2),
        ("ndarray", [1.9], 1),
        ("ndarray", [1e300], 9 * 10**18),
        ("ndarray", [-numpy.inf], -9 * 10**18),
        ("tensor", [[2.7, 1.0]], 2),
        ("tensor", [-1.0], -1),
        ("tftensor", numpy.array([[4]], "i4"), 4),
        ("strData", "1", -1),
        ("binData", b"1", -1),
        ("jsonData", [1], -1),
        ("customData", ("x", b""), -1),
        ("", None, -1),
    ],
)
def test_the_route_is_the_first_number(kind: str, value: Any, route: int) -> None:
    assert codec_face.route(seldon.build(kind, value, meta={"puid": "x"})) == route


def test_a_route_in_pieces_is_found() -> None:
    single = wire.nested(3, wire.nested(2, wire.packed(1, [1]))) + wire.nested(3, wire.nested(2, wire.double(2, 3.0)))
    assert codec_face.route(message.Message(single)) == 3
    empty_first = wire.nested(3, wire.nested(2, wire.doubles(2, []) + wire.doubles(2, [5.0, 6.0])))
    assert codec_face.route(message.Message(empty_first)) == 5
    ints = [wire.packed(7, []), wire.number(7, -2), wire.packed(7, [9])]
    assert codec_face.route(message.Message(wire.nested(3, b"".join(wire.nested(4, one) for one in ints)))) == -2
    assert codec_face.route(message.Message(wire.nested(3, wire.nested(4, wire.packed(7, [6, 7]))))) == 6
    inner = wire.nested(6, wire.nested(1, wire.double(2, 8.0)))
    assert codec_face.route(message.Message(value_list(wire.nested(6, b"") + inner))) == 8
    assert codec_face.route(message.Message(wire.nested(3, wire.text(1, "name")))) == -1


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (value_list(), "an empty list where a number is needed"),
        (value_list(wire.nested(6, b"")), "an empty list where a number is needed"),
        (value_list(wire.text(3, "1")), "the first element is not a number"),
        (value_list(wire.nested(6, wire.nested(1, wire.text(3, "1")))), "the first element is not a number"),
        (value_list(wire.nested(6, wire.nested(1, wire.nested(6, b"")))), "the first element is not a number"),
        (value_list(b""), "the first element is not a number"),
        (value_list(wire.double(2, float("nan"))), "the route is NaN"),
        (wire.nested(3, wire.nested(2, b"")), "the tensor is empty where a route is needed"),
        (wire.nested(3, wire.nested(4, wire.number(1, 9) + wire.packed(10, [1]))), "the tftensor has no int_val"),
        (wire.nested(3, wire.nested(4, wire.nested(7, b"\x80"))), "end inside a varint"),
        (wire.nested(3, wire.nested(3, b"\x0a\x09")), "runs past the end"),
        (b"\x1a\x09", "runs past the end"),
    ],
)
def test_an_answer_without_a_route_says_why(data: bytes, text: str) -> None:
    before = buffer.live_buffers()
    with pytest.raises(errors.DecodeError, match=text) as caught:
        codec_face.route(message.Message(data))
    assert caught.value.offset is not None
    assert buffer.live_buffers() == before


# --- as a whole ---


def test_a_round_trip_leaves_nothing_behind() -> None:
    meta = {"puid": "x", "tags": {"a": [1.0]}, "routing": {"r": 1}}
    before = buffer.live_buffers()
    for _ in range(50):
        for kind in ("tensor", "ndarray", "tftensor"):
            parts = seldon.open(seldon.build(kind, numpy.ones((5, 5)), ["a"], meta, {"code": 1}))
            seldon.build(kind, parts.array(), parts.names, parts.meta, parts.status)
            seldon.open_list(codec_face.make_list([parts.message()] * 3))[1].array()
    held = sys.getrefcount(meta)
    parts = seldon.open(seldon.build("tensor", [1.0], meta=meta))
    assert sys.getrefcount(meta) == held
    del parts
    assert buffer.live_buffers() == before


@pytest.mark.parametrize("seed", range(3))
def test_any_bytes_are_accepted_or_refused(seed: int) -> None:
    count, accepted = fuzzer.run(seed, 3000)
    assert count == 3000
    assert 0 < accepted < count
