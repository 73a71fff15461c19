"""Owns tests of the way from protobuf to JSON: split, double and unknown fields, defaults, special numbers, errors."""

import json
from typing import Any

import pytest
from google.protobuf import wrappers_pb2
from support import protojson, transcode, wire

from executor import errors
from executor._native import buffer
from executor._pb import seldon_pb2 as pb
from executor.types import Form


def printed(data: bytes, form: Form = Form.MESSAGE) -> Any:
    before = buffer.live_buffers()
    text = transcode.to_json(data, form)
    assert buffer.live_buffers() == before
    return json.loads(text)


def check(data: bytes, form: Form = Form.MESSAGE) -> Any:
    """What ours prints, which must be what google prints of the same bytes."""
    found = printed(data, form)
    assert protojson.same_numbers(found, protojson.shown(protojson.CLASSES[form].FromString(data)))
    return found


def refusal(data: bytes) -> tuple[str, int | None]:
    before = buffer.live_buffers()
    with pytest.raises(errors.DecodeError) as caught:
        transcode.to_json(data)
    assert buffer.live_buffers() == before
    return caught.value.message.split(" (at byte")[0], caught.value.offset


META = pb.Meta(puid="p", routing={"a": 1, "b": -1}, requestPath={"n": "image:1"}).SerializeToString(deterministic=True)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        wire.nested(2, b""),
        wire.nested(2, META) + wire.nested(2, wire.text(1, "later")),
        wire.nested(2, wire.nested(3, wire.text(1, "a") + wire.number(2, 1)) * 2),
        wire.nested(2, wire.nested(3, wire.number(2, 5)) + wire.nested(3, wire.text(1, "k"))),
        wire.nested(2, wire.nested(2, wire.text(1, "only a key"))),
        wire.nested(2, wire.nested(3, wire.text(1, "a") + wire.number(2, 1) + wire.text(1, "b") + wire.number(2, 2))),
        wire.text(5, "a") + wire.nested(3, wire.text(1, "n")),
        wire.nested(3, wire.text(1, "n")) + wire.text(5, "a") + wire.nested(3, wire.text(1, "m")),
        wire.nested(3, wire.text(1, "n")) + wire.nested(3, wire.text(1, "m")),
        wire.nested(
            3, wire.nested(2, wire.packed(1, [2]) + wire.number(1, 3) + wire.double(2, 1) + wire.doubles(2, [2]))
        ),
        wire.nested(3, wire.nested(2, wire.packed(1, []) + wire.doubles(2, []))),
        wire.number(1, 5) + wire.number(99, 5) + wire.text(98, "x") + wire.text(5, "s"),
        wire.nested(1, wire.number(1, 0) + wire.text(2, "") + wire.number(4, 0)),
        wire.nested(1, wire.number(1, 2**64 - 5) + wire.number(4, 77)),
        wire.nested(1, wire.number(1, 2**32)),
        wire.nested(6, b""),
        wire.nested(6, wire.number(1, 0)),
        wire.nested(6, wire.number(4, 7)),
        wire.nested(6, wire.number(1, 0) + wire.double(2, 1.5)),
        wire.nested(6, wire.nested(6, wire.nested(1, wire.double(2, 1))) * 2),
        wire.nested(6, wire.nested(5, b"") + wire.text(3, "s")),
        wire.nested(6, wire.nested(5, wire.nested(1, wire.text(1, "a") + wire.nested(2, wire.double(2, 1)) * 2))),
        wire.nested(6, wire.nested(5, wire.nested(1, b""))),
        wire.nested(3, wire.nested(3, wire.nested(1, wire.double(2, 1)) * 600 + wire.nested(1, wire.text(3, "x")) * 3)),
        wire.nested(7, b""),
        wire.nested(7, wire.text(1, "x/google.protobuf.Value")),
        wire.nested(7, wire.text(1, "x/google.protobuf.Struct") + wire.text(2, "")),
        wire.nested(7, wire.text(1, "x/seldon.protos.Meta") + wire.nested(2, META)),
    ],
)
def test_bytes_mean_what_they_mean_to_google(data: bytes) -> None:
    check(data)


def test_names_may_come_again_after_others() -> None:
    keys = [f"key {index}" for index in range(300)]
    entries = [wire.nested(3, wire.text(1, key) + wire.number(2, index)) for index, key in enumerate(keys * 3)]
    found = check(wire.nested(2, b"".join(entries)))
    assert found["meta"]["routing"] == {key: 600 + index for index, key in enumerate(keys)}


def test_special_numbers_stand_in_quotes_in_a_tensor() -> None:
    nan, inf = float("nan"), float("inf")
    values = wire.doubles(2, [1, nan, inf, -inf, -0.0])
    assert transcode.to_json(wire.nested(3, wire.nested(2, values))) == (
        '{"data":{"tensor":{"values":[1.0,"NaN","Infinity","-Infinity",-0.0]}}}'
    )


