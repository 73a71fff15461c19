"""Owns one client connection of the gRPC server and the RPCs on it: their memory, and how long a client may take.

Must not know what is asked, nor how it is answered beyond a status.

A client that is slow holds up nobody but itself. One timer per connection looks at all its streams while there are
any: requests that come too slowly are refused, and a connection ends whose header block never does, or on which
answers lie and are read too slowly. Requests that wait for memory are let wait: their windows are shut by us. While
some do, neither a message nor an answer is given longer than `body_s`.
"""

import logging

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memset, strlen

from executor._native.answers cimport send_status
from executor._native.budget cimport budget_t, budget_take
from executor._native.buffer cimport buffer_charge, buffer_t
from executor._native.copies cimport COPY_INFLATED
from executor._native.endpoint cimport error_free, error_new, error_t, metadata_new, metadata_t, metadata_unref
from executor._native.headers cimport headers_t, nv_t
from executor._native.http2 cimport (
    H2_ENHANCE_YOUR_CALM, headers_get, session_unread, stream_came, stream_queued, stream_reset, stream_waits,
)
from executor._native.journal cimport ended_t, journal_add
from executor._native.meters cimport (
    REJECTED_DEADLINE, REJECTED_MESSAGE, REJECTED_SLOW, REJECTED_UNREAD, meter_add, meter_copied, meter_now,
)
from executor._native.tracer cimport Label
from executor._native.trail cimport ending_t, trail_apart, trail_end, trail_free, trail_refused
from executor._native.transport cimport conn_close, conn_touch, timer_arm, timer_disarm
from executor._native.types cimport (
    STATUS_CANCELLED, STATUS_DEADLINE_EXCEEDED, STATUS_OK, STATUS_RESOURCE_EXHAUSTED,
)

cdef enum:
    SETTINGS_S = 10              # from a connection's beginning until the client's SETTINGS

cdef double SWEEP_MIN_S = 0.02
cdef double SWEEP_MAX_S = 1.0

log = logging.getLogger("millrace.rpc")


# --- life -----------------------------------------------------------------------------------------

cdef peer_t *peer_new(server_t *server) noexcept nogil:
    cdef peer_t *peer = <peer_t *>calloc(1, sizeof(peer_t))
    if peer == NULL:
        return NULL
    peer.server = server
    peer.settings.fire = on_no_settings
    peer.settings.owner = peer
    peer.sweep.fire = on_sweep
    peer.sweep.owner = peer
    peer.next = server.peers
    if peer.next != NULL:
        peer.next.previous = peer
    server.peers = peer
    server.peer_count += 1
    return peer


cdef void peer_free(peer_t *peer) noexcept nogil:
    cdef server_t *server = peer.server
    if peer.previous == NULL:
        server.peers = peer.next
    else:
        peer.previous.next = peer.next
    if peer.next != NULL:
        peer.next.previous = peer.previous
    server.peer_count -= 1
    timer_disarm(server.reactor, &peer.settings)
    timer_disarm(server.reactor, &peer.sweep)
    free(peer)


cdef void peer_opened(peer_t *peer) noexcept nogil:
    timer_arm(peer.server.reactor, &peer.settings, peer.server.reactor.now + SETTINGS_S)


cdef void peer_settled(session_t *session) noexcept nogil:
    cdef peer_t *peer = <peer_t *>session.user
    timer_disarm(peer.server.reactor, &peer.settings)


cdef void on_no_settings(timer_t *timer, double now) noexcept nogil:
    conn_close((<peer_t *>timer.owner).conn, b"the client does not speak HTTP/2: no settings came", True)


cdef const entry_t *entry_of(server_t *server, const char *path, size_t size) noexcept nogil:
    cdef int index
    for index in range(server.entry_count):
        if server.entries[index].path.size == size and memcmp(server.entries[index].path.data, path, size) == 0:
            return &server.entries[index]
    return NULL


cdef int label_entries(server_t *server, dict labels) except -1:
    cdef entry_t *entry
    cdef int index
    for index in range(server.entry_count):
        entry = &server.entries[index]
        label = labels.get(PyBytes_FromStringAndSize(entry.path.data, entry.path.size).decode())
        entry.label.size = 0     # what one had before may be gone
        if label is not None:
            entry.label.data = (<Label?>label).data
            entry.label.size = len((<Label>label).data)
    return 0


