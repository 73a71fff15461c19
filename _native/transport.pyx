"""Owns how bytes move between sockets and sessions, and the hand-over to Python.

Must not know what a session's streams mean, nor what a mover does to the bytes: plain ones are here, TLS is in `tls`.

A *pass* is one reaction to the event loop: read what came, let sessions and flow work on it, and write what that
produced, all without the GIL. What needs Python on the way (a component, a call to the event loop) is queued as
work and run at the end of the pass; `settle` repeats until there is neither output nor work left.

uvloop tells of an error on a socket once, together with the data before it, and then watches the socket no more. So
sockets are also in an epoll of the reactor's own, which the loop watches and which tells of errors alone.
"""

import asyncio
import select

cimport cython
from libc.errno cimport EAGAIN, EINTR, errno as c_errno
from libc.stdint cimport uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset, strerror
from libc.stdio cimport snprintf
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec
from posix.uio cimport iovec
from posix.unistd cimport close

from executor._native.budget cimport Budget, budget_next
from executor._native.http2 cimport (
    session_admit, session_feed, session_free, session_is_done, session_ops_t, session_pieces, session_pump, session_t,
    session_wrote, stream_t,
)
from executor._native.pool cimport Pool
from executor._native.wheel cimport WHEEL_TICK_MS, tick_of, timer_t, wheel_next, wheel_turn

cdef extern from "sys/socket.h" nogil:
    ssize_t recv(int fd, void *data, size_t size, int flags)
    struct msghdr:
        iovec *msg_iov
        size_t msg_iovlen
    ssize_t sendmsg(int fd, const msghdr *message, int flags)
    int shutdown(int fd, int how)
    int MSG_NOSIGNAL
    int SHUT_WR

cdef enum:
    READ_BYTES = 256 << 10       # of the reactor's one read buffer
    READ_AT_ONCE = 1 << 20       # bytes of one connection per pass, so that others get their turn
    HIGH_WATER = 1 << 20         # bytes serialised ahead of the socket
    PIECES = 64
    LOOK_MS = 10                 # how often is looked whether other threads made room in the budget
    LINGER_S = 2                 # how long a connection whose streams are all over waits for a sign of the peer


# Python work is done in batches, after each of which output leaves and timers fire; and a pass is not for ever.
cdef double BATCH_S = 0.002
cdef double SETTLE_S = 0.010


cdef double clock_now() noexcept nogil:
    cdef timespec ts
    clock_gettime(CLOCK_MONOTONIC, &ts)
    return <double>ts.tv_sec + <double>ts.tv_nsec * 1e-9


# --- work ---------------------------------------------------------------------------------------

cdef void reactor_add_work(reactor_t *reactor, work_t *work) noexcept nogil:
    if work.queued:
        return
    work.queued = True
    work.next = NULL
    work.previous = reactor.work_last
    if reactor.work_last == NULL:
        reactor.work_first = work
    else:
        reactor.work_last.next = work
    reactor.work_last = work


cdef void reactor_drop_work(reactor_t *reactor, work_t *work) noexcept nogil:
    if not work.queued:
        return
    work.queued = False
    if work.previous == NULL:
        reactor.work_first = work.next
    else:
        work.previous.next = work.next
    if work.next == NULL:
        reactor.work_last = work.previous
    else:
        work.next.previous = work.previous


# --- connections --------------------------------------------------------------------------------

cdef void conn_touch(conn_t *conn) noexcept nogil:
    if not conn.is_dirty and not conn.lost:
        conn.is_dirty = True
        conn.next_dirty = conn.reactor.dirty
        conn.reactor.dirty = conn


cdef void conn_needs_python(conn_t *conn) noexcept nogil:
    # One without a session is being shut: nothing can be done for it any more.
    if not conn.is_ill and conn.session != NULL:
        conn.is_ill = True
        conn.next_ill = conn.reactor.ill
        conn.reactor.ill = conn


cdef void conn_close(conn_t *conn, const char *reason, bint now) noexcept nogil:
    if not conn.closing:
        conn.closing = True
        snprintf(conn.reason, sizeof(conn.reason), b"%s", reason)
    if now:
        conn.lost = True
    else:
        conn_touch(conn)
    conn_needs_python(conn)


cdef int plain_take(conn_t *conn, size_t size) noexcept nogil:
    if session_feed(conn.session, conn.reactor.read_buffer, size) < 0:
        conn_close(conn, conn.session.error, False)
        return -1
    return 0


cdef ssize_t plain_send(conn_t *conn, iovec *pieces, int count) noexcept nogil:
    cdef msghdr message
    cdef ssize_t size
    if count == 0:
        return 0
    memset(&message, 0, sizeof(message))
    message.msg_iov = pieces
    message.msg_iovlen = count
    size = sendmsg(conn.fd, &message, MSG_NOSIGNAL)
    return size if size >= 0 else -c_errno


