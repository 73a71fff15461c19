# Owns the HTTP/2 session that carries gRPC: bytes in, callbacks out; calls in, bytes out. Sans-I/O.
# Must not know sockets, time, asyncio or what messages mean. Only this module and its half `sending` know nghttp2.
#
# Rules for users: callbacks run inside session_feed (or session_pump for on_close); they may call stream_* and
# session_request, never session_feed, session_pump or session_free. After on_close the stream is gone.
# A request whose message waits for the budget (limits_t) goes on in session_admit: its callbacks run inside that, and
# the same rules hold. Until then its END_STREAM is not reported.
# A server stream that was never shown (no on_headers, no on_refused: its headers were invalid) has no on_close either.

from executor._native.budget cimport budget_t
from executor._native.buffer cimport buffer_t
from executor._native.headers cimport field_t, headers_get, headers_t, nv_t
from executor._native.sending cimport (
    H2_CANCEL, H2_ENHANCE_YOUR_CALM, H2_INTERNAL_ERROR, H2_NO_ERROR, H2_PROTOCOL_ERROR, H2_REFUSED_STREAM,
    MAX_FIELDS_SENT, session_goaway, session_is_done, session_pieces, session_ping, session_pump, session_request,
    session_room, session_terminate, session_unread, session_wants_write, session_wrote, stream_came, stream_end,
    stream_headers, stream_queued, stream_reset, stream_send, stream_waits,
)
from executor._native.stream cimport limits_t, session_ops_t, session_t, stream_t

# NULL when memory is out.
cdef session_t *session_new(bint server, const session_ops_t *ops, const limits_t *limits, void *user) noexcept nogil
# Ends the session: every stream left gets on_close(H2_CANCEL), then all memory goes. Not from a callback.
cdef void session_free(session_t *session) noexcept nogil
# Takes bytes from the peer. 0, or -1: `session.failed` and `session.error` say why; what is queued (a GOAWAY) may
# still be written before closing.
cdef int session_feed(session_t *session, const unsigned char *data, size_t size) noexcept nogil
# Lets the stream go on that waits for room in the budget next and finds it now: its session, which has something to
# send after it, or has failed; NULL when there is none. Not from a callback.
cdef session_t *session_admit(budget_t *budget) noexcept nogil