# --- answers ------------------------------------------------------------------------------------

cdef void end_rpc(
    const rpc_t *rpc, int status, const request_t *request, const error_t *error, size_t went
) noexcept nogil:
    if error != NULL:
        tell_end(rpc, status, error.text.data, error.text.size, request, error.node, went)
    else:
        tell_end(rpc, status, NULL, 0, request, NULL, went)


cdef inline bint is_failure(int status) noexcept nogil:
    return status != STATUS_OK and status != STATUS_CANCELLED    # whoever hangs up needs no line


cdef void tell_end(
    const rpc_t *rpc, int status, const unsigned char *text, size_t size, const request_t *request,
    const buffer_t *node, size_t went,
) noexcept nogil:
    cdef double now = meter_now()
    cdef journal_t *journal = rpc.peer.server.journal
    cdef ended_t ended
    if rpc.entry != NULL and rpc.entry.meter != NULL:
        meter_add(rpc.entry.meter, status, now - rpc.came, now)
    if journal == NULL or not (journal.access or is_failure(status)):
        return
    memset(&ended, 0, sizeof(ended_t))
    ended.status = status
    ended.failed = is_failure(status)
    ended.now = now
    ended.seconds = now - rpc.came
    ended.came = rpc.size
    ended.went = went
    if rpc.entry != NULL:
        ended.path = rpc.entry.path.data
        ended.path_size = rpc.entry.path.size
    else:
        ended.path = headers_get(&rpc.stream.headers, b":path", 5, &ended.path_size)
    if request != NULL:
        ended.puid = request.puid
        ended.puid_size = request.puid_size
    else:
        ended.puid = headers_get(&rpc.stream.headers, b"seldon-puid", 11, &ended.puid_size)
    if node != NULL:
        ended.node = <const char *>node.data
        ended.node_size = node.size
    ended.text = <const char *>text
    ended.text_size = size
    journal_add(journal, &ended)


cdef inline void count_refused(const peer_t *peer, int why) noexcept nogil:
    if peer.server.engine.meter != NULL:
        peer.server.engine.meter.rejected[why][0] += 1


cdef void count_turned_away(const rpc_t *rpc, int status) noexcept nogil:
    if status == STATUS_RESOURCE_EXHAUSTED:
        count_refused(rpc.peer, REJECTED_MESSAGE)
    elif status == STATUS_DEADLINE_EXCEEDED:
        count_refused(rpc.peer, REJECTED_DEADLINE)


# The headers as a request's own; NULL when memory is out.
cdef metadata_t *metadata_from(const headers_t *headers) noexcept nogil:
    cdef nv_t *fields = <nv_t *>malloc((headers.count + 1) * sizeof(nv_t))
    cdef metadata_t *metadata
    cdef int index
    if fields == NULL:
        return NULL
    for index in range(headers.count):
        fields[index].name = headers.block + headers.fields[index].name
        fields[index].name_size = headers.fields[index].name_size
        fields[index].value = headers.block + headers.fields[index].value
        fields[index].value_size = headers.fields[index].value_size
    metadata = metadata_new(fields, headers.count)
    free(fields)
    return metadata


cdef inline bint is_traced(const rpc_t *rpc) noexcept nogil:
    return rpc.entry != NULL and rpc.entry.label.size > 0 and rpc.peer.server.engine.tracer != NULL


cdef metadata_t *served_apart(rpc_t *rpc) noexcept nogil:
    cdef metadata_t *metadata = metadata_from(&rpc.stream.headers)
    if metadata != NULL and is_traced(rpc):
        rpc.trail = trail_apart(rpc.peer.server.engine.tracer, &metadata)
    return metadata


