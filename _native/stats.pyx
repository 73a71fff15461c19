"""Owns counters, gauges, histograms and sketches in memory that a group of processes shares.

Must not know what is measured, nor how it is shown: that is `executor.telemetry`.

A region holds segments of one size. A segment is a head, a table of entries that only grows, and room from which both
keys and values are cut. An entry is published by raising the head's count after everything else of it was written, so
that a reader, who goes by that count, never sees half of one. Segment 0 belongs to whoever made the region: what a
process counted that has died is folded into it.
"""

import os
import tempfile

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.exc cimport PyErr_SetFromErrno
from libc.string cimport memcpy, memset
from posix.mman cimport MAP_FAILED, MAP_SHARED, PROT_READ, PROT_WRITE, mmap, munmap
from posix.unistd cimport close

cdef extern from *:
    """
    #define publish(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
    #define observe(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
    #define order() __atomic_thread_fence(__ATOMIC_SEQ_CST)
    """
    void publish(uint32_t *place, uint32_t value) noexcept nogil
    uint32_t observe(uint32_t *place) noexcept nogil
    void order() noexcept nogil

cdef enum:
    SEGMENT_BYTES = 4 << 20      # committed by the kernel page by page, as they are used
    ENTRIES_MAX = 4096
    BOUNDS_MAX = 4096            # of a histogram: more are not believed
    LOOKS_MAX = 100              # at a region while somebody folds: whoever died in the middle of it never ends
    MAGIC = 0x6D6C7231

COUNTER, GAUGE, HISTOGRAM, SKETCH = KIND_COUNTER, KIND_GAUGE, KIND_HISTOGRAM, KIND_SKETCH


# --- sketches -----------------------------------------------------------------------------------

cdef void sketch_turn(sketch_t *sketch, double now) noexcept nogil:
    # After a pause of two windows what both hold is old.
    if now - sketch.since >= 2 * WINDOW_S:
        memset(&sketch.windows, 0, sizeof(sketch.windows))
    else:
        sketch.current = 1 - sketch.current
        memset(&sketch.windows[sketch.current], 0, sizeof(sketch.windows[0]))
    sketch.since = now


def quantiles(counts, wanted):
    """The values in seconds at the ranks `wanted` (0 to 1) of a sketch's bucket counts; NaN where there are none."""
    cdef double total = sum(counts)
    cdef double seen = 0
    cdef list found = []
    cdef long index = 0
    ranks = sorted(wanted)
    for rank in ranks:
        while index < len(counts) and (seen + counts[index] < rank * total or counts[index] == 0):
            seen += counts[index]
            index += 1
        found.append(_middle(min(index, SKETCH_BUCKETS - 1)) if total else float("nan"))
    return dict(zip(ranks, found, strict=True))


def _middle(long index):
    """The value in the middle of a bucket."""
    return SKETCH_LEAST * 2.0 ** (index // SKETCH_STEPS) * (1 + (index % SKETCH_STEPS + 0.5) / SKETCH_STEPS)


# --- memory -------------------------------------------------------------------------------------

cdef class Region:
    """Memory for `segments` processes beside the maker's: `Region(8)` makes it, `Region(8, fd)` maps one that is there.

    `fd` may be given to other processes. `close()` closes it at once; the mapping, which needs none, lasts as long as
    anything that counts in it.
    """

    def __cinit__(self, int segments, int fd=-1):
        cdef void *memory
        self.fd = fd
        if segments < 0:
            raise ValueError(f"{segments} segments: at least 0")
        self.segments = segments + 1
        self.size = <size_t>self.segments * SEGMENT_BYTES
        if fd < 0:
            self.fd = _new_file(self.size)
        # Not Python's mmap, which keeps a descriptor of its own for as long as it lives.
        memory = mmap(NULL, self.size, PROT_READ | PROT_WRITE, MAP_SHARED, self.fd, 0)
        if memory == MAP_FAILED:
            PyErr_SetFromErrno(OSError)
        self.data = <unsigned char *>memory

    def close(self):
        """Closes the descriptor. What counts goes on counting. Call it once or often."""
        cdef int fd = self.fd
        self.fd = -1
        if fd >= 0:
            close(fd)

    def __dealloc__(self):
        if self.fd >= 0:
            close(self.fd)
        if self.data != NULL:
            munmap(self.data, self.size)

    cdef segment_t *at(self, int index) except NULL:
        if not 0 <= index < self.segments:
            raise IndexError(f"segment {index}: there are 0 to {self.segments - 1}")
        return <segment_t *>(self.data + <size_t>index * SEGMENT_BYTES)

    def read(self, double now, tuple wanted=None):
        """All series, or those whose keys begin with one of `wanted`: `{(kind, key): value}`, segments added up.

        A counter or gauge is a number, a histogram `(bounds, counts, sum)`, a sketch `(counts, count, sum)` with the
        counts of the windows that are not over at `now`.
        """
        cdef int index
        cdef uint32_t before
        for _ in range(LOOKS_MAX):
            found = {}
            before = observe(&self.at(0).generation)
            for index in range(self.segments):
                _read_segment(self.at(index), found, now, wanted)
            order()
            # While a dead process was folded in, its numbers may have been seen twice or not at all.
            if before % 2 == 0 and observe(&self.at(0).generation) == before:
                break
        return found

    @property
    def refused(self):
        """How many series found no room, of all segments."""
        return sum(self.at(index).refused for index in range(self.segments))


def _new_file(size_t size):
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("millrace-stats")
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, size)
    return fd


