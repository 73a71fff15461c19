"""Owns the load generator of the benchmarks: it keeps connections busy and times every answer, without the GIL.

Must not know what is measured, nor start or stop a server (`bench` does); it is built for the tree, in no wheel.

Two ways to send. *Closed loop*: every connection has `streams` requests under way, each answer makes room for the
next. *Open loop*: request i is due at start + i / rate, whatever became of the others, and its latency counts from
that moment, also when it had to wait for room. So a server that stalls is charged for all who would have come.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset
from posix.time cimport timespec
from posix.unistd cimport close

from executor._native.buffer cimport buffer_unref
from executor._native.http2 cimport nv_t, session_request, session_room
from executor._native.message cimport Message, message_t
from executor._native.probe_link cimport (
    ACCEPTED_MAX, BAD_TRANSPORT, BUCKETS, FD_ISSET, FD_SET, FD_SETSIZE, FD_ZERO, GRPC, HTTP, KINDS, NEVER_CAME,
    FINE, READ_BYTES, bucket, clock_now, fault, fd_set, finish, link_lose, link_open, link_read, link_t, link_write,
    load_t, note, pselect, record, slot_t,
)

ERROR_KINDS = ("fine", "status", "answer", "transport", "timeout")


# --- sending --------------------------------------------------------------------------------------

cdef link_t *link_with_room(load_t *load) noexcept nogil:
    cdef link_t *link
    cdef int _try
    for _try in range(load.link_count):
        link = &load.links[load.next_link]
        load.next_link = (load.next_link + 1) % load.link_count
        if not link.lost and link.in_flight < load.streams:
            if load.protocol != GRPC or session_room(link.session) > 0:
                return link
    return NULL


cdef bint send(load_t *load, double due) noexcept nogil:
    cdef link_t *link = link_with_room(load)
    cdef slot_t *slot = load.free_slots
    if link == NULL or slot == NULL:
        return False
    load.free_slots = slot.next
    slot.due = due
    slot.link = link
    slot.next = NULL
    slot.answers = 0
    slot.fault = FINE
    link.in_flight += 1
    link.dirty = True
    load.in_flight += 1
    load.sent += 1
    if load.protocol == GRPC:
        if session_request(
            link.session, load.fields, load.field_count, 0, <message_t *>load.message, False, slot
        ) == NULL:
            fault(slot, BAD_TRANSPORT, b"the session refused the request", b"", 0)
            finish(slot)
        return True
    link.out_left += load.request_size
    if link.last == NULL:
        link.first = slot
    else:
        link.last.next = slot
    link.last = slot
    return True


cdef inline double due_at(load_t *load, long index) noexcept nogil:
    return load.start + index / load.rate


cdef inline bint all_sent(load_t *load, double now) noexcept nogil:
    if load.limit > 0 and load.sent >= load.limit:
        return True
    return load.rate == 0 and now >= load.end


# Sends what is due now, as far as there is room.
cdef void launch(load_t *load, double now) noexcept nogil:
    cdef long index
    while not all_sent(load, now):
        index = load.sent
        if load.rate == 0:
            if not send(load, now):
                return
        elif due_at(load, index) > now:
            return
        elif not send(load, due_at(load, index)):
            if load.waiting != index:
                load.waiting = index
                load.waited += 1
            return
        elif load.waiting != index:
            record(load.lag, now - due_at(load, index))


cdef void flush(load_t *load) noexcept nogil:
    cdef int index
    for index in range(load.link_count):
        if load.links[index].dirty and not load.links[index].blocked and not load.links[index].lost:
            link_write(&load.links[index])


# Sleeps until a socket is ready or the next request is due; then reads and writes.
cdef void wait(load_t *load, double now, double until) noexcept nogil:
    cdef fd_set readable, writable
    cdef timespec limit
    cdef link_t *link
    cdef int index, top = 0
    cdef double delay = until - now
    FD_ZERO(&readable)
    FD_ZERO(&writable)
    for index in range(load.link_count):
        link = &load.links[index]
        if not link.lost:
            FD_SET(link.fd, &readable)
            if link.blocked:
                FD_SET(link.fd, &writable)
            top = max(top, link.fd)
    limit.tv_sec = <long>delay if delay > 0 else 0
    limit.tv_nsec = <long>((delay - limit.tv_sec) * 1e9) if delay > 0 else 0
    if pselect(top + 1, &readable, &writable, NULL, &limit, NULL) <= 0:
        return
    for index in range(load.link_count):
        link = &load.links[index]
        if not link.lost and FD_ISSET(link.fd, &writable):
            link_write(link)
        if not link.lost and FD_ISSET(link.fd, &readable):
            link_read(link)


cdef void drive(load_t *load, double give_up) noexcept nogil:
    cdef double until, now = clock_now()
    while load.lost < load.link_count and now < give_up:
        launch(load, now)
        flush(load)
        until = give_up
        if all_sent(load, now):
            if load.in_flight == 0:
                return
        elif load.rate > 0 and load.waiting != load.sent:
            until = min(until, due_at(load, load.sent))
        elif load.rate == 0:
            until = min(until, load.end)
        wait(load, now, until)
        now = clock_now()


# --- the Python face ------------------------------------------------------------------------------

def bucket_of(uint64_t nanoseconds):
    """The histogram's bucket for a duration."""
    return bucket(nanoseconds)


