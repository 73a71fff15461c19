"""Owns the gRPC server side: which request goes to the flow or to Python, and how answers and errors leave.

Must not know what RPCs mean (`executor.protocol` says which goes where), nor listen itself (`executor.rpc.server`).
"""

import asyncio
import collections
import logging

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int32_t, uint32_t
from libc.stdio cimport snprintf
from libc.string cimport memcmp, memset, strlen

from executor._native.answers cimport HEAD_FIELDS, put_head, send_answer, send_http, send_status
from executor._native.buffer cimport Memory, buffer_t, buffer_unref, memory_lend
from executor._native.chance cimport chance_uuid
from executor._native.codec cimport codec_of
from executor._native.endpoint cimport error_free, error_of_failure, error_t, metadata_new, metadata_t, metadata_unref
from executor._native.flow cimport Engine, flow_cancel, flow_new, flow_start, front_ops_t, request_t
from executor._native.grpcwire cimport inflate, is_reserved, put, request_fault, timeout_parse
from executor._native.http2 cimport (
    H2_CANCEL, field_t, headers_get, headers_t, limits_t, nv_t, session_free, session_goaway, session_new,
    session_ops_t, session_t, stream_headers, stream_queued, stream_reset, stream_send, stream_t,
)
from executor._native.journal cimport Journal
from executor._native.message cimport Message, message_of, message_t, message_unref
from executor._native.meters cimport Meter
from executor._native.peer cimport (
    ENTRIES_MAX, abandon_rpc, answer_status, count_inflated, count_turned_away, end_rpc, entry_of, entry_t,
    label_entries, patience_t, peer_begins, peer_charges, peer_free, peer_new, peer_opened, peer_refuses, peer_settled,
    peer_t, rpc_t, served_apart, server_t,
)
from executor._native.pool cimport pool_give, pool_take_clear
from executor._native.program cimport Program, program_ref, program_unref
from executor._native.span cimport out_t
from executor._native.tls cimport Veil, veil_new, veil_put
from executor._native.transport cimport (
    conn_close, conn_t, conn_touch, connection_open, timer_arm, timer_disarm, timer_t,
)
from executor._native.types cimport (
    STATUS_DEADLINE_EXCEEDED, STATUS_INTERNAL, STATUS_INVALID_ARGUMENT, STATUS_OK, STATUS_RESOURCE_EXHAUSTED,
    STATUS_UNIMPLEMENTED, failure_clear, failure_t,
)

from executor import errors
from executor.status import Status

cdef enum:
    METADATA_MAX = 100           # headers of a request that are passed on, the puid included
    PUID_MAX = 40 << 10          # bytes of one that an answer's headers have room for, an error's too
    FEED_BYTES = 64 << 10        # that may wait for a Python handler before its RPC is ended
    STREAM_BYTES = 1 << 20       # that may wait for its client

log = logging.getLogger("millrace.rpc")


# --- answers ------------------------------------------------------------------------------------

cdef void refuse(rpc_t *rpc, int status, const char *text) noexcept nogil:
    answer_status(rpc, status, <const unsigned char *>text, strlen(text), NULL)
    if rpc.face != NULL:
        cancel_stream(rpc)


cdef void on_finish(request_t *request) noexcept nogil:
    cdef rpc_t *rpc = <rpc_t *>request.user
    cdef error_t *error = request.error
    cdef const out_t *timing = &request.trail.timing if request.trail != NULL else NULL
    rpc.request = NULL
    rpc.answered = True
    rpc.began = rpc.peer.server.reactor.now      # to be read
    if error == NULL:
        end_rpc(rpc, STATUS_OK, request, NULL, request.answer.size)
        send_answer(rpc.stream, request.answer, request.puid, request.puid_size, timing)
    else:
        end_rpc(rpc, error.status, request, error, 0)
        send_status(
            rpc.stream, error.status, error.text.data, error.text.size, error.details, request.puid, request.puid_size,
            timing,
        )
    conn_touch(rpc.peer.conn)


