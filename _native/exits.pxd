# Owns the Python exit: endpoints whose node is a Python handler, run inline, as a Task, or in a pool of threads.
# Must not know what handlers do, nor how a plan is walked.

from executor._native.endpoint cimport Endpoint, call_t, metadata_t
from executor._native.jobs cimport exit_t
from executor._native.transport cimport Reactor

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
