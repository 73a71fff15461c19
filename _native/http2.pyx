"""Owns the HTTP/2 session that carries gRPC: bytes in, callbacks out; calls in, bytes out. Sans-I/O.

Must not know sockets, time, asyncio or what messages mean. Only this module knows nghttp2.

How to think about it. nghttp2 keeps the protocol's state; a `stream_t` keeps what gRPC adds: the message being
put together, the messages waiting to be framed, the trailers waiting behind them. It lives from on_begin_headers
(server) or session_request (client) to on_stream_close, and is in the session's list all that time.

1. nghttp2 may not be re-entered: inside its callbacks only submit_*, resume and consume are called.
2. Bytes leave later than the frame that carries them is "sent", and so outlive their stream: the output queue holds
   references of its own.
3. A read callback only says how many bytes a DATA frame will have; on_send_data takes exactly these from the queue.
   In between only appending to the queue is possible.
4. A stream is deaf (`discarding`) once nobody wants what it brings; its bytes still count for the connection's window.
   A message that waits for the budget keeps its bytes (`intake`), and windows shut: nothing is consumed until then.
5. Whatever nghttp2 cannot go on after makes the session `broken`; whatever ends the connection makes it `failed`.
"""

from libc.stdint cimport int32_t, uint8_t, uint32_t
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free

from executor._native.budget cimport budget_leave, budget_next, budget_t, budget_take, waiter_t
from executor._native.buffer cimport buffer_t, buffer_unref
from executor._native.framing cimport (
    READER_MESSAGE, READER_MORE, READER_REFUSED, READER_WAITS, reader_explain, reader_explain_end, reader_grant,
    reader_message, reader_needs, reader_take,
)
from executor._native.headers cimport (
    FIELD_OVERHEAD, HEADERS_NO_MEMORY, HEADERS_OK, headers_add, headers_clear, headers_get, headers_t,
)
from executor._native.intake cimport intake_keep, intake_pop, intake_unpop, intake_wait, intake_waits
from executor._native.nghttp2 cimport *
from executor._native.output cimport output_free
from executor._native.sending cimport (
    MAX_FRAME, forget, hush, on_frame_send, on_read_length, on_send_data, stream_of, stream_reset, window,
)
from executor._native.stream cimport session_fail, stream_gone, stream_new, streams_free
from executor._native.types cimport STATUS_RESOURCE_EXHAUSTED

cdef enum:
    # Cancelled calls are ordinary here, a reset per request for ever is not: a token bucket.
    RESET_BURST = 1000
    RESET_RATE = 1000
    # Control frames (RST_STREAM, WINDOW_UPDATE, …) that a peer which does not read may make us queue.
    QUEUE_SPARE = 10000
    # A header block this many times over its limit ends the connection: inflating it costs more than sending it.
    EXCESS = 8


# --- life -----------------------------------------------------------------------------------------

cdef void set_callbacks(nghttp2_session_callbacks *callbacks) noexcept nogil:
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers)
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header)
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv)
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send)
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk)
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close)
    nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_data)
    nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, on_read_length)


cdef int make_session(session_t *session) noexcept nogil:
    cdef nghttp2_session_callbacks *callbacks = NULL
    cdef nghttp2_option *option = NULL
    cdef nghttp2_session *h2 = NULL
    cdef int result = -1
    if nghttp2_session_callbacks_new(&callbacks) == 0 and nghttp2_option_new(&option) == 0:
        set_callbacks(callbacks)
        nghttp2_option_set_no_auto_window_update(option, 1)
        nghttp2_option_set_no_closed_streams(option, 1)
        option_set_reset_rate(option, RESET_BURST, RESET_RATE)
        if session.server:
            result = nghttp2_session_server_new2(&h2, callbacks, session, option)
        else:
            result = nghttp2_session_client_new2(&h2, callbacks, session, option)
    nghttp2_option_del(option)
    nghttp2_session_callbacks_del(callbacks)
    session.h2 = h2
    return result


