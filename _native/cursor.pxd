# Owns the checked cursor over received bytes: nothing else indexes raw pointers of a message.
# Must not know what the bytes mean (see wire.pxd), nor write.

from executor._native.types cimport STATUS_INVALID_ARGUMENT, failure_t

cdef extern from *:
    """
    #include <stdio.h>
    /* Fills a failure with two numbers in its text, and returns -1; kept out of line, it is the cold path. */
    static __attribute__((noinline, unused)) int cursor_report(
        int *status, Py_ssize_t *place, char *text, size_t room, int code, Py_ssize_t offset,
        const char *format, long long first, long long second
    ) {
        *status = code;
        *place = offset;
        snprintf(text, room, format, first, second);
        return -1;
    }
    """
    int cursor_report(
        int *status, Py_ssize_t *place, char *text, size_t room, int code, Py_ssize_t offset,
        const char *format, long long first, long long second
    ) noexcept nogil

cdef enum:
    CURSOR_DEPTH = 100       # messages within messages that protobuf's own parsers accept

ctypedef struct cursor_t:
    const unsigned char *start       # first byte of the whole message: what offsets count from
    const unsigned char *position    # next byte to read
    const unsigned char *end         # first byte that must not be read
    int depth                        # levels of nesting still allowed below this one

cdef inline cursor_t cursor_over(const unsigned char *data, size_t size) noexcept nogil:
    cdef cursor_t cursor
    cursor.start = data
    cursor.position = data
    cursor.end = data + size
    cursor.depth = CURSOR_DEPTH
    return cursor

cdef inline size_t cursor_left(const cursor_t *cursor) noexcept nogil:
    return cursor.end - cursor.position

# Where `at` lies, counted from the start of the message.
cdef inline Py_ssize_t cursor_offset(const cursor_t *cursor, const unsigned char *at) noexcept nogil:
    return at - cursor.start

# Reports bytes that are not what they claim to be. `format` may hold up to two %lld. Returns -1.
cdef inline int cursor_fail(
    const cursor_t *cursor, const unsigned char *at, failure_t *failure, const char *format,
    long long first, long long second,
) noexcept nogil:
    return cursor_report(
        &failure.status, &failure.offset, failure.text, sizeof(failure.text), STATUS_INVALID_ARGUMENT,
        at - cursor.start, format, first, second,
    )

# A cursor over `size` bytes at `data` inside `outer`, one level deeper. 0, or -1 when that is too deep.
cdef inline int cursor_enter(
    const cursor_t *outer, const unsigned char *data, size_t size, cursor_t *inner, failure_t *failure,
) noexcept nogil:
    if outer.depth <= 0:
        return cursor_fail(outer, data, failure, b"messages are nested more than %lld deep", CURSOR_DEPTH, 0)
    inner.start = outer.start
    inner.position = data
    inner.end = data + size
    inner.depth = outer.depth - 1
    return 0

# Raises what `failure` says: DecodeError for bad bytes, MemoryError, or Error with its status. Needs the GIL.
cdef int raise_failure(const failure_t *failure) except -1
# The string of `size` UTF-8 bytes at `data`. Raises DecodeError where they are not UTF-8.
cdef str cursor_text(const cursor_t *cursor, const unsigned char *data, size_t size)
