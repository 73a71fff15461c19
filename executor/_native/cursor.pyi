"""Owns the checked reading of protobuf's wire form, for tools; the hot path is native. Must not know message types."""

from typing_extensions import Buffer

def fields(data: Buffer) -> list[tuple[int, int, int | bytes | None, int]]:
    """The fields of one serialized message as (number, wire type, value, offset of the tag), in order.

    The value is bytes for wire type 2, None for a group (its bytes run to the next field), else an unsigned
    number. Nested messages are not entered. Raises DecodeError.
    """

def field(number: int, type: int, value: int | Buffer) -> bytes:
    """One field as bytes: the reverse of `fields`, for wire types 0, 1, 2 and 5.

    Raises ValueError for other types, OverflowError for a number that the type cannot hold.
    """
