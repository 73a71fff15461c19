# Owns the HTTP/2 session that carries gRPC: bytes in, callbacks out; calls in, bytes out. Sans-I/O.
# Must not know sockets, time, asyncio or what messages mean. Only this module knows nghttp2.
#
# Rules for users: callbacks run inside session_feed (or session_pump for on_close); they may call stream_* and
# session_request, never session_feed, session_pump or session_free. After on_close the stream is gone.
# A server stream that was never shown (no on_headers, no on_refused: its headers were invalid) has no on_close either.

from libc.stdint cimport int32_t, uint32_t
from posix.uio cimport iovec

from executor._native.buffer cimport buffer_t
from executor._native.headers cimport field_t, headers_get, headers_t, nv_t
from executor._native.message cimport message_t
from executor._native.stream cimport limits_t, session_ops_t, session_t, stream_t

cdef enum:                       # RFC 9113 section 7
    H2_NO_ERROR = 0
    H2_PROTOCOL_ERROR = 1
    H2_INTERNAL_ERROR = 2
    H2_REFUSED_STREAM = 7
    H2_CANCEL = 8
    H2_ENHANCE_YOUR_CALM = 11

cdef enum:
    MAX_FIELDS_SENT = 49152      # bytes of one header block to send, 32 a field included; nghttp2 refuses above 64 KiB

# NULL when memory is out.
cdef session_t *session_new(bint server, const session_ops_t *ops, const limits_t *limits, void *user) noexcept nogil
# Ends the session: every stream left gets on_close(H2_CANCEL), then all memory goes. Not from a callback.
cdef void session_free(session_t *session) noexcept nogil
# Takes bytes from the peer. 0, or -1: `session.failed` and `session.error` say why; what is queued (a GOAWAY) may
# still be written before closing.
cdef int session_feed(session_t *session, const unsigned char *data, size_t size) noexcept nogil
# Serialises frames until `high_water` bytes wait for the socket or there is nothing to send. 0, or -1 when the session
# has failed, which a protocol error of the peer does here, as its GOAWAY is serialised: write what waits, then close.
cdef int session_pump(session_t *session, size_t high_water) noexcept nogil
# Up to `room` pieces waiting for the socket; returns how many.
cdef int session_pieces(session_t *session, iovec *pieces, int room) noexcept nogil
# The socket took `size` bytes.
cdef void session_wrote(session_t *session, size_t size) noexcept nogil
# True when session_pump would produce something.
cdef bint session_wants_write(session_t *session) noexcept nogil
# Nothing left to read or to write: the connection may be closed (after GOAWAY and the last stream).
cdef bint session_is_done(session_t *session) noexcept nogil

# Client: opens a stream: HEADERS, one message, END_STREAM. Takes a reference on `message`. With `more` the stream stays
# open for stream_send / stream_end(NULL, 0) (client streaming). NULL on failure: no room (see session_room), fields
# over MAX_FIELDS_SENT, no memory.
cdef stream_t *session_request(
    session_t *session, const nv_t *fields, int count, message_t *message, bint more, void *user
) noexcept nogil
# Client: how many more streams the peer would accept now (its MAX_CONCURRENT_STREAMS minus ours), 0 after GOAWAY.
cdef int session_room(session_t *session) noexcept nogil
# Graceful end: a first GOAWAY notice now (server), the final one by a second call.
cdef int session_goaway(session_t *session, bint last) noexcept nogil
# Ends the connection with an error code in GOAWAY.
cdef int session_terminate(session_t *session, uint32_t error_code) noexcept nogil
cdef int session_ping(session_t *session) noexcept nogil

# stream_*: 0, or -1 when the stream cannot do that any more (it ended, was reset, or the fields are too large).
# Server: the response's HEADERS.
cdef int stream_headers(stream_t *stream, const nv_t *fields, int count) noexcept nogil
# Queues one message (a 5-byte prefix and its spans by reference); takes a reference.
cdef int stream_send(stream_t *stream, message_t *message) noexcept nogil
# After the queue: trailers with END_STREAM; trailers-only when no HEADERS were sent. Client: end of our half (count 0).
# If the peer has not finished sending, a server then resets with NO_ERROR so that it stops.
cdef int stream_end(stream_t *stream, const nv_t *fields, int count) noexcept nogil
cdef int stream_reset(stream_t *stream, uint32_t error_code) noexcept nogil
# Bytes this stream still has to hand to the session.
cdef size_t stream_queued(const stream_t *stream) noexcept nogil
