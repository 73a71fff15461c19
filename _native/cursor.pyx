"""Owns the cold path of reading: turning a native failure into a Python error; and a view of fields for tools.

Must not know any message type. The hot path is inline, in `cursor.pxd` and `wire.pxd`.
"""

from cpython.unicode cimport PyUnicode_DecodeUTF8

from executor._native.message cimport Message, message_flat, message_wrap
from executor._native.types cimport STATUS_INVALID_ARGUMENT, STATUS_RESOURCE_EXHAUSTED, failure_clear
from executor._native.wire cimport (
    WIRE_BYTES, WIRE_FIXED32, WIRE_FIXED64, WIRE_GROUP, WIRE_VARINT, field_t, wire_next,
)
from executor._native.writer cimport (
    writer_begin, writer_bytes, writer_message, writer_raw, writer_t, writer_tag, writer_varint,
)

from executor import errors, status


cdef int raise_failure(const failure_t *failure) except -1:
    cdef str text = (<const char *>failure.text).decode("utf-8", "replace")
    if failure.status == STATUS_INVALID_ARGUMENT:
        raise errors.DecodeError(text, failure.offset if failure.offset >= 0 else None)
    if failure.status == STATUS_RESOURCE_EXHAUSTED:
        raise MemoryError(text)
    raise errors.Error(text, status=status.Status(failure.status))


cdef str cursor_text(const cursor_t *cursor, const unsigned char *data, size_t size):
    try:
        return PyUnicode_DecodeUTF8(<const char *>data, size, NULL)
    except UnicodeDecodeError as error:
        raise errors.DecodeError(
            f"a string is not UTF-8: {error.reason}", cursor_offset(cursor, data) + error.start
        ) from None


def fields(data):
    """The fields of one serialized message as (number, wire type, value, offset of the tag), in order.

    The value is bytes for wire type 2, None for a group (its bytes run to the next field), else an unsigned
    number. Nested messages are not entered. Raises DecodeError.
    """
    cdef Message whole = Message(data)
    cdef cursor_t cursor = cursor_over(message_flat(whole.raw), whole.raw.size)
    cdef failure_t failure
    cdef field_t field
    cdef int got
    cdef list found = []
    failure_clear(&failure)
    while True:
        got = wire_next(&cursor, &field, &failure)
        if got <= 0:
            break
        if field.type == WIRE_BYTES:
            value = field.data[:field.size]
        else:
            value = None if field.type == WIRE_GROUP else field.value
        found.append((field.number, field.type, value, cursor_offset(&cursor, field.begin)))
    if got < 0:
        raise_failure(&failure)
    return found


def field(unsigned int number, int type, value):
    """One field as bytes: the reverse of `fields`, for wire types 0, 1, 2 and 5.

    Raises ValueError for other types, OverflowError for a number that the type cannot hold.
    """
    cdef writer_t writer
    cdef unsigned long long wide = 0
    cdef unsigned int narrow = 0
    cdef const unsigned char[:] content = b""
    if type == WIRE_BYTES:
        content = value
    elif type == WIRE_FIXED32:
        narrow = value
    elif type == WIRE_VARINT or type == WIRE_FIXED64:
        wide = value
    else:
        raise ValueError(f"wire type {type}: allowed are 0, 1, 2 and 5")
    writer_begin(&writer, 64)
    if type == WIRE_BYTES:
        writer_bytes(&writer, number, &content[0] if content.shape[0] else NULL, content.shape[0])
    elif type == WIRE_VARINT:
        writer_varint(&writer, wide)
        writer_tag(&writer, number, type)
    else:
        writer_raw(&writer, <const void *>&wide if type == WIRE_FIXED64 else <const void *>&narrow,
                   8 if type == WIRE_FIXED64 else 4)
        writer_tag(&writer, number, type)
    return bytes(message_wrap(writer_message(&writer, 0, 0)))