cdef error_t *refuse_answer(request_t *request) noexcept nogil:
    return peer_refuses((<rpc_t *>request.user).peer, request.answer.size)


cdef front_ops_t FRONT_OPS
FRONT_OPS.finish = on_finish
FRONT_OPS.refuse = refuse_answer


# --- requests -----------------------------------------------------------------------------------

cdef void on_headers(session_t *session, stream_t *stream) noexcept nogil:
    cdef peer_t *peer = <peer_t *>session.user
    cdef server_t *server = peer.server
    cdef rpc_t *rpc = <rpc_t *>pool_take_clear(server.reactor.pool, sizeof(rpc_t))
    cdef char[300] line
    cdef const char *path
    cdef const char *wrong
    cdef size_t size = 0
    if rpc == NULL:
        stream_reset(stream, H2_CANCEL)
        return
    rpc.peer = peer
    rpc.stream = stream
    stream.user = rpc
    rpc.began = rpc.came = server.reactor.now
    server.rpcs += 1
    rpc.timer.fire = on_deadline
    rpc.timer.owner = rpc
    wrong = request_fault(&stream.headers)
    if wrong != NULL:
        rpc.answered = True
        send_http(stream, wrong)
        conn_touch(peer.conn)
        return
    path = headers_get(&stream.headers, b":path", 5, &size)
    if path == NULL:
        path = b""
    rpc.entry = entry_of(server, path, size)
    if rpc.entry == NULL:
        snprintf(line, sizeof(line), b"unknown method %.*s", <int>min(size, 200), path)
        refuse(rpc, STATUS_UNIMPLEMENTED, line)
    elif read_deadline(rpc):
        if not rpc.entry.native:
            stream.max_message = min(stream.max_message, <size_t>FEED_BYTES)
            open_stream(rpc)


cdef void on_message(session_t *session, stream_t *stream, buffer_t *body, bint compressed) noexcept nogil:
    cdef rpc_t *rpc = <rpc_t *>stream.user
    cdef failure_t failure
    cdef const char *encoding
    cdef size_t size = 0
    if rpc == NULL or rpc.answered:
        buffer_unref(body)
        return
    if compressed:
        failure_clear(&failure)
        encoding = headers_get(&stream.headers, b"grpc-encoding", 13, &size)
        body = inflate(body, encoding, size, stream.max_message, &failure)
        if body == NULL:
            count_turned_away(rpc, failure.status)
            refuse(rpc, failure.status, failure.text)
            return
        count_inflated(rpc, body.size)
    rpc.began = rpc.peer.server.reactor.now      # the next one's, or the end's
    if rpc.face != NULL:
        feed_stream(rpc, body)
        return
    if rpc.body != NULL:
        buffer_unref(body)
        refuse(rpc, STATUS_INTERNAL, b"a unary request carries one message, not several")
        return
    rpc.body = body
    rpc.size = body.size
    rpc.came = rpc.began


cdef void on_end(session_t *session, stream_t *stream) noexcept nogil:
    cdef rpc_t *rpc = <rpc_t *>stream.user
    if rpc == NULL or rpc.answered:
        return
    if rpc.face != NULL:
        end_stream(rpc)
    elif rpc.body == NULL:
        refuse(rpc, STATUS_INTERNAL, b"a unary request carries one message, not none")
    else:
        start(rpc)


cdef void start(rpc_t *rpc) noexcept nogil:
    cdef server_t *server = rpc.peer.server
    cdef message_t *message = message_of(server.encoding, rpc.entry.form, rpc.body)
    cdef metadata_t *metadata
    cdef failure_t failure
    cdef char[36] fresh
    cdef nv_t puid
    rpc.body = NULL
    if message == NULL:
        refuse(rpc, STATUS_RESOURCE_EXHAUSTED, b"out of memory")
        return
    failure_clear(&failure)
    if codec_of(server.encoding).scan(message, &failure) < 0:
        message_unref(message)
        refuse_failure(rpc, &failure)
        return
    put(&puid, b"seldon-puid", 11, fresh, sizeof(fresh))
    metadata = read_metadata(rpc, &puid)
    if metadata == NULL:
        message_unref(message)
        return
    timer_disarm(server.reactor, &rpc.timer)     # the flow's from here on
    rpc.request = flow_new(
        server.engine, server.program, rpc.entry.walk, rpc.entry.method, message, metadata, puid.value,
        puid.value_size, rpc.deadline, &FRONT_OPS, rpc,
    )
    if rpc.request == NULL:
        refuse(rpc, STATUS_RESOURCE_EXHAUSTED, b"too many requests in flight")
    else:
        rpc.request.label = rpc.entry.label
        flow_start(rpc.request)


