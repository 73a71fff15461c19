"""Owns the sending half of the HTTP/2 session: what users ask a stream to do, and frames on their way out.

Must not know what comes in (`http2`), nor sockets. It is a part of `http2` and shares its rules; users take all this
from there.
"""

from libc.stdint cimport INT32_MAX, int32_t, uint8_t, uint32_t
from libc.stdio cimport snprintf
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp
from posix.uio cimport iovec

from executor._native.framing cimport PREFIX, queue_frame, queue_push, reader_clear, reader_came, smaller
from executor._native.headers cimport fields_keep, fields_list, fields_size
from executor._native.intake cimport intake_clear, intake_waits
from executor._native.message cimport message_t
from executor._native.nghttp2 cimport *
from executor._native.output cimport output_copy, output_pieces, output_wrote
from executor._native.stream cimport session_fail, stream_gone, stream_new

cdef enum:
    FRAME_HEAD = 9
    STACK_FIELDS = 32


# --- what nobody wants any more -------------------------------------------------------------------

cdef int forget(stream_t *stream) noexcept nogil:
    cdef session_t *session = stream.session
    cdef size_t held = intake_clear(&stream.intake, session.limits.budget)
    session.held -= held
    if held == 0 or session.broken:
        return 0
    return nghttp2_session_consume_connection(<nghttp2_session *>session.h2, held)


cdef void hush(stream_t *stream) noexcept nogil:
    stream.discarding = True
    if stream.reader.prefix_size > 0:
        reader_clear(&stream.reader)
        forget(stream)


# --- frames --------------------------------------------------------------------------------------------

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
    session.queued -= size
    session.framed += size
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
        stream = stream_of(session, frame.hd.stream_id)
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
    session.written += size


cdef bint session_wants_write(session_t *session) noexcept nogil:
    return not session.broken and nghttp2_session_want_write(<nghttp2_session *>session.h2) != 0


cdef bint session_is_done(session_t *session) noexcept nogil:
    if session.output.pending > 0 or session_wants_write(session):
        return False
    return session.failed or nghttp2_session_want_read(<nghttp2_session *>session.h2) == 0


# --- the user's calls -----------------------------------------------------------------------------

cdef enum:                       # volatile headers: bits of session_t.named
    NAMED_PUID = 1
    NAMED_TIMEOUT = 2
    NAMED_TRACE = 4
    NAMED_B3 = 16
    NAMED_B3_TRACE = 32
    NAMED_B3_SPAN = 64
    NAMED_JAEGER = 128
    NAMED_ALWAYS = 8             # never put into the table, so that its name is spelled each time


cdef inline int volatile_of(const nv_t *field) noexcept nogil:
    if field.name_size == 11:
        if memcmp(field.name, b"seldon-puid", 11) == 0:
            return NAMED_PUID
        if memcmp(field.name, b"traceparent", 11) == 0:
            return NAMED_TRACE
        return NAMED_B3_SPAN if memcmp(field.name, b"x-b3-spanid", 11) == 0 else 0
    if field.name_size == 12:
        if memcmp(field.name, b"grpc-timeout", 12) == 0:
            return NAMED_TIMEOUT
        if memcmp(field.name, b"x-b3-traceid", 12) == 0:
            return NAMED_B3_TRACE
        return NAMED_ALWAYS if memcmp(field.name, b"grpc-message", 12) == 0 else 0
    if field.name_size == 2:
        return NAMED_B3 if memcmp(field.name, b"b3", 2) == 0 else 0
    if field.name_size == 13:
        return NAMED_JAEGER if memcmp(field.name, b"uber-trace-id", 13) == 0 else 0
    if field.name_size == 15:
        return NAMED_ALWAYS if memcmp(field.name, b"millrace-timing", 15) == 0 else 0
    return 0


# Values that differ from call to call would only push the useful ones out of the peer's header table. The first goes
# there all the same: the others then need not spell the name, for as long as it stays there.
cdef inline int flags_of(session_t *session, const nv_t *field) noexcept nogil:
    cdef int named = volatile_of(field)
    if named == 0:
        return NGHTTP2_NV_FLAG_NONE
    if named != NAMED_ALWAYS and not session.named & named:
        session.named |= named
        return NGHTTP2_NV_FLAG_NONE
    return NGHTTP2_NV_FLAG_NO_INDEX


