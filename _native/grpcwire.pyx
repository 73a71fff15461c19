"""Owns gRPC's conventions on top of HTTP/2: timeouts, status text, binary headers, compression, reserved names.

Must not know sessions, sockets or plans. Source: grpc/doc/PROTOCOL-HTTP2.md and http-grpc-status-mapping.md.
"""

import zlib

from libc.stdio cimport snprintf
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy, strlen

from executor._native.budget cimport budget_give, budget_read, budget_t, budget_take
from executor._native.buffer cimport (
    buffer_charge, buffer_copy, buffer_new, buffer_room, buffer_t, buffer_unref, memory_lend,
)
from executor._native.endpoint cimport error_add_details, error_new
from executor._native.http2 cimport headers_get
from executor._native.types cimport (
    STATUS_INTERNAL, STATUS_RESOURCE_EXHAUSTED, STATUS_UNAVAILABLE, STATUS_UNIMPLEMENTED, STATUS_UNKNOWN, fail,
)

cdef enum:
    STATUS_PERMISSION_DENIED = 7
    STATUS_UNAUTHENTICATED = 16

cdef const char *BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
cdef const char *HEX = b"0123456789ABCDEF"


# --- timeouts -----------------------------------------------------------------------------------

cdef double unit_of(char letter) noexcept nogil:
    if letter == c'H':
        return 3600
    if letter == c'M':
        return 60
    if letter == c'S':
        return 1
    if letter == c'm':
        return 1e-3
    if letter == c'u':
        return 1e-6
    if letter == c'n':
        return 1e-9
    return 0


cdef double timeout_parse(const char *text, size_t size) noexcept nogil:
    cdef long long amount = 0
    cdef size_t index
    cdef double unit
    # The protocol allows eight digits; a peer that sends more is not understood.
    if size < 2 or size > 9:
        return -1
    for index in range(size - 1):
        if text[index] < c'0' or text[index] > c'9':
            return -1
        amount = amount * 10 + (text[index] - c'0')
    unit = unit_of(text[size - 1])
    return amount * unit if unit > 0 else -1


# By hand, since each call of a node has one and printf costs as much as all else that a call's headers take here.
cdef size_t amount_print(long amount, char unit, char *out) noexcept nogil:
    cdef char[TIMEOUT_TEXT] digits
    cdef size_t first = TIMEOUT_TEXT - 1
    digits[first] = unit
    while amount > 0:
        first -= 1
        digits[first] = c'0' + amount % 10
        amount //= 10
    memcpy(out, digits + first, TIMEOUT_TEXT - first)
    return TIMEOUT_TEXT - first


cdef size_t timeout_print(double seconds, char *out) noexcept nogil:
    cdef double micros = max(seconds * 1e6, 1.0)
    if micros < 1e8:
        return amount_print(<long>micros, c'u', out)
    if micros < 1e11:
        return amount_print(<long>(micros / 1e3), c'm', out)
    if micros < 1e14:
        return amount_print(<long>(micros / 1e6), c'S', out)
    return amount_print(<long>min(micros / 3.6e9, 99999999.0), c'H', out)


# --- text ---------------------------------------------------------------------------------------

cdef size_t message_escape(const unsigned char *text, size_t size, char *out, size_t room) noexcept nogil:
    cdef size_t used = 0
    cdef size_t index
    for index in range(size):
        if 0x20 <= text[index] <= 0x7E and text[index] != c'%':
            if used + 1 > room:
                break
            out[used] = text[index]
            used += 1
        else:
            if used + 3 > room:
                break
            out[used] = c'%'
            out[used + 1] = HEX[text[index] >> 4]
            out[used + 2] = HEX[text[index] & 15]
            used += 3
    return used


cdef int hex_value(char letter) noexcept nogil:
    if c'0' <= letter <= c'9':
        return letter - c'0'
    if c'a' <= letter <= c'f':
        return letter - c'a' + 10
    if c'A' <= letter <= c'F':
        return letter - c'A' + 10
    return -1


# Decodes in place of a new error's text; bad escapes stay as they are, as the protocol asks.
cdef size_t unescape(const char *text, size_t size, char *out) noexcept nogil:
    cdef size_t used = 0
    cdef size_t index = 0
    while index < size:
        if (
            text[index] == c'%' and index + 2 < size
            and hex_value(text[index + 1]) >= 0 and hex_value(text[index + 2]) >= 0
        ):
            out[used] = <char>(hex_value(text[index + 1]) * 16 + hex_value(text[index + 2]))
            index += 3
        else:
            out[used] = text[index]
            index += 1
        used += 1
    return used


