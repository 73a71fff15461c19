# Owns what is counted of requests and of calls, as native code reaches it: pointers into a segment of `stats`.
# Must not know the names of series (executor/telemetry), nor when something counts (`calling`, `peer`).

from libc.string cimport memset

from executor._native.copies cimport copies_t
from executor._native.stats cimport Segment, histogram_add, histogram_t, sketch_add, sketch_t

cdef enum:
    METER_CODES = 17             # gRPC's status codes; what is none counts as UNKNOWN
    METER_UNKNOWN = 2

cdef enum:                       # why a request was not served
    REJECTED_IN_FLIGHT = 0       # as many run as may
    REJECTED_QUEUE = 1           # as many calls of a node wait as may
    REJECTED_DEADLINE = 2
    REJECTED_MESSAGE = 3         # it is larger than allowed, or finds no memory
    REJECTED_CONNECTIONS = 4     # as many clients are connected as may
    REJECTED_SLOW = 5            # the client sent too slowly
    REJECTED_UNREAD = 6          # the client did not read its answers
    REJECTED_COUNT = 7

ctypedef struct timing_t:
    histogram_t *histogram
    sketch_t *sketch

# Durations of one kind of request or call, by status.
ctypedef struct meter_t:
    timing_t[17] codes           # NULL until the first of its status
    bint http                    # statuses of errors are HTTP's: see meter_failed
    void *face                   # the Meter, borrowed

# All that is counted of one node. Every pointer is good for as long as its NodeMeter is.
ctypedef struct node_meter_t:
    (meter_t *)[6] methods       # by METHOD_*; NULL: durations of these calls are not counted
    double *in_flight
    double *sent                 # bytes
    double *received
    double *retries
    double *critical             # seconds in calls that a request waited for
    (double *)[6] copies         # of payloads on their way to it, by COPY_*
    (double *)[6] copied         # bytes of those
    histogram_t *queued          # seconds that a call waited for a connection or a thread

# All that is counted of one engine.
ctypedef struct engine_meter_t:
    double *in_flight
    (double *)[7] rejected       # by REJECTED_*

cdef double meter_now() noexcept nogil
# Makes the series of a status.
cdef void meter_make(meter_t *meter, int code) noexcept with gil
# Counts a call that ended with a Python exception (may be NULL) by what it says of HTTP.
cdef void meter_failed(meter_t *meter, void *exception, double seconds, double now) noexcept with gil
# Counts copies of payloads.
cdef void meter_copies(node_meter_t *meter, const copies_t *copies) noexcept nogil

# Counts one copy of a payload, where somebody counts.
cdef inline void meter_copied(node_meter_t *meter, int reason, size_t size) noexcept nogil:
    if meter != NULL:
        meter.copies[reason][0] += 1
        meter.copied[reason][0] += <double>size

cdef inline void meter_add(meter_t *meter, int code, double seconds, double now) noexcept nogil:
    cdef timing_t *timing
    if code < 0 or code >= METER_CODES:
        code = METER_UNKNOWN
    timing = &meter.codes[code]
    if timing.histogram == NULL:
        meter_make(meter, code)
        if timing.histogram == NULL:
            return               # no memory to tell of it with
    histogram_add(timing.histogram, seconds)
    sketch_add(timing.sketch, seconds, now)


cdef class Meter:
    cdef meter_t raw
    cdef Segment segment
    cdef object keys
    cdef tuple bounds
    cdef dict others             # HTTP status → (Histogram, Sketch)
    cdef tuple series(self, int code)


cdef class NodeMeter:
    cdef node_meter_t raw
    cdef list keep
    cdef Segment segment


cdef class EngineMeter:
    cdef engine_meter_t raw
    cdef Segment segment
