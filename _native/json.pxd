# Owns the checked reader of JSON text, and the way of its numbers into typed memory and back. No GIL.
# Must not know any message type (see transcode.pyx).

from libc.stdint cimport int64_t

from executor._native.buffer cimport buffer_t
from executor._native.types cimport failure_t

cdef extern from "numbers.h" nogil:
    enum:
        NUMBER_BAD
        NUMBER_INTEGER
        NUMBER_BIG
        NUMBER_REAL
        NUMBER_HUGE
        NUMBER_TEXT
        ITEM_DOUBLE
        ITEM_INT64
        ITEM_UINT64
        ITEM_FLOAT

    # One number as it was written: `integer` holds for NUMBER_INTEGER, `real` for all but BAD and HUGE.
    ctypedef struct number_t:
        int kind
        int64_t integer
        double real

cdef enum:
    JSON_DEPTH = 100         # brackets within brackets
    JSON_DIMS = 32           # dimensions of a grid of numbers

# Where reading stands. Functions return -1 with `failure` filled in, and the reader anywhere, when the text is not
# JSON.
ctypedef struct json_t:
    const unsigned char *start       # what offsets count from
    const unsigned char *at          # next byte to read
    const unsigned char *end
    int depth                        # brackets that may still be opened
    failure_t *failure

# A string as it lies in the text, checked: proper escapes, no lone surrogates, valid UTF-8.
ctypedef struct string_t:
    const unsigned char *data        # behind the opening quote
    size_t size                      # without quotes, escapes as they are
    bint escaped                     # has at least one escape

cdef inline json_t json_over(const unsigned char *data, size_t size, failure_t *failure) noexcept nogil:
    cdef json_t json
    json.start = data
    json.at = data
    json.end = data + size
    json.depth = JSON_DEPTH
    json.failure = failure
    return json

# The next byte that is no white space, not consumed; -1 at the end.
cdef inline int json_peek(json_t *json) noexcept nogil:
    cdef unsigned char byte
    while json.at < json.end:
        byte = json.at[0]
        if byte > 32 or not (byte == 32 or byte == 10 or byte == 13 or byte == 9):
            return byte
        json.at += 1
    return -1

# Report what is wrong at `at`; `wanted` says what is allowed there. Return -1.
cdef int json_fail(json_t *json, const unsigned char *at, const char *text) noexcept nogil
cdef int json_expected(json_t *json, const char *wanted) noexcept nogil

# Opens the object or array that begins here ('{' or '['). 1: it has members, 0: it is empty and closed again.
cdef int json_open(json_t *json, int bracket) noexcept nogil
# After a member: 1 when another follows, 0 when the object or array is closed (`bracket` is the opening one).
cdef int json_more(json_t *json, int bracket) noexcept nogil
# Reads a member's name and the colon.
cdef int json_name(json_t *json, string_t *name) noexcept nogil
cdef int json_string(json_t *json, string_t *string) noexcept nogil
cdef int json_number(json_t *json, number_t *number) noexcept nogil
# Consumes `true`, `false` or `null`, whichever `word` is.
cdef int json_literal(json_t *json, const char *word) noexcept nogil
# Passes over one value, all of it checked.
cdef int json_skip(json_t *json) noexcept nogil
# Passes over one value of which only the brackets and strings are checked, much faster. What lies between them is
# still to be checked by whoever reads it.
cdef int json_pass(json_t *json) noexcept nogil
# Nothing but white space may be left.
cdef int json_finish(json_t *json) noexcept nogil

# Writes the string without its escapes; `to` has room for string.size bytes. Returns how many were written.
cdef size_t string_plain(const string_t *string, unsigned char *to) noexcept nogil
cdef bint string_is(const string_t *string, const char *word) noexcept nogil


# Numbers in one buffer, and the shape in which they lay nested.
ctypedef struct grid_t:
    buffer_t *buffer
    size_t count
    int ndim
    int64_t[32] dims
    bint real                        # items are doubles, else int64
    bint big                         # an integer beyond int64 is among them

# An empty grid for about `bytes` of text; always pair with grid_drop. -1 when memory is out.
cdef int grid_begin(grid_t *grid, size_t bytes, failure_t *failure) noexcept nogil
cdef void grid_drop(grid_t *grid) noexcept nogil
# Reads an array of numbers, nested at most `dims` deep. 1: read; 0: it is something else (other elements, ragged),
# the reader is back at its beginning; -1: not JSON.
cdef int json_grid(json_t *json, grid_t *grid, int dims) noexcept nogil
# Whether NaN, Infinity or -Infinity may stand here bare, which is no JSON, but which Python's json writes and reads.
cdef bint json_odd(json_t *json) noexcept nogil
# Adds the numbers at json.at up to the closing bracket, or to an element that is no number: 1: closed, 0: such an
# element is next, -1: not JSON.
cdef int json_row(json_t *json, grid_t *grid) noexcept nogil
cdef int grid_add(grid_t *grid, double value, failure_t *failure) noexcept nogil
cdef void grid_to_double(grid_t *grid) noexcept nogil

# Writes the shortest text of one finite number of kind ITEM_*; room: NUMBER_TEXT. Returns how many bytes it took.
cdef size_t number_text(char *to, const void *item, int kind) noexcept nogil
# Writes `count` numbers with commas between and ends before one that is not finite; room: NUMBER_TEXT for each.
cdef size_t number_row(char *to, const void *items, size_t count, int kind, size_t *done) noexcept nogil