cdef size_t size_of(const segment_t *segment, const entry_t *entry) noexcept:
    if entry.kind == KIND_HISTOGRAM:
        return histogram_size((<histogram_t *>(<unsigned char *>segment + entry.value)).bound_count)
    return sizeof(sketch_t) if entry.kind == KIND_SKETCH else sizeof(double)


cdef inline size_t histogram_size(int64_t bound_count) noexcept:
    return sizeof(histogram_t) + bound_count * (sizeof(uint64_t) + sizeof(double))


cdef inline size_t aligned(size_t offset) noexcept:
    return (offset + 15) & ~<size_t>15


cdef inline bytes key_of(const segment_t *segment, const entry_t *entry):
    return PyBytes_FromStringAndSize(<const char *>segment + entry.key, entry.key_size)


# Whether an entry, of which this is a copy, lies within its segment. What is read of another process's memory may be
# cleared meanwhile, or be what a crash left there: it is not believed.
cdef bint is_sound(const segment_t *segment, const entry_t *entry) noexcept:
    cdef size_t size = sizeof(double)
    cdef int64_t bounds
    if entry.kind < KIND_COUNTER or entry.kind > KIND_SKETCH or entry.value < sizeof(segment_t) or entry.value % 8 != 0:
        return False
    if entry.key > SEGMENT_BYTES or entry.key_size > SEGMENT_BYTES - entry.key:
        return False
    if entry.kind == KIND_SKETCH:
        size = sizeof(sketch_t)
    elif entry.kind == KIND_HISTOGRAM:
        if entry.value > SEGMENT_BYTES - sizeof(histogram_t):
            return False
        bounds = (<const histogram_t *>(<const unsigned char *>segment + entry.value)).bound_count
        if bounds < 0 or bounds > BOUNDS_MAX:
            return False
        size = histogram_size(bounds)
    return entry.value <= SEGMENT_BYTES - size


# --- reading ------------------------------------------------------------------------------------

cdef int _read_segment(segment_t *segment, dict found, double now, tuple wanted) except -1:
    cdef entry_t entry
    cdef uint32_t index
    cdef const unsigned char *value
    if segment.magic != MAGIC:
        return 0
    for index in range(min(observe(&segment.count), <uint32_t>ENTRIES_MAX)):
        entry = segment.entries[index]
        if not is_sound(segment, &entry):
            continue
        value = <const unsigned char *>segment + entry.value
        name = key_of(segment, &entry)
        if wanted is not None and not name.startswith(wanted):
            continue
        key = (entry.kind, name)
        known = found.get(key)
        if entry.kind == KIND_HISTOGRAM:
            found[key] = _histogram_of(<const histogram_t *>value, known)
        elif entry.kind == KIND_SKETCH:
            found[key] = _sketch_of(<const sketch_t *>value, known, now)
        else:
            found[key] = (<const double *>value)[0] + (known or 0.0)
    return 0


cdef tuple _histogram_of(const histogram_t *histogram, tuple known):
    cdef int64_t size = min(max(histogram.bound_count, 0), <int64_t>BOUNDS_MAX)   # once: it may be cleared meanwhile
    cdef const double *bounds = <const double *>(histogram.counts + size + 1)
    cdef int64_t index
    if known is None:
        counts = [histogram.counts[index] for index in range(size + 1)]
        return tuple([bounds[index] for index in range(size)]), counts, histogram.sum
    if len(known[1]) != size + 1:
        return known             # being cleared: this is read again, or what a crash left there
    counts = [histogram.counts[index] + <object>known[1][index] for index in range(size + 1)]
    return known[0], counts, known[2] + histogram.sum


