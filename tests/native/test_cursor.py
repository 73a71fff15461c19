"""Owns tests of the cursor's cold path and of the view of fields that it gives to tools."""

from typing import Any

import pytest
from support import wire

from executor import errors
from executor._native import cursor


def test_fields_come_in_order_with_their_offsets() -> None:
    data = wire.text(3, "abc") + wire.number(1, 300) + wire.double(5, 1.0) + wire.single(500, 1.0)
    data += wire.group(7, wire.group(8, wire.text(1, "x")))
    assert cursor.fields(data) == [
        (3, 2, b"abc", 0),
        (1, 0, 300, 5),
        (5, 1, 0x3FF0000000000000, 8),
        (500, 5, 0x3F800000, 17),
        (7, 3, None, 23),
    ]


@pytest.mark.parametrize(
    ("data", "offset", "text"),
    [
        (b"\x08", 1, "end inside a varint"),
        (b"\x08\x80\x80", 1, "end inside a varint"),
        (b"\x08" + b"\xff" * 10, 1, "does not fit in 64 bits"),
        (b"\x80", 0, "end inside a varint"),
        (b"\x00\x01", 0, "field number 0"),
        (b"\x80\x80\x80\x80\x10\x00", 0, "longer than 32 bits"),
        (b"\x88\x80\x80\x80\x80\x00\x00", 0, "longer than 32 bits"),
        (b"\x08\x01\x12\x05abc", 3, "a length of 5 runs past the end, 3 bytes are left"),
        (b"\x12\x80\x80\x80\x80\x08", 1, "not below 2 GiB"),
        (b"\x12\x80\x80\x80\x80\x80\x00", 1, "not below 2 GiB"),
        (b"\x09abc", 1, "end inside a 64-bit value"),
        (b"\x0dabc", 1, "end inside a 32-bit value"),
        (b"\x0f", 1, "wire type 7 does not exist"),
        (b"\x0b\x0e", 2, "wire type 6 does not exist"),
        (b"\x0b\x08\x01", 3, "end inside group 1"),
        (b"\x0b\x13\x0c\x14", 2, "group 2 is closed as group 1"),
        (b"\x0c", 1, "group 1 ends but never began"),
        (b"\x0b" * 101 + b"\x0c" * 101, 101, "nested more than 100 deep"),
    ],
)
def test_broken_bytes_are_refused_with_their_place(data: bytes, offset: int, text: str) -> None:
    with pytest.raises(errors.DecodeError, match=text) as caught:
        cursor.fields(data)
    assert caught.value.offset == offset
    assert f"(at byte {offset})" in str(caught.value)


def test_field_is_the_reverse_of_fields() -> None:
    made: list[tuple[int, int, Any]] = [
        (1, 0, 2**64 - 1),
        (2, 1, 5),
        (3, 2, b""),
        (2**29 - 1, 2, b"xyz"),
        (5, 5, 2**32 - 1),
    ]
    data = b"".join(cursor.field(*one) for one in made)
    assert [found[:3] for found in cursor.fields(data)] == made


def test_field_refuses_what_it_cannot_write() -> None:
    with pytest.raises(ValueError, match="allowed are 0, 1, 2 and 5"):
        cursor.field(1, 3, b"")
    with pytest.raises(OverflowError):
        cursor.field(1, 0, -1)
    with pytest.raises(OverflowError):
        cursor.field(1, 5, 2**32)
