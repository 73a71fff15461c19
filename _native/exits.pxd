# Owns the Python exit: endpoints whose node is a Python handler, run inline, as a Task, or in a pool of threads.
# Must not know what handlers do, nor how a plan is walked.

from executor._native.endpoint cimport Endpoint, call_t, error_t, metadata_t
from executor._native.message cimport message_t
from executor._native.timing cimport timing_read
from executor._native.transport cimport Reactor, reactor_t, work_t
from executor._native.types cimport METHOD_COUNT

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
    void *context                # the Context, or the Pending of a callback handler; a reference
    void *task                   # the asyncio.Task of an async handler, or what a callback one returned; or NULL

ctypedef struct exit_t:
    reactor_t *reactor
    void *face                   # the Component, borrowed: it outlives its calls
    void *pool                   # pool_t, or NULL
    int[6] modes                 # MODE_* per method; -1: not offered
    long running                 # jobs begun and not over, cancelled ones in threads included
    long running_max


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


cdef class Component(Endpoint)


cdef class Context:
    cdef Component component     # a job that outlives its call keeps the exit it counts on
    cdef readonly str node
    cdef readonly int method
    cdef double due
    cdef metadata_t *metadata
    cdef readonly str puid       # the request's id


cdef class Pool:
    cdef void *raw
    cdef Reactor reactor
    cdef list threads
    cdef readonly int size


cdef class Component(Endpoint):
    cdef exit_t exit
    cdef readonly str name
    cdef Reactor reactor
    cdef Pool pool
    cdef list handlers           # one per method, or None
    cdef object task_type
    cdef Context context_of(self, call_t *call)