cdef inline const double *bounds_of(const histogram_t *histogram) noexcept:
    return <const double *>(histogram.counts + histogram.bound_count + 1)


cdef tuple _sketch_of(const sketch_t *sketch, tuple known, double now):
    cdef double age = now - sketch.since
    cdef list counts = [0] * SKETCH_BUCKETS if known is None else known[0]
    cdef int window, index
    for window in range(SKETCH_WINDOWS):
        # The current window began `age` ago, and the one before it a window earlier.
        if age + (0 if window == <int>sketch.current else WINDOW_S) < 2 * WINDOW_S:
            for index in range(SKETCH_BUCKETS):
                if sketch.windows[window][index] != 0:
                    counts[index] += sketch.windows[window][index]
    if known is None:
        return counts, sketch.count, sketch.sum
    return counts, known[1] + sketch.count, known[2] + sketch.sum


# --- folding ------------------------------------------------------------------------------------

cdef int _add_segment(Segment target, segment_t *dead) except -1:
    cdef const entry_t *entry
    cdef uint32_t index
    for index in range(min(dead.count, <uint32_t>ENTRIES_MAX)):
        entry = &dead.entries[index]
        if entry.kind != KIND_GAUGE and is_sound(dead, entry):
            _add_entry(target, dead, entry)
    return 0


cdef int _add_entry(Segment target, const segment_t *dead, const entry_t *entry) except -1:
    cdef const unsigned char *source = <const unsigned char *>dead + entry.value
    cdef bytes key = key_of(dead, entry)
    cdef void *place = target.find(entry.kind, key)
    if place == NULL:
        target.place(entry.kind, key, size_of(dead, entry), source)
    elif entry.kind == KIND_HISTOGRAM:
        _add_histogram(<histogram_t *>place, <const histogram_t *>source)
    elif entry.kind == KIND_SKETCH:
        _add_sketch(<sketch_t *>place, <const sketch_t *>source)
    else:
        (<double *>place)[0] += (<const double *>source)[0]
    return 0


cdef int _add_histogram(histogram_t *target, const histogram_t *source) except -1:
    cdef int64_t index
    if source.bound_count != target.bound_count:
        return 0                 # what a crash left there
    for index in range(source.bound_count + 1):
        target.counts[index] += source.counts[index]
    target.sum += source.sum
    return 0


cdef int _add_sketch(sketch_t *target, const sketch_t *source) except -1:
    cdef int window, index
    # What the dead one counted last is as good as new: it moves into the newer of both current windows.
    if source.since > target.since:
        sketch_turn(target, source.since)
    for window in range(SKETCH_WINDOWS):
        for index in range(SKETCH_BUCKETS):
            target.windows[target.current][index] += source.windows[window][index]
    target.count += source.count
    target.sum += source.sum
    return 0


# --- writing ------------------------------------------------------------------------------------