cdef void convert(session_t *session, nghttp2_nv *target, const nv_t *fields, int count, int fixed) noexcept nogil:
    cdef int index
    for index in range(count):
        target[index].name = <uint8_t *>fields[index].name
        target[index].namelen = fields[index].name_size
        target[index].value = <uint8_t *>fields[index].value
        target[index].valuelen = fields[index].value_size
        target[index].flags = flags_of(session, &fields[index])
        if index < fixed:
            target[index].flags |= NGHTTP2_NV_FLAG_NO_COPY_NAME


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


cdef int submit(stream_t *stream, int kind, const nv_t *fields, int count, int fixed, bint body) noexcept nogil:
    # nghttp2 copies values, and names that are not fixed, before it returns.
    cdef nghttp2_nv[STACK_FIELDS] few
    cdef nghttp2_nv *many
    cdef int result
    if count <= STACK_FIELDS:
        convert(stream.session, few, fields, count, fixed)
        return submit_fields(stream, kind, few, count, body)
    many = <nghttp2_nv *>malloc(count * sizeof(nghttp2_nv))
    if many == NULL:
        return -1
    convert(stream.session, many, fields, count, fixed)
    result = submit_fields(stream, kind, many, count, body)
    free(many)
    return result


cdef int submit_trailers(stream_t *stream) noexcept nogil:
    return submit(stream, TRAILERS, fields_list(&stream.end_fields), stream.end_fields.count, 0, False)


cdef void wake(stream_t *stream) noexcept nogil:
    if stream.deferred:
        stream.deferred = False
        nghttp2_session_resume_data(<nghttp2_session *>stream.session.h2, stream.id)


cdef inline int push(stream_t *stream, message_t *message) noexcept nogil:
    if queue_push(&stream.queue, message) < 0:
        return -1
    stream.session.queued += PREFIX + message.size
    return 0


cdef stream_t *session_request(
    session_t *session, const nv_t *fields, int count, int fixed, message_t *message, bint more, void *user
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
    if message == NULL or push(stream, message) == 0:
        stream.id = submit(stream, REQUEST, fields, count, fixed, more or message != NULL)
        if stream.id > 0:
            stream.shown = True
            return stream
    stream_gone(stream, H2_INTERNAL_ERROR)
    return NULL


cdef uint32_t window(uint32_t size) noexcept nogil:
    return size if size < <uint32_t>INT32_MAX else <uint32_t>INT32_MAX


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


cdef int stream_headers(stream_t *stream, const nv_t *fields, int count, int fixed) noexcept nogil:
    if stream.headers_sent or stream.end_queued or stream.reset_queued:
        return -1
    if fields_size(fields, count) > MAX_FIELDS_SENT or submit(stream, RESPONSE, fields, count, fixed, True) != 0:
        return -1
    stream.headers_sent = True
    return 0


cdef int stream_send(stream_t *stream, message_t *message) noexcept nogil:
    if stream.end_queued or stream.reset_queued or push(stream, message) < 0:
        return -1
    wake(stream)
    return 0


cdef int stream_end(stream_t *stream, const nv_t *fields, int count) noexcept nogil:
    if stream.end_queued or stream.reset_queued or fields_size(fields, count) > MAX_FIELDS_SENT:
        return -1
    if not stream.headers_sent:
        if stream.queue.bytes > 0 or submit(stream, RESPONSE, fields, count, 0, False) != 0:
            return -1
        stream.headers_sent = True
    elif fields_keep(&stream.end_fields, fields, count) < 0:
        return -1
    stream.end_queued = True
    # A server that has answered wants to hear no more; a client still waits for the answer.
    if stream.session.server:
        hush(stream)
    wake(stream)
    return 0


cdef int stream_reset(stream_t *stream, uint32_t error_code) noexcept nogil:
    if stream.reset_queued:
        return 0
    stream.reset_queued = True
    hush(stream)
    return nghttp2_submit_rst_stream(
        <nghttp2_session *>stream.session.h2, NGHTTP2_FLAG_NONE, stream.id, error_code)


cdef size_t stream_queued(const stream_t *stream) noexcept nogil:
    return stream.queue.bytes


cdef bint stream_waits(const stream_t *stream) noexcept nogil:
    return intake_waits(&stream.intake)


cdef size_t stream_came(const stream_t *stream) noexcept nogil:
    return reader_came(&stream.reader)


cdef size_t session_unread(const session_t *session) noexcept nogil:
    return session.queued + session.output.pending
