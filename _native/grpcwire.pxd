# Owns gRPC's conventions on top of HTTP/2: timeouts, status text, binary headers, compression, reserved names.
# Must not know sessions, sockets or plans.

from executor._native.buffer cimport buffer_t
from executor._native.endpoint cimport error_t
from executor._native.http2 cimport headers_t, nv_t
from executor._native.types cimport failure_t

cdef enum:
    TIMEOUT_TEXT = 16

# Fills a header to send in; name and value are borrowed.
cdef inline void put(nv_t *field, const char *name, size_t name_size, const char *value, size_t size) noexcept nogil:
    field.name = name
    field.name_size = name_size
    field.value = value
    field.value_size = size

# Seconds that a grpc-timeout value stands for; -1 when it is none.
cdef double timeout_parse(const char *text, size_t size) noexcept nogil
# Writes a grpc-timeout value for `seconds` (at least one microsecond); returns its size.
cdef size_t timeout_print(double seconds, char *out) noexcept nogil
# Percent-encodes a status message into `out` of `room` bytes, cut where it does not fit; returns its size.
cdef size_t message_escape(const unsigned char *text, size_t size, char *out, size_t room) noexcept nogil
# Base64 without padding, as binary headers are sent; `out` needs (size * 4 + 2) / 3 bytes; returns its size.
cdef size_t base64_print(const unsigned char *data, size_t size, char *out) noexcept nogil
# A new buffer with the bytes that base64 text (padded or not) stands for; NULL when it is none.
cdef buffer_t *base64_parse(const char *text, size_t size) noexcept nogil
# The error that trailers (or trailers-only headers) report, NULL when they say OK.
cdef error_t *error_of_trailers(const headers_t *headers) noexcept nogil
# The error for an HTTP answer that is not gRPC's, NULL when `headers` begin a gRPC answer.
cdef error_t *error_of_http(const headers_t *headers) noexcept nogil
# What is wrong with a request's headers; NULL when nothing is.
cdef const char *request_fault(const headers_t *headers) noexcept nogil
# True for headers that belong to one hop and are not passed on.
cdef bint is_reserved(const char *name, size_t size) noexcept nogil
# True when the value of content-type is gRPC's.
cdef bint is_grpc(const char *value, size_t size) noexcept nogil
# The inflated message, or NULL with `failure`; takes over `body`. `encoding` is the value of grpc-encoding.
cdef buffer_t *inflate(
    buffer_t *body, const char *encoding, size_t encoding_size, size_t limit, failure_t *failure
) noexcept nogil
