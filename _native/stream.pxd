# Owns what a session and a stream are, what they report to their user, and the life of streams.
# Must not know nghttp2, nor what happens in between: that is `http2`, which is where users cimport all this from.

from libc.stdint cimport int32_t, uint32_t

from executor._native.budget cimport budget_t
from executor._native.buffer cimport buffer_t
from executor._native.framing cimport queue_t, reader_t
from executor._native.headers cimport fields_t, headers_t
from executor._native.intake cimport intake_t
from executor._native.output cimport output_t

ctypedef struct limits_t:
    uint32_t max_streams         # concurrent streams the peer may open
    uint32_t max_header_bytes    # one header block, names + values + 32 each (RFC 9113 6.5.2)
    size_t max_message           # bytes of one message, before inflating
    uint32_t stream_window       # receive window of a stream until a message has been let in, bytes
    uint32_t connection_window   # receive window of the connection, bytes
    budget_t *budget             # what received messages are charged to; NULL: nothing. Requests may wait for it.

ctypedef struct session_t
ctypedef struct stream_t

ctypedef struct session_ops_t:
    # server: the headers of a request begin to come. NULL where it is not wanted.
    void (*on_begin)(session_t *session, stream_t *stream) noexcept nogil
    # server: a request's headers are complete. client: the response's headers are complete (`stream.headers`);
    # `stream.ended` tells whether they also end it (trailers-only).
    void (*on_headers)(session_t *session, stream_t *stream) noexcept nogil
    # One whole length-prefixed message. Takes over the reference on `body` (never NULL; size may be 0).
    void (*on_message)(session_t *session, stream_t *stream, buffer_t *body, bint compressed) noexcept nogil
    # The peer has finished sending (`stream.trailers` may hold trailers). Not called when it was reset, nor after
    # our own stream_end (server) or stream_reset: what still comes in is discarded.
    void (*on_end)(session_t *session, stream_t *stream) noexcept nogil
    # The peer sent what cannot be accepted as gRPC: status and text say why (message over limit, cut short in the
    # middle of a message, …). The rest of its body is discarded. Nothing follows on this stream but on_close.
    # A server answers it (stream_end makes trailers-only); headers over the limit come without on_headers before.
    # A client need do nothing: the stream is reset with CANCEL.
    void (*on_refused)(session_t *session, stream_t *stream, int status, const char *text) noexcept nogil
    # The stream is gone: both sides finished (error_code 0), or reset by either side, or the session ended.
    # `stream.user` must not be used for this stream after it.
    void (*on_close)(session_t *session, stream_t *stream, uint32_t error_code) noexcept nogil
    # The peer will accept no stream above last_stream_id; those above it that we opened get on_close with
    # H2_REFUSED_STREAM.
    void (*on_goaway)(session_t *session, int32_t last_stream_id, uint32_t error_code) noexcept nogil
    # The peer's SETTINGS arrived (client: remote max streams is known), or a PING was answered.
    void (*on_settings)(session_t *session) noexcept nogil
    void (*on_pong)(session_t *session) noexcept nogil

ctypedef struct stream_t:
    session_t *session
    int32_t id
    void *user                   # the caller's own; NULL at first
    headers_t headers
    headers_t trailers
    bint ended                   # the peer has finished sending
    # private from here
    stream_t *previous
    stream_t *next
    bint shown                   # the user knows of it, so it gets on_close
    # receiving
    bint headers_done            # what comes now are trailers
    size_t headers_excess        # bytes of header fields dropped because the block is over the limit
    bint widened                 # its window is that of its message, which has been let in
    bint discarding              # nothing that comes in is passed on any more
    reader_t reader
    intake_t intake              # while its message waits for the budget
    # sending
    queue_t queue
    fields_t end_fields          # trailers waiting for the queue to empty
    bint end_queued
    bint headers_sent            # handed to nghttp2
    bint opened                  # our HEADERS have left the session
    bint deferred                # nghttp2 waits for stream_send / stream_end
    bint reset_queued
    size_t max_message           # the session's; the user may lower it before a message comes

ctypedef struct session_t:
    void *user
    void *carrier                # whoever moves its bytes: its own
    bint server
    void *h2                     # nghttp2_session
    const session_ops_t *ops
    limits_t limits
    stream_t *streams            # all live streams
    int stream_count
    bint failed                  # the connection must be closed once the output is written
    char[160] error              # why, when failed
    bint goaway_received
    size_t held                  # bytes that came for streams that wait, and for which no window was opened again
    size_t queued                # bytes of messages not yet framed, over all streams
    size_t framed                # bytes of messages framed since the beginning
    size_t written               # bytes that the socket took since the beginning
    # private from here
    bint leaving                 # we sent, or are about to send, GOAWAY
    bint broken                  # nghttp2 must not be called any more but to delete it
    output_t output
    size_t high_water            # of the pump that is running
    stream_t *free_streams
    int free_count

# A new stream in the session's list; NULL when memory is out.
cdef stream_t *stream_new(session_t *session) noexcept nogil
# Takes the stream out of the list, reports on_close to the user, drops all it holds.
cdef void stream_gone(stream_t *stream, uint32_t error_code) noexcept nogil
# Does so with all streams, and gives the memory kept for new ones back.
cdef void streams_free(session_t *session, uint32_t error_code) noexcept nogil
# Marks the session as failed; the first text stays.
cdef void session_fail(session_t *session, const char *text) noexcept nogil
