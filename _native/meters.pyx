"""Owns what is counted of requests and of calls, as native code reaches it: pointers into a segment of `stats`.

Must not know the names of series (`executor.telemetry`), nor when something counts (`calling`, `peer`).
"""

from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from executor._native.copies cimport COPY_REASONS
from executor._native.stats cimport (
    KIND_COUNTER, KIND_GAUGE, Segment, stats_cell, stats_histogram, stats_sketch,
)
from executor._native.types cimport METHOD_COUNT

HTTP_OK = 200


# A pass's own time would do for nodes far away; a handler that takes microseconds is over within one pass.
cdef double meter_now() noexcept nogil:
    cdef timespec ts
    clock_gettime(CLOCK_MONOTONIC, &ts)
    return <double>ts.tv_sec + <double>ts.tv_nsec * 1e-9


cdef void meter_make(meter_t *meter, int code) noexcept with gil:
    cdef Meter face = <Meter>meter.face
    histogram, sketch = face.keys(HTTP_OK if meter.http and code == 0 else code)
    meter.codes[code].sketch = stats_sketch(face.segment, sketch)
    meter.codes[code].histogram = stats_histogram(face.segment, histogram, face.bounds)


cdef void meter_failed(meter_t *meter, void *exception, double seconds, double now) noexcept with gil:
    told = getattr(<object>exception, "http_status", None) if exception != NULL else None
    # A user's class may say anything there.
    histogram, sketch = (<Meter>meter.face).series(told if isinstance(told, int) and 100 <= told <= 599 else 500)
    histogram.add(seconds)
    sketch.add(seconds, now)


cdef void meter_copies(node_meter_t *meter, const copies_t *copies) noexcept nogil:
    cdef int reason
    for reason in range(COPY_REASONS):
        meter.copies[reason][0] += copies.count[reason]
        meter.copied[reason][0] += <double>copies.bytes[reason]


cdef class Meter:
    """Durations by status: `Meter(segment, keys, bounds, http=False)`.

    `keys(code)` names the histogram and the sketch of a status, when the first of it comes. With `http` statuses are
    HTTP's; otherwise gRPC's.
    """

    def __init__(self, Segment segment not None, keys, tuple bounds not None, bint http=False):
        memset(&self.raw, 0, sizeof(meter_t))
        self.segment = segment
        self.keys = keys
        self.bounds = bounds
        self.others = {}
        self.raw.http = http
        self.raw.face = <void *>self

    cdef tuple series(self, int code):
        found = self.others.get(code)
        if found is None:
            histogram, sketch = self.keys(code)
            found = self.segment.histogram(histogram, self.bounds), self.segment.sketch(sketch)
            self.others[code] = found
        return found

    def since(self, int code, double began):
        """Counts what began at `began` on the monotonic clock and is over now."""
        cdef double now = meter_now()
        if not self.raw.http or code == HTTP_OK:
            meter_add(&self.raw, 0 if self.raw.http else code, now - began, now)
        else:
            histogram, sketch = self.series(code)
            histogram.add(now - began)
            sketch.add(now - began, now)


cdef class NodeMeter:
    """What is counted of one node: `NodeMeter(segment, methods, keys, queue_bounds)`.

    `methods` maps `executor.types.Method` to the Meter of such calls. `keys` names the series: in_flight, sent,
    received, retries, critical, queued, and two that are one for each reason: copies, copied.
    """

    def __init__(self, Segment segment not None, methods, keys, tuple queue_bounds not None):
        cdef int reason
        memset(&self.raw, 0, sizeof(node_meter_t))
        self.segment = segment
        self.keep = list(methods.values())
        for method, meter in methods.items():
            if not 0 <= int(method) < METHOD_COUNT:
                raise ValueError(f"method {method}: there are 0 to {METHOD_COUNT - 1}")
            self.raw.methods[<int>method] = &(<Meter?>meter).raw
        self.raw.in_flight = stats_cell(segment, KIND_GAUGE, keys["in_flight"])
        self.raw.sent = stats_cell(segment, KIND_COUNTER, keys["sent"])
        self.raw.received = stats_cell(segment, KIND_COUNTER, keys["received"])
        self.raw.retries = stats_cell(segment, KIND_COUNTER, keys["retries"])
        self.raw.critical = stats_cell(segment, KIND_COUNTER, keys["critical"])
        self.raw.queued = stats_histogram(segment, keys["queued"], queue_bounds)
        for reason in range(COPY_REASONS):
            self.raw.copies[reason] = stats_cell(segment, KIND_COUNTER, keys["copies"][reason])
            self.raw.copied[reason] = stats_cell(segment, KIND_COUNTER, keys["copied"][reason])


cdef class EngineMeter:
    """What is counted of one engine: `EngineMeter(segment, in_flight, rejected)`, the keys of its series."""

    def __init__(self, Segment segment not None, bytes in_flight not None, rejected):
        cdef int reason
        memset(&self.raw, 0, sizeof(engine_meter_t))
        if len(rejected) != REJECTED_COUNT:
            raise ValueError(f"{len(rejected)} reasons: there are {REJECTED_COUNT}")
        self.segment = segment
        self.raw.in_flight = stats_cell(segment, KIND_GAUGE, in_flight)
        for reason in range(REJECTED_COUNT):
            self.raw.rejected[reason] = stats_cell(segment, KIND_COUNTER, rejected[reason])

    def refused(self, int reason):
        """Counts what was refused outside of the engine, by the number of the reason."""
        if not 0 <= reason < REJECTED_COUNT:
            raise ValueError(f"reason {reason}: there are 0 to {REJECTED_COUNT - 1}")
        self.raw.rejected[reason][0] += 1