# A span for what never came to be a request of the flow; those that did have theirs.
cdef void trace_end(rpc_t *rpc, int status, const unsigned char *text, size_t size) noexcept nogil:
    cdef metadata_t *metadata
    cdef ending_t ending
    if rpc.answered or rpc.request != NULL or not is_traced(rpc):
        return
    memset(&ending, 0, sizeof(ending_t))
    metadata = metadata_from(&rpc.stream.headers)
    ending.metadata = metadata
    ending.status = status
    ending.error = error_new(status, <const char *>text, size) if status != STATUS_OK and size > 0 else NULL
    ending.puid = headers_get(&rpc.stream.headers, b"seldon-puid", 11, &ending.puid_size)
    ending.label = rpc.entry.label
    if rpc.trail != NULL:
        trail_end(rpc.trail, NULL, &ending, NULL, 0)
        trail_free(rpc.trail)
        rpc.trail = NULL
    elif rpc.entry.native:
        trail_refused(rpc.peer.server.engine.tracer, &ending, rpc.came)
    error_free(<error_t *>ending.error)
    metadata_unref(metadata)


cdef void abandon_rpc(rpc_t *rpc) noexcept nogil:
    trace_end(rpc, STATUS_CANCELLED, NULL, 0)
    end_rpc(rpc, STATUS_CANCELLED, rpc.request, NULL, 0)


cdef void count_inflated(const rpc_t *rpc, size_t size) noexcept nogil:
    if rpc.entry.native:
        meter_copied(rpc.peer.server.program.nodes[0].meter, COPY_INFLATED, size)


cdef void answer_status(
    rpc_t *rpc, int status, const unsigned char *text, size_t size, const request_t *request
) noexcept nogil:
    trace_end(rpc, status, text, size)
    rpc.answered = True
    tell_end(rpc, status, text, size, request, NULL, 0)
    timer_disarm(rpc.peer.server.reactor, &rpc.timer)
    send_status(rpc.stream, status, text, size, NULL, NULL, 0, NULL)
    conn_touch(rpc.peer.conn)


# Something goes to everybody who reads: a first answer may be as large as it likes.
cdef error_t *peer_refuses(peer_t *peer, size_t size) noexcept nogil:
    cdef size_t limit = peer.server.limits.max_message
    cdef size_t unread = session_unread(peer.conn.session)
    cdef size_t most = peer.server.patience.unread_max
    cdef char[160] text
    if size > limit:
        snprintf(text, sizeof(text), b"answer of %zu bytes is larger than the limit of %zu bytes", size, limit)
    elif unread == 0 or unread + size <= most:
        return NULL
    else:
        count_refused(peer, REJECTED_UNREAD)
        snprintf(text, sizeof(text), b"answers wait unread: %zu bytes of this connection, and %zu more are over the "
                 b"limit of %zu", unread, size, most)
    return error_new(STATUS_RESOURCE_EXHAUSTED, text, strlen(text))


cdef bint peer_charges(peer_t *peer, message_t *answer) noexcept nogil:
    cdef budget_t *budget = peer.server.reactor.budget
    cdef buffer_t *buffer
    if answer.count == 0:
        return True
    buffer = answer.spans[0].buffer
    if not budget_take(budget, buffer.size, budget.hard):
        return False
    buffer_charge(buffer, budget, buffer.size)
    return True


# --- slow ones ------------------------------------------------------------------------------------

cdef double interval(const patience_t *patience) noexcept nogil:
    cdef double shortest = min(patience.header_s, min(patience.grace_s, patience.body_s))
    return max(SWEEP_MIN_S, min(SWEEP_MAX_S, shortest / 4))


cdef void watch(peer_t *peer, double now) noexcept nogil:
    peer.sweep_at = now + interval(&peer.server.patience)
    timer_arm(peer.server.reactor, &peer.sweep, peer.sweep_at)


cdef void peer_begins(session_t *session, stream_t *stream) noexcept nogil:
    cdef peer_t *peer = <peer_t *>session.user
    cdef double now = peer.server.reactor.now
    peer.block_at = now
    if peer.sweep.due == 0:
        peer.read_at = now
        watch(peer, now)


cdef void end(peer_t *peer, int why, const char *reason) noexcept nogil:
    count_refused(peer, why)
    conn_close(peer.conn, reason, True)
    tell(reason)


cdef void tell(const char *reason) noexcept with gil:
    log.info("connection of a client ended: %s", reason.decode())


