# Owns counters, gauges, histograms and sketches in memory that a group of processes shares.
# Must not know what is measured, nor how it is shown: that is executor/telemetry.
#
# Each process writes one segment of the region, alone and from its loop's thread, so that counting is a plain addition
# without locks. Readers of other processes may find a value a few nanoseconds old; none is ever torn.

from libc.math cimport frexp
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef enum:
    KIND_COUNTER = 1             # a double that grows
    KIND_GAUGE = 2               # a double that is set
    KIND_HISTOGRAM = 3           # histogram_t
    KIND_SKETCH = 4              # sketch_t

# Counts of values up to each bound, and one above them all; the bounds lie behind the counts.
ctypedef struct histogram_t:
    int64_t bound_count
    double sum
    uint64_t[1] counts           # bound_count + 1, not cumulative; then `bound_count` doubles

cdef enum:
    SKETCH_STEPS = 32            # buckets for each power of two: a quantile is off by at most 1.6 %
    SKETCH_BUCKETS = 1024        # from SKETCH_LEAST on; smaller values count in the first, larger ones in the last
    SKETCH_WINDOWS = 2

# Where values lie, over the last one to two windows of WINDOW_S seconds. Sketches of several processes can be added.
ctypedef struct sketch_t:
    double sum                   # of all values ever
    uint64_t count
    double since                 # when the current window began, on the monotonic clock
    uint32_t current             # which of the windows that is
    uint32_t spare
    uint32_t[2][1024] windows

# A segment's layout, for `stats` alone.
ctypedef struct entry_t:
    uint32_t kind
    uint32_t key_size
    uint32_t key                 # offsets in the segment
    uint32_t value

ctypedef struct segment_t:
    uint32_t magic
    uint32_t generation          # of segment 0: odd while another is being folded in, readers look again
    uint32_t count               # entries published
    uint32_t used                # bytes of the segment cut so far
    uint64_t refused             # series that found no room
    entry_t[4096] entries

# Where a series lies in a segment; made when it is not there. The memory stays valid as long as the Segment does. When
# the segment is full, memory that nobody reads, and the refusal is counted. GIL held.
cdef double *stats_cell(Segment segment, int kind, bytes key) except NULL
cdef histogram_t *stats_histogram(Segment segment, bytes key, tuple bounds) except NULL
cdef sketch_t *stats_sketch(Segment segment, bytes key) except NULL

cdef inline void histogram_add(histogram_t *histogram, double value) noexcept nogil:
    cdef const double *bounds = <const double *>(histogram.counts + histogram.bound_count + 1)
    cdef int64_t index = 0
    while index < histogram.bound_count and value > bounds[index]:
        index += 1
    histogram.counts[index] += 1
    histogram.sum += value

cdef void sketch_turn(sketch_t *sketch, double now) noexcept nogil

# `value` in seconds at the time `now`.
cdef inline void sketch_add(sketch_t *sketch, double value, double now) noexcept nogil:
    cdef int exponent = 0
    cdef double fraction
    cdef long index = 0
    if now - sketch.since >= WINDOW_S:
        sketch_turn(sketch, now)
    if value >= SKETCH_LEAST:
        fraction = frexp(value / SKETCH_LEAST, &exponent)    # in [0.5, 1)
        index = (exponent - 1) * SKETCH_STEPS + <long>((fraction * 2 - 1) * SKETCH_STEPS)
        if index >= SKETCH_BUCKETS:
            index = SKETCH_BUCKETS - 1
    sketch.windows[sketch.current][index] += 1
    sketch.count += 1
    sketch.sum += value

cdef extern from *:
    """
    #define WINDOW_S 300.0
    #define SKETCH_LEAST 1e-6
    """
    const double WINDOW_S
    const double SKETCH_LEAST


# The shared memory.
cdef class Region:
    cdef unsigned char *data
    cdef size_t size
    cdef readonly int segments
    cdef readonly int fd
    cdef segment_t *at(self, int index) except NULL


# One process's part of a region, for writing.
cdef class Segment:
    cdef Region region
    cdef segment_t *raw
    cdef dict places             # key → offset of what is counted
    cdef dict spilled            # size → memory that series share which found no room
    cdef void *find(self, int kind, bytes key)
    cdef void *place(self, int kind, bytes key, size_t size, const void *value) except NULL
    cdef void *spill(self, size_t size) except NULL
