"""Owns tensorflow.TensorProto: to and from arrays, in all numeric dtypes and strings.

Must not know the messages that hold it. As TensorFlow does: values come from tensor_content when it is there,
else from the typed list, whose last value fills the rest of the shape; more than one number is written as
tensor_content. bfloat16 is seen as uint16, since numpy has no such dtype; strings are bytes in an object array.
"""

from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from executor._native.buffer cimport buffer_unref
from executor._native.cursor cimport cursor_enter, cursor_fail, cursor_offset, raise_failure
from executor._native.tensor cimport (
    SPELL_BITS, SPELL_DOUBLE, SPELL_FLOAT, SPELL_STRING, array_over, dtype_code, dtype_object, dtype_of,
    dtype_t, numbers_add, numbers_gather, numbers_t, shape_add, shape_check, shape_items, shape_t, shape_tuple,
    write_items,
)
from executor._native.types cimport failure_clear
from executor._native.wire cimport WIRE_BYTES, WIRE_VARINT, field_t, wire_is, wire_next, wire_varint
from executor._native.writer cimport (
    writer_bytes, writer_close, writer_int, writer_size, writer_varint,
)

import numpy

from executor import errors

cdef enum:
    TF_DTYPE = 1
    TF_SHAPE = 2
    TF_CONTENT = 4
    TF_INT_VAL = 7
    SHAPE_DIM = 2
    SHAPE_UNKNOWN_RANK = 3
    DIM_SIZE = 1

cdef object INT64 = numpy.dtype("int64")
cdef object UINT16 = numpy.dtype("uint16")

ctypedef struct tftensor_t:
    int dtype
    shape_t shape
    bint unknown_rank
    const unsigned char *content
    size_t content_size


# --- reading ---

cdef int read_dim(cursor_t cursor, int64_t *size, failure_t *failure) noexcept nogil:
    cdef field_t field
    cdef int got
    size[0] = 0
    while True:
        got = wire_next(&cursor, &field, failure)
        if got <= 0:
            return got
        if wire_is(&field, DIM_SIZE, WIRE_VARINT):
            size[0] = <int64_t>field.value


# Occurrences of tensor_shape merge: their dimensions follow each other.
cdef int read_shape(cursor_t cursor, tftensor_t *tensor, failure_t *failure) noexcept nogil:
    cdef cursor_t inner
    cdef field_t field
    cdef int64_t size
    cdef int got
    while True:
        got = wire_next(&cursor, &field, failure)
        if got <= 0:
            return got
        if wire_is(&field, SHAPE_UNKNOWN_RANK, WIRE_VARINT):
            tensor.unknown_rank = field.value != 0
        elif wire_is(&field, SHAPE_DIM, WIRE_BYTES):
            if cursor_enter(&cursor, field.data, field.size, &inner, failure) < 0:
                return -1
            if read_dim(inner, &size, failure) < 0:
                return -1
            if shape_add(&tensor.shape, size) < 0:
                return cursor_fail(&cursor, field.begin, failure, b"a tensor has more than 32 dimensions", 0, 0)


cdef int read_frame(cursor_t cursor, tftensor_t *tensor, failure_t *failure) noexcept nogil:
    cdef cursor_t inner
    cdef field_t field
    cdef int got
    memset(tensor, 0, sizeof(tftensor_t))
    while True:
        got = wire_next(&cursor, &field, failure)
        if got <= 0:
            return got
        if wire_is(&field, TF_DTYPE, WIRE_VARINT):
            tensor.dtype = <int32_t>field.value
        elif wire_is(&field, TF_CONTENT, WIRE_BYTES):
            tensor.content = field.data
            tensor.content_size = field.size
        elif wire_is(&field, TF_SHAPE, WIRE_BYTES):
            if cursor_enter(&cursor, field.data, field.size, &inner, failure) < 0:
                return -1
            if read_shape(inner, tensor, failure) < 0:
                return -1


# Reads the varints of a repeated field, packed or single; counts them only when `items` is NULL.
cdef Py_ssize_t read_varints(cursor_t cursor, uint32_t number, int64_t *items, failure_t *failure) noexcept nogil:
    cdef cursor_t packed
    cdef field_t field
    cdef uint64_t value
    cdef Py_ssize_t count = 0
    cdef int got
    while True:
        got = wire_next(&cursor, &field, failure)
        if got <= 0:
            return got if got < 0 else count
        if wire_is(&field, number, WIRE_VARINT):
            if items != NULL:
                items[count] = <int64_t>field.value
            count += 1
        elif wire_is(&field, number, WIRE_BYTES):
            packed = cursor
            packed.position = field.data
            packed.end = field.data + field.size
            while packed.position < packed.end:
                if wire_varint(&packed, &value, failure) < 0:
                    return -1
                if items != NULL:
                    items[count] = <int64_t>value
                count += 1


