# Owns what the log is told of requests that are over: kept in a bounded buffer until Python takes it in one go.
# Must not know how a line is worded, nor what a request was about: no part of a payload comes here.

from libc.stdint cimport uint16_t

from executor._native.transport cimport Reactor, reactor_t, timer_t, work_t

cdef enum:
    LINE_FAILED = 0
    LINE_SERVED = 1              # of the access log
    LINE_MORE = 2                # how many failures of one kind were not told one by one
    FAILURES_TOLD = 5            # of one kind (status and node), in each window of TELL_S
    KINDS_MAX = 32               # told apart in a window; what comes beyond is of one further kind

# A request that is over. Texts are borrowed, and may be NULL.
ctypedef struct ended_t:
    bint http                    # `status` is HTTP's; else gRPC's
    int status
    bint failed
    double seconds
    double now                   # on the monotonic clock
    size_t came                  # bytes of the request's body
    size_t went
    const char *path
    size_t path_size
    const char *puid
    size_t puid_size
    const char *node             # where it failed, if at a node
    size_t node_size
    const char *text             # why it failed
    size_t text_size

# The head of a line; its texts lie behind it.
ctypedef struct line_t:
    int what                     # LINE_*
    bint http
    int status
    double seconds
    double now
    size_t came                  # of LINE_MORE: how many
    size_t went
    uint16_t path_size
    uint16_t puid_size
    uint16_t node_size
    uint16_t text_size

# Failures of one kind in the window that runs.
ctypedef struct kind_t:
    bint http
    int status
    long count                   # 0: the place is free
    uint16_t node_size
    char[128] node

ctypedef struct journal_t:
    reactor_t *reactor
    bint access                  # every request is told, not only those that failed
    char *data
    size_t used
    size_t size
    long lost                    # lines that found no room, since Python was last told
    double since                 # when the window began
    kind_t[33] kinds             # KINDS_MAX and one
    timer_t tell                 # while lines wait
    timer_t turn                 # while failures wait that are only counted
    work_t work

# Never fails: what finds no room is counted and let go. Whoever calls settles the reactor some time after.
cdef void journal_add(journal_t *journal, const ended_t *ended) noexcept nogil


cdef class Journal:
    cdef journal_t raw
    cdef Reactor reactor
    cdef object take
