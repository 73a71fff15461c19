# Owns google.protobuf's Value, ListValue and Struct: to and from Python objects, and to and from float64 arrays.
# Must not know the messages that hold them.

from libc.stdint cimport uint32_t, uint64_t

from executor._native.cursor cimport cursor_t
from executor._native.seldon_envelope cimport piece_t
from executor._native.types cimport failure_t
from executor._native.writer cimport writer_t

# Field numbers of Value's oneof.
cdef enum:
    VALUE_NULL = 1
    VALUE_NUMBER = 2
    VALUE_STRING = 3
    VALUE_BOOL = 4
    VALUE_STRUCT = 5
    VALUE_LIST = 6

cdef enum:
    LIST_VALUES = 1
    STRUCT_FIELDS = 1
    ENTRY_KEY = 1                # of every map entry
    ENTRY_VALUE = 2

ctypedef struct value_t:
    int kind                     # VALUE_*, 0: not set, which means null
    piece_t piece                # string, struct, list
    uint64_t bits                # number, bool

# --- without the GIL ---

# Finds which member of the oneof a Value holds.
cdef int value_scan(cursor_t cursor, value_t *value, failure_t *failure) noexcept nogil
# The first number of a ListValue: its first element, or that one's first element when it is a list itself.
# 0 with `number` filled in, or -1 with `failure` filled in when there is none.
cdef int list_first_number(cursor_t cursor, double *number, failure_t *failure) noexcept nogil

# --- Python objects; these raise DecodeError or EncodeError ---

cdef object value_object(cursor_t cursor)
cdef list list_object(cursor_t cursor)
# A ListValue as an array: float64 in one pass when it is rectangular and all numbers, else what
# numpy makes of the nested list.
cdef object list_array(cursor_t cursor)
# One entry of a map<string, …> whose value lies in `value`, as the key; the value's last occurrence or its bits.
cdef str entry_key(cursor_t cursor, value_t *value, int value_type)

# These write the content of a message back to front. `depth` is how many levels may still follow below it.
cdef int write_value(writer_t *writer, object value, int depth) except -1
cdef int write_list(writer_t *writer, object values, int depth) except -1
cdef int write_rows(writer_t *writer, object array) except -1
# A string field. `where` names it in the error.
cdef int write_text(writer_t *writer, uint32_t number, object text, str where) except -1
# A map<string, Value> field of any message.
cdef int write_map(writer_t *writer, uint32_t number, object mapping, int depth, str where) except -1