cdef int tftensor_first_int(cursor_t cursor, long long *number, failure_t *failure) noexcept nogil:
    cdef cursor_t packed
    cdef field_t field
    cdef uint64_t value
    cdef int got
    cdef const unsigned char *begin = cursor.position
    while True:
        got = wire_next(&cursor, &field, failure)
        if got < 0:
            return -1
        if got == 0:
            return cursor_fail(&cursor, begin, failure, b"the tftensor has no int_val to take the route from", 0, 0)
        if wire_is(&field, TF_INT_VAL, WIRE_VARINT):
            number[0] = <int32_t>field.value
            return 0
        if wire_is(&field, TF_INT_VAL, WIRE_BYTES) and field.size > 0:
            packed = cursor
            packed.position = field.data
            packed.end = field.data + field.size
            if wire_varint(&packed, &value, failure) < 0:
                return -1
            number[0] = <int32_t>value
            return 0


cdef object varint_values(cursor_t cursor, const dtype_t *row, object dtype):
    cdef failure_t failure
    cdef int64_t[::1] items
    cdef Py_ssize_t count
    failure_clear(&failure)
    count = read_varints(cursor, row.field, NULL, &failure)
    if count < 0:
        raise_failure(&failure)
    values = numpy.empty(count, INT64)
    if count:
        items = values
        read_varints(cursor, row.field, &items[0], &failure)
    if row.spelling == SPELL_BITS:
        return values.astype(UINT16).view(dtype)
    if dtype.kind == "b":
        return values != 0
    return values.astype(dtype)


