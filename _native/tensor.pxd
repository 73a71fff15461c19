# Owns the dtype table, shape checks, and arrays over message bytes. Needs the GIL unless marked.
# Must not know any message type; fields of numbers are read by their number and wire type alone.

from libc.stdint cimport int64_t, uint32_t

from executor._native.buffer cimport buffer_t
from executor._native.copies cimport copies_t
from executor._native.cursor cimport cursor_t
from executor._native.types cimport failure_t
from executor._native.wire cimport field_t
from executor._native.writer cimport writer_t

cdef enum:
    TENSOR_DIMS = 32         # dimensions at most: what array modules agree on

# How TensorProto spells one kind of number.
cdef enum:
    SPELL_NONE = 0           # not numbers, or not supported
    SPELL_FLOAT = 1          # fixed 32 bits; complex64 as pairs
    SPELL_DOUBLE = 2         # fixed 64 bits; complex128 as pairs
    SPELL_VARINT = 3         # converted to the dtype
    SPELL_BITS = 4           # varint that holds the 16 bits as they are: half, bfloat16
    SPELL_STRING = 5

ctypedef struct dtype_t:
    const char *label            # TensorFlow's name, DT_*
    const char *name             # numpy's name; bfloat16, which numpy lacks, is seen as uint16
    int size                     # bytes per item
    uint32_t field               # TensorProto's field for single values
    int spelling                 # SPELL_*

# The row of TensorFlow's number for a dtype; NULL when there is none.
cdef const dtype_t *dtype_of(int code) noexcept nogil
# The numpy dtype of that row.
cdef object dtype_object(int code)
# TensorFlow's number for a numpy dtype; 0 when there is none.
cdef int dtype_code(object dtype) except -1

ctypedef struct shape_t:
    int ndim
    int64_t[32] dims

# Adds a dimension. 0, or -1 when there are too many.
cdef inline int shape_add(shape_t *shape, int64_t size) noexcept nogil:
    if shape.ndim == TENSOR_DIMS:
        return -1
    shape.dims[shape.ndim] = size
    shape.ndim += 1
    return 0

# Items in the shape (1 when it has no dimension); -1 for a negative dimension, -2 when memory could not hold them.
cdef Py_ssize_t shape_items(const shape_t *shape) noexcept nogil
cdef tuple shape_tuple(const shape_t *shape)
# Raises DecodeError unless the shape has exactly `count` items.
cdef int shape_check(const shape_t *shape, Py_ssize_t count, Py_ssize_t offset, str what) except -1

# Numbers of one repeated field, as they lie on the wire: packed, single, or in several pieces.
ctypedef struct numbers_t:
    int pieces                   # occurrences that hold something
    size_t bytes                 # bytes over all pieces
    const unsigned char *data    # content of the last piece

# Adds one occurrence of a repeated fixed-width field to `numbers`. 0, or -1 with `failure` filled in.
cdef int numbers_add(
    numbers_t *numbers, const field_t *field, int width, const cursor_t *cursor, failure_t *failure
) noexcept nogil
# The pieces of field `number` found by numbers_add, in one new buffer, which is a copy; NULL when memory is out.
cdef buffer_t *numbers_gather(
    cursor_t cursor, uint32_t number, int width, const numbers_t *numbers, copies_t **copies
) noexcept nogil

# An array over bytes in `buffer`, without a copy when they are aligned and `sole` (nobody else sees them).
# Always writable. A copy is remembered in `copies`.
cdef object array_over(
    buffer_t *buffer, const unsigned char *data, size_t size, object dtype, int alignment, tuple shape, bint sole,
    copies_t **copies,
)
# The same array in array module `xp`.
cdef object array_for(object array, object xp)
# A numpy array of what the caller gave: numpy, any DLPack or array-like object, or nested lists.
cdef object array_from(object value)
# Writes the items of `array` as float64, C order, straight into `writer`. Raises EncodeError unless they are real.
cdef int write_doubles(writer_t *writer, object array) except -1
# Writes the items of `array` as they are, C order.
cdef int write_items(writer_t *writer, object array) except -1
