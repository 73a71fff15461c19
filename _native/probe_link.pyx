"""Owns a connection of the load generator: what is written to it, read from it, and whether an answer is right.

Must not decide when a request is sent (`probe_load` does); it is built for the tree, in no wheel.

Three protocols: gRPC (the project's own HTTP/2 session), HTTP/1.1 with keep-alive, and plain bytes that are echoed,
which is the floor that the kernel sets. The first two also over TLS, through Python's own `ssl.SSLSocket`: that part
takes the GIL, and costs the generator, not the server that is measured.
"""

import ssl

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.buffer cimport PyBUF_WRITE
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.errno cimport EAGAIN, ECONNABORTED, EINTR, errno as c_errno
from libc.stdint cimport int32_t, uint32_t
from libc.stdio cimport snprintf
from libc.stdlib cimport realloc, strtoll
from libc.string cimport memcmp, memcpy, memset, strerror
from posix.uio cimport iovec

from executor._native.buffer cimport buffer_copy, buffer_ref, buffer_t, buffer_unref
from executor._native.headers cimport headers_get, headers_t
from executor._native.http2 cimport (
    H2_CANCEL, limits_t, session_feed, session_free, session_new, session_ops_t, session_pieces, session_pump,
    session_t, session_wrote, stream_reset, stream_t,
)

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


# --- TLS: a socket of Python's -------------------------------------------------------------------

cdef ssize_t veil_failed(link_t *link, object error) except 1:
    if isinstance(error, (ssl.SSLWantReadError, ssl.SSLWantWriteError)):
        return -EAGAIN
    if isinstance(error, ssl.SSLEOFError):
        return 0
    text = f"TLS: {error}".encode()
    note(link.load, text, b"", 0)
    return -ECONNABORTED


cdef ssize_t veil_receive(link_t *link) noexcept with gil:
    try:
        return (<object>link.veil).recv_into(
            PyMemoryView_FromMemory(<char *>link.load.read_buffer, READ_BYTES, PyBUF_WRITE)
        )
    except Exception as error:
        return veil_failed(link, error)


# One record at most. What could not be sent is offered again with the same beginning, as OpenSSL wants it.
cdef ssize_t veil_send(link_t *link, iovec *pieces, int count) noexcept with gil:
    cdef bytes record
    cdef size_t part, total = 0
    cdef int index
    try:
        for index in range(count):
            total += pieces[index].iov_len
        record = PyBytes_FromStringAndSize(NULL, min(total, <size_t>RECORD_BYTES))
        total = 0
        for index in range(count):
            part = min(pieces[index].iov_len, <size_t>len(record) - total)
            memcpy(PyBytes_AS_STRING(record) + total, pieces[index].iov_base, part)
            total += part
        return (<object>link.veil).send(record)
    except Exception as error:
        return veil_failed(link, error)


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


# Like recv, with the errno as a negative number.
cdef ssize_t receive(link_t *link) noexcept nogil:
    cdef ssize_t size
    if link.veil != NULL:
        return veil_receive(link)
    size = recv(link.fd, link.load.read_buffer, READ_BYTES, 0)
    return size if size >= 0 else -c_errno


cdef void link_read(link_t *link) noexcept nogil:
    cdef ssize_t size
    while not link.lost:
        size = receive(link)
        if size > 0:
            if not take(link, size):
                link_lose(link, b"what came is not the protocol")
            elif size < READ_BYTES and link.veil == NULL:
                return
        elif size == 0:
            link_lose(link, b"closed by the server")
        elif size == -EAGAIN:
            return
        elif size != -EINTR:
            link_lose(link, strerror(<int>-size))


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


# Like sendmsg, with the errno as a negative number.
cdef ssize_t transmit(link_t *link, iovec *pieces, int count) noexcept nogil:
    cdef msghdr message
    cdef ssize_t size
    if link.veil != NULL:
        return veil_send(link, pieces, count)
    memset(&message, 0, sizeof(message))
    message.msg_iov = pieces
    message.msg_iovlen = count
    size = sendmsg(link.fd, &message, MSG_NOSIGNAL)
    return size if size >= 0 else -c_errno


cdef void link_write(link_t *link) noexcept nogil:
    cdef iovec[PIECES] pieces
    cdef ssize_t size
    cdef int count
    link.dirty = link.blocked = False
    while not link.lost:
        count = gather(link, pieces)
        if count == 0:
            return
        size = transmit(link, pieces, count)
        if size >= 0:
            if link.load.protocol == GRPC:
                session_wrote(link.session, size)
            else:
                link.out_left -= size
                link.out_at = (link.out_at + size) % link.load.request_size
        elif size == -EAGAIN:
            link.blocked = True
            return
        elif size != -EINTR:
            link_lose(link, strerror(<int>-size))


cdef bint link_open(link_t *link, load_t *load, int fd, void *veil) noexcept nogil:
    cdef limits_t limits = limits_t(0, 64 << 10, 1 << 30, 16 << 20, 64 << 20, NULL, NULL)
    link.load = load
    link.fd = fd
    link.veil = veil
    if load.protocol == GRPC:
        link.session = session_new(False, &OPS, &limits, link)
    return load.protocol != GRPC or link.session != NULL
