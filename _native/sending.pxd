# Owns the sending half of the HTTP/2 session: what users ask a stream to do, and frames on their way out.
# Must not know what comes in. A part of `http2`, from which users cimport all this.

from libc.stdint cimport int32_t, uint8_t, uint32_t
from posix.uio cimport iovec

from executor._native.headers cimport nv_t
from executor._native.message cimport message_t
from executor._native.nghttp2 cimport (
    nghttp2_data_source, nghttp2_frame, nghttp2_session, nghttp2_session_get_stream_user_data,
)
from executor._native.stream cimport session_t, stream_t

cdef enum:                       # RFC 9113 section 7
    H2_NO_ERROR = 0
    H2_PROTOCOL_ERROR = 1
    H2_INTERNAL_ERROR = 2
    H2_REFUSED_STREAM = 7
    H2_CANCEL = 8
    H2_ENHANCE_YOUR_CALM = 11

cdef enum:
    MAX_FIELDS_SENT = 49152      # bytes of one header block to send, 32 a field included; nghttp2 refuses above 64 KiB

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
# over MAX_FIELDS_SENT, no memory. The names of the first `fixed` fields are lower-case and outlive the session, as
# literals do: they are not copied.
cdef stream_t *session_request(
    session_t *session, const nv_t *fields, int count, int fixed, message_t *message, bint more, void *user
) noexcept nogil
# Client: how many more streams the peer would accept now (its MAX_CONCURRENT_STREAMS minus ours), 0 after GOAWAY.
cdef int session_room(session_t *session) noexcept nogil
# Graceful end: a first GOAWAY notice now (server), the final one by a second call.
cdef int session_goaway(session_t *session, bint last) noexcept nogil
# Ends the connection with an error code in GOAWAY.
cdef int session_terminate(session_t *session, uint32_t error_code) noexcept nogil
cdef int session_ping(session_t *session) noexcept nogil

# stream_*: 0, or -1 when the stream cannot do that any more (it ended, was reset, or the fields are too large).
# Server: the response's HEADERS; `fixed` as above.
cdef int stream_headers(stream_t *stream, const nv_t *fields, int count, int fixed) noexcept nogil
# Queues one message (a 5-byte prefix and its spans by reference); takes a reference.
cdef int stream_send(stream_t *stream, message_t *message) noexcept nogil
# After the queue: trailers with END_STREAM; trailers-only when no HEADERS were sent. Client: end of our half (count 0).
# If the peer has not finished sending, a server then resets with NO_ERROR so that it stops.
cdef int stream_end(stream_t *stream, const nv_t *fields, int count) noexcept nogil
cdef int stream_reset(stream_t *stream, uint32_t error_code) noexcept nogil
# Whether its message waits for room in the budget.
cdef bint stream_waits(const stream_t *stream) noexcept nogil
# Bytes that have come of the message that comes just now, prefix included.
cdef size_t stream_came(const stream_t *stream) noexcept nogil
# Bytes that wait to be read by the peer, over all streams.
cdef size_t session_unread(const session_t *session) noexcept nogil
# Bytes this stream still has to hand to the session.
cdef size_t stream_queued(const stream_t *stream) noexcept nogil

# --- for `http2` alone: callbacks of nghttp2, and what both halves need

cdef enum:
    # Larger than the protocol's 16 KiB, so that a megabyte message is a handful of frames and not hundreds; small
    # enough that other streams of the connection wait for tens of microseconds only.
    MAX_FRAME = 256 << 10

cdef inline stream_t *stream_of(session_t *session, int32_t stream_id) noexcept nogil:
    if session.latest == NULL or session.latest.id != stream_id:
        session.latest = <stream_t *>nghttp2_session_get_stream_user_data(<nghttp2_session *>session.h2, stream_id)
    return session.latest

cdef uint32_t window(uint32_t size) noexcept nogil
# Waits no more for the budget; the bytes that came are done with, as far as the connection is concerned. 0 or an error.
cdef int forget(stream_t *stream) noexcept nogil
# Nobody wants what the stream brings any more, so it takes no memory from now on.
cdef void hush(stream_t *stream) noexcept nogil
cdef int on_frame_send(nghttp2_session *h2, const nghttp2_frame *frame, void *user) noexcept nogil
cdef ssize_t on_read_length(
    nghttp2_session *h2, uint8_t frame_type, int32_t stream_id, int32_t session_window, int32_t stream_window,
    uint32_t max_frame, void *user
) noexcept nogil
cdef int on_send_data(
    nghttp2_session *h2, nghttp2_frame *frame, const uint8_t *head, size_t size, nghttp2_data_source *source,
    void *user
) noexcept nogil
