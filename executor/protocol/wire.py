"""Owns protobuf's wire format in plain Python, for the few small messages of admin services.

Must not be used for payloads: the hot path has its own in `_native`. This one exists so that no process needs
`google.protobuf` to answer a health check.
"""

import struct
from collections.abc import Iterator

from executor import errors

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def varint(value: int) -> bytes:
    """`value` as a varint; negative numbers as protobuf's int32 and int64 have them."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    """A varint field; nothing for 0, which is proto3's default."""
    return varint(field << 3 | VARINT) + varint(value) if value else b""


def message(field: int, data: bytes) -> bytes:
    """A length-delimited field, written even when it is empty."""
    return varint(field << 3 | BYTES) + varint(len(data)) + data


def text(field: int, value: object) -> bytes:
    """A string field; nothing for an empty one."""
    return message(field, str(value).encode()) if value else b""


def fields(data: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """The fields of a message as (number, value). Raises DecodeError with the offset.

    Four-byte fields, which no message here has, are passed over.
    """
    at = 0
    while at < len(data):
        start = at
        key, at = read_varint(data, at)
        field, kind = key >> 3, key & 7
        if kind == VARINT:
            value, at = read_varint(data, at)
            yield field, value
            continue
        size = {FIXED64: 8, FIXED32: 4}.get(kind, 0)
        if kind == BYTES:
            size, at = read_varint(data, at)
        elif not size:
            raise errors.DecodeError(f"wire type {kind} is not allowed here", start)
        if size > len(data) - at:
            raise errors.DecodeError("field is longer than its message", start)
        chunk, at = data[at : at + size], at + size
        if kind == FIXED64:
            yield field, struct.unpack("<d", chunk)[0]
        elif kind == BYTES:
            yield field, chunk


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The varint at `at`, and where it ends. Raises DecodeError."""
    value = shift = 0
    for index in range(at, min(at + 10, len(data))):
        value |= (data[index] & 0x7F) << shift
        if data[index] < 0x80:
            return value & (1 << 64) - 1, index + 1
        shift += 7
    raise errors.DecodeError("broken varint", at)


def as_text(value: int | float | bytes) -> str:
    """A string field's value. Raises DecodeError when it is none."""
    if not isinstance(value, bytes):
        raise errors.DecodeError("a number where text belongs")
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise errors.DecodeError(f"text is not UTF-8: {error}") from None


def as_bytes(value: int | float | bytes) -> bytes:
    """A message field's value. Raises DecodeError when it is none."""
    if not isinstance(value, bytes):
        raise errors.DecodeError("a number where a message belongs")
    return value
