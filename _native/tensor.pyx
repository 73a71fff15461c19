"""Owns the dtype table, shape checks, and the way between message bytes and arrays.

Must not know any message type. Bytes become an array by reference where alignment and ownership allow it, and
an array becomes bytes with one copy, straight into the message. numpy is the array module unless the caller
names another one. Numbers are little-endian on the wire, and on every machine that millrace runs on.
"""

from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uintptr_t
from libc.string cimport memcpy

from executor._native.buffer cimport Memory, buffer_new, buffer_unref, memory_lend
from executor._native.copies cimport COPY_ALIGNED, COPY_CONTIGUOUS, COPY_SHARED, copies_add, copies_t
from executor._native.cursor cimport cursor_fail
from executor._native.wire cimport WIRE_BYTES, WIRE_FIXED32, WIRE_FIXED64, wire_next
from executor._native.writer cimport writer_raw, writer_room

import numpy

from executor import errors

cdef enum:
    DTYPE_COUNT = 24

# TensorFlow's DataType, by number. Quantized types are the integers they are stored as.
cdef dtype_t[DTYPE_COUNT] TABLE = [
    [b"DT_INVALID", NULL, 0, 0, SPELL_NONE],
    [b"DT_FLOAT", b"float32", 4, 5, SPELL_FLOAT],
    [b"DT_DOUBLE", b"float64", 8, 6, SPELL_DOUBLE],
    [b"DT_INT32", b"int32", 4, 7, SPELL_VARINT],
    [b"DT_UINT8", b"uint8", 1, 7, SPELL_VARINT],
    [b"DT_INT16", b"int16", 2, 7, SPELL_VARINT],
    [b"DT_INT8", b"int8", 1, 7, SPELL_VARINT],
    [b"DT_STRING", b"object", 0, 8, SPELL_STRING],
    [b"DT_COMPLEX64", b"complex64", 8, 9, SPELL_FLOAT],
    [b"DT_INT64", b"int64", 8, 10, SPELL_VARINT],
    [b"DT_BOOL", b"bool", 1, 11, SPELL_VARINT],
    [b"DT_QINT8", b"int8", 1, 7, SPELL_VARINT],
    [b"DT_QUINT8", b"uint8", 1, 7, SPELL_VARINT],
    [b"DT_QINT32", b"int32", 4, 7, SPELL_VARINT],
    [b"DT_BFLOAT16", b"uint16", 2, 13, SPELL_BITS],
    [b"DT_QINT16", b"int16", 2, 7, SPELL_VARINT],
    [b"DT_QUINT16", b"uint16", 2, 7, SPELL_VARINT],
    [b"DT_UINT16", b"uint16", 2, 7, SPELL_VARINT],
    [b"DT_COMPLEX128", b"complex128", 16, 12, SPELL_DOUBLE],
    [b"DT_HALF", b"float16", 2, 13, SPELL_BITS],
    [b"DT_RESOURCE", NULL, 0, 14, SPELL_NONE],
    [b"DT_VARIANT", NULL, 0, 15, SPELL_NONE],
    [b"DT_UINT32", b"uint32", 4, 16, SPELL_VARINT],
    [b"DT_UINT64", b"uint64", 8, 17, SPELL_VARINT],
]

cdef list DTYPES = [numpy.dtype(TABLE[code].name.decode()) if TABLE[code].name else None for code in range(DTYPE_COUNT)]
# The plain type wins over the quantized ones and bfloat16, which share its numpy dtype.
cdef dict CODES = {DTYPES[code]: code for code in (1, 2, 3, 4, 5, 6, 8, 9, 10, 17, 18, 19, 22, 23)}

cdef object ndarray = numpy.ndarray
cdef object FLOAT64 = numpy.dtype("float64")


cdef const dtype_t *dtype_of(int code) noexcept nogil:
    return &TABLE[code] if 0 <= code < DTYPE_COUNT and TABLE[code].spelling != SPELL_NONE else NULL


cdef object dtype_object(int code):
    return DTYPES[code]


cdef int dtype_code(object dtype) except -1:
    if dtype.kind in "USO":
        return 7
    return CODES.get(dtype.newbyteorder("="), 0)


def dtypes():
    """The dtype table: {TensorFlow's number: (its name, numpy dtype)} of what a tftensor may hold."""
    return {
        code: (TABLE[code].label.decode(), DTYPES[code]) for code in range(DTYPE_COUNT) if dtype_of(code) != NULL
    }


# --- shapes ---

cdef Py_ssize_t shape_items(const shape_t *shape) noexcept nogil:
    cdef int64_t limit = <int64_t>1 << 58        # items of 16 bytes still fit in a Py_ssize_t
    cdef int64_t items = 1
    cdef int64_t size
    cdef bint empty = False
    cdef bint huge = False
    cdef int index
    for index in range(shape.ndim):
        size = shape.dims[index]
        if size < 0:
            return -1
        if size == 0:
            empty = True
        elif items > limit // size:
            huge = True
        else:
            items *= size
    # numpy refuses the product of the other dimensions even when one is zero, and so do we.
    return -2 if huge else 0 if empty else items


cdef tuple shape_tuple(const shape_t *shape):
    cdef int index
    if shape.ndim == 1:
        return (shape.dims[0],)
    if shape.ndim == 2:
        return (shape.dims[0], shape.dims[1])
    return tuple([shape.dims[index] for index in range(shape.ndim)])


