"""Owns a Python face of the native HTTP/2 session: bytes in, events and bytes out; for tests and fuzzing.

Must not decide anything: what it reports is what the session's callbacks said, in their order. Events are tuples:

    ("headers", stream, fields, ended)      ("message", stream, data, compressed)   ("end", stream, trailers)
    ("refused", stream, status, text)       ("close", stream, error_code)
    ("goaway", last_stream, error_code)     ("settings",)                           ("pong",)
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int32_t, uint32_t
from libc.stdlib cimport free, malloc
from posix.uio cimport iovec

from executor._native.budget cimport Budget
from executor._native.buffer cimport buffer_t, buffer_unref
from executor._native.headers cimport headers_t
from executor._native.http2 cimport (
    limits_t, nv_t, session_admit, session_feed, session_free, session_goaway, session_is_done, session_new,
    session_ops_t, session_pieces, session_ping, session_pump, session_request, session_room, session_t,
    session_terminate,
    session_unread, session_wants_write, session_wrote, stream_end, stream_headers, stream_queued, stream_reset,
    stream_send, stream_t, stream_waits,
)
from executor._native.message cimport Message
from executor._native.pool cimport Pool

cdef enum:
    PIECES = 64


cdef list fields_of(const headers_t *headers):
    cdef list fields = []
    cdef int index
    for index in range(headers.count):
        fields.append((
            PyBytes_FromStringAndSize(headers.block + headers.fields[index].name, headers.fields[index].name_size),
            PyBytes_FromStringAndSize(headers.block + headers.fields[index].value, headers.fields[index].value_size),
        ))
    return fields


cdef void report(session_t *session, object event) noexcept:
    # No user: the face is being deallocated and nobody listens.
    if session.user != NULL:
        (<Session>session.user).events.append(event)


cdef void on_headers(session_t *session, stream_t *stream) noexcept nogil:
    with gil:
        (<Session>session.user).streams[stream.id] = <size_t>stream
        report(session, ("headers", stream.id, fields_of(&stream.headers), bool(stream.ended)))


cdef void on_message(session_t *session, stream_t *stream, buffer_t *body, bint compressed) noexcept nogil:
    with gil:
        report(session, (
            "message", stream.id, PyBytes_FromStringAndSize(<const char *>body.data, body.size), bool(compressed)))
    buffer_unref(body)


cdef void on_end(session_t *session, stream_t *stream) noexcept nogil:
    with gil:
        report(session, ("end", stream.id, fields_of(&stream.trailers)))


cdef void on_refused(session_t *session, stream_t *stream, int status, const char *text) noexcept nogil:
    with gil:
        (<Session>session.user).streams[stream.id] = <size_t>stream
        report(session, ("refused", stream.id, status, (<bytes>text).decode()))


cdef void on_close(session_t *session, stream_t *stream, uint32_t error_code) noexcept nogil:
    with gil:
        if session.user != NULL:
            (<Session>session.user).streams.pop(stream.id, None)
        report(session, ("close", stream.id, error_code))


cdef void on_goaway(session_t *session, int32_t last_stream_id, uint32_t error_code) noexcept nogil:
    with gil:
        report(session, ("goaway", last_stream_id, error_code))


cdef void on_settings(session_t *session) noexcept nogil:
    with gil:
        report(session, ("settings",))


cdef void on_pong(session_t *session) noexcept nogil:
    with gil:
        report(session, ("pong",))


cdef session_ops_t OPS
OPS.on_headers = on_headers
OPS.on_message = on_message
OPS.on_end = on_end
OPS.on_refused = on_refused
OPS.on_close = on_close
OPS.on_goaway = on_goaway
OPS.on_settings = on_settings
OPS.on_pong = on_pong


cdef class Fields:
    """Headers to send, as the native side wants them; alive as long as this is."""

    cdef nv_t *raw
    cdef int count
    cdef list kept

    def __cinit__(self, fields):
        cdef bytes name, value
        self.kept = [(bytes(name), bytes(value)) for name, value in fields]
        self.raw = <nv_t *>malloc((len(self.kept) + 1) * sizeof(nv_t))
        if self.raw == NULL:
            raise MemoryError()
        for name, value in self.kept:
            self.raw[self.count].name = name
            self.raw[self.count].name_size = len(name)
            self.raw[self.count].value = value
            self.raw[self.count].value_size = len(value)
            self.count += 1

    def __dealloc__(self):
        free(self.raw)


cdef Message message_of(object data):
    return data if isinstance(data, Message) else Message(data)


cdef class Session:
    """One end of a connection. `server` says which; limits are those of `limits_t`, in bytes.

    Calls on a stream raise KeyError when it is gone, RuntimeError when the session refuses them.
    """

    cdef session_t *raw
    cdef list events
    cdef dict streams
    cdef Budget budget
    cdef Pool pool

    def __cinit__(
        self, bint server=False, *, uint32_t max_streams=100, uint32_t max_header_bytes=16384,
        size_t max_message=4 << 20, uint32_t stream_window=65535, uint32_t connection_window=65535,
        Budget budget=None, Pool pool=None,
    ):
        cdef limits_t limits
        limits.max_streams = max_streams
        limits.max_header_bytes = max_header_bytes
        limits.max_message = max_message
        limits.stream_window = stream_window
        limits.connection_window = connection_window
        limits.budget = NULL if budget is None else budget.raw
        limits.pool = NULL if pool is None else &pool.raw
        self.budget = budget
        self.pool = pool
        self.events = []
        self.streams = {}
        self.raw = session_new(server, &OPS, &limits, <void *>self)
        if self.raw == NULL:
            raise MemoryError()

    def __dealloc__(self):
        if self.raw != NULL:
            self.raw.user = NULL
            session_free(self.raw)

    cdef stream_t *stream(self, int32_t stream) except NULL:
        return <stream_t *><size_t>self.streams[stream]

    cdef session_t *live(self) except NULL:
        if self.raw == NULL:
            raise RuntimeError("the session is closed")
        return self.raw

    def feed(self, data not None):
        """Takes bytes from the peer; returns the events since the last call. `failed` says whether it went well."""
        cdef const unsigned char[::1] view = data
        self.live()
        session_feed(self.raw, &view[0] if len(view) else NULL, len(view))
        return self.take_events()

    def admit(self):
        """Lets streams go on that wait for the budget and find room; returns the events since the last call."""
        while self.budget is not None and session_admit(self.budget.raw) != NULL:
            pass
        return self.take_events()

    def take_events(self):
        """Events since the last call; sending causes some too."""
        events, self.events = self.events, []
        return events

    def pump(self, size_t high_water=1 << 20):
        """Serialises up to about `high_water` bytes; returns how many wait."""
        session_pump(self.live(), high_water)
        return self.raw.output.pending

    def pieces(self, int room=PIECES):
        """Copies of the first pieces that wait."""
        cdef iovec[PIECES] pieces
        cdef int count = session_pieces(self.live(), pieces, min(room, PIECES))
        return [
            PyBytes_FromStringAndSize(<const char *>pieces[index].iov_base, pieces[index].iov_len)
            for index in range(count)
        ]

    def wrote(self, size_t size):
        """The peer took `size` bytes of what waits."""
        session_wrote(self.live(), size)

    def take_output(self, size_t high_water=1 << 20):
        """Everything that can be sent now."""
        cdef list parts = []
        while self.pump(high_water) > 0:
            pieces = self.pieces()
            self.wrote(sum(map(len, pieces)))
            parts += pieces
        return b"".join(parts)

    def request(self, fields, data=None, bint more=False):
        """Opens a stream with one message, or none; returns its number."""
        cdef Fields native = Fields(fields)
        cdef Message message = None if data is None else message_of(data)
        cdef stream_t *stream = session_request(
            self.live(), native.raw, native.count, 0, NULL if message is None else message.raw, more, NULL)
        if stream == NULL:
            raise RuntimeError(f"request refused: room for {session_room(self.raw)} streams")
        self.streams[stream.id] = <size_t>stream
        return stream.id

    def headers(self, int32_t stream, fields):
        cdef Fields native = Fields(fields)
        if stream_headers(self.stream(stream), native.raw, native.count, 0) < 0:
            raise RuntimeError(f"headers refused on stream {stream}")

    def send(self, int32_t stream, data):
        """Queues one message: bytes, or a `Message` to keep its gather list."""
        cdef Message message = message_of(data)
        if stream_send(self.stream(stream), message.raw) < 0:
            raise RuntimeError(f"message refused on stream {stream}")

    def end(self, int32_t stream, fields=()):
        cdef Fields native = Fields(fields)
        if stream_end(self.stream(stream), native.raw, native.count) < 0:
            raise RuntimeError(f"end refused on stream {stream}")

    def reset(self, int32_t stream, uint32_t error_code=8):
        if stream_reset(self.stream(stream), error_code) < 0:
            raise RuntimeError(f"reset refused on stream {stream}")

    def queued(self, int32_t stream):
        """Bytes of the stream's messages not yet framed."""
        return stream_queued(self.stream(stream))

    def goaway(self, bint last=True):
        if session_goaway(self.live(), last) < 0:
            raise RuntimeError(f"GOAWAY refused: {self.error}")

    def terminate(self, uint32_t error_code):
        if session_terminate(self.live(), error_code) < 0:
            raise RuntimeError(f"termination refused: {self.error}")

    def ping(self):
        if session_ping(self.live()) < 0:
            raise RuntimeError(f"PING refused: {self.error}")

    def close(self):
        """Ends the session, as losing the connection does; returns the last events."""
        if self.raw != NULL:
            session_free(self.raw)
            self.raw = NULL
        return self.take_events()

    def waits(self, int32_t stream):
        """Whether the stream's message waits for the budget."""
        return bool(stream_waits(self.stream(stream)))

    @property
    def unread(self):
        """Bytes that wait for the peer."""
        return session_unread(self.live())

    @property
    def held(self):
        """Bytes that came for streams that wait."""
        return self.live().held

    @property
    def room(self):
        return session_room(self.live())

    @property
    def failed(self):
        return bool(self.live().failed)

    @property
    def error(self):
        return self.live().error.decode()

    @property
    def done(self):
        return bool(session_is_done(self.live()))

    @property
    def wants_write(self):
        return bool(session_wants_write(self.live()))

    @property
    def open_streams(self):
        return self.live().stream_count
