"""Owns reading and writing whole HTTP/1.1 messages in their plain form, without a parser's callbacks.

Must not accept what a full parser reads otherwise, nor know what is served. Plain is what programs send nearly always:
a head that has come as a whole, with one Content-Length, no other framing and no odd bytes. Everything else gets None
here, and is left to httptools, whose reading of plain messages is the same; tests hold the two together.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeLatin1
from libc.string cimport memchr, memcmp

from executor._native.budget cimport Budget, budget_give, budget_take
from executor._native.buffer cimport buffer_charge, buffer_of_bytes, buffer_t, buffer_unref
from executor._native.endpoint cimport metadata_new, metadata_t
from executor._native.http2 cimport nv_t
from executor._native.message cimport message_add, message_new, message_of, message_t, message_unref, message_wrap

from executor import errors

cdef enum:
    DIGITS_MAX = 15              # of a Content-Length
    NAME_MAX = 128               # of a header's name
    VERSION_SIZE = 11            # " HTTP/1.1\r\n"
    STATUS_SIZE = 12             # "HTTP/1.1 200"

cdef enum:                       # what a byte may be part of
    IS_TOKEN = 1
    IS_VALUE = 2
    IS_PATH = 4

cdef unsigned char[256] KINDS
cdef unsigned char[256] LOWER


cdef int fill_tables() except -1:
    cdef int byte
    for byte in range(256):
        LOWER[byte] = byte + 32 if 65 <= byte <= 90 else byte
        KINDS[byte] = IS_VALUE if byte == 9 or (byte >= 32 and byte != 127) else 0
    for byte in b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ":
        KINDS[byte] |= IS_TOKEN
    for byte in b"/-._~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ":
        KINDS[byte] |= IS_PATH
    return 0


fill_tables()

cdef str JSON_TYPE = "application/json"

# What is done with a header of a request.
cdef enum:
    FIELD_FORWARD = 0
    FIELD_DROP = 1               # speaks of this hop alone, and changes nothing about it
    FIELD_LENGTH = 2
    FIELD_TYPE = 3
    FIELD_PUID = 4
    FIELD_TIMEOUT = 5
    FIELD_CONNECTION = 6
    FIELD_NOT_PLAIN = 7
    FIELD_CODING = 8             # of answers
    FIELD_LOCATION = 9
    FIELD_TIMING = 10
    FIELD_TIMED = 11             # of requests

cdef dict REQUEST_FIELDS = {
    b"host": FIELD_DROP, b"keep-alive": FIELD_DROP, b"proxy-connection": FIELD_DROP,
    b"proxy-authenticate": FIELD_DROP, b"proxy-authorization": FIELD_DROP, b"te": FIELD_DROP,
    b"content-length": FIELD_LENGTH, b"content-type": FIELD_TYPE, b"seldon-puid": FIELD_PUID,
    b"millrace-timeout": FIELD_TIMEOUT, b"millrace-timing": FIELD_TIMED, b"connection": FIELD_CONNECTION,
    b"transfer-encoding": FIELD_NOT_PLAIN, b"content-encoding": FIELD_NOT_PLAIN, b"expect": FIELD_NOT_PLAIN,
    b"upgrade": FIELD_NOT_PLAIN, b"trailer": FIELD_NOT_PLAIN, b"ce-specversion": FIELD_NOT_PLAIN,
}
cdef dict REPLY_FIELDS = {
    b"content-length": FIELD_LENGTH, b"content-type": FIELD_TYPE, b"content-encoding": FIELD_CODING,
    b"location": FIELD_LOCATION, b"server-timing": FIELD_TIMING, b"connection": FIELD_CONNECTION,
    b"transfer-encoding": FIELD_NOT_PLAIN, b"upgrade": FIELD_NOT_PLAIN, b"keep-alive": FIELD_DROP,
}

# Reads the line at `at`; the byte after it, NULL when it is not plain. An empty line has no name.
cdef const unsigned char *read_line(const unsigned char *at, const unsigned char *end, line_t *line) noexcept nogil:
    line.name = at
    while at < end and KINDS[at[0]] & IS_TOKEN:
        at += 1
    line.name_size = at - line.name
    if line.name_size == 0:
        return at + 2 if end - at >= 2 and at[0] == c'\r' and at[1] == c'\n' else NULL
    if at == end or at[0] != c':':
        return NULL
    at += 1
    while at < end and (at[0] == c' ' or at[0] == c'\t'):
        at += 1
    line.value = at
    while at < end and KINDS[at[0]] & IS_VALUE:
        at += 1
    if end - at < 2 or at[0] != c'\r' or at[1] != c'\n':
        return NULL
    line.value_size = at - line.value
    while line.value_size > 0 and line.value[line.value_size - 1] in (c' ', c'\t'):
        line.value_size -= 1
    return at + 2


# The number that a Content-Length says; -1 when it is not plain.
cdef Py_ssize_t read_length(const line_t *line) noexcept nogil:
    cdef Py_ssize_t length = 0
    cdef Py_ssize_t index
    if line.value_size == 0 or line.value_size > DIGITS_MAX:
        return -1
    for index in range(line.value_size):
        if line.value[index] < c'0' or line.value[index] > c'9':
            return -1
        length = length * 10 + (line.value[index] - c'0')
    return length


cdef bint is_keep_alive(const line_t *line) noexcept nogil:
    cdef const char *wanted = b"keep-alive"
    cdef int index
    if line.value_size != 10:
        return False
    for index in range(10):
        if LOWER[line.value[index]] != wanted[index]:
            return False
    return True


cdef inline str text_of(const line_t *line):
    return PyUnicode_DecodeLatin1(<const char *>line.value, line.value_size, NULL)


# In lower case; b"" for one that is too long to be known. (Not changed in place: short bytes objects are shared.)
cdef inline bytes name_of(const line_t *line):
    cdef char[NAME_MAX] text
    cdef Py_ssize_t index
    if line.name_size > NAME_MAX:
        return b""
    for index in range(line.name_size):
        text[index] = LOWER[line.name[index]]
    return PyBytes_FromStringAndSize(text, line.name_size)


# --- requests -----------------------------------------------------------------------------------

cdef class Fields:
    """Headers that travel on to nodes, as the flow keeps them. Made by `read_request`."""

    cdef metadata_t *metadata(self, bytes puid) noexcept:
        cdef nv_t *last = &self.fields[self.count]
        last.name = b"seldon-puid"
        last.name_size = 11
        last.value = PyBytes_AS_STRING(puid)
        last.value_size = PyBytes_GET_SIZE(puid)
        return metadata_new(self.fields, self.count + 1)

    def pairs(self):
        """The same as a list of (name, value)."""
        cdef int index
        return [
            (self.fields[index].name[:self.fields[index].name_size].decode("latin-1"),
             self.fields[index].value[:self.fields[index].value_size].decode("latin-1"))
            for index in range(self.count)
        ]


cdef class PlainRequest(Fields):
    """A POST that came as a whole: its path, and of its headers what a front reads (None: not sent)."""

    @property
    def body(self):
        """The body's bytes."""
        return self.data[self.body_at:]

    def message(self, int encoding, int form, bint unmarked=False):
        """The body as a message, by reference; `unmarked` is without the byte-order mark that some write before it."""
        cdef message_t *message = message_new(encoding, form)
        cdef buffer_t *buffer = buffer_of_bytes(self.data)
        cdef const unsigned char *data = <const unsigned char *>PyBytes_AS_STRING(self.data) + self.body_at
        cdef Py_ssize_t size = PyBytes_GET_SIZE(self.data) - self.body_at
        cdef int result = -1
        if unmarked and size > 3 and memcmp(data, b"\xef\xbb\xbf", 3) == 0:
            data += 3
            size -= 3
        if message != NULL:
            result = message_add(message, buffer, data, size)
        buffer_unref(buffer)
        if result < 0:
            message_unref(message)
            raise MemoryError()
        return message_wrap(message)

    # Keeps a header for the nodes: its name in lower case, over memory that this owns.
    cdef bint forward(self, const line_t *line, bytes name) except -1:
        cdef nv_t *field
        if self.count == FIELDS_MAX - 1 or not name:
            return False
        field = &self.fields[self.count]
        self.kept.append(name)
        field.name = PyBytes_AS_STRING(name)
        field.name_size = line.name_size
        field.value = <const char *>line.value
        field.value_size = line.value_size
        self.count += 1
        return True

    # What the header means here. False when the request is not plain.
    cdef bint take(self, const line_t *line, Py_ssize_t *length) except -1:
        cdef bytes name = name_of(line)
        cdef int meaning = REQUEST_FIELDS.get(name, FIELD_FORWARD)
        if meaning == FIELD_TIMED:
            self.timed = True
        if meaning == FIELD_FORWARD or meaning == FIELD_TIMED:
            return self.forward(line, name)
        if meaning == FIELD_LENGTH:
            if length[0] >= 0:
                return False
            length[0] = read_length(line)
            return length[0] >= 0
        if meaning == FIELD_CONNECTION:
            return is_keep_alive(line)
        if meaning == FIELD_DROP:
            return True
        if meaning == FIELD_TYPE and self.content_type is None:
            self.content_type = text_of(line)
        elif meaning == FIELD_PUID and self.puid is None:
            self.puid = text_of(line)
        elif meaning == FIELD_TIMEOUT and self.timeout is None:
            self.timeout = text_of(line)
        else:
            return False
        return True


