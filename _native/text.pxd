# Owns the writing of JSON text, and the table of names that finds double ones. No GIL.
# Must not know any message type, nor read JSON.

from libc.stdint cimport int64_t, uint64_t

from executor._native.buffer cimport buffer_t

# Bytes that are being written, front to back.
ctypedef struct text_t:
    buffer_t *buffer                 # its `size` is what is written
    bint failed                      # memory ran out; what is written since is lost

# Always pair with text_drop, or take the buffer.
cdef void text_begin(text_t *text, size_t capacity) noexcept nogil
cdef void text_drop(text_t *text) noexcept nogil
cdef int text_grow(text_t *text, size_t more) noexcept nogil

# Room for `size` more bytes: where they go, or NULL when memory is out. The caller adds what it used to buffer.size.
cdef inline unsigned char *text_room(text_t *text, size_t size) noexcept nogil:
    if text.failed:
        return NULL
    if text.buffer.capacity - text.buffer.size < size and text_grow(text, size) < 0:
        return NULL
    return text.buffer.data + text.buffer.size

cdef inline void text_byte(text_t *text, int byte) noexcept nogil:
    cdef unsigned char *to = text_room(text, 1)
    if to != NULL:
        to[0] = <unsigned char>byte
        text.buffer.size += 1

cdef void text_raw(text_t *text, const void *data, size_t size) noexcept nogil
cdef void text_word(text_t *text, const char *word) noexcept nogil
# A string with quotes and escapes. `data` is UTF-8; -1 when it is not, and `text` as it was.
cdef int text_string(text_t *text, const unsigned char *data, size_t size) noexcept nogil
cdef void text_base64(text_t *text, const unsigned char *data, size_t size) noexcept nogil
cdef void text_integer(text_t *text, int64_t value) noexcept nogil
cdef void text_unsigned(text_t *text, uint64_t value) noexcept nogil
# `value` is finite.
cdef void text_double(text_t *text, double value) noexcept nogil
# What becomes of numbers that are not finite.
cdef enum:
    ODD_ENDS = 0                     # the first such one ends the writing
    ODD_QUOTED = 1                   # "NaN", "Infinity", "-Infinity": proto3's JSON
    ODD_BARE = 2                     # the same without quotes: what Python's json and JavaScript-like writers say

# Numbers of kind ITEM_*, commas between; `odd` is one of the above. Returns how many were written.
cdef size_t text_row(text_t *text, const void *items, size_t count, int kind, int odd) noexcept nogil
# The same, nested in brackets as `dims` says.
cdef void text_grid(text_t *text, const void *items, const int64_t *dims, int ndim, int kind, int odd) noexcept nogil


# Remembers names, to find double ones.
ctypedef struct names_t:
    void *slots                      # hash table, or NULL
    size_t count
    size_t capacity

cdef inline void names_begin(names_t *names) noexcept nogil:
    names.slots = NULL
    names.count = 0
    names.capacity = 0

cdef void names_drop(names_t *names) noexcept nogil
# Gives the name at `data` (which must stay where it is) the value `value`. 1: it is new, 0: it was there and its value
# is replaced, -1 when memory is out.
cdef int names_put(names_t *names, const unsigned char *data, size_t size, size_t value) noexcept nogil
# The value of a name that is there.
cdef size_t names_get(const names_t *names, const unsigned char *data, size_t size) noexcept nogil
