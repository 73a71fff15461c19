"""Owns Tensor of seldon.protos: where its numbers lie, and the mean of several without Python.

Must not say what is wrong with an answer that is averaged. All that is not plain is left to AVERAGE_COMBINER's
component, whose answers are the reference: another kind of payload, unequal shapes, children that say something in
meta. The plain answer is the same to the bit: children are added in their order, then divided by their number.
"""

from libc.stdint cimport int32_t, uint64_t
from libc.stdio cimport snprintf
from libc.string cimport memcpy, memset

from executor._native.cursor cimport cursor_enter, cursor_fail, cursor_over, cursor_t
from executor._native.message cimport message_flat, message_t
from executor._native.seldon_envelope cimport (
    DATA_NAMES, DATA_TENSOR, LIST_MESSAGES, MESSAGE_DATA, TENSOR_SHAPE, TENSOR_VALUES, data_scan, data_t,
    envelope_scan, envelope_t,
)
from executor._native.tensor cimport numbers_add, numbers_t, shape_add, shape_items, shape_t
from executor._native.types cimport ENCODING_SELDON_PROTO, FORM_MESSAGE, failure_t
from executor._native.wire cimport WIRE_BYTES, WIRE_VARINT, field_t, wire_is, wire_next, wire_varint
from executor._native.writer cimport (
    writer_begin, writer_bytes, writer_close, writer_message, writer_room, writer_size, writer_t, writer_varint,
)

cdef enum:
    CHILDREN_MAX = 64            # beyond, the component computes
    BLOCK = 256                  # numbers that are summed up at a time
    NAME_BYTES = 16              # of "t:" and a number of 32 bits, with its header
    SMALL = 240                  # room for shape and headers

ctypedef struct addends_t:
    int count
    shape_t shape
    size_t bytes                 # of each child's numbers
    const unsigned char *data[64]


cdef int add_dims(const cursor_t *cursor, const field_t *field, shape_t *shape, failure_t *failure) noexcept nogil:
    cdef cursor_t packed = cursor[0]
    cdef uint64_t value
    if field.type == WIRE_VARINT:
        if shape_add(shape, <int32_t>field.value) == 0:
            return 0
    elif field.type == WIRE_BYTES:
        packed.position = field.data
        packed.end = field.data + field.size
        while packed.position < packed.end:
            if wire_varint(&packed, &value, failure) < 0:
                return -1
            if shape_add(shape, <int32_t>value) < 0:
                break
        else:
            return 0
    else:
        return 0
    return cursor_fail(cursor, field.begin, failure, b"a tensor has more than 32 dimensions", 0, 0)


cdef int tensor_scan(cursor_t cursor, shape_t *shape, numbers_t *numbers, failure_t *failure) noexcept nogil:
    cdef field_t field
    cdef int got
    shape.ndim = 0
    memset(numbers, 0, sizeof(numbers_t))
    while True:
        got = wire_next(&cursor, &field, failure)
        if got <= 0:
            return got
        if field.number == TENSOR_VALUES:
            if numbers_add(numbers, &field, 8, &cursor, failure) < 0:
                return -1
        elif field.number == TENSOR_SHAPE:
            if add_dims(&cursor, &field, shape, failure) < 0:
                return -1


# --- the mean ---