cdef int announce(session_t *session) noexcept nogil:
    cdef nghttp2_settings_entry[5] entries
    cdef nghttp2_session *h2 = <nghttp2_session *>session.h2
    entries[0].settings_id = NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE
    entries[0].value = window(session.limits.stream_window)
    entries[1].settings_id = NGHTTP2_SETTINGS_MAX_FRAME_SIZE
    entries[1].value = MAX_FRAME
    entries[2].settings_id = NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE
    entries[2].value = session.limits.max_header_bytes
    entries[3].settings_id = NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES
    entries[3].value = 1
    if session.server:
        entries[4].settings_id = NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS
        entries[4].value = session.limits.max_streams
    else:
        entries[4].settings_id = NGHTTP2_SETTINGS_ENABLE_PUSH
        entries[4].value = 0
    if nghttp2_submit_settings(h2, NGHTTP2_FLAG_NONE, entries, 5) != 0:
        return -1
    return nghttp2_session_set_local_window_size(
        h2, NGHTTP2_FLAG_NONE, 0, <int32_t>window(session.limits.connection_window))


cdef session_t *session_new(bint server, const session_ops_t *ops, const limits_t *limits, void *user) noexcept nogil:
    cdef session_t *session = <session_t *>calloc(1, sizeof(session_t))
    if session == NULL:
        return NULL
    session.server = server
    session.ops = ops
    session.limits = limits[0]
    session.user = user
    if make_session(session) != 0 or announce(session) != 0:
        session_free(session)
        return NULL
    return session


cdef void session_free(session_t *session) noexcept nogil:
    session_fail(session, b"the session has ended")
    streams_free(session, H2_CANCEL)
    nghttp2_session_del(<nghttp2_session *>session.h2)
    output_free(&session.output)
    free(session)


# --- receiving ------------------------------------------------------------------------------------

cdef int on_begin_headers(nghttp2_session *h2, const nghttp2_frame *frame, void *user) noexcept nogil:
    cdef stream_t *stream
    if frame.hd.type != NGHTTP2_HEADERS or frame.headers.cat != NGHTTP2_HCAT_REQUEST:
        return 0
    stream = stream_new(<session_t *>user)
    if stream == NULL:
        return NGHTTP2_ERR_CALLBACK_FAILURE
    stream.id = frame.hd.stream_id
    if stream.session.ops.on_begin != NULL:
        stream.session.ops.on_begin(stream.session, stream)
    return nghttp2_session_set_stream_user_data(h2, stream.id, stream)


cdef int on_header(
    nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name, size_t name_size,
    const uint8_t *value, size_t value_size, uint8_t flags, void *user
) noexcept nogil:
    cdef session_t *session = <session_t *>user
    cdef stream_t *stream = stream_of(h2, frame.hd.stream_id)
    cdef size_t limit = session.limits.max_header_bytes
    cdef int result
    if stream == NULL:
        return 0
    if stream.headers_excess == 0 and not stream.discarding:
        result = headers_add(
            &stream.trailers if stream.headers_done else &stream.headers, name, name_size, value, value_size, limit)
        if result == HEADERS_OK:
            return 0
        if result == HEADERS_NO_MEMORY:
            return NGHTTP2_ERR_CALLBACK_FAILURE
    stream.headers_excess += name_size + value_size + FIELD_OVERHEAD
    if stream.headers_excess > EXCESS * limit:
        session_fail(session, b"a header block many times over its limit")
        return NGHTTP2_ERR_CALLBACK_FAILURE
    return 0


cdef bint is_informational(const headers_t *headers) noexcept nogil:
    cdef size_t size
    cdef const char *status = headers_get(headers, b":status", 7, &size)
    return status != NULL and size == 3 and status[0] == c'1'


cdef void stop_call(stream_t *stream, uint32_t error_code) noexcept nogil:
    # A client's call is over, whatever either side still had to say: without this the stream would stay open for it.
    cdef session_t *session = stream.session
    if session.server:
        return
    if not stream.ended or nghttp2_session_get_stream_local_close(<nghttp2_session *>session.h2, stream.id) != 1:
        stream_reset(stream, error_code)


cdef void refuse(stream_t *stream, int status, const char *text) noexcept nogil:
    cdef session_t *session = stream.session
    stream.shown = True
    hush(stream)
    session.ops.on_refused(session, stream, status, text)
    stop_call(stream, H2_CANCEL)


cdef void got_end(session_t *session, stream_t *stream) noexcept nogil:
    cdef char[160] text
    cdef int status
    stream.ended = True
    if stream.discarding or intake_waits(&stream.intake):
        return
    if stream.reader.prefix_size > 0:
        status = reader_explain_end(&stream.reader, text, sizeof(text))
        refuse(stream, status, text)
        return
    session.ops.on_end(session, stream)
    stop_call(stream, H2_NO_ERROR)


