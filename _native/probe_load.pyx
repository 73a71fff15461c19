"""Owns the load generator of the benchmarks: it keeps connections busy and times every answer, without the GIL.

Must not know what is measured, nor start or stop a server (`bench` does); it is built for the tree, in no wheel.

Two ways to send. *Closed loop*: every connection has `streams` requests under way, each answer makes room for the
next. *Open loop*: request i is due at start + i / rate, whatever became of the others, and its latency counts from
that moment, also when it had to wait for room. So a server that stalls is charged for all who would have come.

Three protocols behind the same loop: gRPC (the project's own HTTP/2 session), HTTP/1.1 with keep-alive, and plain
bytes that are echoed, which is the floor that the kernel sets.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.errno cimport EAGAIN, EINTR, errno as c_errno
from libc.stdint cimport int32_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free, realloc, strtoll
from libc.string cimport memcmp, memcpy, memset, strerror
from posix.time cimport timespec
from posix.uio cimport iovec
from posix.unistd cimport close

from executor._native.buffer cimport buffer_copy, buffer_ref, buffer_t, buffer_unref
from executor._native.headers cimport headers_get, headers_t, nv_t
from executor._native.http2 cimport (
    H2_CANCEL, limits_t, session_feed, session_free, session_new, session_ops_t, session_pieces, session_pump,
    session_request, session_room, session_t, session_wrote, stream_reset, stream_t,
)
from executor._native.message cimport Message, message_t

ERROR_KINDS = ("fine", "status", "answer", "transport", "timeout")


# --- one request's life ---------------------------------------------------------------------------

cdef void note(load_t *load, const char *what, const char *detail, int size) noexcept nogil:
    if load.first_fault[0] == 0:
        snprintf(load.first_fault, sizeof(load.first_fault), b"%s%.*s", what, size, detail)


cdef void fault(slot_t *slot, int kind, const char *what, const char *detail, int size) noexcept nogil:
    if slot.fault == FINE:
        slot.fault = kind
        note(slot.link.load, what, detail, size)


# The request is over, well or not.
cdef void finish(slot_t *slot) noexcept nogil:
    cdef load_t *load = slot.link.load
    cdef double now = clock_now()
    slot.link.in_flight -= 1
    load.in_flight -= 1
    load.faults[slot.fault] += 1
    if slot.fault == FINE:
        load.answered += 1
        load.last_answer = now
        record(load.latency, now - slot.due)
    slot.next = load.free_slots
    load.free_slots = slot


cdef void check(slot_t *slot, const unsigned char *data, size_t size, buffer_t *body) noexcept nogil:
    cdef load_t *load = slot.link.load
    cdef long number = load.answered + 1
    cdef int index
    slot.answers += 1
    # A few answers from all over the run, for a check that knows what they mean.
    if load.keep and number & (number - 1) == 0 and load.sample_count < SAMPLES_MAX:
        load.samples[load.sample_count] = buffer_ref(body) if body != NULL else buffer_copy(data, size)
        load.sample_count += load.samples[load.sample_count] != NULL
    for index in range(load.accepted_count):
        if load.accepted_size[index] == size and memcmp(load.accepted[index], data, size) == 0:
            return
    if load.accepted_count:
        fault(slot, BAD_ANSWER, b"an answer is not what was expected", b"", 0)


# --- gRPC -----------------------------------------------------------------------------------------

cdef void on_headers(session_t *session, stream_t *stream) noexcept nogil:
    cdef slot_t *slot = <slot_t *>stream.user
    cdef size_t size = 0
    cdef const char *value = headers_get(&stream.headers, b":status", 7, &size)
    if slot != NULL and (value == NULL or size != 3 or memcmp(value, b"200", 3) != 0):
        fault(slot, BAD_STATUS, b"HTTP status ", value, <int>size)


cdef void on_message(session_t *session, stream_t *stream, buffer_t *body, bint compressed) noexcept nogil:
    cdef slot_t *slot = <slot_t *>stream.user
    if slot != NULL:
        if compressed:
            fault(slot, BAD_ANSWER, b"a compressed answer", b"", 0)
        else:
            check(slot, body.data, body.size, body)
    buffer_unref(body)


cdef void on_end(session_t *session, stream_t *stream) noexcept nogil:
    cdef slot_t *slot = <slot_t *>stream.user
    cdef headers_t *trailers = &stream.trailers if stream.trailers.count > 0 else &stream.headers
    cdef size_t size = 0
    cdef const char *value
    if slot == NULL:
        return
    value = headers_get(trailers, b"grpc-status", 11, &size)
    if value == NULL or size != 1 or value[0] != c"0":
        value = headers_get(trailers, b"grpc-message", 12, &size)
        fault(slot, BAD_STATUS, b"gRPC status not OK: ", value, <int>size)
    elif slot.answers != 1:
        fault(slot, BAD_ANSWER, b"OK without exactly one message", b"", 0)


cdef void on_refused(session_t *session, stream_t *stream, int status, const char *text) noexcept nogil:
    if stream.user != NULL:
        fault(<slot_t *>stream.user, BAD_ANSWER, b"not acceptable: ", text, 120)
    stream_reset(stream, H2_CANCEL)


cdef void on_close(session_t *session, stream_t *stream, uint32_t code) noexcept nogil:
    cdef slot_t *slot = <slot_t *>stream.user
    if slot != NULL:
        if not stream.ended:
            fault(slot, BAD_TRANSPORT, b"the stream was reset, or its connection lost", b"", 0)
        finish(slot)


cdef void on_goaway(session_t *session, int32_t last, uint32_t code) noexcept nogil:
    note((<link_t *>session.user).load, b"the server sent GOAWAY", b"", 0)


cdef void on_event(session_t *session) noexcept nogil:
    pass                         # settings, pongs


cdef session_ops_t OPS
OPS.on_headers = on_headers
OPS.on_message = on_message
OPS.on_end = on_end
OPS.on_refused = on_refused
OPS.on_close = on_close
OPS.on_goaway = on_goaway
OPS.on_settings = on_event
OPS.on_pong = on_event


# --- HTTP/1.1 -------------------------------------------------------------------------------------

# Reads status and length out of a whole head. False: not an answer that can be taken.
cdef bint http_head(link_t *link, size_t head_size) noexcept nogil:
    cdef char *line = <char *>link.answer
    cdef char *end = line + head_size
    cdef char *stop
    cdef bint sized = False
    if head_size < 12 or memcmp(line, b"HTTP/1.", 7) != 0:
        return False
    if memcmp(line + 9, b"200", 3) != 0:
        fault(link.first, BAD_STATUS, b"HTTP status ", line + 9, 3)
    while line < end:
        stop = <char *>memmem(line, end - line, b"\r\n", 2)
        if stop == NULL:
            break
        if stop - line > 15 and strncasecmp(line, b"content-length:", 15) == 0:
            link.body_size = strtoll(line + 15, NULL, 10)
            sized = True
        line = stop + 2
    link.head_size = head_size
    return sized


cdef bint http_take(link_t *link) noexcept nogil:
    cdef slot_t *slot = link.first
    cdef unsigned char *end
    if slot == NULL:
        return link.answer_size == 0
    if link.head_size == 0:
        end = <unsigned char *>memmem(link.answer, link.answer_size, b"\r\n\r\n", 4)
        if end == NULL:
            return link.answer_size < HEAD_MAX
        if not http_head(link, end + 4 - link.answer):
            return False
    if link.answer_size < link.head_size + link.body_size:
        return True
    check(slot, link.answer + link.head_size, link.body_size, NULL)
    if link.answer_size > link.head_size + link.body_size:
        fault(slot, BAD_ANSWER, b"more bytes than the answer has", b"", 0)
    link.first = link.last = NULL
    link.answer_size = link.head_size = link.body_size = 0
    finish(slot)
    return True


# --- plain bytes ----------------------------------------------------------------------------------

cdef void tcp_take(link_t *link, const unsigned char *data, size_t size) noexcept nogil:
    cdef load_t *load = link.load
    cdef slot_t *slot
    cdef size_t part
    while size > 0 and link.first != NULL:
        slot = link.first
        part = min(size, load.request_size - link.in_at)
        if memcmp(data, load.request + link.in_at, part) != 0:
            fault(slot, BAD_ANSWER, b"not the bytes that were sent", b"", 0)
        data += part
        size -= part
        link.in_at += part
        if link.in_at == load.request_size:
            link.in_at = 0
            link.first = slot.next
            if link.first == NULL:
                link.last = NULL
            finish(slot)


# --- connections ----------------------------------------------------------------------------------

cdef void link_lose(link_t *link, const char *reason) noexcept nogil:
    cdef slot_t *slot
    if link.lost:
        return
    link.lost = True
    link.load.lost += 1
    note(link.load, b"connection lost: ", reason, 120)
    if link.session != NULL:
        session_free(link.session)
        link.session = NULL
    while link.first != NULL:
        slot = link.first
        link.first = slot.next
        fault(slot, BAD_TRANSPORT, b"connection lost", b"", 0)
        finish(slot)


cdef bint take(link_t *link, size_t size) noexcept nogil:
    cdef load_t *load = link.load
    if load.protocol == GRPC:
        link.dirty = True
        return session_feed(link.session, load.read_buffer, size) == 0
    if load.protocol == TCP:
        tcp_take(link, load.read_buffer, size)
        return True
    if link.answer_size + size > link.answer_room:
        link.answer = <unsigned char *>realloc(link.answer, 2 * (link.answer_size + size))
        link.answer_room = 2 * (link.answer_size + size)
    memcpy(link.answer + link.answer_size, load.read_buffer, size)
    link.answer_size += size
    return http_take(link)


cdef void link_read(link_t *link) noexcept nogil:
    cdef ssize_t size
    while not link.lost:
        size = recv(link.fd, link.load.read_buffer, READ_BYTES, 0)
        if size > 0:
            if not take(link, size):
                link_lose(link, b"what came is not the protocol")
            elif size < READ_BYTES:
                return
        elif size == 0:
            link_lose(link, b"closed by the server")
        elif c_errno == EAGAIN:
            return
        elif c_errno != EINTR:
            link_lose(link, strerror(c_errno))


# What can be written now: pieces of the session, or of the request over and over.
cdef int gather(link_t *link, iovec *pieces) noexcept nogil:
    cdef load_t *load = link.load
    cdef size_t left = min(link.out_left, <size_t>PIPELINED_BYTES)
    cdef size_t at = link.out_at
    cdef int count = 0
    if load.protocol == GRPC:
        session_pump(link.session, HIGH_WATER)
        return session_pieces(link.session, pieces, PIECES)
    while left > 0 and count < PIECES:
        pieces[count].iov_base = <void *>(load.request + at)
        pieces[count].iov_len = min(left, load.request_size - at)
        left -= pieces[count].iov_len
        at = 0
        count += 1
    return count


cdef void link_write(link_t *link) noexcept nogil:
    cdef iovec[PIECES] pieces
    cdef msghdr message
    cdef ssize_t size
    memset(&message, 0, sizeof(message))
    message.msg_iov = pieces
    link.dirty = link.blocked = False
    while not link.lost:
        message.msg_iovlen = gather(link, pieces)
        if message.msg_iovlen == 0:
            return
        size = sendmsg(link.fd, &message, MSG_NOSIGNAL)
        if size >= 0:
            if link.load.protocol == GRPC:
                session_wrote(link.session, size)
            else:
                link.out_left -= size
                link.out_at = (link.out_at + size) % link.load.request_size
        elif c_errno == EAGAIN:
            link.blocked = True
            return
        elif c_errno != EINTR:
            link_lose(link, strerror(c_errno))


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
        if session_request(link.session, load.fields, load.field_count, <message_t *>load.message, False, slot) == NULL:
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
        if max(sockets) >= FD_SETSIZE:
            raise ValueError(f"file descriptor {max(sockets)} is above what select() takes, {FD_SETSIZE - 1}")
        self.kept = [request, list(accepted)]
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
        for fd in sockets:
            self.add(fd)

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

    cdef int add(self, int fd) except -1:
        cdef link_t *link = &self.raw.links[self.raw.link_count]
        cdef limits_t limits
        self.raw.link_count += 1
        link.load = &self.raw
        link.fd = fd
        if self.raw.protocol == GRPC:
            limits = limits_t(0, 64 << 10, 1 << 30, 16 << 20, 64 << 20, NULL)
            link.session = session_new(False, &OPS, &limits, link)
            if link.session == NULL:
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
        cdef int index
        for index in range(self.raw.link_count):
            link_lose(&self.raw.links[index], b"closed here")
            if self.raw.links[index].fd >= 0:
                close(self.raw.links[index].fd)
                self.raw.links[index].fd = -1

    def __dealloc__(self):
        cdef int index
        if self.raw.links != NULL:
            for index in range(self.raw.link_count):
                link_lose(&self.raw.links[index], b"")
                free(self.raw.links[index].answer)
                if self.raw.links[index].fd >= 0:
                    close(self.raw.links[index].fd)
        for index in range(self.raw.sample_count):
            buffer_unref(self.raw.samples[index])
        for block in (<size_t>self.raw.links, <size_t>self.raw.slots, <size_t>self.raw.fields,
                      <size_t>self.raw.latency, <size_t>self.raw.lag, <size_t>self.raw.read_buffer):
            free(<void *><size_t>block)
