"""Owns the life of streams: made, listed, reused, closed.

Must not know nghttp2, nor what happens to a stream in between: that is `http2`.
"""

from libc.stdint cimport uint32_t
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from executor._native.framing cimport queue_clear, reader_clear
from executor._native.headers cimport fields_free, headers_clear, headers_free
from executor._native.intake cimport intake_clear

cdef enum:
    FREE_STREAMS = 128           # kept for reuse by one session, with the memory of their header blocks


cdef stream_t *stream_new(session_t *session) noexcept nogil:
    cdef stream_t *stream = session.free_streams
    if stream != NULL:
        session.free_streams = stream.next
        session.free_count -= 1
    else:
        stream = <stream_t *>calloc(1, sizeof(stream_t))
        if stream == NULL:
            return NULL
    stream.session = session
    stream.reader.budget = session.limits.budget
    stream.reader.waits = session.server
    stream.max_message = session.limits.max_message
    stream.previous = NULL
    stream.next = session.streams
    if session.streams != NULL:
        session.streams.previous = stream
    session.streams = stream
    session.stream_count += 1
    return stream


cdef void unlink(stream_t *stream) noexcept nogil:
    cdef session_t *session = stream.session
    if stream.previous != NULL:
        stream.previous.next = stream.next
    else:
        session.streams = stream.next
    if stream.next != NULL:
        stream.next.previous = stream.previous
    session.stream_count -= 1


cdef void destroy(stream_t *stream) noexcept nogil:
    headers_free(&stream.headers)
    headers_free(&stream.trailers)
    fields_free(&stream.end_fields)
    free(stream)


cdef void recycle(stream_t *stream) noexcept nogil:
    # Clears everything but the memory of the header blocks.
    cdef session_t *session = stream.session
    cdef stream_t kept
    if session.free_count == FREE_STREAMS:
        destroy(stream)
        return
    headers_clear(&stream.headers)
    headers_clear(&stream.trailers)
    memset(&kept, 0, sizeof(kept))
    kept.headers = stream.headers
    kept.trailers = stream.trailers
    kept.end_fields = stream.end_fields
    kept.end_fields.count = 0
    kept.next = session.free_streams
    stream[0] = kept
    session.free_streams = stream
    session.free_count += 1


cdef void stream_gone(stream_t *stream, uint32_t error_code) noexcept nogil:
    # Out of the list and dumb first: the callback may open or reset streams, and must not do it to this one.
    unlink(stream)
    stream.reset_queued = True
    if stream.shown:
        stream.session.ops.on_close(stream.session, stream, error_code)
    stream.session.queued -= stream.queue.bytes
    queue_clear(&stream.queue)
    reader_clear(&stream.reader)
    stream.session.held -= intake_clear(&stream.intake, stream.session.limits.budget)
    recycle(stream)


cdef void streams_free(session_t *session, uint32_t error_code) noexcept nogil:
    cdef stream_t *stream
    while session.streams != NULL:
        stream_gone(session.streams, error_code)
    while session.free_streams != NULL:
        stream = session.free_streams
        session.free_streams = stream.next
        destroy(stream)


cdef void session_fail(session_t *session, const char *text) noexcept nogil:
    if not session.failed:
        session.failed = True
        snprintf(session.error, sizeof(session.error), b"%s", text)
