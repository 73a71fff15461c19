"""Owns google.protobuf's Value, ListValue and Struct: to and from Python objects and float64 arrays.

Must not know the messages that hold them. Every descent is bounded by the depth that protobuf's own parsers
accept, on the way in and on the way out.
"""

from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBuffer_Release, PyObject_GetBuffer
from cpython.float cimport PyFloat_AS_DOUBLE
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

from executor._native.buffer cimport buffer_new, buffer_t, buffer_unref
from executor._native.cursor cimport (
    CURSOR_DEPTH, cursor_enter, cursor_fail, cursor_left, cursor_offset, cursor_text, raise_failure,
)
from executor._native.seldon_envelope cimport piece_enter
from executor._native.tensor cimport TENSOR_DIMS, array_over
from executor._native.types cimport failure_clear
from executor._native.wire cimport (
    WIRE_BYTES, WIRE_FIXED64, WIRE_VARINT, field_t, wire_double, wire_is, wire_next,
)
from executor._native.writer cimport (
    writer_bytes, writer_close, writer_double, writer_int, writer_room, writer_size,
)

import numpy

from executor import errors

cdef enum:
    NUMBER_SIZE = 11             # a number as an element of a ListValue: two tags, one length, eight bytes

cdef object FLOAT64 = numpy.dtype("float64")
cdef object ndarray = numpy.ndarray
cdef object generic = numpy.generic


# --- finding, without the GIL ---

cdef inline bint is_member(const field_t *field) noexcept nogil:
    if field.number == VALUE_NULL or field.number == VALUE_BOOL:
        return field.type == WIRE_VARINT
    if field.number == VALUE_NUMBER:
        return field.type == WIRE_FIXED64
    return VALUE_NULL <= <int>field.number <= VALUE_LIST and field.type == WIRE_BYTES


cdef int value_scan(cursor_t cursor, value_t *value, failure_t *failure) noexcept nogil:
    cdef field_t field
    cdef int got
    value.kind = 0
    while True:
        got = wire_next(&cursor, &field, failure)
        if got <= 0:
            return got
        if not is_member(&field):
            continue
        if value.kind != <int>field.number:
            value.kind = field.number
            value.piece.count = 0
            value.piece.first = field.begin
        value.piece.count += 1
        value.piece.data = field.data
        value.piece.size = field.size
        value.bits = field.value


cdef inline bint is_element(const field_t *field) noexcept nogil:
    return wire_is(field, LIST_VALUES, WIRE_BYTES)


cdef int first_element(cursor_t *cursor, value_t *value, cursor_t *inner, failure_t *failure) noexcept nogil:
    cdef const unsigned char *begin = cursor.position
    cdef field_t field
    cdef int got
    while True:
        got = wire_next(cursor, &field, failure)
        if got < 0:
            return -1
        if got == 0:
            return cursor_fail(cursor, begin, failure, b"an empty list where a number is needed", 0, 0)
        if is_element(&field):
            break
    if cursor_enter(cursor, field.data, field.size, inner, failure) < 0:
        return -1
    return value_scan(inner[0], value, failure)


cdef int list_first_number(cursor_t cursor, double *number, failure_t *failure) noexcept nogil:
    cdef cursor_t element, inner
    cdef buffer_t *joined = NULL
    cdef value_t value
    cdef int result
    if first_element(&cursor, &value, &element, failure) < 0:
        return -1
    if value.kind == VALUE_LIST:
        if piece_enter(&element, &value.piece, VALUE_LIST, &inner, &joined, failure) < 0:
            return -1
        result = first_element(&inner, &value, &element, failure)
        if result < 0:
            buffer_unref(joined)
            return -1
    if value.kind == VALUE_NUMBER:
        number[0] = wire_double(value.bits)
        result = 0
    else:
        result = cursor_fail(&element, element.position, failure, b"the first element is not a number", 0, 0)
    buffer_unref(joined)
    return result


# --- to Python objects ---