cdef void plain_part(conn_t *conn) noexcept nogil:
    pass


cdef mover_t PLAIN
PLAIN.take = plain_take
PLAIN.send = plain_send
PLAIN.part = plain_part


cdef void conn_read(conn_t *conn) noexcept nogil:
    cdef size_t total = 0
    cdef ssize_t size
    # What came before an error is finite, and nothing tells of the rest of it.
    while not conn.closing and (total < READ_AT_ONCE or conn.failed):
        size = recv(conn.fd, conn.reactor.read_buffer, conn.reactor.read_size, 0)
        if size > 0 and conn.finishing:
            # A sign that it still reads: a WINDOW_UPDATE, most likely.
            timer_arm(conn.reactor, &conn.linger, conn.reactor.now + LINGER_S)
            total += size
        elif size > 0:
            conn_touch(conn)
            if conn.mover.take(conn, size) < 0:
                return
            total += size
            # A short read means that the socket is empty: saves the call that would say so.
            if <size_t>size < conn.reactor.read_size and not conn.failed:
                return
        elif size == 0:
            conn_close(conn, b"closed by the peer", True)
        elif c_errno == EAGAIN:
            return
        elif c_errno != EINTR:
            conn_close(conn, strerror(c_errno), True)


# All streams are over and all output is with the kernel. Closing at once would make it throw away what the peer has not
# taken yet as soon as another WINDOW_UPDATE comes from there, so only our side is shut.
cdef void conn_finish(conn_t *conn) noexcept nogil:
    if not conn.finishing:
        conn.mover.part(conn)
        conn.finishing = True
        shutdown(conn.fd, SHUT_WR)
        timer_arm(conn.reactor, &conn.linger, conn.reactor.now + LINGER_S)


cdef void on_linger(timer_t *timer, double now) noexcept nogil:
    conn_close(<conn_t *>timer.owner, b"closed after GOAWAY", True)


cdef void conn_write(conn_t *conn) noexcept nogil:
    cdef iovec[PIECES] pieces
    cdef ssize_t size
    cdef int count
    while not conn.lost and not conn.finishing:
        if session_pump(conn.session, HIGH_WATER) < 0 and not conn.closing:
            conn_close(conn, conn.session.error, False)
        count = session_pieces(conn.session, pieces, PIECES)
        size = conn.mover.send(conn, pieces, count)
        if size > 0:
            session_wrote(conn.session, size)
        elif size == 0:
            break
        elif size == -EAGAIN:
            if conn.closing:     # saying why is a courtesy, not worth waiting for
                conn.lost = True
            conn.wants_writer = True
            conn_needs_python(conn)
            return
        elif size != -EINTR:
            conn_close(conn, strerror(-size), True)
            return
    if conn.wants_writer:
        conn.wants_writer = False
        conn_needs_python(conn)
    if conn.closing:
        conn.lost = True
        conn_needs_python(conn)
    elif session_is_done(conn.session):
        conn_finish(conn)


# Lets streams go on that wait for the budget. Whether any did.
cdef bint admit(reactor_t *reactor) noexcept nogil:
    cdef session_t *session = session_admit(reactor.budget)
    if session == NULL:
        return False
    while session != NULL:
        conn_touch(<conn_t *>session.carrier)
        session = session_admit(reactor.budget)
    return True


cdef void look_again(reactor_t *reactor) noexcept nogil:
    if reactor.budget.waiting == 0:
        timer_disarm(reactor, &reactor.look)
    elif reactor.look.due == 0:
        timer_arm(reactor, &reactor.look, reactor.now + LOOK_MS / 1000.0)


cdef void on_look(timer_t *timer, double now) noexcept nogil:
    pass                         # the pass that it is part of looks


cdef void reactor_flush(reactor_t *reactor) noexcept nogil:
    cdef conn_t *conn
    while reactor.dirty != NULL or (reactor.budget.waiting > 0 and admit(reactor)):
        conn = reactor.dirty
        if conn == NULL:
            continue             # of a connection that is lost
        reactor.dirty = conn.next_dirty
        conn.is_dirty = False
        # A full socket is left alone until the event loop says that it takes bytes again.
        if not conn.has_writer or not conn.wants_writer or conn.closing:
            conn_write(conn)
    if reactor.budget.waiting > 0 or reactor.look.due != 0:
        look_again(reactor)


cdef void tell_nobody(session_t *session, stream_t *stream, uint32_t code) noexcept nogil:
    pass


cdef session_ops_t SILENT_OPS
memset(&SILENT_OPS, 0, sizeof(SILENT_OPS))
SILENT_OPS.on_close = tell_nobody


