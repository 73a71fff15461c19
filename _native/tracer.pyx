"""Owns which requests of an engine are traced, and the finished spans until Python takes them.

Must not know how a request runs (`trail`, `calling`), nor where spans are sent to (`executor.telemetry`).
"""

import time

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from executor._native.chance cimport chance_bits, chance_seed
from executor._native.propagation cimport FORMS_MAX, SAMPLED_UNSAID
from executor._native.span cimport out_free
from executor._native.transport cimport Reactor, reactor_add_work, reactor_drop_work, work_t


cdef uint64_t tracer_span(tracer_t *tracer) noexcept nogil:
    cdef uint64_t drawn = 0
    while drawn == 0:
        drawn = chance_bits(&tracer.chance)
    return drawn


cdef void new_trace(tracer_t *tracer, context_t *context) noexcept nogil:
    cdef uint64_t[2] drawn
    drawn[0] = tracer_span(tracer)
    drawn[1] = tracer_span(tracer)
    memcpy(context.trace, drawn, 16)


# The last eight bytes of its number, on which all who sample by ratio decide alike.
cdef inline uint64_t tail(const context_t *context) noexcept nogil:
    cdef uint64_t value = 0
    cdef int index
    for index in range(8, 16):
        value = value << 8 | context.trace[index]
    return value


cdef bint within_rate(tracer_t *tracer) noexcept nogil:
    cdef double now = tracer.reactor.now
    tracer.credit = min(tracer.credit + (now - tracer.credited) * tracer.rate, max(tracer.rate, 1.0))
    tracer.credited = now
    if tracer.credit < 1:
        return False
    tracer.credit -= 1
    return True


cdef bint tracer_samples(tracer_t *tracer, context_t *context) noexcept nogil:
    cdef bint decided = tracer.parents and context.sampled != SAMPLED_UNSAID
    if not context.valid:
        new_trace(tracer, context)
        context.span = 0         # no parent
    if not decided:
        if tracer.rate > 0:
            context.sampled = within_rate(tracer)
        else:
            context.sampled = tracer.all or tail(context) < tracer.bound
    tracer.sampled += context.sampled
    return context.sampled == 1


cdef void tracer_keep(tracer_t *tracer, out_t *out, int spans) noexcept nogil:
    cdef kept_t *kept = NULL
    if tracer.waiting + spans <= tracer.waiting_max and out.size <= tracer.bytes_max - tracer.bytes and not out.failed:
        kept = <kept_t *>malloc(sizeof(kept_t))
    if kept == NULL:
        tracer.lost += spans
        out_free(out)
        return
    kept.next = NULL
    kept.data = out.data
    kept.size = out.size
    kept.spans = spans
    out.data = NULL
    out.size = out.room = 0
    if tracer.first == NULL:
        tracer.first = kept
    else:
        tracer.last.next = kept
    tracer.last = kept
    tracer.waiting += spans
    tracer.bytes += kept.size
    if tracer.waiting >= tracer.batch:
        reactor_add_work(tracer.reactor, &tracer.work)


cdef void drop_first(tracer_t *tracer) noexcept nogil:
    cdef kept_t *kept = tracer.first
    tracer.first = kept.next
    tracer.waiting -= kept.spans
    tracer.bytes -= kept.size
    free(kept.data)
    free(kept)


cdef void tell(work_t *work) noexcept:
    cdef Tracer face = <Tracer>work.owner
    try:
        if face.wake is not None:
            face.wake()
    except Exception as error:
        face.reactor.loop.call_exception_handler({"message": "spans could not be taken", "exception": error})


cdef class Label:
    """What spans of requests of one kind begin with: `Label(data, error_status=None, answer_status=None)`.

    `data` is made by `span.static`. `error_status(error)` is the HTTP status of what failed, `answer_status(body)` of
    what was answered; None: 200.
    """

    def __init__(self, bytes data not None, error_status=None, answer_status=None):
        self.data = data
        self.error_status = error_status
        self.answer_status = answer_status

    def status(self, error):
        """The HTTP status of `error`."""
        return self.error_status(error) if self.error_status is not None else error.http_status


@cython.no_gc_clear    # the reactor must outlive what is queued with it
cdef class Tracer:
    """Decides which requests are traced, and keeps their spans: `Tracer(reactor, forms, ...)`.

    `forms` are those of headers, in the order in which they count. With `parents` the caller's decision holds where it
    made one; of the others the share `ratio` is traced, or with a `rate` so many a second. `wake()` is called when
    `batch` spans wait; what is over `waiting_max` spans or `bytes_max` is lost, and counted.
    """

    def __cinit__(
        self, Reactor reactor not None, forms, *, bint parents=True, double ratio=1.0, double rate=0, wake=None,
        long waiting_max=2048, long batch=512, size_t bytes_max=16 << 20
    ):
        cdef int index
        memset(&self.raw, 0, sizeof(tracer_t))
        if len(forms) > FORMS_MAX:
            raise ValueError(f"{len(forms)} forms: there are {FORMS_MAX}")
        if not 0 <= ratio <= 1:
            raise ValueError(f"ratio {ratio}: allowed are numbers from 0 to 1")
        if chance_seed(&self.raw.chance) < 0:
            raise OSError("no randomness from the kernel")
        self.reactor = reactor
        self.wake = wake
        for index in range(len(forms)):
            self.raw.forms[index] = forms[index]
        self.raw.form_count = len(forms)
        self.raw.reactor = &reactor.raw
        self.raw.parents = parents
        self.raw.all = ratio == 1
        self.raw.bound = min(round(ratio * 2**64), 2**64 - 1)
        self.raw.rate = rate
        self.raw.credit = max(rate, 1.0)
        self.raw.credited = reactor.raw.now
        self.raw.waiting_max = waiting_max
        self.raw.batch = max(1, min(batch, waiting_max))
        self.raw.bytes_max = bytes_max
        self.raw.work.run = tell
        self.raw.work.owner = <void *>self
        self.set_clock()

    def __dealloc__(self):
        if self.raw.reactor != NULL:
            reactor_drop_work(self.raw.reactor, &self.raw.work)
        while self.raw.first != NULL:
            drop_first(&self.raw)

    def set_clock(self):
        """Looks what time it is, since spans tell it and requests are timed by another clock."""
        self.raw.offset = time.time_ns() - time.monotonic_ns()

    def take(self, long most):
        """Up to `most` finished spans, or those of one request if they are more: (a list of chunks, how many)."""
        cdef list chunks = []
        cdef long count = 0
        while self.raw.first != NULL and (count == 0 or count + self.raw.first.spans <= most):
            chunks.append(PyBytes_FromStringAndSize(<const char *>self.raw.first.data, self.raw.first.size))
            count += self.raw.first.spans
            drop_first(&self.raw)
        return chunks, count

    @property
    def waiting(self):
        """Spans that wait to be taken."""
        return self.raw.waiting

    @property
    def lost(self):
        """Spans for which there was no room, ever."""
        return self.raw.lost

    @property
    def sampled(self):
        """Requests that were traced, ever."""
        return self.raw.sampled