# Whether the client reads what waits for it: each byte is good for its part of a second, so that one now and then
# gains little, and what was read fast before gains nothing. Control frames that the socket takes are no sign of it.
cdef bint reads(peer_t *peer, double now) noexcept nogil:
    cdef session_t *session = peer.conn.session
    cdef const patience_t *patience = &peer.server.patience
    cdef size_t moved = session.framed - peer.framed
    if session.output.pending > 0:
        moved = max(moved, session.written - peer.written)
    peer.framed = session.framed
    peer.written = session.written
    if session_unread(session) == 0 or (moved > 0 and patience.rate <= 0):
        peer.read_at = now
    elif moved > 0:
        peer.read_at = min(now, peer.read_at + <double>moved / patience.rate)
    return now - peer.read_at <= patience.body_s


cdef bint begins(const peer_t *peer, const stream_t *stream, double now) noexcept nogil:
    return stream.headers_done or stream.discarding or now - peer.block_at <= peer.server.patience.header_s


# Whether the flow has the request, or it has come whole, or Python waits for a message of which nothing came yet: then
# nothing is expected of the client.
cdef inline bint is_here(const rpc_t *rpc) noexcept nogil:
    return rpc.request != NULL or rpc.stream.ended or (rpc.face != NULL and stream_came(rpc.stream) == 0)


cdef void look_at(rpc_t *rpc, double now) noexcept nogil:
    cdef const patience_t *patience = &rpc.peer.server.patience
    cdef double age = now - rpc.began
    # Of a message that is complete only the end of the stream is missing, and that is no bytes.
    cdef size_t came = stream_came(rpc.stream) if rpc.body == NULL else 0
    cdef char[160] text
    if patience.rate > 0 and <double>came < (age - patience.grace_s) * patience.rate:
        snprintf(text, sizeof(text), b"request came too slowly: %zu bytes in %.1f s; the least is %.0f bytes/s after "
                 b"%.1f s", came, age, patience.rate, patience.grace_s)
    elif age > patience.body_s and rpc.peer.server.reactor.budget.waiting > 0:
        snprintf(text, sizeof(text), b"request came too slowly: %zu bytes in %.1f s; while others wait for memory, "
                 b"%.1f s are allowed", came, age, patience.body_s)
    else:
        return
    count_refused(rpc.peer, REJECTED_SLOW)
    answer_status(rpc, STATUS_DEADLINE_EXCEEDED, <const unsigned char *>text, strlen(text), NULL)
    if rpc.face != NULL:
        rpc.peer.server.dismiss(rpc)


# An answer may be read as slowly as the rate allows, but not while its memory is what others wait for. The client gets
# RESOURCE_EXHAUSTED: a status of ours would stand behind what it does not read.
cdef void look_at_answer(rpc_t *rpc, double now) noexcept nogil:
    cdef server_t *server = rpc.peer.server
    if now - rpc.began > server.patience.body_s and server.reactor.budget.waiting > 0 and stream_queued(rpc.stream) > 0:
        count_refused(rpc.peer, REJECTED_UNREAD)
        stream_reset(rpc.stream, H2_ENHANCE_YOUR_CALM)
        conn_touch(rpc.peer.conn)


cdef inline void consider(rpc_t *rpc, double now, double late) noexcept nogil:
    rpc.began += late
    if rpc.answered:
        look_at_answer(rpc, now)
    elif stream_waits(rpc.stream) or is_here(rpc):
        rpc.began = now
    else:
        look_at(rpc, now)


cdef void on_sweep(timer_t *timer, double now) noexcept nogil:
    cdef peer_t *peer = <peer_t *>timer.owner
    cdef session_t *session = peer.conn.session
    cdef stream_t *stream = session.streams
    cdef rpc_t *rpc
    # When this process was busy, clients are not to blame.
    cdef double late = now - peer.sweep_at
    if late < SWEEP_MAX_S:
        late = 0
    peer.block_at += late
    peer.read_at += late
    if not reads(peer, now):
        end(peer, REJECTED_UNREAD, b"answers lie there, and it reads nothing")
        return
    while stream != NULL:
        rpc = <rpc_t *>stream.user
        if not begins(peer, stream, now):
            end(peer, REJECTED_SLOW, b"a header block did not come to its end in time")
            return
        if rpc != NULL:
            consider(rpc, now, late)
        stream = stream.next     # what is refused stays in the list until its end has left
    if session.stream_count > 0 or session.output.pending > 0:
        watch(peer, now)
