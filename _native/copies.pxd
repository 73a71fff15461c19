# Owns what is remembered of copies of a payload's bytes: how many for which reason, and of how many bytes.
# Must not make copies, nor know who counts them (`meters`). What is not copied has none of this, not even memory.

from libc.stdlib cimport calloc, free

cdef enum:
    COPY_TRANSCODED = 0          # put into another encoding
    COPY_ALIGNED = 1             # numbers that lie where an array may not
    COPY_SHARED = 2              # bytes that others see too, for somebody who may write to them
    COPY_CONTIGUOUS = 3          # pieces put behind each other
    COPY_INFLATED = 4
    COPY_BYTES = 5               # made one object of Python's
    COPY_REASONS = 6

ctypedef struct copies_t:
    unsigned int[6] count        # by COPY_*
    size_t[6] bytes

# Remembers one in `copies`, which holds NULL before the first; where `copies` is NULL nobody asks. Without memory it is
# forgotten.
cdef inline void copies_add(copies_t **copies, int reason, size_t size) noexcept nogil:
    if copies == NULL:
        return
    if copies[0] == NULL:
        copies[0] = <copies_t *>calloc(1, sizeof(copies_t))
    if copies[0] != NULL:
        copies[0].count[reason] += 1
        copies[0].bytes[reason] += size

# All that is in `more` is in `copies` from now on.
cdef inline void copies_move(copies_t **copies, copies_t **more) noexcept nogil:
    cdef int reason
    if more[0] == NULL:
        return
    if copies[0] == NULL:
        copies[0] = more[0]
    else:
        for reason in range(COPY_REASONS):
            copies[0].count[reason] += more[0].count[reason]
            copies[0].bytes[reason] += more[0].bytes[reason]
        free(more[0])
    more[0] = NULL
