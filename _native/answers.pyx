"""Owns how the answers of a gRPC server leave: response headers, trailers, trailers-only errors.

Must not know what was asked, nor who answers.
"""

from libc.stdio cimport snprintf
from libc.stdlib cimport free, malloc
from libc.string cimport strlen

from executor._native.grpcwire cimport base64_print, message_escape, put
from executor._native.headers cimport fields_size
from executor._native.http2 cimport H2_INTERNAL_ERROR, stream_end, stream_headers, stream_reset, stream_send
from executor._native.types cimport STATUS_INTERNAL

cdef enum:
    # Together less than the 8 KiB of metadata that gRPC clients take by default.
    MESSAGE_ROOM = 2048          # bytes of a percent-encoded grpc-message
    DETAILS_MAX = 4096           # bytes of grpc-status-details-bin before base64; larger ones are left out
    TRAILERS_MAX = 8000          # with what says where the time went, which is left out where it is too much


cdef int put_head(nv_t *fields) noexcept nogil:
    put(&fields[0], b":status", 7, b"200", 3)
    put(&fields[1], b"content-type", 12, b"application/grpc", 16)
    put(&fields[2], b"grpc-accept-encoding", 20, b"gzip, deflate, identity", 23)
    return HEAD_FIELDS


cdef inline bint put_timing(nv_t *field, const out_t *timing) noexcept nogil:
    if timing == NULL or timing.size == 0 or timing.failed:
        return False
    put(field, b"millrace-timing", 15, <const char *>timing.data, timing.size)
    return True


cdef void send_answer(
    stream_t *stream, message_t *answer, const char *puid, size_t puid_size, const out_t *timing
) noexcept nogil:
    cdef nv_t[HEAD_FIELDS + 1] fields
    cdef int count = put_head(fields)
    if puid_size > 0:
        put(&fields[count], b"seldon-puid", 11, puid, puid_size)
        count += 1
    if stream_headers(stream, fields, count, count) < 0 or stream_send(stream, answer) < 0:
        stream_reset(stream, H2_INTERNAL_ERROR)      # never an OK without its message
        return
    put(&fields[0], b"grpc-status", 11, b"0", 1)
    stream_end(stream, fields, 2 if put_timing(&fields[1], timing) else 1)


cdef void send_status(
    stream_t *stream, int status, const unsigned char *text, size_t size, const buffer_t *details, const char *puid,
    size_t puid_size, const out_t *timing,
) noexcept nogil:
    cdef nv_t[HEAD_FIELDS + 5] fields
    cdef char[12] number
    cdef char[MESSAGE_ROOM] escaped
    cdef char *encoded = NULL
    cdef bint alone = not stream.headers_sent
    cdef int count = put_head(fields) if alone else 0
    put(&fields[count], b"grpc-status", 11, number, snprintf(number, sizeof(number), b"%d", status))
    count += 1
    if size > 0:
        put(&fields[count], b"grpc-message", 12, escaped, message_escape(text, size, escaped, MESSAGE_ROOM))
        count += 1
    if details != NULL and 0 < details.size <= DETAILS_MAX:
        encoded = <char *>malloc(details.size * 4 // 3 + 4)
        if encoded != NULL:
            put(
                &fields[count], b"grpc-status-details-bin", 23, encoded,
                base64_print(details.data, details.size, encoded),
            )
            count += 1
    if alone and puid_size > 0:
        put(&fields[count], b"seldon-puid", 11, puid, puid_size)
        count += 1
    if timing != NULL and fields_size(fields, count) + timing.size < TRAILERS_MAX:
        count += put_timing(&fields[count], timing)
    stream_end(stream, fields, count)
    free(encoded)


cdef void send_http(stream_t *stream, const char *text) noexcept nogil:
    cdef nv_t[4] fields
    cdef char[12] number
    put(&fields[0], b":status", 7, b"415", 3)
    put(&fields[1], b"content-type", 12, b"application/grpc", 16)
    put(&fields[2], b"grpc-status", 11, number, snprintf(number, sizeof(number), b"%d", <int>STATUS_INTERNAL))
    put(&fields[3], b"grpc-message", 12, text, strlen(text))
    stream_end(stream, fields, 4)