cdef void got_headers(session_t *session, stream_t *stream, bint ended) noexcept nogil:
    cdef char[160] text
    if stream.headers_excess > 0 and not stream.discarding:
        stream.ended = ended
        snprintf(text, sizeof(text), b"header block of more than %u bytes, which is the limit",
                 session.limits.max_header_bytes)
        refuse(stream, STATUS_RESOURCE_EXHAUSTED, text)
        return
    if not stream.headers_done:
        if not session.server and is_informational(&stream.headers):
            headers_clear(&stream.headers)
            return
        stream.headers_done = True
        stream.ended = ended
        if not stream.discarding:
            stream.shown = True
            session.ops.on_headers(session, stream)
    if ended:
        got_end(session, stream)


cdef int on_frame_recv(nghttp2_session *h2, const nghttp2_frame *frame, void *user) noexcept nogil:
    cdef session_t *session = <session_t *>user
    cdef bint ended = frame.hd.flags & NGHTTP2_FLAG_END_STREAM != 0
    cdef stream_t *stream
    if frame.hd.type == NGHTTP2_DATA or frame.hd.type == NGHTTP2_HEADERS:
        stream = stream_of(h2, frame.hd.stream_id)
        if stream == NULL:
            return 0
        if frame.hd.type == NGHTTP2_HEADERS:
            got_headers(session, stream, ended)
        elif ended:
            got_end(session, stream)
    elif frame.hd.type == NGHTTP2_SETTINGS:
        if not frame.hd.flags & NGHTTP2_FLAG_ACK:
            session.ops.on_settings(session)
    elif frame.hd.type == NGHTTP2_PING:
        if frame.hd.flags & NGHTTP2_FLAG_ACK:
            session.ops.on_pong(session)
    elif frame.hd.type == NGHTTP2_GOAWAY:
        session.goaway_received = True
        session.ops.on_goaway(session, frame.goaway.last_stream_id, frame.goaway.error_code)
    return 0


# Memory for the whole message is there, so that much may come. Until then a stream is promised little.
cdef int widen(stream_t *stream) noexcept nogil:
    cdef const limits_t *limits = &stream.session.limits
    stream.widened = True
    return nghttp2_session_set_local_window_size(
        <nghttp2_session *>stream.session.h2, NGHTTP2_FLAG_NONE, stream.id,
        <int32_t>window(<uint32_t>min(stream.reader.body_size, <size_t>limits.connection_window)))


# Leaves bytes only when the message has to wait for the budget.
cdef int take_data(stream_t *stream, const uint8_t **data, size_t *size) noexcept nogil:
    cdef session_t *session = stream.session
    cdef size_t limit = stream.max_message
    cdef char[160] text
    cdef int result
    cdef bint compressed
    cdef buffer_t *body
    while size[0] > 0 and not stream.discarding:
        result = reader_take(&stream.reader, data, size, limit)
        if result == READER_MESSAGE:
            body = reader_message(&stream.reader, &compressed)
            session.ops.on_message(session, stream, body, compressed)
        elif result == READER_WAITS:
            intake_wait(&stream.intake, session.limits.budget, reader_needs(&stream.reader), stream)
            return 0
        elif result == READER_REFUSED:
            result = reader_explain(&stream.reader, limit, text, sizeof(text))
            refuse(stream, result, text)
        elif result != READER_MORE:
            return -1
        elif stream.reader.body_size > session.limits.stream_window and not stream.widened and widen(stream) != 0:
            return -1
    return 0


# Bytes of a message that waits. Those of one connection may fill half its window, so that streams which were let in
# still get theirs. Whether they were kept; else the stream was refused.
cdef bint keep(stream_t *stream, const uint8_t *data, size_t size) noexcept nogil:
    cdef session_t *session = stream.session
    cdef budget_t *budget = session.limits.budget
    cdef size_t half = session.limits.connection_window // 2
    cdef char[160] text
    cdef int result = 0
    if session.held + size > half:
        snprintf(text, sizeof(text), b"no memory for more requests now: those of this connection that wait for it hold "
                 b"%zu bytes, allowed are %zu", session.held, half)
    else:
        result = intake_keep(&stream.intake, budget, data, size)
        if result == 0:
            session.held += size
            return True
        snprintf(text, sizeof(text), b"no memory for more requests now: those that wait for it hold %zu bytes, "
                 b"allowed are %zu", budget.held, budget.held_max)
    refuse(stream, STATUS_RESOURCE_EXHAUSTED, text)
    return False


