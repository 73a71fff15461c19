"""Owns tests of Value, ListValue and Struct: lists as arrays, Python objects both ways, depth, and what is refused."""

import math
from typing import Any

import numpy
import pytest
from google.protobuf import struct_pb2
from google.protobuf.message import DecodeError
from support import wire

from executor import errors
from executor._native import buffer, message, seldon
from executor._pb import seldon_pb2 as pb


def ndarray(values: list[Any]) -> message.Message:
    """A message that google.protobuf wrote."""
    given = struct_pb2.ListValue()
    given.extend(values)
    return message.Message(pb.SeldonMessage(data=pb.DefaultData(ndarray=given)).SerializeToString())


@pytest.mark.parametrize(
    ("values", "shape"),
    [
        ([1, 2.5, -0.0], (3,)),
        ([[1, 2], [3, 4], [5, 6]], (3, 2)),
        ([[[1], [2]], [[3], [4]]], (2, 2, 1)),
        ([], (0,)),
        ([[], []], (2, 0)),
        ([[[]]], (1, 1, 0)),
        ([math.inf], (1,)),
    ],
)
def test_a_rectangle_of_numbers_becomes_doubles(values: list[Any], shape: tuple[int, ...]) -> None:
    array = seldon.open(ndarray(values)).array()
    assert (array.dtype, array.shape) == (numpy.float64, shape)
    assert array.tolist() == values
    assert array.flags.writeable


@pytest.mark.parametrize(
    "values",
    [
        ["a", "b"], [["a", 1.0], ["b", 2.0]], [True, False], [1.0, True], [None, 1.0], [{"a": 1.0}], [[1.0], [True]],
        [[{"a": []}, 2.0]], ["", None, 3.0],
    ],
)  # fmt: skip
def test_anything_else_becomes_what_numpy_makes_of_it(values: list[Any]) -> None:
    array = seldon.open(ndarray(values)).array()
    expected = numpy.array(values)
    assert (array.dtype, array.shape) == (expected.dtype, expected.shape)
    assert array.tolist() == expected.tolist()


@pytest.mark.parametrize(
    "values", [[[1], [2, 3]], [[1], 2], [1, [2]], [[], [[]]], [[[1]], [2]], [[], 1], [[], [1]], [[1], []]]
)
def test_lists_of_different_lengths_are_no_array_but_a_value(values: list[Any]) -> None:
    before = buffer.live_buffers()
    parts = seldon.open(ndarray(values))
    with pytest.raises(errors.DecodeError, match="differ in length or depth"):
        parts.array()
    assert parts.value() == values
    del parts
    assert buffer.live_buffers() == before


def test_more_levels_than_an_array_has_dimensions_are_a_value() -> None:
    values: list[Any] = [1.0]
    for _ in range(40):
        values = [values]
    parts = seldon.open(ndarray(values))
    assert parts.value() == values
    assert seldon.open(seldon.build("ndarray", values)).value() == values


def test_numbers_in_pieces_still_make_an_array() -> None:
    one = wire.nested(1, wire.double(2, 1.0))
    strange = wire.nested(1, wire.text(3, "x") + wire.number(90, 1) + wire.double(2, 2.0))
    row = wire.nested(1, wire.nested(6, one) + wire.nested(6, strange))
    data = wire.nested(3, wire.nested(3, row)) + wire.nested(3, wire.nested(3, wire.number(91, 1) + row))
    assert seldon.open(message.Message(data)).array().tolist() == [[1.0, 2.0], [1.0, 2.0]]


def json_message(depth: int) -> bytes:
    """jsonData of lists in lists: each level is a Value and a ListValue."""
    data = b""
    for _ in range(depth):
        data = wire.nested(6, wire.nested(1, data))
    return wire.nested(6, data)


@pytest.mark.parametrize("depth", [1, 48, 49, 50, 51, 60, 1000])
def test_nesting_is_bounded_where_google_protobuf_bounds_it(depth: int) -> None:
    data = json_message(depth)
    try:
        theirs = wire.plain(pb.SeldonMessage.FromString(data).jsonData)
    except DecodeError:
        with pytest.raises(errors.DecodeError, match="nested more than 100 deep"):
            seldon.open(message.Message(data)).value()
        assert depth >= 50
    else:
        assert seldon.open(message.Message(data)).value() == theirs
        assert wire.plain(pb.SeldonMessage.FromString(bytes(seldon.build("jsonData", theirs))).jsonData) == theirs


