# Owns which requests of an engine are traced, and the finished spans until Python takes them.
# Must not know how a request runs (`trail`, `calling`), nor where spans are sent to (executor/telemetry).

from libc.stdint cimport uint64_t

from executor._native.chance cimport chance_t
from executor._native.propagation cimport context_t
from executor._native.span cimport out_t
from executor._native.transport cimport Reactor, reactor_t, work_t

ctypedef struct kept_t:
    kept_t *next
    unsigned char *data
    size_t size
    int spans

ctypedef struct tracer_t:
    reactor_t *reactor
    chance_t chance
    int[4] forms                 # of headers, FORM_*, in the order in which they count
    int form_count
    bint parents                 # the caller's decision holds, where it made one
    bint all                     # of those nobody has decided on
    uint64_t bound               # else: those whose trace's number ends below it
    double rate                  # at most so many a second; 0: no such bound
    double credit
    double credited              # when it was last reckoned
    uint64_t offset              # nanoseconds from 1970 to the monotonic clock's zero
    kept_t *first
    kept_t *last
    long waiting                 # spans
    long waiting_max
    size_t bytes
    size_t bytes_max
    long batch                   # with so many Python is told
    long lost                    # spans over a bound, ever
    long sampled                 # requests, ever
    work_t work

# Decides on a request that came with `context`: true when it is traced. It then is the new span's trace and parent.
cdef bint tracer_samples(tracer_t *tracer, context_t *context) noexcept nogil
cdef uint64_t tracer_span(tracer_t *tracer) noexcept nogil
# Keeps finished spans; takes their memory over. What there is no room for is counted and let go.
cdef void tracer_keep(tracer_t *tracer, out_t *out, int spans) noexcept nogil


# What spans of requests of one kind begin with.
cdef class Label:
    cdef bytes data
    cdef object error_status
    cdef object answer_status


cdef class Tracer:
    cdef tracer_t raw
    cdef Reactor reactor
    cdef public object wake
