"""Owns client channels: the HTTP/2 connections to one endpoint and the calls on them.

Must not know how addresses are found or connections made (`executor.rpc.channels`), nor how a plan is walked.

A call takes the connection with the fewest streams. When none has room, or as many calls as may be are on the wire, it
waits, in a bounded queue and under its deadline, and Python is asked for a connection. When there is none to be had,
those that wait fail with the reason. A call of which the peer has provably seen nothing is sent once more.
"""

cimport cython
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.limits cimport INT_MAX
from libc.stdint cimport int32_t, uint32_t
from libc.stdio cimport snprintf
from libc.string cimport memset

from executor._native.buffer cimport buffer_t, buffer_unref
from executor._native.codec cimport name_t
from executor._native.copies cimport COPY_INFLATED
from executor._native.endpoint cimport (
    Endpoint, call_t, endpoint_ops_t, endpoint_t, error_at, error_free, error_new, error_of_failure, error_t,
    error_to_exception, metadata_of, metadata_t, metadata_unref,
)
from executor._native.exchange cimport (
    channel_t, conclude, dropped, error_here, error_of_reset, exchange_free, exchange_new, exchange_t, leave_queue,
    link_t, read_trailers,
)
from executor._native.grpcwire cimport TIMEOUT_TEXT, error_of_http, inflate, is_reserved, put, timeout_print
from executor._native.headers cimport fields_size
from executor._native.http2 cimport (
    H2_CANCEL, H2_REFUSED_STREAM, MAX_FIELDS_SENT, headers_get, nv_t, session_ops_t, session_request, session_t,
    stream_reset, stream_t,
)
from executor._native.links cimport (
    channel_changed, link_entered, link_find, link_heard, link_is_leaving, link_left, link_open, link_pick,
    link_reset, link_retire, link_settled, link_spare,
)
from executor._native.message cimport Message, message_t, message_unref, message_wrap
from executor._native.meters cimport meter_copied
from executor._native.transport cimport Reactor, conn_close, conn_touch, reactor_add_work, reactor_drop_work, work_t
from executor._native.types cimport (
    STATUS_INTERNAL, STATUS_RESOURCE_EXHAUSTED, STATUS_UNAVAILABLE, STATUS_UNIMPLEMENTED, failure_clear, failure_t,
)

cdef enum:
    UNSENT_MAX = 3               # connections found dead by one call before it fails
    FIELDS_MAX = 128             # headers of one call, ours included; a request's own were bounded when it came


# --- exchanges ----------------------------------------------------------------------------------

cdef void wait_for_room(exchange_t *exchange) noexcept nogil:
    cdef channel_t *channel = exchange.channel
    cdef char[100] text
    if channel.closed:
        conclude(exchange, error_here(channel, STATUS_UNAVAILABLE, b"the channel is closed"))
        return
    if channel.waiting >= channel.waiting_max:
        exchange.turned_away = True
        snprintf(text, sizeof(text), b"%ld calls wait for their turn already, which is the limit", channel.waiting)
        conclude(exchange, error_here(channel, STATUS_RESOURCE_EXHAUSTED, text))
        return
    exchange.waiting = True
    exchange.since = channel.reactor.now
    exchange.next = NULL
    exchange.previous = channel.last
    if channel.last == NULL:
        channel.first = exchange
    else:
        channel.last.next = exchange
    channel.last = exchange
    channel.waiting += 1
    ask_for_connection(channel)


# Nothing is gained by another one where the bound on calls is what they wait for.
cdef inline void ask_for_connection(channel_t *channel) noexcept nogil:
    if not channel.full and channel.active < channel.active_max:
        channel_changed(channel)


