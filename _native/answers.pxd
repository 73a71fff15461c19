# Owns how the answers of a gRPC server leave: response headers, trailers, trailers-only errors.
# Must not know what was asked, nor who answers.

from executor._native.buffer cimport buffer_t
from executor._native.http2 cimport nv_t, stream_t
from executor._native.message cimport message_t
from executor._native.span cimport out_t

cdef enum:
    HEAD_FIELDS = 3              # that put_head writes

# Writes the headers that every answer begins with into `fields`; returns how many.
cdef int put_head(nv_t *fields) noexcept nogil
# The whole answer of a unary RPC; `puid` goes into its headers when there is one, `timing` into its trailers.
cdef void send_answer(
    stream_t *stream, message_t *answer, const char *puid, size_t puid_size, const out_t *timing
) noexcept nogil
# The status that ends an RPC: trailers, or trailers-only when no headers have been sent. `text` is UTF-8.
cdef void send_status(
    stream_t *stream, int status, const unsigned char *text, size_t size, const buffer_t *details, const char *puid,
    size_t puid_size, const out_t *timing,
) noexcept nogil
# For what is not gRPC at all: an HTTP answer, so that a browser or a load balancer's check understands it.
cdef void send_http(stream_t *stream, const char *text) noexcept nogil