cdef void refuse_failure(rpc_t *rpc, const failure_t *failure) noexcept nogil:
    cdef error_t *error = error_of_failure(failure, NULL, 0)
    answer_status(rpc, error.status, error.text.data, error.text.size, NULL)
    error_free(error)


# The deadline counts from the headers, however long the message takes to come. False after it refused the request.
cdef bint read_deadline(rpc_t *rpc) noexcept nogil:
    cdef server_t *server = rpc.peer.server
    cdef size_t size = 0
    cdef const char *text = headers_get(&rpc.stream.headers, b"grpc-timeout", 12, &size)
    cdef double timeout = server.default_timeout
    if text != NULL:
        timeout = timeout_parse(text, size)
        if timeout < 0:
            refuse(rpc, STATUS_INTERNAL, b"grpc-timeout is not a number of up to 8 digits and one of H M S m u n")
            return False
        if timeout == 0:
            count_turned_away(rpc, STATUS_DEADLINE_EXCEEDED)
            refuse(rpc, STATUS_DEADLINE_EXCEEDED, b"deadline exceeded on arrival")
            return False
    # Watching and the like go on for as long as the client wants, unless it says otherwise itself.
    if timeout > 0 and (text != NULL or rpc.entry.native):
        rpc.deadline = server.reactor.now + timeout
        timer_arm(server.reactor, &rpc.timer, rpc.deadline)
    return True


cdef void on_deadline(timer_t *timer, double now) noexcept nogil:
    count_turned_away(<rpc_t *>timer.owner, STATUS_DEADLINE_EXCEEDED)
    refuse(<rpc_t *>timer.owner, STATUS_DEADLINE_EXCEEDED, b"deadline exceeded before the request was complete")


# What is passed on to nodes: the request's headers and the puid, which is made when the request has none. NULL after it
# refused the request.
cdef metadata_t *read_metadata(rpc_t *rpc, nv_t *puid) noexcept nogil:
    cdef const headers_t *headers = &rpc.stream.headers
    cdef nv_t[METADATA_MAX] fields
    cdef const field_t *field
    cdef const char *name
    cdef metadata_t *metadata
    cdef bint has_puid = False
    cdef int index, count = 0
    for index in range(headers.count):
        field = &headers.fields[index]
        name = headers.block + field.name
        if is_reserved(name, field.name_size):
            continue
        if count == METADATA_MAX - 1:
            refuse(rpc, STATUS_RESOURCE_EXHAUSTED, b"more than 99 headers of metadata")
            return NULL
        put(&fields[count], name, field.name_size, headers.block + field.value, field.value_size)
        if field.name_size == 11 and memcmp(name, b"seldon-puid", 11) == 0:
            if has_puid or field.value_size == 0:
                continue         # nodes get one, and never an empty one
            if field.value_size > PUID_MAX:
                refuse(rpc, STATUS_INVALID_ARGUMENT, b"seldon-puid: an answer has room for 40960 bytes of it")
                return NULL
            has_puid = True
            puid[0] = fields[count]
        count += 1
    if not has_puid:
        chance_uuid(&rpc.peer.server.engine.chance, <char *>puid.value)
        fields[count] = puid[0]
        count += 1
    metadata = metadata_new(fields, count)
    if metadata == NULL:
        refuse(rpc, STATUS_RESOURCE_EXHAUSTED, b"out of memory")
    return metadata