# The headers of a call; `timeout` is where the text of its time goes. Returns how many there are; `fixed` are ours.
cdef int head_of(exchange_t *exchange, nv_t *fields, int *fixed, char *timeout) noexcept nogil:
    cdef channel_t *channel = exchange.channel
    cdef int count = 8
    cdef int index
    put(&fields[0], b":method", 7, b"POST", 4)
    put(&fields[1], b":scheme", 7, b"https", 5 if channel.secure else 4)
    put(&fields[2], b":path", 5, exchange.path.data, exchange.path.size)
    put(&fields[3], b":authority", 10, channel.authority.data, channel.authority.size)
    put(&fields[4], b"te", 2, b"trailers", 8)
    put(&fields[5], b"content-type", 12, b"application/grpc", 16)
    put(&fields[6], b"user-agent", 10, channel.user_agent.data, channel.user_agent.size)
    put(&fields[7], b"grpc-accept-encoding", 20, b"gzip,identity", 13)
    if exchange.deadline > 0:
        put(&fields[8], b"grpc-timeout", 12, timeout, timeout_print(exchange.deadline - channel.reactor.now, timeout))
        count += 1
    fixed[0] = count
    if exchange.metadata != NULL:
        for index in range(min(exchange.metadata.count, FIELDS_MAX - count)):
            # A REST front passes on headers that mean something else to gRPC.
            if not is_reserved(exchange.metadata.fields[index].name, exchange.metadata.fields[index].name_size):
                fields[count] = exchange.metadata.fields[index]
                count += 1
    return count


# On a connection that has room. A call that cannot be sent at all ends here: it must not stand in the others' way.
cdef void send(exchange_t *exchange, link_t *link) noexcept nogil:
    cdef nv_t[FIELDS_MAX] fields
    cdef char[TIMEOUT_TEXT] timeout
    cdef char[100] text
    cdef int fixed = 0
    cdef int count = head_of(exchange, fields, &fixed, timeout)
    cdef size_t size = fields_size(fields, count)
    if size > MAX_FIELDS_SENT:
        snprintf(text, sizeof(text), b"headers of %zu bytes: at most %d can be sent", size, <int>MAX_FIELDS_SENT)
        conclude(exchange, error_here(exchange.channel, STATUS_RESOURCE_EXHAUSTED, text))
        return
    exchange.mark = link.conn.session.output.written + link.conn.session.output.pending
    exchange.stream = session_request(link.conn.session, fields, count, fixed, exchange.message, False, exchange)
    if exchange.stream == NULL:
        conclude(exchange, error_here(exchange.channel, STATUS_RESOURCE_EXHAUSTED, b"out of memory"))
        return
    exchange.link = link
    link_entered(link)
    conn_touch(link.conn)


# Sends what waits, oldest first, as long as there is room.
cdef void send_waiting(channel_t *channel) noexcept nogil:
    cdef exchange_t *exchange
    cdef link_t *link
    while channel.first != NULL and channel.active < channel.active_max:
        exchange = channel.first
        link = link_pick(channel, exchange.link)
        if link == NULL:
            ask_for_connection(channel)
            return
        leave_queue(exchange)
        send(exchange, link)


cdef void exchange_start(exchange_t *exchange) noexcept nogil:
    cdef channel_t *channel = exchange.channel
    cdef link_t *link = NULL
    cdef char[120] text
    if exchange.message.size > channel.limits.max_message:
        snprintf(
            text, sizeof(text), b"message of %zu bytes is larger than the limit of %zu bytes", exchange.message.size,
            channel.limits.max_message,
        )
        conclude(exchange, error_here(channel, STATUS_RESOURCE_EXHAUSTED, text))
        return
    # Those that wait already come first.
    if channel.first == NULL and channel.active < channel.active_max:
        link = link_pick(channel, exchange.link)
    if link != NULL:
        send(exchange, link)
    else:
        wait_for_room(exchange)


cdef void exchange_cancel(exchange_t *exchange) noexcept nogil:
    if exchange.waiting:
        leave_queue(exchange)
        exchange_free(exchange)
        return
    exchange.done = dropped
    message_unref(exchange.message)      # what of it has not left yet goes with the stream
    exchange.message = NULL
    buffer_unref(exchange.body)
    exchange.body = NULL
    link_reset(exchange)