cdef class Segment:
    """The part of a region that this process writes: `Segment(region, index)`. What was in it stays.

    A series is named by its kind and its key; asking for it again gives the same.
    """

    def __cinit__(self, Region region not None, int index):
        cdef uint32_t position
        self.region = region
        self.raw = region.at(index)
        self.places = {}
        self.spilled = {}
        if self.raw.magic != MAGIC:
            self.raw.used = <uint32_t>aligned(sizeof(segment_t))
            self.raw.magic = MAGIC
        for position in range(min(self.raw.count, <uint32_t>ENTRIES_MAX)):
            entry = &self.raw.entries[position]
            if not is_sound(self.raw, entry):
                continue
            self.places[entry.kind, key_of(self.raw, entry)] = entry.value

    cdef void *find(self, int kind, bytes key):
        known = self.places.get((kind, key))
        return NULL if known is None else <unsigned char *>self.raw + <size_t>known

    cdef void *place(self, int kind, bytes key, size_t size, const void *value) except NULL:
        """A new series that begins as the `size` bytes at `value`; readers see it once it is whole."""
        cdef segment_t *raw = self.raw
        cdef size_t name = aligned(raw.used + size)
        cdef size_t end = aligned(name + len(key))
        cdef entry_t *entry
        if raw.count >= ENTRIES_MAX or end > SEGMENT_BYTES:
            raw.refused += 1
            return memcpy(self.spill(size), value, size)
        entry = &raw.entries[raw.count]
        entry.kind = kind
        entry.value = raw.used
        entry.key = <uint32_t>name
        entry.key_size = <uint32_t>len(key)
        memcpy(<unsigned char *>raw + entry.value, value, size)
        memcpy(<unsigned char *>raw + name, <const char *>key, len(key))
        raw.used = <uint32_t>end
        publish(&raw.count, raw.count + 1)
        # Last: it may run other Python threads, which may want a new series too.
        self.places[kind, key] = entry.value
        return <unsigned char *>raw + entry.value

    cdef void *spill(self, size_t size) except NULL:
        # All that find no room share it: however many names somebody makes up, they cost nothing.
        memory = self.spilled.setdefault(size, bytearray(size))
        return <char *>memory

    def fold(self, int index):
        """Adds what a dead process counted in segment `index`, gauges excepted, and clears that for another process."""
        cdef segment_t *dead = self.region.at(index)
        if dead == self.raw or self.raw != self.region.at(0):
            raise ValueError("segment 0 is where the others are folded in")
        publish(&self.raw.generation, self.raw.generation + 1)
        order()
        try:
            if dead.magic == MAGIC:
                _add_segment(self, dead)
                self.raw.refused += dead.refused
                # What was never written is memory that nobody has, and stays so.
                memset(dead, 0, min(max(<size_t>dead.used, sizeof(segment_t)), <size_t>SEGMENT_BYTES))
        finally:
            publish(&self.raw.generation, self.raw.generation + 1)

    def counter(self, bytes key not None):
        """A counter, from 0."""
        return Cell.of(self, stats_cell(self, KIND_COUNTER, key))

    def gauge(self, bytes key not None):
        """A gauge, at 0."""
        return Cell.of(self, stats_cell(self, KIND_GAUGE, key))

    def histogram(self, bytes key not None, tuple bounds not None):
        """A histogram with upper `bounds` in ascending order; a last one without bound comes by itself."""
        cdef Histogram face = Histogram.__new__(Histogram)
        face.raw = stats_histogram(self, key, bounds)
        face.segment = self
        return face

    def sketch(self, bytes key not None):
        """A sketch of seconds."""
        cdef Sketch face = Sketch.__new__(Sketch)
        face.raw = stats_sketch(self, key)
        face.segment = self
        return face


cdef double *stats_cell(Segment segment, int kind, bytes key) except NULL:
    cdef double zero = 0
    cdef void *found = segment.find(kind, key)
    return <double *>(found if found != NULL else segment.place(kind, key, sizeof(double), &zero))


cdef histogram_t *stats_histogram(Segment segment, bytes key, tuple bounds) except NULL:
    cdef void *found = segment.find(KIND_HISTOGRAM, key)
    cdef size_t size = histogram_size(len(bounds))
    cdef histogram_t *empty
    cdef double *places
    cdef Py_ssize_t index
    if found != NULL:
        return <histogram_t *>found
    if list(bounds) != sorted(set(bounds)):
        raise ValueError(f"bounds {bounds}: not in ascending order")
    fresh = bytearray(size)
    empty = <histogram_t *><char *>fresh
    empty.bound_count = len(bounds)
    places = <double *>bounds_of(empty)
    for index in range(len(bounds)):
        places[index] = bounds[index]
    return <histogram_t *>segment.place(KIND_HISTOGRAM, key, size, empty)


cdef sketch_t *stats_sketch(Segment segment, bytes key) except NULL:
    cdef void *found = segment.find(KIND_SKETCH, key)
    cdef bytes empty = bytes(sizeof(sketch_t)) if found == NULL else b""
    if found == NULL:
        found = segment.place(KIND_SKETCH, key, sizeof(sketch_t), <const char *>empty)
    return <sketch_t *>found


cdef class Cell:
    """A counter or a gauge."""

    cdef double *raw
    cdef Segment segment         # keeps the memory

    @staticmethod
    cdef Cell of(Segment segment, double *raw):
        cdef Cell cell = Cell.__new__(Cell)
        cell.segment = segment
        cell.raw = raw
        return cell

    def add(self, double amount=1.0):
        """Adds to it."""
        self.raw[0] += amount

    def set(self, double value):
        """Sets it."""
        self.raw[0] = value

    @property
    def value(self):
        """What it is now, of this segment alone."""
        return self.raw[0]


cdef class Histogram:
    """Values counted by the bounds they lie between."""

    cdef histogram_t *raw
    cdef Segment segment

    def add(self, double value):
        """Counts a value."""
        histogram_add(self.raw, value)


cdef class Sketch:
    """Values in seconds, for quantiles of the last minutes."""

    cdef sketch_t *raw
    cdef Segment segment

    def add(self, double seconds, double now):
        """Counts a value that was seen at the time `now` of the monotonic clock."""
        sketch_add(self.raw, seconds, now)