cdef void on_refused(session_t *session, stream_t *stream, int status, const char *text) noexcept nogil:
    cdef rpc_t *rpc = <rpc_t *>stream.user
    if rpc == NULL:              # its headers were too large to be looked at
        send_status(stream, status, <const unsigned char *>text, strlen(text), NULL, NULL, 0, NULL)
        conn_touch((<peer_t *>session.user).conn)
    elif not rpc.answered:
        count_turned_away(rpc, status)
        refuse(rpc, status, text)


cdef void on_close(session_t *session, stream_t *stream, uint32_t code) noexcept nogil:
    cdef rpc_t *rpc = <rpc_t *>stream.user
    if rpc == NULL:
        return
    stream.user = NULL
    timer_disarm(rpc.peer.server.reactor, &rpc.timer)
    rpc.peer.server.rpcs -= 1
    if not rpc.answered:
        abandon_rpc(rpc)
    if rpc.request != NULL:
        flow_cancel(rpc.request)
    if rpc.face != NULL:
        close_stream(rpc)
    buffer_unref(rpc.body)
    pool_give(rpc.peer.server.reactor.pool, rpc)


cdef void on_goaway(session_t *session, int32_t last_stream_id, uint32_t code) noexcept nogil:
    pass                         # the client closes when its calls are over


cdef void on_pong(session_t *session) noexcept nogil:
    pass


cdef void on_lost(conn_t *conn) noexcept nogil:
    peer_free(<peer_t *>conn.user)


cdef session_ops_t SESSION_OPS = session_ops_t(
    on_begin=peer_begins, on_headers=on_headers, on_message=on_message, on_end=on_end, on_refused=on_refused,
    on_close=on_close, on_goaway=on_goaway, on_settings=peer_settled, on_pong=on_pong,
)


# --- RPCs that Python handlers serve: admin services, off the hot path ---------------------------

cdef void open_stream(rpc_t *rpc) noexcept with gil:
    cdef Server server = <Server>rpc.peer.server.face
    cdef Stream stream = Stream.__new__(Stream)
    cdef metadata_t *metadata = served_apart(rpc)
    cdef nv_t *field
    cdef int index
    stream.rpc = rpc
    stream.server = server
    stream.reactor = server.reactor
    stream.messages = collections.deque()
    stream.path = PyBytes_FromStringAndSize(rpc.entry.path.data, rpc.entry.path.size).decode()
    stream.headers = []
    for index in range(metadata.count if metadata != NULL else 0):
        field = &metadata.fields[index]
        stream.headers.append((
            PyBytes_FromStringAndSize(field.name, field.name_size).decode("latin-1"),
            PyBytes_FromStringAndSize(field.value, field.value_size).decode("latin-1"),
        ))
    metadata_unref(metadata)
    Py_INCREF(stream)
    rpc.face = <void *>stream
    server.streams.add(stream)
    stream.task = server.reactor.loop.create_task(serve_stream(stream, server.handlers[stream.path]))
    server.tasks.add(stream.task)
    stream.task.add_done_callback(server.tasks.discard)


async def serve_stream(Stream stream, handler):
    try:
        await handler(stream)
        stream.finish()
    except asyncio.CancelledError:
        stream.finish(int(Status.UNAVAILABLE), "the server is shutting down")
        raise
    except errors.Error as error:
        stream.finish(int(error.status), error.message)
    except Exception as error:
        log.exception("%s failed", stream.path)
        stream.finish(int(Status.INTERNAL), f"{type(error).__name__}: {error}")


cdef void feed_stream(rpc_t *rpc, buffer_t *body) noexcept with gil:
    cdef Stream stream = <Stream>rpc.face
    stream.waiting += body.capacity      # empty ones take memory too
    if stream.waiting > FEED_BYTES or stream_queued(rpc.stream) > STREAM_BYTES:
        refuse(rpc, STATUS_RESOURCE_EXHAUSTED, b"more than 64 KiB of messages wait for an answer, or 1 MiB of answers")
    else:
        stream.messages.append(memory_lend(body, body.data, body.size, False))   # so it is charged while it waits
        stream.wake()
    buffer_unref(body)


