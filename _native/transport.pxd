# Owns how bytes move between sockets and sessions, and the hand-over to Python after a native pass.
# Must not know what a session's streams mean, nor what a mover does to the bytes (plain ones here, TLS in `tls`).

from libc.stddef cimport size_t
from posix.uio cimport iovec

from executor._native.budget cimport Budget, budget_t
from executor._native.http2 cimport session_t
from executor._native.wheel cimport timer_t, wheel_arm, wheel_disarm, wheel_t

ctypedef struct reactor_t
ctypedef struct conn_t
ctypedef struct work_t

# Something to be run under the GIL once the native pass is over. Embedded in its owner.
ctypedef struct work_t:
    work_t *previous
    work_t *next
    void (*run)(work_t *work) noexcept      # with the GIL
    void *owner
    bint queued

ctypedef struct reactor_t:
    double now                   # the monotonic clock at the start of this pass
    conn_t *dirty                # connections with something to send
    conn_t *ill                  # connections that need a call to the event loop, or closing
    work_t *work_first
    work_t *work_last
    wheel_t wheel
    budget_t *budget             # of received messages; its sessions' limits name it
    timer_t look                 # while somebody waits for it: other threads give bytes back without a word
    unsigned char *read_buffer
    size_t read_size

# What stands between a session and its socket.
ctypedef struct mover_t:
    # `size` bytes came from the socket, in the reactor's read buffer; what they say goes to the session. 0, or -1 when
    # nothing more is to be read now: the connection was closed, or finishes.
    int (*take)(conn_t *conn, size_t size) noexcept nogil
    # Sends pieces; how many of the session's bytes it took over, or a negative errno. 0: none now, and the connection
    # is touched when it can go on. Without pieces it sends what it holds back itself, and answers 0 when that is out.
    ssize_t (*send)(conn_t *conn, iovec *pieces, int count) noexcept nogil
    # Says good-bye, as far as the socket takes it: nothing is sent after it.
    void (*part)(conn_t *conn) noexcept nogil

ctypedef struct conn_t:
    reactor_t *reactor
    const mover_t *mover
    void *veil                   # the mover's own, borrowed from the Connection
    session_t *session
    int fd
    bint is_dirty
    bint is_ill
    bint wants_writer            # the socket is full: wait until it takes bytes again
    bint has_writer
    bint closing                 # no more reading; closed once the output is out, or at once when `lost`
    bint lost
    bint failed                  # the kernel tells of an error: read up to it
    bint finishing               # our side is shut; reads on until the peer has closed too, or `linger` fires
    timer_t linger
    char[160] reason             # why it closed, for messages
    conn_t *next_dirty
    conn_t *next_ill
    void *user
    # The connection is gone; its streams had their on_close. Called once, before the memory goes.
    void (*on_lost)(conn_t *conn) noexcept nogil
    void *face                   # the Connection, borrowed

cdef void reactor_add_work(reactor_t *reactor, work_t *work) noexcept nogil
# Takes work back that will not be run.
cdef void reactor_drop_work(reactor_t *reactor, work_t *work) noexcept nogil
cdef inline void timer_arm(reactor_t *reactor, timer_t *timer, double due) noexcept nogil:
    wheel_arm(&reactor.wheel, timer, due)
cdef inline void timer_disarm(reactor_t *reactor, timer_t *timer) noexcept nogil:
    wheel_disarm(&reactor.wheel, timer)
# Something was queued on the connection's session: it is flushed at the end of the pass.
cdef void conn_touch(conn_t *conn) noexcept nogil
# Closes once what is queued has left; `now` does not wait for that.
cdef void conn_close(conn_t *conn, const char *reason, bint now) noexcept nogil
# Our side says no more: reads on, and drops what comes, until the peer has closed too or a while has passed.
cdef void conn_finish(conn_t *conn) noexcept nogil
cdef double clock_now() noexcept nogil


cdef class Connection


# One per event loop: everything native on that loop hangs on it.
cdef class Reactor:
    cdef reactor_t raw
    cdef readonly object loop
    cdef readonly Budget budget
    cdef object wake_handle
    cdef double wake_at
    cdef dict connections        # by file descriptor
    cdef object errors           # an epoll that tells of failed sockets alone; None where there is none
    cdef bint settling
    cdef bint resuming           # a callback is on its way that settles what is left
    cdef bint closed
    # Brings everything to rest: output flushed, Python work run, ill connections closed. GIL held.
    cdef int settle(self) except -1
    cdef bint run_work(self, double until) except -1
    cdef int turn(self) except -1
    cdef int schedule(self) except -1
    cdef int watch(self, int fd, Connection connection) except -1
    cdef int unwatch(self, int fd) except -1
    # Begins a pass: reads the clock.
    cdef inline void enter(self) noexcept:
        self.raw.now = clock_now()


# A socket and its session. Python's part of it is calls to the event loop.
cdef class Connection:
    cdef conn_t raw
    cdef Reactor reactor
    cdef object veil             # the mover's own object
    cdef object owner            # keeps the user's Python side alive while the connection lives
    cdef int attend(self) except -1
    cdef int shut(self) except -1

# Takes over a connected, non-blocking socket and a session. on_lost is called exactly once. When it raises, it took
# neither over.
cdef Connection connection_open(
    Reactor reactor, int fd, session_t *session, void *user, void (*on_lost)(conn_t *) noexcept nogil, object owner
)
# Puts a mover between the session and the socket of a connection on which nothing has moved yet.
cdef int connection_veil(Connection connection, const mover_t *mover, object veil) except -1