cdef int shape_check(const shape_t *shape, Py_ssize_t count, Py_ssize_t offset, str what) except -1:
    cdef Py_ssize_t items = shape_items(shape)
    if items == count:
        return 0
    cdef list dims = list(shape_tuple(shape))
    if items == -1:
        raise errors.DecodeError(f"{what}: shape {dims} has a negative dimension; allowed are 0 and more", offset)
    if items == -2:
        raise errors.DecodeError(f"{what}: shape {dims} is larger than memory can be", offset)
    raise errors.DecodeError(f"{what}: shape {dims} needs {items} values, the message has {count}", offset)


# --- numbers on the wire ---

cdef int numbers_add(
    numbers_t *numbers, const field_t *field, int width, const cursor_t *cursor, failure_t *failure
) noexcept nogil:
    cdef const unsigned char *data
    cdef size_t size
    if field.type == WIRE_BYTES:
        data = field.data
        size = field.size
        if size % <size_t>width != 0:
            return cursor_fail(
                cursor, field.begin, failure, b"%lld packed bytes are no whole number of values of %lld bytes",
                <long long>size, width,
            )
    elif field.type == (WIRE_FIXED64 if width == 8 else WIRE_FIXED32):
        # A value on its own: it lies just behind its tag, at the cursor.
        data = cursor.position - width
        size = width
    else:
        return 0
    if size > 0:
        numbers.pieces += 1
        numbers.bytes += size
        numbers.data = data
    return 0


cdef buffer_t *numbers_gather(
    cursor_t cursor, uint32_t number, int width, const numbers_t *numbers, copies_t **copies
) noexcept nogil:
    cdef buffer_t *whole = buffer_new(numbers.bytes)
    cdef numbers_t one
    cdef failure_t failure
    cdef field_t field
    if whole == NULL:
        return NULL
    # These bytes were read before, so the only way out is their end.
    while wire_next(&cursor, &field, &failure) > 0:
        if field.number != number:
            continue
        one.bytes = 0
        if numbers_add(&one, &field, width, &cursor, &failure) == 0 and one.bytes > 0:
            memcpy(whole.data + whole.size, one.data, one.bytes)
            whole.size += one.bytes
    copies_add(copies, COPY_CONTIGUOUS, whole.size)
    return whole


# --- bytes to arrays ---

cdef object array_over(
    buffer_t *buffer, const unsigned char *data, size_t size, object dtype, int alignment, tuple shape, bint sole,
    copies_t **copies,
):
    cdef buffer_t *copy
    cdef Memory memory
    cdef bint aligned = <uintptr_t>data % <uintptr_t>alignment == 0
    if size == 0:
        return numpy.empty(shape, dtype)
    if sole and aligned:
        memory = memory_lend(buffer, data, size, True)
    else:
        copy = buffer_new(size)
        if copy == NULL:
            raise MemoryError()
        memcpy(copy.data, data, size)
        copy.size = size
        copies_add(copies, COPY_SHARED if aligned else COPY_ALIGNED, size)
        memory = memory_lend(copy, copy.data, size, True)
        buffer_unref(copy)
    return ndarray(shape, dtype, memory)


cdef object array_for(object array, object xp):
    if xp is None or xp is numpy:
        return array
    make = getattr(xp, "asarray", None)
    if make is None:
        make = getattr(xp, "from_dlpack", None)
    if make is None:
        raise TypeError(f"array module {xp!r}: it has neither asarray nor from_dlpack")
    return make(array)


# --- arrays to bytes ---

cdef object array_from(object value):
    if isinstance(value, ndarray):
        return value
    if not hasattr(value, "__dlpack__"):
        return numpy.asarray(value)
    device = value.__dlpack_device__()[0]
    # 1 is the CPU; anything else is brought to host memory first.
    return numpy.from_dlpack(value) if device == 1 else numpy.from_dlpack(value, device="cpu")


# Copies contiguous items whose buffer format is `format` (any, when 0). False when the array is not like that.
cdef bint copy_items(writer_t *writer, object array, char format) except -1:
    cdef Py_buffer view
    cdef bint fits
    if not array.flags.c_contiguous:
        return False
    PyObject_GetBuffer(array, &view, PyBUF_C_CONTIGUOUS | (PyBUF_FORMAT if format else 0))
    fits = format == 0 or (view.format[0] == format and view.format[1] == 0)
    if fits:
        writer_raw(writer, view.buf, view.len)
    PyBuffer_Release(&view)
    return fits


cdef int write_doubles(writer_t *writer, object array) except -1:
    cdef unsigned char *to
    cdef Memory memory
    if array.dtype is FLOAT64:
        if copy_items(writer, array, c"d"):
            return 0
    elif array.dtype.kind not in "fiub":
        raise errors.EncodeError(f"a tensor holds real numbers; an array of dtype {array.dtype} does not fit")
    to = writer_room(writer, array.size * 8)
    if to == NULL:
        raise MemoryError()
    if array.size > 0:
        memory = memory_lend(writer.buffer, to, array.size * 8, True)
        numpy.copyto(ndarray(array.shape, FLOAT64, memory), array, casting="unsafe")
    return 0


cdef int write_items(writer_t *writer, object array) except -1:
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if not copy_items(writer, array, 0):
        copy_items(writer, numpy.ascontiguousarray(array), 0)
    return 0
