# Owns jobs of the Python exit, one for each call: what is kept of one, what it tells, the queue of those for threads.
# Must not run them, nor know what handlers are: `exits` does.

from posix.unistd cimport write

from executor._native.copies cimport copies_move, copies_t
from executor._native.endpoint cimport call_t, error_t
from executor._native.message cimport Message, message_t
from executor._native.meters cimport meter_copies, meter_now
from executor._native.threads cimport (
    pthread_cond_t, pthread_cond_wait, pthread_mutex_lock, pthread_mutex_t, pthread_mutex_unlock,
)
from executor._native.timing cimport timing_read
from executor._native.transport cimport reactor_t, work_t

ctypedef struct job_t
ctypedef struct exit_t

# One call on its way through Python.
ctypedef struct job_t:
    work_t work
    exit_t *exit
    call_t *call                 # NULL once the caller is gone
    message_t *message
    int method
    double waited                # for a thread: when that began, then how long it took; for a connection: how long
    job_t *next                  # in the pool's queue, or among those that are done
    message_t *answer
    error_t *error
    double told_whole            # of a callback handler's call: what the node says of its time; 0: nothing
    double told_queued
    int told_code
    copies_t *copies             # of its messages; NULL: none
    void *context                # the Context, or the Pending of a callback handler; a reference
    void *task                   # the asyncio.Task of an async handler, or what a callback one returned; or NULL

ctypedef struct exit_t:
    reactor_t *reactor
    void *face                   # the Component, borrowed: it outlives its calls
    void *pool                   # pool_t, or NULL
    int[6] modes                 # MODE_* per method; -1: not offered
    long running                 # jobs begun and not over, cancelled ones in threads included
    long running_max

ctypedef struct pool_t:
    pthread_mutex_t lock
    pthread_cond_t arrived
    job_t *first                 # waiting for a thread
    job_t *last
    job_t *done                  # finished, waiting for the loop
    int doorbell                 # an eventfd that wakes the loop
    bint stopped


cdef inline message_t *take_message(job_t *job) noexcept nogil:
    cdef message_t *message = job.message
    job.message = NULL
    return message


# What a callback handler's call says of its way, if it does.
cdef inline int ask_begun(job_t *job, call_t *call) except -1:
    job.waited = call.waited = getattr(<object>job.task, "waited", 0.0)
    call.retries = getattr(<object>job.task, "retries", 0)
    job.told_code = getattr(<object>job.task, "status", 0)
    if call.timed:
        read_timing(job, getattr(<object>job.task, "timing", None))
    return 0


cdef inline int read_timing(job_t *job, object text) except -1:
    cdef bytes raw
    if text is not None:
        raw = text.encode("latin-1", "replace")
        if not timing_read(raw, len(raw), &job.told_whole, &job.told_queued):
            job.told_whole = 0
    return 0


# What the endpoint tells of a call that has ended.
cdef inline void tell(const job_t *job, call_t *call) noexcept nogil:
    call.waited = job.waited
    call.told_whole = job.told_whole
    call.told_queued = job.told_queued
    call.told_code = job.told_code
    if job.copies != NULL and call.meter != NULL:
        meter_copies(call.meter, job.copies)


# Remembers what was copied of a message that a handler was given, or answers with. None, for whoever lets go of it.
cdef inline Message keep_copies(job_t *job, Message message):
    if message is not None:
        copies_move(&job.copies, &message.copies)
    return None


# --- the queue for threads ------------------------------------------------------------------------

cdef inline job_t *pool_take(pool_t *pool) noexcept nogil:
    cdef job_t *job
    pthread_mutex_lock(&pool.lock)
    while pool.first == NULL and not pool.stopped:
        pthread_cond_wait(&pool.arrived, &pool.lock)
    job = pool.first
    if job != NULL:
        pool.first = job.next
        if pool.first == NULL:
            pool.last = NULL
        job.waited = meter_now() - job.waited
    pthread_mutex_unlock(&pool.lock)
    return job


# Takes a job out of the queue; whether it was there still. `call` is told how long it waited there.
cdef inline bint pool_drop(pool_t *pool, job_t *job, call_t *call) noexcept nogil:
    cdef job_t *before = NULL
    cdef job_t *each
    pthread_mutex_lock(&pool.lock)
    each = pool.first
    while each != NULL and each != job:
        before = each
        each = each.next
    if each != NULL:
        if before == NULL:
            pool.first = job.next
        else:
            before.next = job.next
        if pool.last == job:
            pool.last = before
        job.waited = meter_now() - job.waited
    call.waited = job.waited
    pthread_mutex_unlock(&pool.lock)
    return each != NULL


cdef inline void pool_give(pool_t *pool, job_t *job) noexcept nogil:
    cdef unsigned long long one = 1
    cdef bint first
    pthread_mutex_lock(&pool.lock)
    first = pool.done == NULL
    job.next = pool.done
    pool.done = job
    pthread_mutex_unlock(&pool.lock)
    if first:
        write(pool.doorbell, &one, 8)
