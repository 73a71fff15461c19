# Owns running a plan for one request: start, reply, route, join, cancel, deadline, finish. The only engine there is.
# Must not know a protocol (codecs do), how a node is reached (endpoints do), nor read a clock (transport does).

from executor._native.endpoint cimport metadata_t
from executor._native.message cimport message_t
from executor._native.meters cimport EngineMeter
from executor._native.program cimport program_t
from executor._native.request cimport engine_t, front_ops_t, request_t, step_t
from executor._native.tracer cimport Tracer
from executor._native.transport cimport Reactor

# A request, not yet started: takes over `message` and a reference on `metadata` (may be NULL). `puid` is copied.
# NULL when memory is out or the bound of requests in flight is reached; then message and metadata are freed.
cdef request_t *flow_new(
    engine_t *engine, program_t *program, int walk, int method, message_t *message, metadata_t *metadata,
    const char *puid, size_t puid_size, double deadline, const front_ops_t *front, void *user,
) noexcept nogil
# Runs it. May finish before it returns.
cdef void flow_start(request_t *request) noexcept nogil
# The client is gone: calls are cancelled, finish is not called, the request must not be used any more.
cdef void flow_cancel(request_t *request) noexcept nogil


cdef class Engine:
    cdef engine_t raw
    cdef EngineMeter meter       # keeps what is counted in
    cdef Tracer tracer           # and what traces
    cdef readonly Reactor reactor