cdef void cancel_stream(rpc_t *rpc) noexcept with gil:
    (<Stream>rpc.face).task.cancel()


cdef void end_stream(rpc_t *rpc) noexcept with gil:
    cdef Stream stream = <Stream>rpc.face
    stream.ended = True
    stream.wake()


cdef void close_stream(rpc_t *rpc) noexcept with gil:
    cdef Stream stream = <Stream>rpc.face
    stream.rpc = NULL
    stream.ended = True
    stream.messages.clear()      # whoever still holds the stream shall not hold memory
    stream.server.streams.discard(stream)
    if not rpc.answered:
        stream.task.cancel()
    stream.wake()
    Py_DECREF(stream)


cdef class Stream:
    """One RPC that a Python handler serves: `async def handler(stream)`; returning ends it with OK.

    An `executor.errors.Error` that the handler raises becomes the status; anything else becomes INTERNAL.
    """

    async def receive(self):
        """The next message of the client as bytes; None when it has sent its last.

        So it is when the server drains, once something was answered: a stream could otherwise go on for ever.
        """
        cdef Memory memory
        while not self.messages and not self.ended and not (self.headers_sent and self.server.draining.done()):
            self.waiter = self.reactor.loop.create_future()
            await self.waiter
        if not self.messages:
            return None
        memory = <Memory>self.messages.popleft()
        self.waiting -= memory.buffer.capacity
        return bytes(memory)

    def send(self, bytes data):
        """Sends one message; nothing when the client is gone."""
        cdef Message message = Message(data)
        cdef nv_t[HEAD_FIELDS] fields
        if self.rpc == NULL or self.rpc.answered:
            return
        self.reactor.enter()
        if peer_charges(self.rpc.peer, message.raw):
            if not self.headers_sent:
                stream_headers(self.rpc.stream, fields, put_head(fields), HEAD_FIELDS)
            self.headers_sent = True
            stream_send(self.rpc.stream, message.raw)
            conn_touch(self.rpc.peer.conn)
        else:
            refuse(self.rpc, STATUS_RESOURCE_EXHAUSTED, b"no memory for an answer now")
        self.reactor.settle()

    def finish(self, int status=0, str text=""):
        """Ends the RPC with a status; nothing when it has ended already."""
        cdef bytes raw = text.encode("utf-8", "replace")
        if self.rpc == NULL or self.rpc.answered:
            return
        self.reactor.enter()
        answer_status(self.rpc, status, <const unsigned char *><const char *>raw, len(raw), NULL)
        self.reactor.settle()

    @property
    def open(self):
        """Whether the client is still there."""
        return self.rpc != NULL

    @property
    def draining(self):
        """A future that is done when the server wants its streams to end."""
        return self.server.draining

    cdef int wake(self) except -1:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)
        return 0