def read_request(bytes data not None, Py_ssize_t head_max, Py_ssize_t body_max):
    """The request that `data` is, a PlainRequest; None when it is not plain, or over a bound."""
    cdef const unsigned char *begin = <const unsigned char *>PyBytes_AS_STRING(data)
    cdef const unsigned char *end = begin + PyBytes_GET_SIZE(data)
    cdef const unsigned char *at = begin + 5
    cdef const unsigned char *path = at
    cdef Py_ssize_t length = -1
    cdef PlainRequest request
    cdef line_t line
    if end - begin < 5 + VERSION_SIZE or memcmp(begin, b"POST ", 5) != 0:
        return None
    if end - begin > head_max:
        end = begin + head_max   # a head over its bound is not plain either
    while at < end and KINDS[at[0]] & IS_PATH:
        at += 1
    if end - at < VERSION_SIZE or memcmp(at, b" HTTP/1.1\r\n", VERSION_SIZE) != 0 or at == path or path[0] != c'/':
        return None
    request = PlainRequest.__new__(PlainRequest)
    request.data = data
    request.kept = []
    request.path = PyBytes_FromStringAndSize(<const char *>path, at - path)
    at += VERSION_SIZE
    while True:
        at = read_line(at, end, &line)
        if at == NULL:
            return None
        if line.name_size == 0:
            break
        if not request.take(&line, &length):
            return None
    request.body_at = at - begin
    if length < 0 or length > body_max or PyBytes_GET_SIZE(data) - request.body_at != length:
        return None
    return request