# --- what the sessions report -------------------------------------------------------------------

cdef void on_headers(session_t *session, stream_t *stream) noexcept nogil:
    cdef exchange_t *exchange = <exchange_t *>stream.user
    link_heard(<link_t *>session.user)
    if exchange != NULL and exchange.error == NULL:
        exchange.error = error_of_http(&stream.headers)
        # Nobody reads the page that a server which does not speak gRPC may go on to send.
        if exchange.error != NULL and not stream.ended:
            stream_reset(stream, H2_CANCEL)


cdef void on_message(session_t *session, stream_t *stream, buffer_t *body, bint compressed) noexcept nogil:
    cdef exchange_t *exchange = <exchange_t *>stream.user
    cdef failure_t failure
    cdef const char *encoding
    cdef size_t size = 0
    link_heard(<link_t *>session.user)
    if exchange == NULL or exchange.error != NULL or exchange.done == dropped:
        buffer_unref(body)
        return
    if exchange.body != NULL:
        buffer_unref(body)
        exchange.error = error_here(exchange.channel, STATUS_INTERNAL, b"answered more than one message")
        stream_reset(stream, H2_CANCEL)      # it may go on for ever
        return
    if compressed:
        failure_clear(&failure)
        encoding = headers_get(&stream.headers, b"grpc-encoding", 13, &size)
        body = inflate(body, encoding, size, session.limits.max_message, &failure)
        if body == NULL:
            exchange.error = error_of_failure(&failure, NULL, 0)
            stream_reset(stream, H2_CANCEL)
            return
        exchange.inflated = body.size
    exchange.body = body


cdef void on_end(session_t *session, stream_t *stream) noexcept nogil:
    cdef exchange_t *exchange = <exchange_t *>stream.user
    if exchange != NULL and exchange.error == NULL:
        # Trailers-only answers carry the status in their one header block.
        read_trailers(exchange, &stream.trailers if stream.trailers.count > 0 else &stream.headers)


cdef void on_refused(session_t *session, stream_t *stream, int status, const char *text) noexcept nogil:
    cdef exchange_t *exchange = <exchange_t *>stream.user
    if exchange != NULL and exchange.error == NULL:
        exchange.error = error_here(exchange.channel, status, text)
    stream_reset(stream, H2_CANCEL)


# Whether the peer has provably done nothing with a call, which is then sent again. It says so: that counts once. Or the
# connection was lost before any byte of the call was with the socket: the connections of a server that died are found
# dead one after another, so that counts more often.
cdef bint is_to_be_sent_again(exchange_t *exchange, const stream_t *stream, uint32_t code) noexcept nogil:
    if exchange.done == dropped or exchange.channel.closed or exchange.body != NULL:
        return False
    if code == H2_REFUSED_STREAM:
        exchange.refused += 1
        return exchange.refused == 1
    if exchange.link.conn.closing and (not stream.opened or stream.session.output.written <= exchange.mark):
        exchange.unsent += 1
        return exchange.unsent <= UNSENT_MAX
    return False


cdef void on_close(session_t *session, stream_t *stream, uint32_t code) noexcept nogil:
    cdef exchange_t *exchange = <exchange_t *>stream.user
    cdef channel_t *channel
    cdef error_t *error
    cdef bint again = False
    if exchange == NULL:
        return
    channel = exchange.channel
    link_spare(exchange)
    link_left(exchange.link)
    exchange.stream = NULL
    error = exchange.error
    exchange.error = NULL
    # An answer that had come whole counts, whatever became of the stream after it.
    if error == NULL and not stream.ended:
        again = is_to_be_sent_again(exchange, stream, code)
        if not again:
            error = error_of_reset(exchange, code)
    if again:
        exchange_start(exchange)
    else:
        conclude(exchange, error)
    if channel.first != NULL:
        send_waiting(channel)


cdef void on_goaway(session_t *session, int32_t last_stream_id, uint32_t code) noexcept nogil:
    cdef link_t *link = <link_t *>session.user
    link.leaving = True
    channel_changed(link.channel)