cdef str entry_key(cursor_t cursor, value_t *value, int value_type):
    cdef failure_t failure
    cdef field_t field
    cdef str key = ""
    cdef int got
    memset(value, 0, sizeof(value_t))
    failure_clear(&failure)
    while True:
        got = wire_next(&cursor, &field, &failure)
        if got < 0:
            raise_failure(&failure)
        if got == 0:
            return key
        if wire_is(&field, ENTRY_KEY, WIRE_BYTES):
            key = cursor_text(&cursor, field.data, field.size)
        elif wire_is(&field, ENTRY_VALUE, value_type):
            if value.piece.count == 0:
                value.piece.first = field.begin
            value.piece.count += 1
            value.piece.data = field.data
            value.piece.size = field.size
            value.bits = field.value


# The value of the message field that `piece` found in `cursor`, occurrences merged.
cdef object merged_object(const cursor_t *cursor, const piece_t *piece, uint32_t number, int kind):
    cdef buffer_t *joined = NULL
    cdef cursor_t inner
    cdef failure_t failure
    failure_clear(&failure)
    if piece_enter(cursor, piece, number, &inner, &joined, &failure) < 0:
        raise_failure(&failure)
    try:
        if kind == VALUE_LIST:
            return list_object(inner)
        if kind == VALUE_STRUCT:
            return struct_object(inner)
        return value_object(inner)
    finally:
        buffer_unref(joined)


cdef dict struct_object(cursor_t cursor):
    cdef cursor_t inner
    cdef failure_t failure
    cdef field_t field
    cdef value_t value
    cdef dict found = {}
    cdef int got
    failure_clear(&failure)
    while True:
        got = wire_next(&cursor, &field, &failure)
        if got == 0:
            return found
        if got > 0 and not wire_is(&field, STRUCT_FIELDS, WIRE_BYTES):
            continue
        if got < 0 or cursor_enter(&cursor, field.data, field.size, &inner, &failure) < 0:
            raise_failure(&failure)
        key = entry_key(inner, &value, WIRE_BYTES)
        found[key] = None if value.piece.count == 0 else merged_object(&inner, &value.piece, ENTRY_VALUE, 0)


cdef object value_object(cursor_t cursor):
    cdef failure_t failure
    cdef value_t value
    failure_clear(&failure)
    if value_scan(cursor, &value, &failure) < 0:
        raise_failure(&failure)
    if value.kind == VALUE_NUMBER:
        return wire_double(value.bits)
    if value.kind == VALUE_STRING:
        return cursor_text(&cursor, value.piece.data, value.piece.size)
    if value.kind == VALUE_BOOL:
        return value.bits != 0
    if value.kind == VALUE_STRUCT or value.kind == VALUE_LIST:
        return merged_object(&cursor, &value.piece, value.kind, value.kind)
    return None


# A number as an element, in the one form that writers use: tag, length 9, tag, eight bytes.
cdef inline bint is_number(const unsigned char *at, const unsigned char *end) noexcept nogil:
    return end - at >= NUMBER_SIZE and at[0] == 0x0A and at[1] == 0x09 and at[2] == 0x11


cdef list list_object(cursor_t cursor):
    cdef cursor_t inner
    cdef failure_t failure
    cdef field_t field
    cdef list found = []
    cdef double number
    cdef int got
    failure_clear(&failure)
    while True:
        if is_number(cursor.position, cursor.end) and cursor.depth > 0:
            memcpy(&number, cursor.position + 3, 8)
            cursor.position += NUMBER_SIZE
            found.append(number)
            continue
        got = wire_next(&cursor, &field, &failure)
        if got == 0:
            return found
        if got > 0 and not is_element(&field):
            continue
        if got < 0 or cursor_enter(&cursor, field.data, field.size, &inner, &failure) < 0:
            raise_failure(&failure)
        found.append(value_object(inner))


# --- to a float64 array, in one pass ---

ctypedef struct rows_t:
    double *items
    Py_ssize_t count
    int ndim                     # level of the numbers plus one; 0 while none was seen
    int deepest                  # deepest level of list seen
    int64_t[TENSOR_DIMS] dims    # -1 while unknown


# A number at `level` fits when all others lie there too and no list lies deeper.
cdef inline bint rows_number(rows_t *rows, int level) noexcept nogil:
    if rows.deepest != level:
        return False
    rows.ndim = level + 1
    return True