cdef size_t base64_print(const unsigned char *data, size_t size, char *out) noexcept nogil:
    cdef unsigned int bits = 0
    cdef int have = 0
    cdef size_t used = 0
    cdef size_t index
    for index in range(size):
        bits = (bits << 8) | data[index]
        have += 8
        while have >= 6:
            have -= 6
            out[used] = BASE64[(bits >> have) & 63]
            used += 1
    if have > 0:
        out[used] = BASE64[(bits << (6 - have)) & 63]
        used += 1
    return used


cdef int base64_value(char letter) noexcept nogil:
    if c'A' <= letter <= c'Z':
        return letter - c'A'
    if c'a' <= letter <= c'z':
        return letter - c'a' + 26
    if c'0' <= letter <= c'9':
        return letter - c'0' + 52
    return 62 if letter == c'+' else 63 if letter == c'/' else -1


cdef buffer_t *base64_parse(const char *text, size_t size) noexcept nogil:
    cdef unsigned int bits = 0
    cdef int have = 0
    cdef int value
    cdef size_t index
    cdef buffer_t *buffer
    while size > 0 and text[size - 1] == c'=':
        size -= 1
    buffer = buffer_new(size)
    if buffer == NULL:
        return NULL
    for index in range(size):
        value = base64_value(text[index])
        if value < 0:
            buffer_unref(buffer)
            return NULL
        bits = (bits << 6) | <unsigned int>value
        have += 6
        if have >= 8:
            have -= 8
            buffer.data[buffer.size] = (bits >> have) & 255
            buffer.size += 1
    return buffer


# --- status -------------------------------------------------------------------------------------

cdef int number_parse(const char *text, size_t size) noexcept nogil:
    cdef int number = 0
    cdef size_t index
    if size == 0 or size > 3:
        return -1
    for index in range(size):
        if text[index] < c'0' or text[index] > c'9':
            return -1
        number = number * 10 + (text[index] - c'0')
    return number


cdef error_t *error_of_trailers(const headers_t *headers) noexcept nogil:
    cdef size_t size = 0
    cdef const char *text = headers_get(headers, b"grpc-status", 11, &size)
    cdef int status
    cdef char *line
    cdef error_t *error
    if text == NULL:
        return error_new(STATUS_UNKNOWN, b"the answer ended without grpc-status", 36)
    status = number_parse(text, size)
    if status == 0:
        return NULL
    if status < 0 or status > STATUS_UNAUTHENTICATED:
        status = STATUS_UNKNOWN  # so says the protocol of numbers that are none of its own
    size = 0
    text = headers_get(headers, b"grpc-message", 12, &size)
    line = <char *>malloc(size + 1)
    if line == NULL:
        return error_new(status, b"", 0)
    error = error_new(status, line, unescape(text, size, line) if text != NULL else 0)
    free(line)
    text = headers_get(headers, b"grpc-status-details-bin", 23, &size)
    if text != NULL:
        error_add_details(error, base64_parse(text, size))
    return error


cdef int status_of_http(int code) noexcept nogil:
    if code == 400:
        return STATUS_INTERNAL
    if code == 401:
        return STATUS_UNAUTHENTICATED
    if code == 403:
        return STATUS_PERMISSION_DENIED
    if code == 404:
        return STATUS_UNIMPLEMENTED
    if code == 429 or code == 502 or code == 503 or code == 504:
        return STATUS_UNAVAILABLE
    return STATUS_UNKNOWN


cdef error_t *error_of_http(const headers_t *headers) noexcept nogil:
    cdef size_t size = 0
    cdef size_t type_size = 0
    cdef const char *text = headers_get(headers, b":status", 7, &size)
    cdef const char *content_type
    cdef char[200] line
    cdef int code = 0
    if text != NULL and size == 3:
        code = number_parse(text, size)
    content_type = headers_get(headers, b"content-type", 12, &type_size)
    if code == 200 and content_type != NULL and is_grpc(content_type, type_size):
        return NULL
    # A proxy on the way may still have put a gRPC status there.
    if headers_get(headers, b"grpc-status", 11, &size) != NULL:
        return error_of_trailers(headers)
    if content_type == NULL:
        content_type = b"none"
        type_size = 4
    snprintf(
        line, sizeof(line), b"not a gRPC answer: HTTP status %d, content-type %.*s", code, <int>min(type_size, 100),
        content_type,
    )
    return error_new(status_of_http(code) if code != 200 else STATUS_UNKNOWN, line, strlen(line))


# --- headers ------------------------------------------------------------------------------------