# The tensor of one child, if that is all that it says.
cdef bint child_read(const cursor_t *item, shape_t *shape, numbers_t *numbers) noexcept nogil:
    cdef envelope_t envelope
    cdef data_t data
    cdef cursor_t inner, body
    cdef failure_t failure
    if envelope_scan(item[0], &envelope, &failure) < 0 or envelope.kind != MESSAGE_DATA or envelope.body.count != 1:
        return False
    if envelope.status.count > 0 or envelope.meta.count > 1 or (envelope.meta.count == 1 and envelope.meta.size > 0):
        return False
    if cursor_enter(item, envelope.body.data, envelope.body.size, &inner, &failure) < 0:
        return False
    if data_scan(inner, &data, &failure) < 0 or data.kind != DATA_TENSOR or data.body.count != 1:
        return False
    if cursor_enter(&inner, data.body.data, data.body.size, &body, &failure) < 0:
        return False
    if tensor_scan(body, shape, numbers, &failure) < 0 or shape.ndim == 0 or numbers.pieces != 1:
        return False
    return shape_items(shape) == <Py_ssize_t>(numbers.bytes // 8)


cdef bint shapes_equal(const shape_t *one, const shape_t *other) noexcept nogil:
    cdef int index
    if one.ndim != other.ndim:
        return False
    for index in range(one.ndim):
        if one.dims[index] != other.dims[index]:
            return False
    return True


cdef bint child_add(addends_t *addends, const cursor_t *item) noexcept nogil:
    cdef shape_t shape
    cdef numbers_t numbers
    if addends.count == CHILDREN_MAX or not child_read(item, &shape, &numbers):
        return False
    if addends.count == 0:
        addends.shape = shape
        addends.bytes = numbers.bytes
    elif not shapes_equal(&shape, &addends.shape):
        return False
    addends.data[addends.count] = numbers.data
    addends.count += 1
    return True


# All children of a list; False when one of them is not plain.
cdef bint children_read(message_t *message, addends_t *addends) noexcept nogil:
    cdef const unsigned char *bytes = message_flat(message)
    cdef failure_t failure
    cdef field_t field
    cdef cursor_t cursor, item
    cdef int more
    addends.count = 0
    if bytes == NULL:
        return False
    cursor = cursor_over(bytes, message.size)
    while cursor.position < cursor.end:
        more = wire_next(&cursor, &field, &failure)
        if more <= 0:
            return False
        if wire_is(&field, LIST_MESSAGES, WIRE_BYTES):
            if cursor_enter(&cursor, field.data, field.size, &item, &failure) < 0 or not child_add(addends, &item):
                return False
    return addends.count > 0


# Bytes may lie at any address, so numbers are copied in and out.
cdef void write_mean(unsigned char *to, const addends_t *addends) noexcept nogil:
    cdef double[BLOCK] total
    cdef double[BLOCK] more
    cdef double count = addends.count
    cdef size_t at = 0
    cdef size_t part
    cdef int child, index, size
    while at < addends.bytes:
        part = min(addends.bytes - at, sizeof(total))
        size = <int>(part // 8)
        memcpy(total, addends.data[0] + at, part)
        for child in range(1, addends.count):
            memcpy(more, addends.data[child] + at, part)
            for index in range(size):
                total[index] += more[index]
        for index in range(size):
            total[index] /= count
        memcpy(to + at, total, part)
        at += part


# Columns without names of their own are t:0, t:1, …
cdef void write_names(writer_t *writer, long long width) noexcept nogil:
    cdef char[24] text
    cdef int size
    while width > 0:
        width -= 1
        size = snprintf(text, sizeof(text), b"t:%lld", width)
        writer_bytes(writer, DATA_NAMES, text, size)


# NULL when memory is out.
cdef message_t *mean_of(const addends_t *addends) noexcept nogil:
    cdef long long width = addends.shape.dims[1] if addends.shape.ndim > 1 else 0
    cdef writer_t writer
    cdef unsigned char *to
    cdef size_t mark
    cdef int index
    writer_begin(&writer, addends.bytes + <size_t>width * NAME_BYTES + SMALL)
    to = writer_room(&writer, addends.bytes)
    if to != NULL:
        write_mean(to, addends)
    writer_close(&writer, TENSOR_VALUES, 0)
    mark = writer_size(&writer)
    for index in range(addends.shape.ndim - 1, -1, -1):
        writer_varint(&writer, addends.shape.dims[index])
    writer_close(&writer, TENSOR_SHAPE, mark)
    writer_close(&writer, DATA_TENSOR, 0)
    write_names(&writer, width)
    writer_close(&writer, MESSAGE_DATA, 0)
    return writer_message(&writer, ENCODING_SELDON_PROTO, FORM_MESSAGE)


cdef message_t *seldon_mean(message_t *message) noexcept nogil:
    cdef addends_t addends
    return mean_of(&addends) if children_read(message, &addends) else NULL
