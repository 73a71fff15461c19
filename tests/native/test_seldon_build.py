"""Owns tests of building messages: one buffer, large bytes by reference, and errors that name what was wrong."""

from typing import Any

import numpy
import pytest

from executor import errors
from executor._native import buffer, codec_face, message, seldon, seldon_build
from executor._pb import seldon_pb2 as pb
from executor.types import Encoding, Form


def read(built: message.Message) -> pb.SeldonMessage:
    return pb.SeldonMessage.FromString(bytes(built))


def test_a_tensor_is_one_buffer_and_one_span() -> None:
    before = buffer.live_buffers()
    built = seldon_build.build("tensor", numpy.ones((10, 10)), ["a"], {"puid": "x"}, {"code": 1})
    assert buffer.live_buffers() == before + 1
    assert (built.spans, built.encoding, built.form) == (1, Encoding.SELDON_PROTO, Form.MESSAGE)
    theirs = read(built)
    assert list(theirs.data.tensor.shape) == [10, 10]
    assert list(theirs.data.tensor.values) == [1.0] * 100
    assert (list(theirs.data.names), theirs.meta.puid, theirs.status.code) == (["a"], "x", 1)
    # Exactly what google.protobuf would have written.
    assert theirs.SerializeToString() == bytes(built)


def test_the_parts_of_the_native_module_are_the_face_of_the_codec() -> None:
    assert seldon.build is seldon_build.build
    assert seldon.build_feedback is seldon_build.build_feedback


@pytest.mark.parametrize("size", [0, 1, 100, (16 << 10) - 1, 16 << 10, 1 << 20])
def test_bytes_are_sent_whole_and_large_ones_by_reference(size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]
    before = buffer.live_buffers()
    built = seldon.build("binData", data, meta={"puid": "x"})
    assert built.spans == (2 if size >= 16 << 10 else 1)
    assert read(built).binData == data
    assert seldon.open(built).value() == data
    for other in (bytearray(data), memoryview(data), numpy.frombuffer(data, "u1")):
        assert bytes(seldon.build("binData", other, meta={"puid": "x"})) == bytes(built)
    del built
    assert buffer.live_buffers() == before


def test_custom_data_is_a_pair_or_an_any() -> None:
    assert read(seldon.build("customData", ("t/x", b"abc"))).customData.value == b"abc"
    given = read(seldon.build("customData", ("t/x", b""))).customData
    assert seldon.open(seldon.build("customData", given)).value() == ("t/x", b"")


def test_names_go_with_data_only() -> None:
    assert list(read(seldon.build("ndarray", [1], ("a", "b"))).data.names) == ["a", "b"]
    assert list(read(seldon.build("tftensor", [1], numpy.array(["a"]))).data.names) == ["a"]  # type: ignore[arg-type]
    assert seldon.open(seldon.build("strData", "x", ["a"])).names == []
    assert list(read(seldon.build("tensor", [1.0], None)).data.names) == []


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("tensors", [1], "kind 'tensors' does not exist; allowed are tensor, ndarray"),
        ("tensor", object(), "tensor"),
        ("tensor", "x", "a tensor holds real numbers"),
        ("ndarray", 3, "ndarray: a single value is no list"),
        ("ndarray", numpy.array(3.0), "ndarray: a single value is no list"),
        ("ndarray", numpy.array([1j]), "complex cannot be sent as a value"),
        ("tftensor", [[1], [2, 3]], "tftensor: the value is no array"),
        ("binData", "text", "binData: str given, contiguous bytes are needed"),
        ("binData", memoryview(b"abcd")[::2], "binData: memoryview given"),
        ("strData", b"x", "strData: bytes given, a str is needed"),
        ("strData", None, "strData: NoneType given"),
        ("strData", "\udc80", "cannot be written as UTF-8"),
        ("customData", "x", "customData: a pair of type_url and bytes"),
        ("customData", (1, b""), "type_url: int given"),
    ],
)
def test_a_value_that_does_not_fit_its_kind_says_why(kind: str, value: Any, text: str) -> None:
    before = buffer.live_buffers()
    with pytest.raises(errors.EncodeError, match=text):
        seldon.build(kind, value)
    assert buffer.live_buffers() == before


def test_wrong_names_say_why_and_leave_nothing_behind() -> None:
    before = buffer.live_buffers()
    with pytest.raises(errors.EncodeError, match="names: int given, a str is needed"):
        seldon.build("tensor", [1.0], [1])  # type: ignore[list-item]
    with pytest.raises(errors.EncodeError, match="names: a str given, a list of str is needed"):
        seldon.build("tensor", [1.0], "ab")
    with pytest.raises(errors.EncodeError, match="meta"):
        seldon.build("binData", b"x" * 20000, meta={"x": 1})
    assert buffer.live_buffers() == before


def test_the_first_room_may_be_too_small() -> None:
    value = {f"key {number}": ["text" * number, None, {"a": number}] for number in range(300)}
    built = seldon.build("jsonData", value, meta={"tags": value})
    assert seldon.open(built).value() == value
    assert seldon.open(built).meta["tags"] == value
    names = [f"column {number}" for number in range(5000)]
    assert seldon.open(seldon.build("tensor", [1.0], names)).names == names


def test_lists_and_feedback_hold_messages_by_reference() -> None:
    items = [seldon.build("tensor", [float(number)]) for number in range(3)]
    whole = codec_face.make_list(iter(items), Encoding.SELDON_PROTO)
    assert [list(item.data.tensor.values) for item in pb.SeldonMessageList.FromString(bytes(whole)).seldonMessages] == [
        [0.0], [1.0], [2.0]
    ]  # fmt: skip
    assert whole.form == Form.LIST
    feedback = seldon.build_feedback(items[0], items[1], 0.5, items[2])
    theirs = pb.Feedback.FromString(bytes(feedback))
    assert (theirs.request, theirs.response, theirs.truth) == tuple(map(read, items))
    assert (theirs.reward, feedback.form) == (0.5, Form.FEEDBACK)
    assert theirs.SerializeToString() == bytes(feedback)
    assert bytes(seldon.build_feedback(None, None, 0.0, None)) == b""
    assert bytes(codec_face.make_list([], Encoding.SELDON_PROTO)) == b""


def test_lists_take_messages_alone() -> None:
    with pytest.raises(TypeError):
        codec_face.make_list([b"x"], Encoding.SELDON_PROTO)  # type: ignore[list-item]
    with pytest.raises(errors.Error, match="not a SeldonMessage in protobuf: transcode it first"):
        codec_face.make_list([message.Message(b"{}", Encoding.SELDON_JSON)], Encoding.SELDON_PROTO)
    with pytest.raises(errors.Error, match="not a SeldonMessage in protobuf"):
        seldon.build_feedback(None, codec_face.make_list([], Encoding.SELDON_PROTO), 1.0, None)