# One element that is not in the plain form of a number. 1, 0: not a rectangle of numbers, -1.
cdef int rows_element(cursor_t *cursor, int level, rows_t *rows, failure_t *failure) noexcept nogil:
    cdef cursor_t inner
    cdef value_t value
    cdef buffer_t *joined = NULL
    cdef cursor_t element = cursor[0]
    cdef int result
    if value_scan(element, &value, failure) < 0:
        return -1
    if value.kind == VALUE_NUMBER:
        if not rows_number(rows, level):
            return 0
        rows.items[rows.count] = wire_double(value.bits)
        rows.count += 1
        return 1
    if value.kind != VALUE_LIST or rows.ndim == level + 1 or level + 1 >= TENSOR_DIMS:
        return 0
    if piece_enter(&element, &value.piece, VALUE_LIST, &inner, &joined, failure) < 0:
        return -1
    result = rows_read(inner, level + 1, rows, failure)
    buffer_unref(joined)
    return result


# Takes the plain numbers from here on; how many there were. The loop that nearly all bytes of an ndarray go through.
cdef inline Py_ssize_t rows_run(cursor_t *cursor, double *items) noexcept nogil:
    cdef const unsigned char *at = cursor.position
    cdef const unsigned char *end = cursor.end
    cdef Py_ssize_t count = 0
    while is_number(at, end):
        memcpy(&items[count], at + 3, 8)
        count += 1
        at += NUMBER_SIZE
    cursor.position = at
    return count


cdef int rows_read(cursor_t cursor, int level, rows_t *rows, failure_t *failure) noexcept nogil:
    cdef int64_t length = 0
    cdef Py_ssize_t run
    cdef cursor_t inner
    cdef field_t field
    cdef int got
    if level > rows.deepest:
        rows.deepest = level
        rows.dims[level] = -1
        if rows.ndim != 0:
            return 0
    while True:
        if is_number(cursor.position, cursor.end) and cursor.depth > 0:
            if not rows_number(rows, level):
                return 0
            run = rows_run(&cursor, rows.items + rows.count)
            rows.count += run
            length += run
            continue
        got = wire_next(&cursor, &field, failure)
        if got < 0:
            return -1
        if got == 0:
            break
        if not is_element(&field):
            continue
        if cursor_enter(&cursor, field.data, field.size, &inner, failure) < 0:
            return -1
        length += 1
        got = rows_element(&inner, level, rows, failure)
        if got <= 0:
            return got
    if rows.dims[level] < 0:
        rows.dims[level] = length
    return rows.dims[level] == length


# What numpy makes of the nested list: strings, bools, mixed values.
cdef object mixed_array(cursor_t cursor):
    cdef Py_ssize_t offset = cursor_offset(&cursor, cursor.position)
    try:
        return numpy.array(list_object(cursor))
    except ValueError as error:
        raise errors.DecodeError(
            f"the ndarray is no array, its lists differ in length or depth: {error}", offset
        ) from None