cdef void on_settings(session_t *session) noexcept nogil:
    cdef link_t *link = <link_t *>session.user
    link_settled(link)
    send_waiting(link.channel)


cdef void on_pong(session_t *session) noexcept nogil:
    link_heard(<link_t *>session.user)


cdef void on_lost(channel_t *channel, link_t *link) noexcept with gil:
    cdef Channel face = <Channel>channel.face
    if face.on_lost is not None:
        face.on_lost(link.number, (<bytes>link.conn.reason).decode("utf-8", "replace"), link.settled)


cdef void tell_change(work_t *work) noexcept:
    cdef Channel face = <Channel>work.owner
    if face.on_change is not None:
        face.on_change()


cdef session_ops_t SESSION_OPS
SESSION_OPS.on_headers = on_headers
SESSION_OPS.on_message = on_message
SESSION_OPS.on_end = on_end
SESSION_OPS.on_refused = on_refused
SESSION_OPS.on_close = on_close
SESSION_OPS.on_goaway = on_goaway
SESSION_OPS.on_settings = on_settings
SESSION_OPS.on_pong = on_pong


# --- as a plan's endpoint -----------------------------------------------------------------------

cdef void endpoint_start(endpoint_t *endpoint, call_t *call) noexcept nogil:
    cdef channel_t *channel = <channel_t *>endpoint.impl
    cdef exchange_t *exchange
    if channel.paths[call.method].size == 0:
        call.complete(call, NULL, error_at(
            STATUS_UNIMPLEMENTED, call.node, call.node_size, b"its protocol has no RPC for this method"
        ))
        return
    exchange = exchange_new(channel, call.message, call.metadata)
    if exchange == NULL:
        call.complete(call, NULL, error_new(STATUS_RESOURCE_EXHAUSTED, b"out of memory", 13))
        return
    exchange.path = channel.paths[call.method]
    exchange.deadline = call.deadline
    exchange.timed = call.timed
    exchange.owner = call
    exchange.done = call_done
    call.token = exchange
    exchange_start(exchange)


# What those who count are told of it. The last time that it was not done, it was not sent again.
cdef inline void told(const exchange_t *exchange, call_t *call) noexcept nogil:
    call.waited = exchange.waited
    if exchange.waiting:
        call.waited += exchange.channel.reactor.now - exchange.since
    call.retries = min(exchange.refused, 1) + min(exchange.unsent, UNSENT_MAX)
    call.turned_away = exchange.turned_away
    call.told_whole = exchange.told_whole
    call.told_queued = exchange.told_queued


cdef void endpoint_cancel(endpoint_t *endpoint, call_t *call) noexcept nogil:
    cdef exchange_t *exchange = <exchange_t *>call.token
    told(exchange, call)
    exchange_cancel(exchange)


cdef void call_done(exchange_t *exchange, message_t *answer, error_t *error) noexcept nogil:
    cdef call_t *call = <call_t *>exchange.owner
    told(exchange, call)
    if exchange.inflated > 0:
        meter_copied(call.meter, COPY_INFLATED, exchange.inflated)
    call.complete(call, answer, error)


cdef endpoint_ops_t OPS
OPS.start = endpoint_start
OPS.cancel = endpoint_cancel


# --- the Python face ----------------------------------------------------------------------------

cdef class Ticket:
    """A call made from Python: `future` gets the answer or the error; `cancel()` ends it early."""

    cdef exchange_t *exchange
    cdef Channel channel
    cdef readonly object future
    cdef message_t *answer
    cdef error_t *error
    cdef work_t work
    cdef bytes path

    def __dealloc__(self):
        message_unref(self.answer)
        error_free(self.error)

    def cancel(self):
        """Resets the call on the wire, if it is still under way."""
        if self.exchange != NULL:
            self.channel.reactor.enter()
            exchange_cancel(self.exchange)
            self.exchange = NULL
            self.channel.reactor.settle()
            Py_DECREF(self)      # the reference that the exchange held


