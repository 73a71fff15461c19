"""Owns the text in which an answer says where its time went, and reading what a node says of its own.

Must not measure anything. The text is a Server-Timing header: `millrace;dur=12.3;queue=0.1;desc="r m", r;dur=…`. All
numbers are milliseconds. The first entry is the whole request: what of it was waiting, and the critical path.
"""

from libc.stdio cimport snprintf
from libc.string cimport memcmp, strlen

from executor._native.span cimport out_raw, out_t

cdef const char *OURS = b"millrace"

cdef enum:
    NAME_MAX = 128               # bytes of a node's name
    PATH_BYTES = 2048            # where a path has come so far, the rest of it is left out: nodes need room, too
    DIGITS_MAX = 12


# A number as it is written here: digits, and some after a point. Where it ends; NULL when it is none.
cdef const char *read_number(const char *at, const char *end, double *value) noexcept nogil:
    cdef double scale = 1
    cdef const char *begin = at
    cdef bint fraction = False
    value[0] = 0
    while at < end and at - begin <= DIGITS_MAX:
        if at[0] == c'.' and not fraction:
            fraction = True
        elif c'0' <= at[0] <= c'9':
            value[0] = value[0] * 10 + (at[0] - c'0')
            scale *= 10 if fraction else 1
        else:
            break
        at += 1
    value[0] /= scale * 1000
    return at if at > begin and at - begin <= DIGITS_MAX else NULL


cdef bint timing_read(const char *text, size_t size, double *whole, double *queued) noexcept nogil:
    cdef const char *at = text + 8
    cdef const char *end = text + size
    cdef int found = 0
    if size < 9 or memcmp(text, OURS, 8) != 0:
        return False
    while at != NULL and at < end and at[0] == c';' and found < 2:
        at += 1
        if found == 0 and end - at > 4 and memcmp(at, b"dur=", 4) == 0:
            at = read_number(at + 4, end, whole)
        elif found == 1 and end - at > 6 and memcmp(at, b"queue=", 6) == 0:
            at = read_number(at + 6, end, queued)
        else:
            return False
        found += 1
    return at != NULL and found == 2


cdef bint timing_wanted(const char *value, size_t size) noexcept nogil:
    return size == 1 and value[0] == c'1' or size == 4 and memcmp(value, b"true", 4) == 0


# --- writing --------------------------------------------------------------------------------------

cdef void put(out_t *out, const char *text) noexcept nogil:
    out_raw(out, text, strlen(text))


cdef void put_time(out_t *out, const char *name, double seconds) noexcept nogil:
    cdef long long micros = <long long>(min(max(seconds, 0.0), 86400.0) * 1e6 + 0.5)
    cdef char[48] text
    # Not as a double: how its point is written, user code may have changed for the process.
    snprintf(text, sizeof(text), b";%s=%lld.%03lld", name, micros // 1000, micros % 1000)
    put(out, text)


# A name as a token, which is what stands in a header: anything else in it becomes '_'.
cdef void put_name(out_t *out, const char *name, size_t size) noexcept nogil:
    cdef char[NAME_MAX] text
    cdef size_t index
    cdef char each
    size = min(size, <size_t>NAME_MAX)
    for index in range(size):
        each = name[index]
        if not (c'a' <= each <= c'z' or c'A' <= each <= c'Z' or c'0' <= each <= c'9' or each == c'-' or each == c'.'):
            each = c'_'
        text[index] = each
    out_raw(out, text, size)


cdef void timing_begin(out_t *out, double whole, double queued) noexcept nogil:
    put(out, OURS)
    put_time(out, b"dur", whole)
    put_time(out, b"queue", queued)


cdef void timing_path(out_t *out, const char *name, size_t size, bint first, bint last) noexcept nogil:
    if first:
        put(out, b";desc=\"")
    if out.size < PATH_BYTES:
        if not first:
            put(out, b" ")
        put_name(out, name, size)
    if last:
        put(out, b"\"")


cdef void timing_node(out_t *out, const char *name, size_t size, const spent_t *spent) noexcept nogil:
    if out.size > TIMING_MAX - NAME_MAX - 100:
        return
    put(out, b", ")
    put_name(out, name, size)
    put_time(out, b"dur", spent.whole)
    put_time(out, b"queue", spent.queued)
    if spent.told:
        put_time(out, b"network", spent.network)
        put_time(out, b"compute", spent.computed)


def read(bytes text not None):
    """Seconds that a node took as a whole, and those of them that were waiting; None for what is not of ours."""
    cdef double whole = 0
    cdef double queued = 0
    if not timing_read(text, len(text), &whole, &queued):
        return None
    return whole, queued
