# Owns the writer that builds nested protobuf messages back to front, so that no length is needed in advance.
# Must not know any message type. Being filled from the end, what is written first (the last field, a
# tensor's values) ends on a 16-byte boundary.

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

from executor._native.buffer cimport buffer_new, buffer_t, buffer_unref
from executor._native.message cimport message_add, message_new, message_t
from executor._native.wire cimport (
    WIRE_BYTES, WIRE_FIXED32, WIRE_FIXED64, WIRE_VARINT, WIRE_VARINT_MAX, wire_put_varint,
)

ctypedef struct writer_t:
    buffer_t *buffer
    unsigned char *position      # first byte written so far
    unsigned char *end           # behind the last byte
    bint failed                  # memory ran out: everything written since is lost

# Begins with room for `capacity` bytes. Always pair with writer_message or writer_drop.
cdef inline void writer_begin(writer_t *writer, size_t capacity) noexcept nogil:
    writer.buffer = buffer_new(capacity)
    writer.failed = writer.buffer == NULL
    if writer.failed:
        writer.position = NULL
        writer.end = NULL
    else:
        writer.end = writer.buffer.data + (writer.buffer.capacity & ~<size_t>15)
        writer.position = writer.end

cdef inline void writer_drop(writer_t *writer) noexcept nogil:
    buffer_unref(writer.buffer)
    writer.buffer = NULL

# Bytes written so far; also the mark that writer_close wants.
cdef inline size_t writer_size(const writer_t *writer) noexcept nogil:
    return writer.end - writer.position

cdef inline int writer_grow(writer_t *writer, size_t more) noexcept nogil:
    cdef size_t used = writer_size(writer)
    cdef writer_t larger
    if writer.failed:
        return -1
    writer_begin(&larger, 2 * (used + more) + 64)
    if larger.failed:
        writer.failed = True
        return -1
    larger.position -= used
    memcpy(larger.position, writer.position, used)
    writer_drop(writer)
    writer[0] = larger
    return 0

# Makes room for `size` bytes in front and returns the first of them; NULL when memory is out.
cdef inline unsigned char *writer_room(writer_t *writer, size_t size) noexcept nogil:
    if writer.failed or <size_t>(writer.position - writer.buffer.data) < size:
        if writer_grow(writer, size) < 0:
            return NULL
    writer.position -= size
    return writer.position

cdef inline void writer_raw(writer_t *writer, const void *data, size_t size) noexcept nogil:
    cdef unsigned char *to
    if size == 0:
        # Nothing to copy may come without a place.
        return
    to = writer_room(writer, size)
    if to != NULL:
        memcpy(to, data, size)

cdef inline void writer_varint(writer_t *writer, uint64_t value) noexcept nogil:
    cdef unsigned char[WIRE_VARINT_MAX] bytes
    cdef unsigned char *to
    if value < 0x80:
        to = writer_room(writer, 1)
        if to != NULL:
            to[0] = <unsigned char>value
        return
    writer_raw(writer, bytes, wire_put_varint(bytes, value) - bytes)

cdef inline void writer_tag(writer_t *writer, uint32_t number, int type) noexcept nogil:
    writer_varint(writer, (<uint64_t>number << 3) | <uint64_t>type)

# Turns all that was written since writer_size gave `mark` into the content of field `number`.
cdef inline void writer_close(writer_t *writer, uint32_t number, size_t mark) noexcept nogil:
    writer_varint(writer, writer_size(writer) - mark)
    writer_tag(writer, number, WIRE_BYTES)

cdef inline void writer_bytes(writer_t *writer, uint32_t number, const void *data, size_t size) noexcept nogil:
    writer_raw(writer, data, size)
    writer_varint(writer, size)
    writer_tag(writer, number, WIRE_BYTES)

cdef inline void writer_int(writer_t *writer, uint32_t number, int64_t value) noexcept nogil:
    writer_varint(writer, <uint64_t>value)
    writer_tag(writer, number, WIRE_VARINT)

cdef inline void writer_float(writer_t *writer, uint32_t number, float value) noexcept nogil:
    writer_raw(writer, &value, 4)
    writer_tag(writer, number, WIRE_FIXED32)

cdef inline void writer_double(writer_t *writer, uint32_t number, double value) noexcept nogil:
    writer_raw(writer, &value, 8)
    writer_tag(writer, number, WIRE_FIXED64)

# What was written as a message of one span; NULL when memory is out. Ends the writer.
cdef inline message_t *writer_message(writer_t *writer, int encoding, int form) noexcept nogil:
    cdef message_t *message = NULL
    if not writer.failed:
        message = message_new(encoding, form)
        if message != NULL:
            message_add(message, writer.buffer, writer.position, writer_size(writer))
    writer_drop(writer)
    return message
