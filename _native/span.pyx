"""Owns bytes in OTLP's form: growing memory, protobuf fields written front to back, attributes, spans.

Must not know what is traced, nor where spans go. The length of a message inside is written in four bytes, whatever it
is, so that nothing has to be moved once it is known: protobuf's readers take that.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

INTERNAL, SERVER, CLIENT = SPAN_INTERNAL, SPAN_SERVER, SPAN_CLIENT

cdef enum:
    FIRST_BYTES = 1024
    LENGTH_BYTES = 4
    VARINT = 0
    FIXED64 = 1
    BYTES = 2


cdef void out_free(out_t *out) noexcept nogil:
    free(out.data)
    out.data = NULL
    out.size = out.room = 0


# Makes room for `size` more bytes, and returns where they go; NULL when memory is out.
cdef unsigned char *out_take(out_t *out, size_t size) noexcept nogil:
    cdef unsigned char *data
    cdef size_t room = out.room if out.room else FIRST_BYTES
    if out.failed:
        return NULL
    if out.size + size > out.room:
        while room < out.size + size:
            room *= 2
        data = <unsigned char *>realloc(out.data, room)
        if data == NULL:
            out.failed = True
            return NULL
        out.data = data
        out.room = room
    data = out.data + out.size
    out.size += size
    return data


cdef void out_raw(out_t *out, const void *data, size_t size) noexcept nogil:
    cdef unsigned char *to
    if size > 0:
        to = out_take(out, size)
        if to != NULL:
            memcpy(to, data, size)


cdef void out_varint(out_t *out, uint64_t value) noexcept nogil:
    cdef unsigned char[10] digits
    cdef size_t size = 0
    while value > 0x7F:
        digits[size] = (value & 0x7F) | 0x80
        value >>= 7
        size += 1
    digits[size] = <unsigned char>value
    out_raw(out, digits, size + 1)


cdef inline void out_tag(out_t *out, int number, int kind) noexcept nogil:
    out_varint(out, <uint64_t>(number << 3 | kind))


cdef size_t out_open(out_t *out, int number) noexcept nogil:
    out_tag(out, number, BYTES)
    out_take(out, LENGTH_BYTES)
    return out.size


cdef void out_close(out_t *out, size_t mark) noexcept nogil:
    cdef size_t size = out.size - mark
    cdef int index
    if out.failed:
        return
    for index in range(LENGTH_BYTES):
        out.data[mark - LENGTH_BYTES + index] = (size >> (7 * index)) & 0x7F | (0x80 if index < LENGTH_BYTES - 1 else 0)


cdef void out_int(out_t *out, int number, uint64_t value) noexcept nogil:
    out_tag(out, number, VARINT)
    out_varint(out, value)


cdef void out_fixed64(out_t *out, int number, uint64_t value) noexcept nogil:
    out_tag(out, number, FIXED64)
    out_raw(out, &value, 8)      # all that this runs on is little-endian, as protobuf is


cdef void out_bytes(out_t *out, int number, const void *data, size_t size) noexcept nogil:
    out_tag(out, number, BYTES)
    out_varint(out, size)
    out_raw(out, data, size)


# Bytes of the character at `text`, of which `left` are there; 0 when it is no UTF-8.
cdef size_t character(const unsigned char *text, size_t left) noexcept nogil:
    cdef size_t size
    cdef size_t index
    if text[0] < 0x80:
        return 1
    size = 2 if 0xC2 <= text[0] < 0xE0 else 3 if 0xE0 <= text[0] < 0xF0 else 4 if 0xF0 <= text[0] < 0xF5 else 0
    if size == 0 or size > left:
        return 0
    for index in range(1, size):
        if text[index] & 0xC0 != 0x80:
            return 0
    if text[0] == 0xE0 and text[1] < 0xA0 or text[0] == 0xED and text[1] > 0x9F:
        return 0                 # written too long; half of a pair of UTF-16
    if text[0] == 0xF0 and text[1] < 0x90 or text[0] == 0xF4 and text[1] > 0x8F:
        return 0
    return size


cdef void out_text(out_t *out, int number, const char *text, size_t size) noexcept nogil:
    cdef const unsigned char *from_ = <const unsigned char *>text
    cdef unsigned char *to
    cdef size_t index = 0
    cdef size_t step
    size = min(size, <size_t>TEXT_MAX)
    out_tag(out, number, BYTES)
    out_varint(out, size)
    to = out_take(out, size) if size > 0 else NULL
    while to != NULL and index < size:
        step = character(from_ + index, size - index)
        if step == 0:
            to[index] = c'?'
            step = 1
        else:
            memcpy(to + index, from_ + index, step)
        index += step


# --- attributes: KeyValue, with an AnyValue inside -----------------------------------------------

cdef void out_text_attribute(
    out_t *out, int number, const char *key, size_t key_size, const char *text, size_t size
) noexcept nogil:
    cdef size_t mark = out_open(out, number)
    cdef size_t inner
    out_text(out, 1, key, key_size)
    inner = out_open(out, 2)
    out_text(out, 1, text, size)
    out_close(out, inner)
    out_close(out, mark)


cdef void out_int_attribute(out_t *out, int number, const char *key, size_t key_size, uint64_t value) noexcept nogil:
    cdef size_t mark = out_open(out, number)
    cdef size_t inner
    out_text(out, 1, key, key_size)
    inner = out_open(out, 2)
    out_int(out, 3, value)
    out_close(out, inner)
    out_close(out, mark)


cdef void out_double_attribute(out_t *out, int number, const char *key, size_t key_size, double value) noexcept nogil:
    cdef size_t mark = out_open(out, number)
    cdef size_t inner
    cdef uint64_t raw
    out_text(out, 1, key, key_size)
    inner = out_open(out, 2)
    memcpy(&raw, &value, 8)
    out_fixed64(out, 4, raw)
    out_close(out, inner)
    out_close(out, mark)


# --- the Python face: what is the same for many spans, and what is around them --------------------

cdef int put_attributes(out_t *out, int number, attributes) except -1:
    cdef bytes key
    cdef bytes text
    for name, value in attributes.items():
        key = name.encode("utf-8", "replace")
        if isinstance(value, int):
            out_int_attribute(out, number, key, len(key), <uint64_t><long long>value)
        else:
            text = str(value).encode("utf-8", "replace")
            out_text_attribute(out, number, key, len(key), text, len(text))
    return 0


cdef bytes taken(out_t *out):
    try:
        if out.failed:
            raise MemoryError()
        return PyBytes_FromStringAndSize(<const char *>out.data, out.size)
    finally:
        out_free(out)


def static(str name not None, int kind, attributes):
    """What spans of one name have in common: name, kind and attributes, as fields of a span."""
    cdef out_t out = out_t(NULL, 0, 0, False)
    cdef bytes raw = name.encode("utf-8", "replace")
    out_text(&out, SPAN_NAME, raw, len(raw))
    out_int(&out, SPAN_KIND, kind)
    put_attributes(&out, SPAN_ATTRIBUTE, attributes)
    return taken(&out)


def source(resource, str scope not None, str version not None):
    """Who sends spans, the fields that stand before them: a resource's attributes, and what measured them."""
    cdef out_t first = out_t(NULL, 0, 0, False)
    cdef out_t second = out_t(NULL, 0, 0, False)
    cdef size_t mark = out_open(&first, 1)
    cdef bytes name = scope.encode()
    cdef bytes number = version.encode()
    put_attributes(&first, 1, resource)
    out_close(&first, mark)
    mark = out_open(&second, 1)
    out_text(&second, 1, name, len(name))
    out_text(&second, 2, number, len(number))
    out_close(&second, mark)
    return taken(&first), taken(&second)


def request(tuple source not None, list spans not None):
    """An ExportTraceServiceRequest; `spans` are chunks as a Tracer hands them out."""
    cdef bytes resource = source[0]
    cdef bytes scope = source[1]
    cdef out_t out = out_t(NULL, 0, 0, False)
    cdef size_t outer = out_open(&out, 1)
    cdef size_t inner
    cdef bytes chunk
    out_raw(&out, <const char *>resource, len(resource))
    inner = out_open(&out, 2)
    out_raw(&out, <const char *>scope, len(scope))
    for chunk in spans:
        out_raw(&out, <const char *>chunk, len(chunk))
    out_close(&out, inner)
    out_close(&out, outer)
    return taken(&out)