cdef void ticket_done(exchange_t *exchange, message_t *answer, error_t *error) noexcept nogil:
    ticket_fill(exchange, answer, error)


cdef void ticket_fill(exchange_t *exchange, message_t *answer, error_t *error) noexcept with gil:
    cdef Ticket ticket = <Ticket>exchange.owner
    ticket.exchange = NULL
    ticket.answer = answer
    ticket.error = error
    reactor_add_work(exchange.channel.reactor, &ticket.work)


cdef void ticket_deliver(work_t *work) noexcept:
    cdef Ticket ticket = <Ticket>work.owner
    cdef message_t *answer = ticket.answer
    cdef error_t *error = ticket.error
    ticket.answer = NULL
    ticket.error = NULL
    if ticket.future.done():
        message_unref(answer)
        error_free(error)
    elif error != NULL:
        ticket.future.set_exception(error_to_exception(error))
    else:
        ticket.future.set_result(message_wrap(answer))
    Py_DECREF(ticket)


# Work that is queued refers to it; the collector must not clear it first.
@cython.no_gc_clear
cdef class Channel(Endpoint):
    """The connections to one endpoint, and the calls on them.

    `Channel(reactor, target, authority, paths, encoding=0, max_message=…, …)`: `target` is for messages, `paths` maps
    `executor.types.Method` to the RPC that asks a node for it. At most `active_max` calls are on the wire, and
    `waiting_max` wait. With `keepalive` a connection with calls that says nothing for so long is sent a PING, which is
    to be answered within `pong` seconds. Connections come in by `attach`; `on_change` is called when calls wait for
    one, and when one became ready, leaves or is gone.
    """

    def __init__(
        self, Reactor reactor, str target, str authority, paths, *, int encoding=0, size_t max_message=64 << 20,
        size_t max_header=16 << 10, long active_max=4096, long waiting_max=10_000, double keepalive=0, double pong=20,
        str user_agent="millrace", bint secure=False,
    ):
        memset(&self.channel, 0, sizeof(channel_t))
        self.reactor = reactor
        self.target = target
        self.keep = []
        self.name(&self.channel.target, target)
        self.name(&self.channel.authority, authority)
        self.name(&self.channel.user_agent, user_agent)
        for method, path in paths.items():
            self.name(&self.channel.paths[int(method)], path)
        self.channel.reactor = &reactor.raw
        self.channel.face = <void *>self
        self.channel.encoding = encoding
        self.channel.secure = secure
        self.channel.active_max = active_max
        self.channel.waiting_max = waiting_max
        self.channel.keepalive = keepalive
        self.channel.pong = pong
        self.channel.crowd = INT_MAX
        self.channel.limits.max_streams = 0
        self.channel.limits.max_header_bytes = max_header
        self.channel.limits.max_message = max_message
        self.channel.limits.budget = reactor.raw.budget
        self.channel.limits.pool = reactor.raw.pool
        self.channel.limits.stream_window = 1 << 20
        self.channel.limits.connection_window = 16 << 20
        self.channel.changed.run = tell_change
        self.channel.changed.owner = <void *>self
        self.channel.lost = on_lost
        self.raw.ops = &OPS
        self.raw.impl = &self.channel
        self.raw.encoding = encoding

    cdef int name(self, name_t *name, str text) except -1:
        cdef bytes data = text.encode()
        self.keep.append(data)
        name.data = data
        name.size = len(data)
        return 0

    def __dealloc__(self):
        if self.reactor is not None:
            reactor_drop_work(&self.reactor.raw, &self.channel.changed)

    def attach(self, int fd, context=None, str host=None):
        """Takes over a connected, non-blocking socket's file descriptor; TLS with a `context`, to a server `host`.

        Returns the number by which `retire`, `links` and `on_lost` name the connection.
        """
        cdef long number
        self.reactor.enter()
        number = link_open(&self.channel, self.reactor, fd, &SESSION_OPS, context, host, self).number
        self.reactor.settle()
        return number

    def retire(self, long number):
        """A connection takes no new calls, and closes once those on it are over. One that is gone is no error."""
        cdef link_t *link = link_find(&self.channel, number)
        self.reactor.enter()
        if link != NULL and not link.retired:
            link_retire(link)
        self.reactor.settle()

    def steer(self, int crowd, bint full):
        """Tells when to ask for a connection: with more than `crowd` calls on each (0: never for that); `full`: not."""
        self.channel.crowd = crowd if crowd > 0 else INT_MAX
        self.channel.full = full

    def links(self):
        """The connections: (number, "starting", "ready" or "leaving", calls on it) of each."""
        cdef link_t *link = self.channel.links
        cdef list found = []
        while link != NULL:
            state = "leaving" if link_is_leaving(link) else "ready" if link.settled else "starting"
            found.append((link.number, state, link.streams))
            link = link.next
        return found

    def take_peak(self):
        """The most calls that were on the wire at once since it was last asked."""
        cdef long peak = self.channel.peak
        self.channel.peak = self.channel.active
        return peak

    def refuse(self, str reason):
        """No connection could be made: all calls that wait for one fail with UNAVAILABLE and this reason."""
        cdef bytes text = reason.encode()
        cdef const char *raw = text
        cdef exchange_t *exchange
        # Only those that wait now: what is tried again meanwhile waits for the next attempt.
        cdef long count = self.channel.waiting
        self.reactor.enter()
        with nogil:
            while count > 0 and self.channel.first != NULL:
                exchange = self.channel.first
                leave_queue(exchange)
                conclude(exchange, error_here(&self.channel, STATUS_UNAVAILABLE, raw))
                count -= 1
        self.reactor.settle()

    def call(self, str path, Message message, headers=(), double deadline=0):
        """Starts a unary RPC; returns a Ticket. `deadline` is in seconds of `time.monotonic()`, 0 means none."""
        cdef Ticket ticket = Ticket.__new__(Ticket)
        cdef metadata_t *metadata = metadata_of(headers)
        ticket.channel = self
        ticket.path = path.encode()
        ticket.future = self.reactor.loop.create_future()
        ticket.work.run = ticket_deliver
        ticket.work.owner = <void *>ticket
        ticket.exchange = exchange_new(&self.channel, message.raw, metadata)
        metadata_unref(metadata)
        if ticket.exchange == NULL:
            raise MemoryError()
        ticket.exchange.path.data = ticket.path
        ticket.exchange.path.size = len(ticket.path)
        ticket.exchange.deadline = deadline
        ticket.exchange.owner = <void *>ticket
        ticket.exchange.done = ticket_done
        Py_INCREF(ticket)        # given back when the answer is delivered, or by cancel()
        self.reactor.enter()
        with nogil:
            exchange_start(ticket.exchange)
        self.reactor.settle()
        return ticket

    def close(self):
        """Closes every connection; calls in flight fail with UNAVAILABLE."""
        cdef link_t *link = self.channel.links
        self.channel.closed = True
        while link != NULL:
            conn_close(link.conn, b"the channel was closed", True)
            link = link.next
        self.refuse("the channel is closed")

    @property
    def connections(self):
        """Number of connections that take new calls."""
        cdef link_t *link = self.channel.links
        cdef int count = 0
        while link != NULL:
            count += not link_is_leaving(link)
            link = link.next
        return count

    @property
    def ready(self):
        """Number of connections on which the peer has shown that it speaks HTTP/2."""
        cdef link_t *link = self.channel.links
        cdef int count = 0
        while link != NULL:
            count += link.settled and not link_is_leaving(link)
            link = link.next
        return count

    @property
    def active(self):
        """Number of calls on the wire."""
        return self.channel.active

    @property
    def sent(self):
        """Number of calls that were put on the wire, ever."""
        return self.channel.sent

    @property
    def waiting(self):
        """Number of calls that wait for a connection."""
        return self.channel.waiting