cdef int release(nghttp2_session *h2, stream_t *stream, int32_t stream_id, size_t size) noexcept nogil:
    # The one place where the peer's windows are opened again. A deaf stream's own window stays shut, which stops a
    # peer that would go on sending.
    if stream == NULL or stream.discarding:
        return nghttp2_session_consume_connection(h2, size)
    return nghttp2_session_consume(h2, stream_id, size)


cdef int on_data_chunk(
    nghttp2_session *h2, uint8_t flags, int32_t stream_id, const uint8_t *data, size_t size, void *user
) noexcept nogil:
    cdef stream_t *stream = stream_of(h2, stream_id)
    cdef size_t left = size
    if stream != NULL:
        if not intake_waits(&stream.intake) and take_data(stream, &data, &left) < 0:
            return NGHTTP2_ERR_CALLBACK_FAILURE
        if intake_waits(&stream.intake) and left > 0 and keep(stream, data, left):
            size -= left
    return 0 if release(h2, stream, stream_id, size) == 0 else NGHTTP2_ERR_CALLBACK_FAILURE


# What came while the message waited; it may have to wait again for the next one.
cdef int drain(stream_t *stream) noexcept nogil:
    cdef session_t *session = stream.session
    cdef budget_t *budget = session.limits.budget
    cdef nghttp2_session *h2 = <nghttp2_session *>session.h2
    cdef const uint8_t *data
    cdef buffer_t *chunk
    cdef size_t size, left
    while not intake_waits(&stream.intake):
        chunk = intake_pop(&stream.intake, budget, &data, &size)
        if chunk == NULL:
            break
        session.held -= size
        left = size
        if take_data(stream, &data, &left) < 0:
            buffer_unref(chunk)
            return -1
        if intake_waits(&stream.intake) and left > 0:
            intake_unpop(&stream.intake, budget, chunk, left)
            session.held += left
            size -= left
        else:
            buffer_unref(chunk)
        if release(h2, stream, stream.id, size) != 0:
            return -1
    if stream.ended:
        got_end(session, stream)
    return 0


cdef int admit(stream_t *stream) noexcept nogil:
    cdef session_t *session = stream.session
    cdef bint compressed
    cdef buffer_t *body
    cdef int result = reader_grant(&stream.reader)
    if result == READER_MESSAGE:
        body = reader_message(&stream.reader, &compressed)
        session.ops.on_message(session, stream, body, compressed)
    return -1 if result < 0 else drain(stream)


cdef session_t *session_admit(budget_t *budget) noexcept nogil:
    cdef waiter_t *waiter = budget_next(budget)
    cdef stream_t *stream
    cdef session_t *session
    if waiter == NULL:
        return NULL
    stream = <stream_t *>waiter.owner
    session = stream.session
    if session.failed:           # its connection is about to be closed
        hush(stream)
        return session
    budget_leave(budget, waiter)
    budget_take(budget, waiter.size, budget.hard)
    if admit(stream) < 0:
        session.broken = True
        session_fail(session, b"out of memory")
    return session


cdef int on_stream_close(nghttp2_session *h2, int32_t stream_id, uint32_t error_code, void *user) noexcept nogil:
    cdef session_t *session = <session_t *>user
    cdef stream_t *stream = stream_of(h2, stream_id)
    if stream == NULL:
        return 0
    # A request that never left (GOAWAY came first) was refused, whatever nghttp2 of this version calls it.
    if not session.server and not stream.opened and error_code == H2_INTERNAL_ERROR:
        error_code = H2_REFUSED_STREAM
    nghttp2_session_set_stream_user_data(h2, stream_id, NULL)
    if forget(stream) != 0:
        return NGHTTP2_ERR_CALLBACK_FAILURE
    stream_gone(stream, error_code)
    return 0


cdef int session_feed(session_t *session, const unsigned char *data, size_t size) noexcept nogil:
    cdef nghttp2_session *h2 = <nghttp2_session *>session.h2
    cdef ssize_t result
    if session.failed:
        return -1
    result = nghttp2_session_mem_recv(h2, data, size)
    if result < 0:
        session.broken = True
        if result == NGHTTP2_ERR_BAD_CLIENT_MAGIC:
            session_fail(session, b"the peer does not speak HTTP/2: no connection preface")
        else:
            session_fail(session, nghttp2_strerror(<int>result))
        return -1
    if nghttp2_session_get_outbound_queue_size(h2) > <size_t>(QUEUE_SPARE + 4 * session.stream_count):
        session.broken = True
        session_fail(session, b"the peer causes control frames and does not read them")
        return -1
    return 0