@pytest.mark.parametrize("make", [lambda inner: [inner], lambda inner: {"a": inner}, lambda inner: [{"a": inner}]])
def test_what_can_be_built_can_be_read(make: Any) -> None:
    value: Any = None
    deepest = 0
    for depth in range(120):
        value = make(value)
        try:
            built = seldon.build("jsonData", value)
        except errors.EncodeError as error:
            assert "nested too deep" in error.message
            break
        assert wire.plain(pb.SeldonMessage.FromString(bytes(built)).jsonData) == value
        assert seldon.open(built).value() == value
        deepest = depth
    assert 15 < deepest < 100


def test_a_list_that_holds_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(errors.EncodeError, match="nested too deep"):
        seldon.build("ndarray", value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (numpy.float32(1.5), 1.5),
        (numpy.int64(3), 3.0),
        (numpy.bool_(True), True),
        (numpy.str_("x"), "x"),
        (numpy.array([[1, 2]]), [[1.0, 2.0]]),
        ((1, "a"), [1.0, "a"]),
        (10**15, 1e15),
        ({"b": 1, "a": {}}, {"b": 1.0, "a": {}}),
    ],
)
def test_what_components_give_becomes_a_value(value: Any, expected: Any) -> None:
    built = seldon.build("jsonData", value)
    assert seldon.open(built).value() == expected
    assert wire.plain(pb.SeldonMessage.FromString(bytes(built)).jsonData) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (object(), "object cannot be sent as a value; allowed are None, bool"),
        (b"x", "bytes cannot be sent as a value"),
        ([1, {2}], "set cannot be sent"),
        (1j, "complex cannot be sent"),
        (10**400, "an integer is too large"),
        ({1: 2}, "a key: int given, a str is needed"),
        ("\ud800", "cannot be written as UTF-8"),
        (numpy.datetime64("2020"), "date cannot be sent"),
    ],
)
def test_what_is_no_value_is_refused(value: Any, text: str) -> None:
    before = buffer.live_buffers()
    with pytest.raises(errors.EncodeError, match=text):
        seldon.build("jsonData", value)
    with pytest.raises(errors.EncodeError, match=text):
        seldon.build("ndarray", [value])
    assert buffer.live_buffers() == before


def test_nan_is_a_number_of_the_binary_form() -> None:
    for value in (numpy.array([math.nan, 1.0]), [math.nan, 1.0]):
        found = seldon.open(seldon.build("ndarray", value)).array()
        assert math.isnan(found[0])
        assert found[1] == 1.0


def test_values_in_pieces_merge_as_messages_do() -> None:
    entry = wire.nested(1, wire.text(1, "a") + wire.nested(2, wire.double(2, 1.0)))
    other = wire.nested(
        1, wire.text(1, "b") + wire.nested(2, wire.nested(6, b"")) + wire.nested(2, wire.nested(6, b""))
    )
    data = wire.nested(6, wire.nested(5, entry)) + wire.nested(6, wire.nested(5, other))
    assert seldon.open(message.Message(data)).value() == {"a": 1.0, "b": []}
    assert wire.plain(pb.SeldonMessage.FromString(data).jsonData) == {"a": 1.0, "b": []}
    assert seldon.open(message.Message(data + wire.nested(6, wire.text(3, "x")))).value() == "x"


@pytest.mark.parametrize(
    "content", [b"\x08", wire.nested(5, b"\x0a\x09"), wire.nested(6, b"\x0a\x05a"), wire.nested(3, b"\xff")]
)
def test_broken_values_are_refused_with_their_place(content: bytes) -> None:
    for data in (wire.nested(6, content), wire.nested(3, wire.nested(3, wire.nested(1, content)))):
        parts = seldon.open(message.Message(data))
        with pytest.raises(errors.DecodeError) as caught:
            parts.value()
        assert caught.value.offset is not None
        assert caught.value.offset <= len(data)


@pytest.mark.parametrize("shape", [(0,), (3,), (2, 3), (200, 3), (2, 1, 40), (1, 0, 3), (2, 3, 4, 5)])
@pytest.mark.parametrize("dtype", ["f8", "f4", "i8", ">f8", "u1"])
def test_arrays_of_numbers_become_lists(shape: tuple[int, ...], dtype: str) -> None:
    array = numpy.arange(math.prod(shape)).reshape(shape).astype(dtype)
    theirs = pb.SeldonMessage.FromString(bytes(seldon.build("ndarray", array))).data.ndarray
    assert wire.plain(theirs) == array.tolist()