# --- answers ------------------------------------------------------------------------------------

# Nothing in it refers back. The collector would clear `budget` before the charge is given back.
@cython.no_gc
cdef class Reply:
    """An answer: its status, body as sent, and the few headers that matter here, None where not sent."""

    cdef public int status
    cdef public str content_type
    cdef public str content_encoding
    cdef public str location
    cdef public str timing
    cdef public bytes body
    cdef public bint inflated    # it came compressed
    cdef Budget budget           # what its body is charged to, or None
    cdef size_t charge

    def __cinit__(self):
        self.body = b""

    def __dealloc__(self):
        self.give()

    def give(self):
        """Gives back what was charged: nobody will read it."""
        if self.charge > 0:
            budget_give(self.budget.raw, self.charge)
            self.charge = 0

    def take(self, Budget budget not None, size_t size):
        """Charges `size` bytes more to `budget`, always the same, until this goes or `message` takes over.

        False, and nothing charged, when that is more than there is: answers do not wait, and go up to the hard limit.
        """
        if not budget_take(budget.raw, size, budget.raw.hard):
            return False
        self.budget = budget
        self.charge += size
        return True

    def message(self, int encoding):
        """The body as a message, by reference, of the type it came with. The charge goes with it, and is given back
        when its memory is.
        """
        cdef buffer_t *buffer = buffer_of_bytes(self.body)
        cdef message_t *message
        if self.charge > 0:
            buffer_charge(buffer, self.budget.raw, self.charge)
            self.charge = 0
        message = message_of(encoding, 0, buffer)
        if message != NULL and self.content_type and self.content_type != JSON_TYPE:
            message.kind = buffer_of_bytes(self.content_type.encode("latin-1", "replace"))
        made = message_wrap(message)
        return made.inflated() if self.inflated else made


def read_reply(bytes data not None, Py_ssize_t head_max, Py_ssize_t body_max):
    """The answer that `data` begins with, and how many bytes of its body are still to come. None: not plain."""
    cdef const unsigned char *begin = <const unsigned char *>PyBytes_AS_STRING(data)
    cdef const unsigned char *end = begin + PyBytes_GET_SIZE(data)
    cdef const unsigned char *at
    cdef Py_ssize_t length = -1
    cdef Py_ssize_t missing
    cdef Reply reply
    cdef line_t line
    cdef int status
    if end - begin > head_max:
        end = begin + head_max
    status = read_status(begin, end)
    if status < 200 or status == 204 or status == 304:
        return None
    at = <const unsigned char *>memchr(begin + STATUS_SIZE, c'\n', end - begin - STATUS_SIZE)
    if at == NULL or at[-1] != c'\r' or not is_text(begin + STATUS_SIZE, at - 1):
        return None
    at += 1
    reply = Reply.__new__(Reply)
    reply.status = status
    while True:
        at = read_line(at, end, &line)
        if at == NULL:
            return None
        if line.name_size == 0:
            break
        if not take_reply(reply, &line, &length):
            return None
    missing = length - (begin + PyBytes_GET_SIZE(data) - at)
    if length < 0 or length > body_max or missing < 0:
        return None
    reply.body = data[at - begin:]
    return reply, missing