# Sessions name the reactor's budget until they are freed: the collector must not clear it first.
@cython.no_gc_clear
cdef class Connection:
    """A socket and its session, on a reactor. Made natively; Python only sees it pass."""

    def __dealloc__(self):
        # Reached with a session only when the event loop went away under it: nobody is left to be told.
        if self.raw.session != NULL:
            self.raw.session.ops = &SILENT_OPS
            session_free(self.raw.session)
        if self.raw.fd >= 0:
            close(self.raw.fd)

    def _readable(self):
        cdef Reactor reactor = self.reactor
        reactor.enter()
        reactor.settling = True  # Python code that is called on the way must not settle inside the session
        with nogil:
            conn_read(&self.raw)
            reactor_flush(&reactor.raw)
        reactor.settling = False
        reactor.settle()

    def _writable(self):
        cdef Reactor reactor = self.reactor
        reactor.enter()
        reactor.settling = True
        with nogil:
            self.raw.wants_writer = False
            conn_write(&self.raw)
            reactor_flush(&reactor.raw)
        reactor.settling = False
        # conn_write clears the wish when all went out; the writer itself is removed by settle.
        if self.raw.has_writer and not self.raw.wants_writer:
            conn_needs_python(&self.raw)
        reactor.settle()

    def _failed(self):
        self.raw.failed = True
        self._readable()

    cdef int attend(self) except -1:
        cdef object loop = self.reactor.loop
        if self.raw.lost:
            self.shut()
        elif self.raw.wants_writer and not self.raw.has_writer:
            loop.add_writer(self.raw.fd, self._writable)
            self.raw.has_writer = True
        elif not self.raw.wants_writer and self.raw.has_writer:
            loop.remove_writer(self.raw.fd)
            self.raw.has_writer = False
        return 0

    cdef int shut(self) except -1:
        cdef object loop = self.reactor.loop
        cdef session_t *session = self.raw.session
        if session == NULL:
            return 0
        if not loop.is_closed():
            if self.raw.has_writer:
                loop.remove_writer(self.raw.fd)
        self.reactor.unwatch(self.raw.fd)
        timer_disarm(&self.reactor.raw, &self.raw.linger)
        with nogil:
            if not self.raw.finishing:
                self.raw.mover.part(&self.raw)
            session_free(session)
            self.raw.session = NULL
            close(self.raw.fd)
            self.raw.fd = -1
            self.raw.on_lost(&self.raw)
        self.owner = None
        self.veil = None
        return 0


cdef Connection connection_open(
    Reactor reactor, int fd, session_t *session, void *user, void (*on_lost)(conn_t *) noexcept nogil, object owner
):
    cdef Connection connection = Connection.__new__(Connection)
    memset(&connection.raw, 0, sizeof(conn_t))
    connection.raw.fd = -1
    reactor.watch(fd, connection)                # may raise: nothing is taken over before
    connection.reactor = reactor
    connection.owner = owner
    connection.raw.reactor = &reactor.raw
    connection.raw.session = session
    connection.raw.mover = &PLAIN
    connection.raw.fd = fd
    connection.raw.user = user
    connection.raw.on_lost = on_lost
    connection.raw.face = <void *>connection
    connection.raw.linger.fire = on_linger
    connection.raw.linger.owner = &connection.raw
    session.carrier = &connection.raw
    conn_touch(&connection.raw)
    return connection


cdef int connection_veil(Connection connection, const mover_t *mover, object veil) except -1:
    connection.veil = veil
    connection.raw.veil = <void *>veil
    connection.raw.mover = mover
    return 0


# --- the reactor --------------------------------------------------------------------------------