cdef object list_array(cursor_t cursor):
    cdef buffer_t *buffer = buffer_new(cursor_left(&cursor) // NUMBER_SIZE * 8)
    cdef failure_t failure
    cdef rows_t rows
    cdef int index, result
    if buffer == NULL:
        raise MemoryError()
    failure_clear(&failure)
    rows.items = <double *>buffer.data
    rows.count = 0
    rows.ndim = 0
    rows.deepest = 0
    rows.dims[0] = -1
    try:
        result = rows_read(cursor, 0, &rows, &failure)
        if result < 0:
            raise_failure(&failure)
        if result == 0:
            return mixed_array(cursor)
        shape = tuple([rows.dims[index] for index in range(rows.deepest + 1)])
        buffer.size = rows.count * 8
        return array_over(buffer, buffer.data, buffer.size, FLOAT64, 8, shape, True, NULL)
    finally:
        buffer_unref(buffer)


# --- from Python objects ---

cdef int write_text(writer_t *writer, uint32_t number, object text, str where) except -1:
    cdef Py_ssize_t size
    cdef const char *data
    if not isinstance(text, str):
        raise errors.EncodeError(f"{where}: {type(text).__name__} given, a str is needed")
    try:
        data = PyUnicode_AsUTF8AndSize(text, &size)
    except UnicodeEncodeError as error:
        raise errors.EncodeError(f"{where}: the text cannot be written as UTF-8: {error.reason}") from None
    writer_bytes(writer, number, data, size)
    return 0


cdef int too_deep() except -1:
    raise errors.EncodeError(f"the value is nested too deep: messages may be nested {CURSOR_DEPTH} deep")


cdef int write_map(writer_t *writer, uint32_t number, object mapping, int depth, str where) except -1:
    cdef size_t entry
    if depth < 2:
        too_deep()
    if not isinstance(mapping, dict):
        raise errors.EncodeError(f"{where}: {type(mapping).__name__} given, a dict is needed")
    for key, item in reversed((<dict>mapping).items()):
        entry = writer_size(writer)
        write_value(writer, item, depth - 2)
        writer_close(writer, ENTRY_VALUE, entry)
        write_text(writer, ENTRY_KEY, key, f"a key of {where}" if where else "a key")
        writer_close(writer, number, entry)
    return 0


cdef int write_list(writer_t *writer, object values, int depth) except -1:
    cdef unsigned char *to
    cdef double number
    cdef size_t mark
    if depth < 1:
        too_deep()
    for item in reversed(values):
        if type(item) is float:
            to = writer_room(writer, NUMBER_SIZE)
            if to == NULL:
                raise MemoryError()
            number = PyFloat_AS_DOUBLE(item)
            put_number(to, number)
            continue
        mark = writer_size(writer)
        write_value(writer, item, depth - 1)
        writer_close(writer, LIST_VALUES, mark)
    return 0


cdef inline void put_number(unsigned char *to, double number) noexcept nogil:
    to[0] = 0x0A
    to[1] = 0x09
    to[2] = 0x11
    memcpy(to + 3, &number, 8)


cdef int write_number(writer_t *writer, object value) except -1:
    cdef double number
    try:
        number = value
    except OverflowError:
        raise errors.EncodeError("an integer is too large for a number, which is a double") from None
    writer_double(writer, VALUE_NUMBER, number)
    return 0


cdef int write_nested(writer_t *writer, object value, int depth) except -1:
    cdef size_t mark = writer_size(writer)
    if depth < 1:
        too_deep()
    if isinstance(value, dict):
        write_map(writer, STRUCT_FIELDS, value, depth - 1, "")
        writer_close(writer, VALUE_STRUCT, mark)
    else:
        write_list(writer, value, depth - 1)
        writer_close(writer, VALUE_LIST, mark)
    return 0


cdef int write_value(writer_t *writer, object value, int depth) except -1:
    if isinstance(value, str):
        return write_text(writer, VALUE_STRING, value, "a value")
    if isinstance(value, bool):
        writer_int(writer, VALUE_BOOL, 1 if value else 0)
        return 0
    if isinstance(value, (float, int)):
        return write_number(writer, value)
    if isinstance(value, (list, tuple, dict)):
        return write_nested(writer, value, depth)
    if value is None:
        writer_int(writer, VALUE_NULL, 0)
        return 0
    if isinstance(value, ndarray):
        return write_value(writer, value.tolist(), depth)
    if isinstance(value, generic) and type(value.item()) is not type(value):
        return write_value(writer, value.item(), depth)
    raise errors.EncodeError(
        f"{type(value).__name__} cannot be sent as a value; allowed are None, bool, int, float, str, list, tuple, dict"
        " and numpy's numbers and arrays"
    )


cdef void rows_write(
    writer_t *writer, const double *items, const Py_ssize_t *dims, int ndim, Py_ssize_t total
) noexcept nogil:
    cdef Py_ssize_t index
    cdef Py_ssize_t part
    cdef unsigned char *to
    cdef size_t mark
    if ndim == 1:
        to = writer_room(writer, dims[0] * NUMBER_SIZE)
        if to != NULL:
            for index in range(dims[0]):
                put_number(to + index * NUMBER_SIZE, items[index])
        return
    part = total // dims[0] if dims[0] > 0 else 0
    for index in range(dims[0] - 1, -1, -1):
        mark = writer_size(writer)
        rows_write(writer, items + index * part, dims + 1, ndim - 1, part)
        writer_close(writer, VALUE_LIST, mark)
        writer_close(writer, LIST_VALUES, mark)


cdef int write_rows(writer_t *writer, object array) except -1:
    cdef Py_buffer view
    array = numpy.ascontiguousarray(array, FLOAT64)
    PyObject_GetBuffer(array, &view, PyBUF_C_CONTIGUOUS)
    rows_write(writer, <const double *>view.buf, view.shape, view.ndim, view.len // 8)
    PyBuffer_Release(&view)
    return 0