# Floats and doubles, and complex numbers as pairs of them.
cdef object fixed_values(
    cursor_t cursor, const dtype_t *row, object dtype, buffer_t *buffer, bint sole, copies_t **copies
):
    cdef int width = 4 if row.spelling == SPELL_FLOAT else 8
    cdef numbers_t numbers
    cdef failure_t failure
    cdef field_t field
    cdef buffer_t *joined = NULL
    cdef cursor_t walk = cursor
    cdef int got
    memset(&numbers, 0, sizeof(numbers_t))
    failure_clear(&failure)
    while True:
        got = wire_next(&walk, &field, &failure)
        if got > 0 and field.number == row.field:
            got = 1 if numbers_add(&numbers, &field, width, &walk, &failure) == 0 else -1
        if got < 0:
            raise_failure(&failure)
        if got == 0:
            break
    if numbers.bytes % <size_t>row.size:
        raise errors.DecodeError(
            f"{row.label.decode()}: a complex number lacks its second half", cursor_offset(&cursor, cursor.position)
        )
    if numbers.pieces <= 1:
        return array_over(
            buffer, numbers.data, numbers.bytes, dtype, width, (numbers.bytes // row.size,), sole, copies
        )
    joined = numbers_gather(cursor, row.field, width, &numbers, copies)
    if joined == NULL:
        raise MemoryError()
    try:
        return array_over(joined, joined.data, joined.size, dtype, width, (joined.size // row.size,), True, NULL)
    finally:
        buffer_unref(joined)


cdef object string_values(cursor_t cursor, const dtype_t *row):
    cdef failure_t failure
    cdef field_t field
    cdef list found = []
    cdef int got
    failure_clear(&failure)
    while True:
        got = wire_next(&cursor, &field, &failure)
        if got < 0:
            raise_failure(&failure)
        if got == 0:
            break
        if wire_is(&field, row.field, WIRE_BYTES):
            found.append(field.data[:field.size])
    values = numpy.empty(len(found), object)
    values[:] = found
    return values


# The values of the typed list, in the shape; TensorFlow repeats the last one, and zeros fill an empty list.
cdef object shaped(object values, const tftensor_t *tensor, const dtype_t *row, Py_ssize_t items, Py_ssize_t offset):
    cdef Py_ssize_t count = values.shape[0]
    if count > items:
        shape_check(&tensor.shape, count, offset, row.label.decode())
    if count < items:
        full = numpy.empty(items, values.dtype)
        full[:count] = values
        full[count:] = values[count - 1] if count else b"" if row.spelling == SPELL_STRING else 0
        values = full
    return values.reshape(shape_tuple(&tensor.shape))


cdef enum:
    FILL_LIMIT = 64 << 20        # bytes that a short list may be spread to


# The number of items, checked: a few bytes must not be able to ask for all memory.
cdef Py_ssize_t check_frame(const tftensor_t *tensor, const dtype_t *row, Py_ssize_t size, Py_ssize_t offset) except -1:
    cdef Py_ssize_t items = shape_items(&tensor.shape)
    if tensor.unknown_rank:
        raise errors.DecodeError("a tftensor of unknown rank has no values", offset)
    if items < 0:
        shape_check(&tensor.shape, 0, offset, row.label.decode())
    if tensor.content_size == 0 and items > size and items > FILL_LIMIT // max(row.size, 8):
        raise errors.DecodeError(
            f"{row.label.decode()}: shape {list(shape_tuple(&tensor.shape))} asks for {items} values,"
            f" which {size} bytes do not hold and repeating may not fill", offset
        )
    return items


cdef object tftensor_array(cursor_t cursor, buffer_t *buffer, bint sole, copies_t **copies):
    cdef Py_ssize_t offset = cursor_offset(&cursor, cursor.position)
    cdef failure_t failure
    cdef tftensor_t tensor
    cdef const dtype_t *row
    cdef Py_ssize_t items
    failure_clear(&failure)
    if read_frame(cursor, &tensor, &failure) < 0:
        raise_failure(&failure)
    row = dtype_of(tensor.dtype)
    if row == NULL:
        raise errors.DecodeError(f"a tftensor of dtype {tensor.dtype} has no form as an array", offset)
    dtype = dtype_object(tensor.dtype)
    items = check_frame(&tensor, row, cursor.end - cursor.position, offset)
    if tensor.content_size > 0 and row.spelling != SPELL_STRING:
        if tensor.content_size % <size_t>row.size:
            raise errors.DecodeError(
                f"{row.label.decode()}: {tensor.content_size} bytes of tensor_content are no whole number of items",
                offset,
            )
        shape_check(&tensor.shape, tensor.content_size // row.size, offset, row.label.decode())
        return array_over(
            buffer, tensor.content, tensor.content_size, dtype, dtype.alignment, shape_tuple(&tensor.shape), sole,
            copies,
        )
    if row.spelling == SPELL_STRING:
        values = string_values(cursor, row)
    elif row.spelling == SPELL_FLOAT or row.spelling == SPELL_DOUBLE:
        values = fixed_values(cursor, row, dtype, buffer, sole, copies)
    else:
        values = varint_values(cursor, row, dtype)
    return shaped(values, &tensor, row, items, offset)


# --- writing ---

# One item in its typed list, as TensorFlow writes scalars.
cdef int write_single(writer_t *writer, object item, const dtype_t *row) except -1:
    cdef size_t mark = writer_size(writer)
    if row.spelling == SPELL_FLOAT or row.spelling == SPELL_DOUBLE:
        write_items(writer, item)
    elif row.spelling == SPELL_BITS:
        writer_varint(writer, <uint16_t>item.view(UINT16).item())
    elif item.dtype.kind == "u":
        writer_varint(writer, <uint64_t>item.item())
    else:
        writer_varint(writer, <uint64_t><int64_t>int(item.item()))
    writer_close(writer, row.field, mark)
    return 0


cdef int write_strings(writer_t *writer, object array, const dtype_t *row) except -1:
    cdef bytes data
    for item in reversed(array.ravel().tolist()):
        if isinstance(item, str):
            data = (<str>item).encode("utf-8", "surrogatepass")
        elif isinstance(item, bytes):
            data = item
        else:
            raise errors.EncodeError(
                f"a tftensor of objects holds str or bytes, not {type(item).__name__}: give a numeric dtype instead"
            )
        writer_bytes(writer, row.field, <const char *>data, len(data))
    return 0


cdef int write_shape(writer_t *writer, tuple shape) except -1:
    cdef size_t mark = writer_size(writer)
    cdef size_t dim
    for size in reversed(shape):
        dim = writer_size(writer)
        if size != 0:
            writer_int(writer, DIM_SIZE, size)
        writer_close(writer, SHAPE_DIM, dim)
    writer_close(writer, TF_SHAPE, mark)
    return 0


cdef list allowed():
    return sorted({dtype_object(code).name for code in range(24) if dtype_of(code) != NULL} | {"str", "bytes"})


cdef int write_tftensor(writer_t *writer, object array) except -1:
    cdef int code = dtype_code(array.dtype)
    cdef const dtype_t *row = dtype_of(code)
    cdef size_t mark = writer_size(writer)
    if row == NULL:
        raise errors.EncodeError(f"a tftensor cannot hold dtype {array.dtype}; allowed are {', '.join(allowed())}")
    if row.spelling == SPELL_STRING:
        write_strings(writer, array, row)
    elif array.size == 1:
        write_single(writer, array.astype(array.dtype.newbyteorder("=")).reshape(()), row)
    elif array.size > 1:
        write_items(writer, array)
        writer_close(writer, TF_CONTENT, mark)
    write_shape(writer, array.shape)
    writer_int(writer, TF_DTYPE, code)
    return 0
