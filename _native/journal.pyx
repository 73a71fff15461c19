"""Owns what the log is told of requests that are over: kept in a bounded buffer until Python takes it in one go.

Must not know how a line is worded, nor what a request was about: no part of a payload comes here.

A flood of failures is no flood of lines: of each kind, which is a status at a node, some are told in every window, and
the others are counted.
"""

cimport cython
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy, memset

from executor._native.meters cimport meter_now
from executor._native.transport cimport reactor_add_work, reactor_drop_work, timer_arm, timer_disarm

cdef enum:
    BUFFER_BYTES = 256 << 10
    FULL_BYTES = 8 << 10         # so many are told at once, without waiting: some 60 lines
    PATH_MAX = 200
    PUID_MAX = 2048              # of one that is longer the log has the start: lines stay whole in a pipe
    NODE_MAX = 128
    TEXT_MAX = 400

cdef double TELL_S = 0.05        # how long a line may wait for others
cdef double WINDOW_S = 1.0

FAILED, SERVED, MORE = LINE_FAILED, LINE_SERVED, LINE_MORE


# --- lines ----------------------------------------------------------------------------------------

cdef void journal_add(journal_t *journal, const ended_t *ended) noexcept nogil:
    if journal.access:
        add_line(journal, LINE_SERVED, ended)
    if ended.failed and is_told(journal, ended):
        add_line(journal, LINE_FAILED, ended)


cdef void add_line(journal_t *journal, int what, const ended_t *ended) noexcept nogil:
    cdef line_t line = line_t(
        what, ended.http, ended.status, ended.seconds, ended.now, ended.came, ended.went,
        <uint16_t>min(ended.path_size, <size_t>PATH_MAX), <uint16_t>min(ended.puid_size, <size_t>PUID_MAX),
        <uint16_t>min(ended.node_size, <size_t>NODE_MAX), <uint16_t>min(ended.text_size, <size_t>TEXT_MAX),
    )
    cdef size_t size
    if what == LINE_SERVED:
        line.text_size = 0
    size = sizeof(line_t) + line.path_size + line.puid_size + line.node_size + line.text_size
    if journal.used + size > journal.size:
        journal.lost += 1
        return
    append(journal, &line, sizeof(line_t))
    append(journal, ended.path, line.path_size)
    append(journal, ended.puid, line.puid_size)
    append(journal, ended.node, line.node_size)
    append(journal, ended.text, line.text_size)
    if journal.used >= FULL_BYTES:
        reactor_add_work(journal.reactor, &journal.work)
    elif journal.tell.due == 0:
        timer_arm(journal.reactor, &journal.tell, ended.now + TELL_S)


cdef inline void append(journal_t *journal, const void *data, size_t size) noexcept nogil:
    if size > 0:
        memcpy(journal.data + journal.used, data, size)
        journal.used += size


cdef void on_tell(timer_t *timer, double now) noexcept nogil:
    cdef journal_t *journal = <journal_t *>timer.owner
    reactor_add_work(journal.reactor, &journal.work)


# --- floods ---------------------------------------------------------------------------------------

cdef bint is_told(journal_t *journal, const ended_t *ended) noexcept nogil:
    cdef kind_t *kind
    if ended.now - journal.since >= WINDOW_S:
        turn_window(journal, ended.now)
    kind = kind_of(journal, ended)
    kind.count += 1
    if kind.count <= FAILURES_TOLD:
        return True
    if journal.turn.due == 0:
        timer_arm(journal.reactor, &journal.turn, journal.since + WINDOW_S)
    return False


cdef kind_t *kind_of(journal_t *journal, const ended_t *ended) noexcept nogil:
    cdef uint16_t size = <uint16_t>min(ended.node_size, <size_t>NODE_MAX)
    cdef kind_t *kind
    cdef int index
    for index in range(KINDS_MAX):
        kind = &journal.kinds[index]
        if kind.count == 0:
            kind.http = ended.http
            kind.status = ended.status
            kind.node_size = size
            if size > 0:
                memcpy(kind.node, ended.node, size)
            return kind
        if kind.status == ended.status and kind.http == ended.http and kind.node_size == size:
            if size == 0 or memcmp(kind.node, ended.node, size) == 0:
                return kind
    return &journal.kinds[KINDS_MAX]     # its status is -1


cdef void on_turn(timer_t *timer, double now) noexcept nogil:
    turn_window(<journal_t *>timer.owner, now)