@pytest.mark.parametrize("count", [0, 1, 255, 256, 600])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_special_numbers_in_an_ndarray_are_refused_with_their_place(count: int, value: float) -> None:
    item = wire.nested(1, wire.double(2, 1))
    head = wire.nested(3, wire.nested(3, item * count + wire.nested(1, wire.double(2, value)) + item))
    message, offset = refusal(head)
    assert message == "data.ndarray: NaN and Infinity have no JSON form here, only in a tensor"
    assert offset is not None
    assert head[offset : offset + 3] == b"\x0a\x09\x11"
    assert offset == len(head) - 11 * 2


def test_special_numbers_in_jsondata_and_tags_are_refused() -> None:
    nan = wire.double(2, float("nan"))
    assert refusal(wire.nested(6, nan)) == ("jsonData: NaN and Infinity have no JSON form here, only in a tensor", 2)
    tags = wire.nested(2, wire.nested(2, wire.text(1, "k") + wire.nested(2, wire.number(4, 1) + nan)))
    assert refusal(tags)[0] == "meta.tags: NaN and Infinity have no JSON form here, only in a tensor"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x0a\x05", "a length of 5 runs past the end, 0 bytes are left"),
        (wire.nested(2, b"\x0a\x05"), "meta: a length of 5 runs past the end, 0 bytes are left"),
        (wire.nested(5, b"\xff"), "strData: a string is not valid UTF-8"),
        (wire.nested(2, wire.nested(3, b"\x0a\x01\xff")), "meta.routing: a string is not valid UTF-8"),
        (
            wire.nested(3, wire.nested(2, wire.nested(2, b"\x00" * 9))),
            "data.tensor.values: 9 bytes are no whole number",
        ),
        (wire.nested(3, wire.nested(2, wire.nested(1, b"\xff"))), "data.tensor.shape: the bytes end inside a varint"),
        (
            wire.nested(7, wire.text(1, "x/y.Z") + wire.text(2, "a")),
            "customData: the type of this Any has no JSON form",
        ),
        (wire.nested(7, wire.text(2, "a")), "customData: the type of this Any has no JSON form"),
        (wire.nested(7, wire.text(1, "x/seldon.protos.Meta") + wire.text(2, "\n")), "customData: the bytes end inside"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(data: bytes, message: str) -> None:
    found, offset = refusal(data)
    assert found.startswith(message)
    assert offset is not None
    assert 0 <= offset <= len(data)


def test_a_place_in_merged_pieces_is_not_given() -> None:
    assert refusal(wire.nested(2, b"") + wire.nested(2, b"\x0a\x05"))[1] is None


def test_messages_nest_a_hundred_deep_and_no_deeper() -> None:
    value = b""
    for _ in range(49):
        value = wire.nested(6, wire.nested(1, value))
    assert printed(wire.nested(6, value))
    assert "more than 100 deep" in refusal(wire.nested(6, wire.nested(6, wire.nested(1, value))))[0]


def test_a_list_becomes_a_bare_array() -> None:
    data = pb.SeldonMessageList(seldonMessages=[pb.SeldonMessage(strData="a"), pb.SeldonMessage()]).SerializeToString()
    assert transcode.to_json(data, Form.LIST) == '[{"strData":"a"},{}]'
    assert transcode.to_json(b"", Form.LIST) == "[]"


@pytest.mark.parametrize(
    "held",
    [
        wrappers_pb2.DoubleValue(value=1.5),
        wrappers_pb2.FloatValue(value=0.1),
        wrappers_pb2.Int64Value(value=-7),
        wrappers_pb2.UInt64Value(value=2**64 - 1),
        wrappers_pb2.Int32Value(),
        wrappers_pb2.UInt32Value(value=3),
        wrappers_pb2.BoolValue(value=True),
        wrappers_pb2.BoolValue(),
        wrappers_pb2.StringValue(value="text"),
        wrappers_pb2.StringValue(),
        wrappers_pb2.BytesValue(value=b"\x00\x01"),
    ],
)
def test_an_any_may_hold_a_wrapper(held: Any) -> None:
    message = pb.SeldonMessage()
    message.customData.Pack(held)
    found = check(message.SerializeToString())
    assert found["customData"]["@type"] == f"type.googleapis.com/{held.DESCRIPTOR.full_name}"


def test_text_of_many_kinds_is_escaped() -> None:
    for value in ('q"\\/\n\x00\x1f\x7f', "é中😀", "x" * 9000):
        assert check(wire.text(5, value)) == {"strData": value}


def test_metrics_always_have_their_type_and_value() -> None:
    metric = wire.nested(5, wire.text(1, "k"))
    assert check(wire.nested(2, metric))["meta"]["metrics"] == [{"key": "k", "type": "COUNTER", "value": 0.0}]
    metric = wire.nested(5, pb.Metric(key="k", type=pb.Metric.TIMER, value=2.5).SerializeToString())
    assert check(wire.nested(2, metric))["meta"]["metrics"] == [{"key": "k", "type": "TIMER", "value": 2.5}]