# The status of a plain status line; 0 for anything else.
cdef int read_status(const unsigned char *at, const unsigned char *end) noexcept nogil:
    cdef int status = 0
    cdef int index
    if end - at < STATUS_SIZE + 2 or memcmp(at, b"HTTP/1.1 ", 9) != 0:
        return 0
    for index in range(9, 12):
        if at[index] < c'0' or at[index] > c'9':
            return 0
        status = status * 10 + (at[index] - c'0')
    return status if at[12] == c' ' or at[12] == c'\r' else 0


cdef bint is_text(const unsigned char *at, const unsigned char *end) noexcept nogil:
    while at < end:
        if not KINDS[at[0]] & IS_VALUE:
            return False
        at += 1
    return True


# Proxies on the way add a Server-Timing of their own.
cdef bint is_ours(const line_t *line) noexcept nogil:
    return line.value_size > 9 and memcmp(line.value, b"millrace;", 9) == 0


# What a header of an answer means. False when the answer is not plain.
cdef bint take_reply(Reply reply, const line_t *line, Py_ssize_t *length) except -1:
    # Names that are too long are none of these.
    cdef int meaning = REPLY_FIELDS.get(name_of(line), FIELD_DROP)
    if meaning == FIELD_LENGTH:
        if length[0] >= 0:
            return False
        length[0] = read_length(line)
        return length[0] >= 0
    if meaning == FIELD_CONNECTION:
        return is_keep_alive(line)
    if meaning == FIELD_TYPE:
        reply.content_type = text_of(line)
    elif meaning == FIELD_CODING:
        reply.content_encoding = text_of(line)
    elif meaning == FIELD_LOCATION:
        reply.location = text_of(line)
    elif meaning == FIELD_TIMING and reply.timing is None and is_ours(line):
        reply.timing = text_of(line)
    return meaning != FIELD_NOT_PLAIN


# --- calls of nodes -----------------------------------------------------------------------------

cdef bytes ACCEPT = b"accept-encoding"

# Headers of a request that no node gets over HTTP. What belongs to a gRPC call of its own, that front leaves out.
cdef frozenset NOT_FORWARDED = frozenset(REQUEST_FIELDS) - {b"ce-specversion", b"millrace-timing"}


def header_lines(fields, str puid, remaining, bint coded=False):
    """The header lines of a call to a node: the request's own (name, value) pairs, as far as they travel, and ours.

    Names are in lower case, and all are bytes. Which codings the client accepts travels where the node's answer may go
    back `coded`, and is told then; all others are asked for gzip, as Go's client has it, unless the client wants no
    coding. Raises RequestError for a header that would begin another.
    """
    cdef list lines = []
    cdef bytes name, value
    cdef bint asked = False
    cdef bint passes = False
    for name, value in fields:
        if name in NOT_FORWARDED:
            continue
        if name == ACCEPT:
            if not coded and value != b"identity":
                continue
            asked = True
            passes = passes or value != b"identity"
        if not is_text(name, <const unsigned char *>name + len(name)) or not is_text(
            value, <const unsigned char *>value + len(value)
        ):
            raise errors.RequestError(
                f"header {name.decode('latin-1')!r} has a line break or another control character in it, and cannot"
                " be sent on to a REST node"
            )
        lines += (name, b": ", value, b"\r\n")
    if not asked:
        lines.append(b"accept-encoding: gzip\r\n")
    if puid:
        lines += (b"seldon-puid: ", puid.encode("latin-1", "replace"), b"\r\n")
    if remaining is not None:
        lines.append(b"millrace-timeout: %.6f\r\n" % max(remaining, 0.0))
    return b"".join(lines), passes


# --- answers of ours ----------------------------------------------------------------------------

# What JSON text is written as where no byte may be taken for markup. Such characters stand only inside strings.
cdef tuple ESCAPES = (
    (b"<", b"\\u003c"), (b">", b"\\u003e"), (b"&", b"\\u0026"),
    (b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"),
)


# One look at each byte, without a branch for most: 0xE2 begins U+2028 and U+2029, among others.
cdef bint may_need_escape(const unsigned char *at, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t index
    cdef unsigned char found = 0
    for index in range(size):
        found |= (at[index] == c'<') | (at[index] == c'>') | (at[index] == c'&') | (at[index] == 0xE2)
    return found


def escape_html(bytes body not None):
    """JSON text in which no byte can be taken for markup; the same object where there is none."""
    if not may_need_escape(<const unsigned char *>PyBytes_AS_STRING(body), PyBytes_GET_SIZE(body)):
        return body
    for raw, escape in ESCAPES:
        if raw in body:
            body = body.replace(raw, escape)
    return body