# Failures that were only counted are told, and all begins anew.
cdef void turn_window(journal_t *journal, double now) noexcept nogil:
    cdef ended_t more
    cdef kind_t *kind
    cdef int index
    memset(&more, 0, sizeof(ended_t))
    more.now = now
    for index in range(KINDS_MAX + 1):
        kind = &journal.kinds[index]
        if kind.count > FAILURES_TOLD:
            more.http = kind.http
            more.status = kind.status
            more.came = kind.count - FAILURES_TOLD
            more.node = kind.node
            more.node_size = kind.node_size
            add_line(journal, LINE_MORE, &more)
        kind.count = 0
    journal.since = now
    timer_disarm(journal.reactor, &journal.turn)


# --- Python's side --------------------------------------------------------------------------------

cdef void hand_over(work_t *work) noexcept:
    cdef Journal face = <Journal>work.owner
    try:
        face.tell()
    except Exception as error:
        face.reactor.loop.call_exception_handler({"message": "requests could not be logged", "exception": error})


cdef inline const char *text_of(bytes text) noexcept:
    return NULL if text is None else <const char *>text


cdef inline size_t size_of(bytes text) noexcept:
    return 0 if text is None else len(text)


@cython.no_gc_clear    # the reactor must outlive what is queued with it
cdef class Journal:
    """What the log is told of requests: `Journal(reactor, take, access=False)`.

    `take(lines, lost)` is called with a list of (what, http, status, age, seconds, came, went, path, puid, node, text),
    where `what` is FAILED, SERVED (of every request, with `access`) or MORE, `age` is how many seconds ago it was, and
    of MORE `came` is how many; and with how many more lines there were that found no room.
    """

    def __cinit__(self, Reactor reactor not None, take, bint access=False):
        memset(&self.raw, 0, sizeof(journal_t))
        self.reactor = reactor
        self.take = take
        self.raw.reactor = &reactor.raw
        self.raw.access = access
        self.raw.data = <char *>malloc(BUFFER_BYTES)
        if self.raw.data == NULL:
            raise MemoryError()
        self.raw.size = BUFFER_BYTES
        self.raw.kinds[KINDS_MAX].status = -1
        self.raw.tell.fire = on_tell
        self.raw.turn.fire = on_turn
        self.raw.tell.owner = self.raw.turn.owner = &self.raw
        self.raw.work.run = hand_over
        self.raw.work.owner = <void *>self

    def __dealloc__(self):
        if self.raw.reactor != NULL:
            reactor_drop_work(self.raw.reactor, &self.raw.work)
            timer_disarm(self.raw.reactor, &self.raw.tell)
            timer_disarm(self.raw.reactor, &self.raw.turn)
        free(self.raw.data)

    @property
    def access(self):
        """Whether every request is told."""
        return self.raw.access

    def ended(
        self, int status, double began, bytes path, bytes puid, Py_ssize_t came, Py_ssize_t went, bytes node=None,
        bytes text=None,
    ):
        """A request over HTTP is over that began at `began` on the monotonic clock; `text` says why it failed."""
        cdef ended_t ended
        cdef bint quiet = self.raw.used > 0
        ended.http = True
        ended.status = status
        ended.failed = text is not None
        ended.now = meter_now()
        ended.seconds = ended.now - began
        ended.came = <size_t>came
        ended.went = <size_t>went
        ended.path, ended.path_size = text_of(path), size_of(path)
        ended.puid, ended.puid_size = text_of(puid), size_of(puid)
        ended.node, ended.node_size = text_of(node), size_of(node)
        ended.text, ended.text_size = text_of(text), size_of(text)
        journal_add(&self.raw, &ended)
        if not self.reactor.settling and not (quiet and self.raw.used < FULL_BYTES and self.raw.turn.due == 0):
            self.reactor.settle()    # it has a new timer, or work to do

    def tell(self):
        """Has `take` called with what waits."""
        cdef long lost = self.raw.lost
        cdef size_t at = 0
        cdef list lines = []
        cdef line_t line
        cdef char *data = self.raw.data
        cdef double now = meter_now()
        timer_disarm(self.raw.reactor, &self.raw.tell)
        while at < self.raw.used:
            memcpy(&line, data + at, sizeof(line_t))
            at += sizeof(line_t)
            path = data[at:at + line.path_size]
            at += line.path_size
            puid = data[at:at + line.puid_size]
            at += line.puid_size
            node = data[at:at + line.node_size]
            at += line.node_size
            text = data[at:at + line.text_size]
            at += line.text_size
            lines.append((
                line.what, line.http, line.status, now - line.now, line.seconds, line.came, line.went, path, puid, node,
                text,
            ))
        self.raw.used = 0
        self.raw.lost = 0
        if lines or lost:
            self.take(lines, lost)

    def close(self):
        """Has the rest told, failures that were only counted with it."""
        turn_window(&self.raw, meter_now())
        self.tell()
