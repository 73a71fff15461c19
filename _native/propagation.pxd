# Owns the headers in which a trace travels: W3C Trace Context, B3 in one header and in several, Jaeger.
# Must not decide what is traced. A header that is no such thing is none: it is never an error.

from libc.stdint cimport uint64_t

from executor._native.endpoint cimport metadata_t

cdef enum:                       # forms, as bits
    CONTEXT_W3C = 1
    CONTEXT_B3 = 2
    CONTEXT_B3_MULTI = 4
    CONTEXT_JAEGER = 8
    FORMS_MAX = 4

cdef enum:
    SAMPLED_UNSAID = -1

# Where in which trace something happens.
ctypedef struct context_t:
    unsigned char[16] trace
    uint64_t span
    bint valid                   # else there is no trace and no span
    int sampled                  # 0, 1, or SAMPLED_UNSAID; may be said without a trace
    bint w3c                     # it was read from a traceparent, so that a tracestate belongs to it

# Reads the first of `forms` (there are `count`) that says anything.
cdef void context_read(const metadata_t *metadata, const int *forms, int count, context_t *context) noexcept nogil
# A copy of `metadata` (may be NULL) that says `context` in each of `forms`, and nothing else in them. NULL when memory
# is out.
cdef metadata_t *context_put(
    const metadata_t *metadata, const int *forms, int count, const context_t *context
) noexcept nogil
# The value of the first field of that name, or NULL.
cdef const char *metadata_get(
    const metadata_t *metadata, const char *name, size_t name_size, size_t *size
) noexcept nogil
cdef void put_hex(const unsigned char *data, int size, char *out) noexcept nogil
