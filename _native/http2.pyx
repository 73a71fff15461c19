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
5. Whatever nghttp2 cannot go on after makes the session `broken`; whatever ends the connection makes it `failed`.
"""

from libc.stdint cimport INT32_MAX, int32_t, uint8_t, uint32_t
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp
from posix.uio cimport iovec

from executor._native.framing cimport (
    READER_MESSAGE, READER_MORE, READER_REFUSED, queue_frame, queue_push, reader_clear, reader_explain,
    reader_explain_end, reader_message, reader_take, smaller,
)
from executor._native.headers cimport (
    FIELD_OVERHEAD, HEADERS_NO_MEMORY, HEADERS_OK, fields_keep, fields_list, fields_size, headers_add, headers_clear,
    headers_get, headers_t, nv_t,
)
from executor._native.message cimport message_t
from executor._native.nghttp2 cimport *
from executor._native.output cimport output_copy, output_free, output_pieces, output_wrote
from executor._native.stream cimport session_fail, stream_gone, stream_new, streams_free
from executor._native.types cimport STATUS_RESOURCE_EXHAUSTED

cdef enum:
    # Larger than the protocol's 16 KiB, so that a megabyte message is a handful of frames and not hundreds; small
    # enough that other streams of the connection wait for tens of microseconds only.
    MAX_FRAME = 256 << 10
    FRAME_HEAD = 9
    STACK_FIELDS = 32
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


cdef inline uint32_t window(uint32_t size) noexcept nogil:
    return size if size < <uint32_t>INT32_MAX else <uint32_t>INT32_MAX


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

cdef inline stream_t *stream_of(nghttp2_session *h2, int32_t stream_id) noexcept nogil:
    return <stream_t *>nghttp2_session_get_stream_user_data(h2, stream_id)


cdef int on_begin_headers(nghttp2_session *h2, const nghttp2_frame *frame, void *user) noexcept nogil:
    cdef stream_t *stream
    if frame.hd.type != NGHTTP2_HEADERS or frame.headers.cat != NGHTTP2_HCAT_REQUEST:
        return 0
    stream = stream_new(<session_t *>user)
    if stream == NULL:
        return NGHTTP2_ERR_CALLBACK_FAILURE
    stream.id = frame.hd.stream_id
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
    stream.discarding = True
    stream.shown = True
    reader_clear(&stream.reader)
    session.ops.on_refused(session, stream, status, text)
    stop_call(stream, H2_CANCEL)


cdef void got_end(session_t *session, stream_t *stream) noexcept nogil:
    cdef char[160] text
    cdef int status
    stream.ended = True
    if stream.discarding:
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


cdef int take_data(stream_t *stream, const uint8_t *data, size_t size) noexcept nogil:
    cdef session_t *session = stream.session
    cdef size_t limit = session.limits.max_message
    cdef char[160] text
    cdef int result
    cdef bint compressed
    cdef buffer_t *body
    while size > 0 and not stream.discarding:
        result = reader_take(&stream.reader, &data, &size, limit)
        if result == READER_MESSAGE:
            body = reader_message(&stream.reader, &compressed)
            session.ops.on_message(session, stream, body, compressed)
        elif result == READER_REFUSED:
            result = reader_explain(&stream.reader, limit, text, sizeof(text))
            refuse(stream, result, text)
        elif result != READER_MORE:
            return -1
    return 0


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
    if stream != NULL and take_data(stream, data, size) < 0:
        return NGHTTP2_ERR_CALLBACK_FAILURE
    return 0 if release(h2, stream, stream_id, size) == 0 else NGHTTP2_ERR_CALLBACK_FAILURE


cdef int on_stream_close(nghttp2_session *h2, int32_t stream_id, uint32_t error_code, void *user) noexcept nogil:
    cdef session_t *session = <session_t *>user
    cdef stream_t *stream = stream_of(h2, stream_id)
    if stream == NULL:
        return 0
    # A request that never left (GOAWAY came first) was refused, whatever nghttp2 of this version calls it.
    if not session.server and not stream.opened and error_code == H2_INTERNAL_ERROR:
        error_code = H2_REFUSED_STREAM
    nghttp2_session_set_stream_user_data(h2, stream_id, NULL)
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


# --- sending --------------------------------------------------------------------------------------

cdef ssize_t on_read_length(
    nghttp2_session *h2, uint8_t frame_type, int32_t stream_id, int32_t session_window, int32_t stream_window,
    uint32_t max_frame, void *user
) noexcept nogil:
    cdef ssize_t size = session_window if session_window < stream_window else stream_window
    if size > <ssize_t>max_frame:
        size = <ssize_t>max_frame
    return size if size < <ssize_t>MAX_FRAME else <ssize_t>MAX_FRAME


cdef ssize_t on_read(
    nghttp2_session *h2, int32_t stream_id, uint8_t *buffer, size_t room, uint32_t *flags,
    nghttp2_data_source *source, void *user
) noexcept nogil:
    cdef stream_t *stream = <stream_t *>source.ptr
    cdef size_t size = smaller(stream.queue.bytes, room)
    if stream.end_queued and size == stream.queue.bytes:
        flags[0] |= NGHTTP2_DATA_FLAG_EOF
        if stream.end_fields.count > 0:
            flags[0] |= NGHTTP2_DATA_FLAG_NO_END_STREAM
            if submit_trailers(stream) < 0:
                return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
    elif size == 0:
        stream.deferred = True
        return NGHTTP2_ERR_DEFERRED
    flags[0] |= NGHTTP2_DATA_FLAG_NO_COPY
    return <ssize_t>size


cdef int on_send_data(
    nghttp2_session *h2, nghttp2_frame *frame, const uint8_t *head, size_t size, nghttp2_data_source *source,
    void *user
) noexcept nogil:
    cdef session_t *session = <session_t *>user
    if session.output.pending >= session.high_water:
        return NGHTTP2_ERR_WOULDBLOCK
    if output_copy(&session.output, head, FRAME_HEAD) < 0:
        return NGHTTP2_ERR_CALLBACK_FAILURE
    if queue_frame(&(<stream_t *>source.ptr).queue, size, &session.output) < 0:
        return NGHTTP2_ERR_CALLBACK_FAILURE
    return 0


cdef void sent_goaway(session_t *session, const nghttp2_goaway *goaway) noexcept nogil:
    cdef char[160] text
    cdef const char *why = b""
    if goaway.error_code != NGHTTP2_NO_ERROR:
        if goaway.opaque_data_len > 0:
            why = <const char *>goaway.opaque_data
        snprintf(text, sizeof(text), b"connection ended with %s: %.*s", nghttp2_http2_strerror(goaway.error_code),
                 <int>smaller(goaway.opaque_data_len, 100), why)
        session_fail(session, text)


cdef int on_frame_send(nghttp2_session *h2, const nghttp2_frame *frame, void *user) noexcept nogil:
    cdef session_t *session = <session_t *>user
    cdef stream_t *stream
    if frame.hd.type == NGHTTP2_GOAWAY:
        sent_goaway(session, &frame.goaway)
    elif frame.hd.type == NGHTTP2_HEADERS or frame.hd.type == NGHTTP2_DATA:
        stream = stream_of(h2, frame.hd.stream_id)
        if stream == NULL:
            return 0
        stream.opened = True
        # The answer is complete, so the rest of the request need not be sent.
        if session.server and frame.hd.flags & NGHTTP2_FLAG_END_STREAM and not stream.ended:
            stream_reset(stream, H2_NO_ERROR)
    return 0


cdef int session_pump(session_t *session, size_t high_water) noexcept nogil:
    cdef const uint8_t *data
    cdef ssize_t size
    session.high_water = high_water
    while not session.broken and session.output.pending < high_water:
        size = nghttp2_session_mem_send(<nghttp2_session *>session.h2, &data)
        if size == 0:
            break
        if size > 0 and output_copy(&session.output, data, size) < 0:
            size = NGHTTP2_ERR_NOMEM
        if size < 0:
            session.broken = True
            session_fail(session, nghttp2_strerror(<int>size))
    return -1 if session.failed else 0


cdef int session_pieces(session_t *session, iovec *pieces, int room) noexcept nogil:
    return output_pieces(&session.output, pieces, room)


cdef void session_wrote(session_t *session, size_t size) noexcept nogil:
    output_wrote(&session.output, size)


cdef bint session_wants_write(session_t *session) noexcept nogil:
    return not session.broken and nghttp2_session_want_write(<nghttp2_session *>session.h2) != 0


cdef bint session_is_done(session_t *session) noexcept nogil:
    if session.output.pending > 0 or session_wants_write(session):
        return False
    return session.failed or nghttp2_session_want_read(<nghttp2_session *>session.h2) == 0


# --- the user's calls -----------------------------------------------------------------------------

cdef inline bint is_volatile(const nv_t *field) noexcept nogil:
    # Values that differ from call to call would only push the useful ones out of the peer's header table.
    if field.name_size == 12:
        return memcmp(field.name, b"grpc-timeout", 12) == 0 or memcmp(field.name, b"grpc-message", 12) == 0
    if field.name_size != 11:
        return False
    return memcmp(field.name, b"traceparent", 11) == 0 or memcmp(field.name, b"seldon-puid", 11) == 0


cdef void convert(nghttp2_nv *target, const nv_t *fields, int count) noexcept nogil:
    cdef int index
    for index in range(count):
        target[index].name = <uint8_t *>fields[index].name
        target[index].namelen = fields[index].name_size
        target[index].value = <uint8_t *>fields[index].value
        target[index].valuelen = fields[index].value_size
        target[index].flags = NGHTTP2_NV_FLAG_NO_INDEX if is_volatile(&fields[index]) else NGHTTP2_NV_FLAG_NONE


cdef enum:
    REQUEST = 0
    RESPONSE = 1
    TRAILERS = 2


cdef int submit_fields(stream_t *stream, int kind, const nghttp2_nv *fields, int count, bint body) noexcept nogil:
    cdef nghttp2_session *h2 = <nghttp2_session *>stream.session.h2
    cdef nghttp2_data_provider provider
    cdef nghttp2_data_provider *source = NULL
    if body:
        provider.source.ptr = stream
        provider.read_callback = on_read
        source = &provider
    if kind == REQUEST:
        return nghttp2_submit_request(h2, NULL, fields, count, source, stream)
    if kind == RESPONSE:
        return nghttp2_submit_response(h2, stream.id, fields, count, source)
    return nghttp2_submit_trailer(h2, stream.id, fields, count)


cdef int submit(stream_t *stream, int kind, const nv_t *fields, int count, bint body) noexcept nogil:
    # nghttp2 copies names and values before it returns.
    cdef nghttp2_nv[STACK_FIELDS] few
    cdef nghttp2_nv *many
    cdef int result
    if count <= STACK_FIELDS:
        convert(few, fields, count)
        return submit_fields(stream, kind, few, count, body)
    many = <nghttp2_nv *>malloc(count * sizeof(nghttp2_nv))
    if many == NULL:
        return -1
    convert(many, fields, count)
    result = submit_fields(stream, kind, many, count, body)
    free(many)
    return result


cdef int submit_trailers(stream_t *stream) noexcept nogil:
    return submit(stream, TRAILERS, fields_list(&stream.end_fields), stream.end_fields.count, False)


cdef void wake(stream_t *stream) noexcept nogil:
    if stream.deferred:
        stream.deferred = False
        nghttp2_session_resume_data(<nghttp2_session *>stream.session.h2, stream.id)


cdef stream_t *session_request(
    session_t *session, const nv_t *fields, int count, message_t *message, bint more, void *user
) noexcept nogil:
    cdef stream_t *stream
    if session_room(session) <= 0 or fields_size(fields, count) > MAX_FIELDS_SENT:
        return NULL
    stream = stream_new(session)
    if stream == NULL:
        return NULL
    stream.user = user
    stream.headers_sent = True
    stream.end_queued = not more
    if message == NULL or queue_push(&stream.queue, message) == 0:
        stream.id = submit(stream, REQUEST, fields, count, more or message != NULL)
        if stream.id > 0:
            stream.shown = True
            return stream
    stream_gone(stream, H2_INTERNAL_ERROR)
    return NULL


cdef int session_room(session_t *session) noexcept nogil:
    cdef nghttp2_session *h2 = <nghttp2_session *>session.h2
    cdef uint32_t allowed
    if session.server or session.failed or session.leaving or not nghttp2_session_check_request_allowed(h2):
        return 0
    allowed = window(nghttp2_session_get_remote_settings(h2, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS))
    return <int>allowed - session.stream_count if <int>allowed > session.stream_count else 0


cdef int session_goaway(session_t *session, bint last) noexcept nogil:
    cdef nghttp2_session *h2 = <nghttp2_session *>session.h2
    if session.failed:
        return -1
    session.leaving = True
    if session.server and not last:
        return nghttp2_submit_shutdown_notice(h2)
    return nghttp2_submit_goaway(
        h2, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h2), NGHTTP2_NO_ERROR, NULL, 0)


cdef int session_terminate(session_t *session, uint32_t error_code) noexcept nogil:
    if session.failed:
        return -1
    session.leaving = True
    return nghttp2_session_terminate_session(<nghttp2_session *>session.h2, error_code)


cdef int session_ping(session_t *session) noexcept nogil:
    if session.failed:
        return -1
    return nghttp2_submit_ping(<nghttp2_session *>session.h2, NGHTTP2_FLAG_NONE, NULL)


cdef int stream_headers(stream_t *stream, const nv_t *fields, int count) noexcept nogil:
    if stream.headers_sent or stream.end_queued or stream.reset_queued:
        return -1
    if fields_size(fields, count) > MAX_FIELDS_SENT or submit(stream, RESPONSE, fields, count, True) != 0:
        return -1
    stream.headers_sent = True
    return 0


cdef int stream_send(stream_t *stream, message_t *message) noexcept nogil:
    if stream.end_queued or stream.reset_queued or queue_push(&stream.queue, message) < 0:
        return -1
    wake(stream)
    return 0


cdef int stream_end(stream_t *stream, const nv_t *fields, int count) noexcept nogil:
    if stream.end_queued or stream.reset_queued or fields_size(fields, count) > MAX_FIELDS_SENT:
        return -1
    if not stream.headers_sent:
        if stream.queue.bytes > 0 or submit(stream, RESPONSE, fields, count, False) != 0:
            return -1
        stream.headers_sent = True
    elif fields_keep(&stream.end_fields, fields, count) < 0:
        return -1
    stream.end_queued = True
    # A server that has answered wants to hear no more; a client still waits for the answer.
    stream.discarding = stream.discarding or stream.session.server
    wake(stream)
    return 0


cdef int stream_reset(stream_t *stream, uint32_t error_code) noexcept nogil:
    if stream.reset_queued:
        return 0
    stream.reset_queued = True
    stream.discarding = True
    return nghttp2_submit_rst_stream(
        <nghttp2_session *>stream.session.h2, NGHTTP2_FLAG_NONE, stream.id, error_code)


cdef size_t stream_queued(const stream_t *stream) noexcept nogil:
    return stream.queue.bytes