cdef bint is_reserved(const char *name, size_t size) noexcept nogil:
    if size == 0 or name[0] == c':':
        return True
    if size >= 5 and memcmp(name, b"grpc-", 5) == 0:
        return True
    if size == 2:
        return memcmp(name, b"te", 2) == 0
    if size == 4:
        return memcmp(name, b"host", 4) == 0
    if size == 7:
        return memcmp(name, b"upgrade", 7) == 0
    if size == 10:
        return (
            memcmp(name, b"user-agent", 10) == 0 or memcmp(name, b"connection", 10) == 0
            or memcmp(name, b"keep-alive", 10) == 0
        )
    if size == 12:
        return memcmp(name, b"content-type", 12) == 0
    if size == 14:
        return memcmp(name, b"content-length", 14) == 0
    if size == 16:
        return memcmp(name, b"proxy-connection", 16) == 0
    if size == 17:
        return memcmp(name, b"transfer-encoding", 17) == 0
    return False


cdef bint is_grpc(const char *value, size_t size) noexcept nogil:
    if size < 16 or memcmp(value, b"application/grpc", 16) != 0:
        return False
    return size == 16 or value[16] == c'+' or value[16] == c';'


cdef const char *request_fault(const headers_t *headers) noexcept nogil:
    cdef size_t size = 0
    cdef const char *value = headers_get(headers, b":method", 7, &size)
    if value == NULL or size != 4 or memcmp(value, b"POST", 4) != 0:
        return b"gRPC requests are POST"
    value = headers_get(headers, b"content-type", 12, &size)
    if value == NULL or not is_grpc(value, size):
        return b"content-type must be application/grpc"
    return NULL


# --- compression --------------------------------------------------------------------------------

cdef buffer_t *inflate(
    buffer_t *body, const char *encoding, size_t encoding_size, size_t limit, failure_t *failure
) noexcept nogil:
    cdef int window
    cdef char[120] text
    if encoding == NULL or (encoding_size == 8 and memcmp(encoding, b"identity", 8) == 0):
        buffer_unref(body)
        fail(failure, STATUS_INTERNAL, -1, b"message is marked as compressed, but grpc-encoding names no compression")
        return NULL
    if encoding_size == 4 and memcmp(encoding, b"gzip", 4) == 0:
        window = 31
    elif encoding_size == 7 and memcmp(encoding, b"deflate", 7) == 0:
        window = 15
    else:
        buffer_unref(body)
        snprintf(
            text, sizeof(text), b"message compression '%.*s' is not supported; allowed are gzip, deflate, identity",
            <int>min(encoding_size, 40), encoding,
        )
        fail(failure, STATUS_UNIMPLEMENTED, -1, text)
        return NULL
    return inflate_with(body, window, limit, failure)


# Charged to what the compressed message was charged to. It cannot wait, so it may go on to the hard limit.
cdef buffer_t *charged_copy(const buffer_t *like, bytes plain, failure_t *failure):
    cdef budget_t *budget = like.budget
    cdef size_t room = buffer_room(len(plain))
    cdef char[120] text
    cdef buffer_t *buffer
    if budget != NULL and not budget_take(budget, room, budget.hard):
        snprintf(
            text, sizeof(text), b"no memory for a message of %zu bytes once inflated: %ld of the %zu bytes for "
            b"messages are in use", <size_t>len(plain), budget_read(&budget.used), budget.hard,
        )
        fail(failure, STATUS_RESOURCE_EXHAUSTED, -1, text)
        return NULL
    buffer = buffer_copy(<const char *>plain, len(plain))
    if budget == NULL:
        return buffer
    if buffer == NULL:
        budget_give(budget, room)
    else:
        buffer_charge(buffer, budget, room)
    return buffer


# Compressed messages are rare in this field (tensors do not shrink), so the standard library's zlib does it.
cdef buffer_t *inflate_with(buffer_t *body, int window, size_t limit, failure_t *failure) noexcept with gil:
    cdef buffer_t *buffer = NULL
    cdef char[120] text
    try:
        worker = zlib.decompressobj(window)
        plain = worker.decompress(memory_lend(body, body.data, body.size, False), limit + 1)
        if len(plain) > limit:
            snprintf(text, sizeof(text), b"message is larger than %zu bytes once inflated", limit)
            fail(failure, STATUS_RESOURCE_EXHAUSTED, -1, text)
        elif not worker.eof:
            fail(failure, STATUS_INTERNAL, -1, b"compressed message is cut short")
        elif worker.unused_data:
            fail(failure, STATUS_INTERNAL, -1, b"compressed message is followed by more bytes")
        else:
            buffer = charged_copy(body, plain, failure)
    except zlib.error:
        fail(failure, STATUS_INTERNAL, -1, b"compressed message cannot be inflated")
    except MemoryError:
        fail(failure, STATUS_RESOURCE_EXHAUSTED, -1, b"out of memory")
    buffer_unref(body)
    if buffer == NULL and failure.status == 0:
        fail(failure, STATUS_RESOURCE_EXHAUSTED, -1, b"out of memory")
    return buffer
