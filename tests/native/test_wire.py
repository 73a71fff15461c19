"""Owns tests of the wire primitives: what they write and read is what google.protobuf writes and reads."""

from google.protobuf import struct_pb2, wrappers_pb2
from hypothesis import given
from hypothesis import strategies as st
from support import wire

from executor._native import cursor


@given(st.integers(0, 2**64 - 1))
def test_varints_are_those_of_google_protobuf(value: int) -> None:
    theirs = wrappers_pb2.UInt64Value(value=value).SerializeToString()
    assert (cursor.field(1, 0, value) if value else b"") == theirs
    assert [found[2] for found in cursor.fields(theirs)] == ([value] if value else [])


@given(st.integers(1, 2**29 - 1), st.integers(0, 2**64 - 1), st.binary(max_size=300))
def test_tags_and_lengths_are_those_of_the_specification(number: int, value: int, content: bytes) -> None:
    data = wire.number(number, value) + wire.nested(number, content)
    assert cursor.field(number, 0, value) + cursor.field(number, 2, content) == data
    assert cursor.fields(data) == [
        (number, 0, value, 0),
        (number, 2, content, len(wire.number(number, value))),
    ]


@given(st.floats(allow_nan=False), st.text(min_size=1, max_size=200))
def test_fixed_and_text_fields_are_those_of_google_protobuf(number: float, text: str) -> None:
    theirs = struct_pb2.Value(number_value=number).SerializeToString()
    assert [found[:2] for found in cursor.fields(theirs)] == [(2, 1)]
    value = cursor.fields(theirs)[0][2]
    assert isinstance(value, int)
    assert cursor.field(2, 1, value) == theirs
    assert cursor.field(1, 2, text.encode()) == wrappers_pb2.StringValue(value=text).SerializeToString()


@given(st.integers(1, 9), st.integers(0, 127))
def test_a_varint_may_be_longer_than_it_needs_to_be(padding: int, value: int) -> None:
    padded = wire.tag(1, 0) + bytes([value | 0x80]) + b"\x80" * (padding - 1) + b"\x00"
    assert cursor.fields(padded) == [(1, 0, value, 0)]
    assert wrappers_pb2.UInt64Value.FromString(padded).value == value