cdef list pairs_of(const uint64_t *histogram):
    return [(index, histogram[index]) for index in range(BUCKETS) if histogram[index]]


cdef class Load:
    """Connections to one server, and one request that is sent over and over; the stub tells what is what."""

    cdef load_t raw
    cdef list kept

    def __cinit__(
        self, str protocol, sockets, bytes request, *, fields=(), int streams=1, accepted=(), bint keep=False,
    ):
        cdef int index, count = len(sockets)
        self.raw.protocol = ("grpc", "http", "tcp").index(protocol)
        if count == 0 or streams < 1 or not request:
            raise ValueError("at least one connection, one stream and a request are needed")
        if len(accepted) > ACCEPTED_MAX:
            raise ValueError(f"{len(accepted)} accepted answers; at most {ACCEPTED_MAX} are allowed")
        highest = max(sock if isinstance(sock, int) else sock.fileno() for sock in sockets)
        if highest >= FD_SETSIZE:
            raise ValueError(f"file descriptor {highest} is above what select() takes, {FD_SETSIZE - 1}")
        self.kept = [request, list(accepted), list(sockets)]
        self.raw.request = request
        self.raw.request_size = len(request)
        self.raw.keep = keep
        # Without pipelining an HTTP/1.1 connection has one request at a time.
        self.raw.streams = 1 if self.raw.protocol == HTTP else streams
        self.raw.links = <link_t *>calloc(count, sizeof(link_t))
        self.raw.slots = <slot_t *>calloc(count * streams, sizeof(slot_t))
        self.raw.latency = <uint64_t *>calloc(BUCKETS, sizeof(uint64_t))
        self.raw.lag = <uint64_t *>calloc(BUCKETS, sizeof(uint64_t))
        self.raw.read_buffer = <unsigned char *>calloc(READ_BYTES, 1)
        if NULL in (self.raw.links, self.raw.slots, self.raw.latency, self.raw.lag, self.raw.read_buffer):
            raise MemoryError()
        for index in range(count * streams):
            self.raw.slots[index].next = self.raw.free_slots
            self.raw.free_slots = &self.raw.slots[index]
        for answer in accepted:
            self.raw.accepted[self.raw.accepted_count] = <bytes>answer
            self.raw.accepted_size[self.raw.accepted_count] = len(answer)
            self.raw.accepted_count += 1
        self.take_fields(fields, request)
        for sock in sockets:
            self.add(sock)

    cdef int take_fields(self, fields, bytes request) except -1:
        cdef Message message = Message(request)
        cdef bytes name, value
        self.kept += [message, [(field[0].encode(), field[1].encode()) for field in fields]]
        self.raw.message = message.raw
        self.raw.fields = <nv_t *>calloc(len(fields) + 1, sizeof(nv_t))
        if self.raw.fields == NULL:
            raise MemoryError()
        for name, value in self.kept[-1]:
            self.raw.fields[self.raw.field_count] = nv_t(name, len(name), value, len(value))
            self.raw.field_count += 1
        return 0

    cdef int add(self, object sock) except -1:
        cdef link_t *link = &self.raw.links[self.raw.link_count]
        cdef bint veiled = not isinstance(sock, int)
        self.raw.link_count += 1
        if not link_open(link, &self.raw, sock.fileno() if veiled else sock, <void *>sock if veiled else NULL):
            raise MemoryError()
        return 0

    def run(self, *, double seconds=0, double rate=0, long count=0, double drain_s=5):
        """Sends for `seconds`, or `count` requests; `rate` per second makes it an open loop. Waits for the answers.

        What has not come `drain_s` after the last was due counts as failed, and ends the connections.
        """
        cdef double give_up
        if seconds <= 0 and count <= 0 or rate < 0:
            raise ValueError("a run needs seconds or a count above 0, and a rate of 0 or more")
        if self.raw.lost == self.raw.link_count:
            raise ConnectionError(f"no connection is left: {self.raw.first_fault.decode()}")
        if rate > 0 and count <= 0:
            count = max(1, round(rate * seconds))
        self.reset()
        self.raw.rate = rate
        self.raw.limit = count
        self.raw.start = clock_now()
        if rate > 0:
            seconds = count / rate
        self.raw.end = self.raw.start + (seconds if seconds > 0 else 1e9)
        give_up = self.raw.start + (seconds if seconds > 0 else 0) + drain_s
        with nogil:
            drive(&self.raw, give_up)
        if self.raw.in_flight or count > self.raw.sent:
            self.give_up(count)
        return self.outcome()

    cdef int reset(self) except -1:
        memset(self.raw.latency, 0, BUCKETS * sizeof(uint64_t))
        memset(self.raw.lag, 0, BUCKETS * sizeof(uint64_t))
        memset(self.raw.faults, 0, sizeof(self.raw.faults))
        self.raw.first_fault[0] = 0
        self.raw.sent = self.raw.answered = self.raw.waited = 0
        self.raw.waiting = -1
        self.raw.last_answer = 0
        while self.raw.sample_count:
            self.raw.sample_count -= 1
            buffer_unref(self.raw.samples[self.raw.sample_count])
        return 0

    cdef int give_up(self, long count) except -1:
        cdef long late = self.raw.in_flight + max(0, count - self.raw.sent)
        cdef int index
        note(&self.raw, b"gave up waiting for answers", b"", 0)
        for index in range(self.raw.link_count):
            link_lose(&self.raw.links[index], b"given up")
        self.raw.faults[NEVER_CAME] += late
        self.raw.faults[BAD_TRANSPORT] = max(0, self.raw.faults[BAD_TRANSPORT] - late)
        return 0

    cdef dict outcome(self):
        cdef int index
        faults = {ERROR_KINDS[index]: self.raw.faults[index] for index in range(1, KINDS)}
        return {
            "sent": self.raw.sent,
            "answered": self.raw.answered,
            "errors": sum(faults.values()),
            "error_kinds": {kind: number for kind, number in faults.items() if number},
            "first_error": self.raw.first_fault.decode("utf-8", "replace"),
            "elapsed_s": (self.raw.last_answer or clock_now()) - self.raw.start,
            "waited": self.raw.waited,
            "latency": pairs_of(self.raw.latency),
            "lag": pairs_of(self.raw.lag),
            "samples": [
                PyBytes_FromStringAndSize(<const char *>self.raw.samples[index].data, self.raw.samples[index].size)
                for index in range(self.raw.sample_count)
            ],
        }

    def close(self):
        """Ends the connections."""
        cdef link_t *link
        cdef int index
        for index in range(self.raw.link_count):
            link = &self.raw.links[index]
            link_lose(link, b"closed here")
            if link.veil != NULL:
                (<object>link.veil).close()
            elif link.fd >= 0:
                close(link.fd)
            link.fd = -1

    def __dealloc__(self):
        cdef int index
        if self.raw.links != NULL:
            for index in range(self.raw.link_count):
                link_lose(&self.raw.links[index], b"")
                free(self.raw.links[index].answer)
                if self.raw.links[index].fd >= 0 and self.raw.links[index].veil == NULL:
                    close(self.raw.links[index].fd)
        for index in range(self.raw.sample_count):
            buffer_unref(self.raw.samples[index])
        for block in (<size_t>self.raw.links, <size_t>self.raw.slots, <size_t>self.raw.fields,
                      <size_t>self.raw.latency, <size_t>self.raw.lag, <size_t>self.raw.read_buffer):
            free(<void *><size_t>block)
