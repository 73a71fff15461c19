# Owns bytes in OTLP's form: growing memory, protobuf fields written front to back, attributes, spans.
# Must not know what is traced, nor where spans go.

from libc.stdint cimport uint64_t

cdef enum:
    TEXT_MAX = 2048              # bytes of one text of a span

cdef enum:                       # OTLP's kinds of spans
    SPAN_INTERNAL = 1
    SPAN_SERVER = 2
    SPAN_CLIENT = 3

cdef enum:                       # numbers of a span's fields
    SPAN_TRACE_ID = 1
    SPAN_ID = 2
    SPAN_STATE = 3
    SPAN_PARENT = 4
    SPAN_NAME = 5
    SPAN_KIND = 6
    SPAN_START = 7
    SPAN_END = 8
    SPAN_ATTRIBUTE = 9
    SPAN_EVENT = 11
    SPAN_STATUS = 15

# Grows as it is written to. Once memory is out, `failed` stays set and nothing more is written.
ctypedef struct out_t:
    unsigned char *data
    size_t size
    size_t room
    bint failed

cdef void out_free(out_t *out) noexcept nogil
cdef void out_raw(out_t *out, const void *data, size_t size) noexcept nogil
# A message inside: what is written between the two is its content.
cdef size_t out_open(out_t *out, int number) noexcept nogil
cdef void out_close(out_t *out, size_t mark) noexcept nogil
cdef void out_int(out_t *out, int number, uint64_t value) noexcept nogil
cdef void out_fixed64(out_t *out, int number, uint64_t value) noexcept nogil
cdef void out_bytes(out_t *out, int number, const void *data, size_t size) noexcept nogil
# As UTF-8, whatever the bytes are: those that are none become '?'. Cut after TEXT_MAX.
cdef void out_text(out_t *out, int number, const char *text, size_t size) noexcept nogil
cdef void out_text_attribute(
    out_t *out, int number, const char *key, size_t key_size, const char *text, size_t size
) noexcept nogil
cdef void out_int_attribute(out_t *out, int number, const char *key, size_t key_size, uint64_t value) noexcept nogil
cdef void out_double_attribute(out_t *out, int number, const char *key, size_t key_size, double value) noexcept nogil