@cython.no_gc_clear
cdef class Reactor:
    """What everything native on one event loop hangs on: `Reactor(loop=None, budget=None)`.

    `loop` is the running one by default. `budget` bounds the memory of messages that come in; the default does not.
    Not thread-safe: all calls come from the loop's thread. `close()` ends every connection at once.
    """

    def __cinit__(self):
        memset(&self.raw, 0, sizeof(reactor_t))

    def __init__(self, loop=None, Budget budget=None):
        self.loop = loop if loop is not None else asyncio.get_running_loop()
        self.budget = budget if budget is not None else Budget()
        self.raw.budget = self.budget.raw
        self.pool = Pool()
        self.raw.pool = &self.pool.raw
        self.raw.look.fire = on_look
        self.connections = {}
        # Where there is none, an error is seen when something is written, or by the call's deadline.
        self.errors = select.epoll() if hasattr(select, "epoll") else None
        if self.errors is not None:
            self.loop.add_reader(self.errors.fileno(), self._errors)
        self.wake_handle = None
        self.wake_at = 0
        self.raw.read_buffer = <unsigned char *>malloc(READ_BYTES)
        if self.raw.read_buffer == NULL:
            raise MemoryError()
        self.raw.read_size = READ_BYTES
        self.raw.now = clock_now()
        self.raw.wheel.tick = <long long>(self.raw.now * (1000.0 / WHEEL_TICK_MS))

    def __dealloc__(self):
        free(self.raw.read_buffer)

    cdef int settle(self) except -1:
        cdef Connection connection
        cdef double until
        if self.settling:
            return 0             # the pass that is under way takes care of it
        self.settling = True
        until = self.raw.now + SETTLE_S
        try:
            # Where much is read at once, the loop's own timer comes late.
            if 0 < self.raw.wheel.wake_due < self.raw.now:
                self.turn()
            while True:
                if self.raw.dirty != NULL or (self.raw.budget.waiting and budget_next(self.raw.budget) != NULL):
                    with nogil:
                        reactor_flush(&self.raw)
                elif self.raw.ill != NULL:
                    connection = <Connection>self.raw.ill.face
                    self.raw.ill = connection.raw.next_ill
                    connection.raw.is_ill = False
                    connection.attend()
                elif self.raw.work_first != NULL:
                    if self.run_work(clock_now() + BATCH_S) and self.raw.now > until:
                        self.resume()
                        break
                else:
                    break
            self.schedule()
        finally:
            self.settling = False
        return 0

    cdef bint run_work(self, double until) except -1:
        """One batch: what it makes leaves, and timers fire, before the next. Whether some is left."""
        cdef work_t *work
        cdef work_t *last = self.raw.work_last
        while self.raw.work_first != NULL:
            work = self.raw.work_first
            reactor_drop_work(&self.raw, work)
            work.run(work)
            self.enter()         # Python may have taken long, and what comes next is given its time from now on
            if work == last or self.raw.now > until:
                break
        self.turn()
        return self.raw.work_first != NULL

    cdef int turn(self) except -1:
        """Fires what became due meanwhile."""
        with nogil:
            wheel_turn(&self.raw.wheel, self.raw.now)
        return 0

    def resume(self):
        """Goes on with the work that is left once other events of the loop have had their turn."""
        if not self.resuming:
            self.resuming = True
            self.loop.call_soon(self._resumed)

    def _resumed(self):
        self.resuming = False
        self.enter()
        self.settle()

    cdef int schedule(self) except -1:
        cdef double due = self.raw.wheel.wake_due
        if due == 0 or self.closed or (self.wake_handle is not None and self.wake_at <= due):
            return 0
        if self.wake_handle is not None:
            self.wake_handle.cancel()
        self.wake_at = due
        # When the tick comes that the timer is in, and half a millisecond more: event loops round to whole ones.
        delay = tick_of(due) * (WHEEL_TICK_MS / 1000.0) - clock_now() + 0.0005
        self.wake_handle = self.loop.call_later(delay if delay > 0 else 0, self._wake)
        return 0

    cdef int watch(self, int fd, Connection connection) except -1:
        if self.errors is not None:
            self.errors.register(fd, select.EPOLLET)
        try:
            self.loop.add_reader(fd, connection._readable)
        except BaseException:
            if self.errors is not None:
                self.errors.unregister(fd)
            raise
        self.connections[fd] = connection
        return 0

    cdef int unwatch(self, int fd) except -1:
        self.connections.pop(fd, None)
        if self.errors is not None:
            self.errors.unregister(fd)
        if not self.loop.is_closed():
            self.loop.remove_reader(fd)
        return 0

    def _errors(self):
        for fd, _ in self.errors.poll(0):
            connection = self.connections.get(fd)
            if connection is not None:
                connection._failed()

    def _wake(self):
        self.wake_handle = None
        self.enter()
        self.settling = True
        with nogil:
            wheel_turn(&self.raw.wheel, self.raw.now)
            reactor_flush(&self.raw)
            self.raw.wheel.wake_due = wheel_next(&self.raw.wheel)
        self.settling = False
        self.settle()

    @property
    def timers(self):
        """Number of armed timers."""
        return self.raw.wheel.count

    @property
    def open_connections(self):
        """Number of open connections."""
        return len(self.connections)

    def close(self):
        """Ends every connection now. Calls in flight fail as if the peers had gone."""
        cdef Connection connection
        for connection in list(self.connections.values()):
            conn_close(&connection.raw, b"shutting down", True)
        self.settle()
        timer_disarm(&self.raw, &self.raw.look)
        self.closed = True
        if self.wake_handle is not None:
            self.wake_handle.cancel()
            self.wake_handle = None
        if self.errors is not None:
            if not self.loop.is_closed():
                self.loop.remove_reader(self.errors.fileno())
            self.errors.close()
            self.errors = None