cdef class Server:
    """Serves gRPC on connections given by `accept`.

    `natives` maps RPC paths to (walk, method, form), `handlers` to Python handlers (see `Stream`). `default_timeout_s`
    holds for requests that bring no grpc-timeout; 0 is none. The other bounds are those of `patience_t` and `limits_t`.
    `journal` is told of requests that are over.
    """

    def __init__(
        self, Engine engine, Program program, natives, handlers, *, int encoding=0, double default_timeout_s=0,
        size_t max_message=64 << 20, size_t max_header=16 << 10, int max_streams=1000, size_t unread_max=1 << 30,
        double header_timeout_s=10, double body_timeout_s=60, double receive_grace_s=10, double receive_rate=1024,
        Journal journal=None,
    ):
        cdef entry_t *entry
        memset(&self.server, 0, sizeof(server_t))
        if len(natives) + len(handlers) > ENTRIES_MAX:
            raise ValueError(f"{len(natives) + len(handlers)} RPCs: at most {ENTRIES_MAX}")
        self.engine = engine
        self.reactor = engine.reactor
        self.handlers = dict(handlers)
        self.tasks, self.streams = set(), set()
        self.draining = self.reactor.loop.create_future()
        self.keep = []
        self.server.reactor = &self.reactor.raw
        self.server.engine = &engine.raw
        self.journal = journal
        self.server.journal = &journal.raw if journal is not None else NULL
        self.server.face = <void *>self
        self.server.dismiss = cancel_stream
        self.server.encoding = encoding
        self.server.default_timeout = default_timeout_s
        self.server.patience = patience_t(header_timeout_s, receive_grace_s, receive_rate, body_timeout_s, unread_max)
        self.server.limits = limits_t(
            max_streams, max_header, max_message, stream_window=1 << 20, connection_window=16 << 20,
            budget=self.reactor.raw.budget, pool=self.reactor.raw.pool,
        )
        for path, (walk, method, form) in natives.items():
            entry = self.add_entry(path)
            entry.native = True
            entry.walk, entry.method, entry.form = int(walk), int(method), int(form)
        for path in handlers:
            self.add_entry(path).native = False
        self.use(program)

    cdef entry_t *add_entry(self, str path) except NULL:
        cdef bytes raw = path.encode()
        cdef entry_t *entry = &self.server.entries[self.server.entry_count]
        self.keep.append(raw)
        entry.path.data = raw
        entry.path.size = len(raw)
        self.server.entry_count += 1
        return entry

    def count(self, meters):
        """Counts requests by the `Meter` of their RPC's path from now on; those without one are not counted."""
        cdef int index
        self.meters = dict(meters)
        for index in range(self.server.entry_count):
            meter = self.meters.get((<bytes>self.keep[index]).decode())
            self.server.entries[index].meter = &(<Meter?>meter).raw if meter is not None else NULL

    def trace(self, labels):
        """What spans of requests begin with from now on, a `Label` by their RPC's path; those without one have none."""
        self.labels = dict(labels)
        label_entries(&self.server, self.labels)

    def use(self, Program program):
        """New requests run on `program` from now on; those that run finish on theirs."""
        if self.server.program != NULL:
            program_unref(self.server.program)
        self.server.program = program_ref(&program.raw)
        self.program = program

    def __dealloc__(self):
        if self.server.program != NULL:
            program_unref(self.server.program)

    def accept(self, int fd, context=None):
        """Takes over an accepted, non-blocking socket's file descriptor, unless it raises; TLS with a `context`."""
        cdef Veil veil = veil_new(context, None) if context is not None else None
        cdef peer_t *peer = peer_new(&self.server)
        cdef session_t *session
        if peer == NULL:
            raise MemoryError()
        session = session_new(True, &SESSION_OPS, &self.server.limits, peer)
        if session == NULL:
            peer_free(peer)
            raise MemoryError()
        self.reactor.enter()
        try:
            peer.conn = &connection_open(self.reactor, fd, session, peer, on_lost, self).raw
        except BaseException:
            session_free(session)
            peer_free(peer)
            raise
        if veil is not None:
            veil_put(veil, peer.conn)
        peer_opened(peer)
        self.reactor.settle()

    def drain(self, bint last=False):
        """Tells clients with GOAWAY to open no more streams: first a notice, with `last` the final word."""
        cdef peer_t *peer = self.server.peers
        cdef Stream stream
        while peer != NULL:
            session_goaway(peer.conn.session, last)
            conn_touch(peer.conn)
            peer = peer.next
        if last and not self.draining.done():
            self.draining.set_result(None)
            for stream in self.streams:
                stream.wake()
        self.reactor.enter()
        self.reactor.settle()

    def close(self):
        """Ends every connection now; requests that still run are cancelled."""
        cdef peer_t *peer = self.server.peers
        while peer != NULL:
            conn_close(peer.conn, b"the server is shutting down", True)
            peer = peer.next
        for task in list(self.tasks):
            task.cancel()
        self.reactor.enter()
        self.reactor.settle()

    @property
    def connections(self):
        """Number of client connections."""
        return self.server.peer_count

    @property
    def rpcs(self):
        """Number of RPCs that are open, streams of admin services included."""
        return self.server.rpcs
