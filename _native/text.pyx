"""Owns the writing of JSON text, and the table of names that finds double ones.

Must not know any message type, nor read JSON (see json.pyx).
"""

from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, strlen

from executor._native.buffer cimport buffer_new, buffer_t, buffer_unref
from executor._native.json cimport (
    ITEM_DOUBLE, ITEM_FLOAT, ITEM_INT64, ITEM_UINT64, NUMBER_TEXT, number_row, number_text,
)
from executor._native.utf8 cimport plain_end, utf8_size

# Not known to a sender, so that nobody can choose names that all fall into one slot.
cdef uint64_t hash_seed = <uint64_t>hash(b"names") | 1


cdef void text_begin(text_t *text, size_t capacity) noexcept nogil:
    text.buffer = buffer_new(capacity)
    text.failed = text.buffer == NULL


cdef void text_drop(text_t *text) noexcept nogil:
    buffer_unref(text.buffer)
    text.buffer = NULL


cdef int text_grow(text_t *text, size_t more) noexcept nogil:
    cdef buffer_t *larger = buffer_new(2 * (text.buffer.size + more))
    if larger == NULL:
        text.failed = True
        return -1
    memcpy(larger.data, text.buffer.data, text.buffer.size)
    larger.size = text.buffer.size
    buffer_unref(text.buffer)
    text.buffer = larger
    return 0


cdef void text_raw(text_t *text, const void *data, size_t size) noexcept nogil:
    cdef unsigned char *to = text_room(text, size)
    if to != NULL and size > 0:
        memcpy(to, data, size)
        text.buffer.size += size


cdef void text_word(text_t *text, const char *word) noexcept nogil:
    text_raw(text, word, strlen(word))


cdef void text_escape(text_t *text, int byte) noexcept nogil:
    cdef const char *letters = b"btn?fr"
    cdef char[8] escape
    if byte == c'"' or byte == c'\\':
        text_byte(text, c'\\')
        text_byte(text, byte)
    elif 8 <= byte <= 13 and byte != 11:
        text_byte(text, c'\\')
        text_byte(text, letters[byte - 8])
    else:
        snprintf(escape, sizeof(escape), b"\\u%04x", byte)
        text_raw(text, escape, 6)


cdef int text_string(text_t *text, const unsigned char *data, size_t size) noexcept nogil:
    cdef const unsigned char *end = data + size
    cdef const unsigned char *after
    cdef size_t begin = 0 if text.failed else text.buffer.size
    cdef int step
    text_byte(text, c'"')
    while data < end:
        after = plain_end(data, end)
        text_raw(text, data, after - data)
        data = after
        if data < end and data[0] < 0x80:
            text_escape(text, data[0])
            data += 1
        elif data < end:
            step = utf8_size(data, end)
            if step == 0:
                if not text.failed:
                    text.buffer.size = begin
                return -1
            text_raw(text, data, step)
            data += step
    text_byte(text, c'"')
    return 0


cdef void text_base64(text_t *text, const unsigned char *data, size_t size) noexcept nogil:
    cdef const char *letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    cdef unsigned char *to = text_room(text, size // 3 * 4 + 6)
    cdef const unsigned char *end = data + size
    cdef uint32_t bits
    cdef unsigned char *begin = to
    if to == NULL:
        return
    to[0] = c'"'
    to += 1
    while data < end:
        bits = <uint32_t>data[0] << 16
        if end - data > 1:
            bits |= <uint32_t>data[1] << 8
        if end - data > 2:
            bits |= data[2]
        to[0] = letters[bits >> 18]
        to[1] = letters[(bits >> 12) & 63]
        to[2] = letters[(bits >> 6) & 63] if end - data > 1 else c'='
        to[3] = letters[bits & 63] if end - data > 2 else c'='
        to += 4
        data += 3 if end - data > 2 else end - data
    to[0] = c'"'
    text.buffer.size += to + 1 - begin


cdef void put_number(text_t *text, const void *item, int kind) noexcept nogil:
    cdef unsigned char *to = text_room(text, NUMBER_TEXT)
    if to != NULL:
        text.buffer.size += number_text(<char *>to, item, kind)


cdef void text_integer(text_t *text, int64_t value) noexcept nogil:
    put_number(text, &value, ITEM_INT64)


cdef void text_unsigned(text_t *text, uint64_t value) noexcept nogil:
    put_number(text, &value, ITEM_UINT64)


cdef void text_double(text_t *text, double value) noexcept nogil:
    put_number(text, &value, ITEM_DOUBLE)


cdef void text_not_finite(text_t *text, const unsigned char *item, int kind, bint quoted) noexcept nogil:
    cdef const char *word
    cdef double value
    cdef float narrow
    if kind == ITEM_FLOAT:
        memcpy(&narrow, item, 4)
        value = narrow
    else:
        memcpy(&value, item, 8)
    word = b'"NaN"' if value != value else b'"Infinity"' if value > 0 else b'"-Infinity"'
    text_raw(text, word + (not quoted), strlen(word) - 2 * (not quoted))


cdef size_t text_row(text_t *text, const void *items, size_t count, int kind, int odd) noexcept nogil:
    cdef const unsigned char *item = <const unsigned char *>items
    cdef size_t width = 4 if kind == ITEM_FLOAT else 8
    cdef size_t index = 0
    cdef size_t part
    cdef size_t done
    cdef unsigned char *to
    while index < count:
        # In parts, so that room is taken for the text there is rather than for the longest there could be.
        part = count - index if count - index < 512 else 512
        to = text_room(text, (part + 1) * NUMBER_TEXT)
        if to == NULL:
            return count
        if index > 0:
            to[0] = c','
            to += 1
            text.buffer.size += 1
        text.buffer.size += number_row(<char *>to, item + index * width, part, kind, &done)
        index += done
        if done < part:
            if odd == ODD_ENDS:
                return index
            if done > 0:
                text_byte(text, c',')
            text_not_finite(text, item + index * width, kind, odd == ODD_QUOTED)
            index += 1
    return count


cdef void text_lists(
    text_t *text, const unsigned char **item, const int64_t *dims, int ndim, int kind, int odd
) noexcept nogil:
    cdef size_t width = 4 if kind == ITEM_FLOAT else 8
    cdef int64_t index
    text_byte(text, c'[')
    if ndim == 1:
        item[0] += text_row(text, item[0], dims[0], kind, odd) * width
    else:
        for index in range(dims[0]):
            if index > 0:
                text_byte(text, c',')
            text_lists(text, item, dims + 1, ndim - 1, kind, odd)
    text_byte(text, c']')


cdef void text_grid(text_t *text, const void *items, const int64_t *dims, int ndim, int kind, int odd) noexcept nogil:
    cdef const unsigned char *item = <const unsigned char *>items
    text_lists(text, &item, dims, ndim, kind, odd)


# --- names ---

ctypedef struct slot_t:
    const unsigned char *data        # NULL: free
    size_t size
    size_t value

cdef uint64_t name_hash(const unsigned char *data, size_t size) noexcept nogil:
    cdef uint64_t hash = hash_seed
    cdef uint64_t eight
    while size > 0:
        eight = 0
        memcpy(&eight, data, 8 if size >= 8 else size)
        hash = (hash ^ eight ^ size) * <uint64_t>0x9E3779B97F4A7C15
        hash ^= hash >> 29
        data += 8 if size >= 8 else size
        size -= 8 if size >= 8 else size
    return hash ^ (hash >> 32)


# The slot that holds the name, or the free one where it would go.
cdef slot_t *name_slot(const names_t *names, const unsigned char *data, size_t size) noexcept nogil:
    cdef size_t index = name_hash(data, size) & (names.capacity - 1)
    cdef slot_t *slot
    while True:
        slot = &(<slot_t *>names.slots)[index]
        if slot.data == NULL or (slot.size == size and memcmp(slot.data, data, size) == 0):
            return slot
        index = (index + 1) & (names.capacity - 1)


cdef int names_grow(names_t *names) noexcept nogil:
    cdef names_t larger
    cdef size_t index
    cdef slot_t *slot
    larger.capacity = names.capacity * 2 if names.capacity > 0 else 16
    larger.count = names.count
    larger.slots = calloc(larger.capacity, sizeof(slot_t))
    if larger.slots == NULL:
        return -1
    for index in range(names.capacity):
        slot = &(<slot_t *>names.slots)[index]
        if slot.data != NULL:
            name_slot(&larger, slot.data, slot.size)[0] = slot[0]
    free(names.slots)
    names[0] = larger
    return 0


cdef int names_put(names_t *names, const unsigned char *data, size_t size, size_t value) noexcept nogil:
    cdef slot_t *slot
    cdef int fresh
    if names.count * 2 >= names.capacity and names_grow(names) < 0:
        return -1
    slot = name_slot(names, data, size)
    fresh = slot.data == NULL
    slot.data = data
    slot.size = size
    slot.value = value
    names.count += fresh
    return fresh


cdef size_t names_get(const names_t *names, const unsigned char *data, size_t size) noexcept nogil:
    return name_slot(names, data, size).value


cdef void names_drop(names_t *names) noexcept nogil:
    free(names.slots)


# --- for tools and tests ---

cdef bytes finished(text_t *text):
    if text.failed:
        raise MemoryError()
    try:
        return text.buffer.data[:text.buffer.size]
    finally:
        text_drop(text)


def of_str(str value not None):
    """The JSON string of `value`, quotes included, as UTF-8."""
    cdef Py_ssize_t size
    cdef const char *data = PyUnicode_AsUTF8AndSize(value, &size)
    cdef text_t text
    text_begin(&text, size + 2)
    text_string(&text, <const unsigned char *>data, size)
    return finished(&text)


def of_bytes(bytes value not None):
    """The JSON string of the base64 of `value`."""
    cdef text_t text
    text_begin(&text, 0)
    text_base64(&text, value, len(value))
    return finished(&text)


def of_doubles(const double[::1] values not None, bint narrow=False):
    """The numbers with commas between, as float32 when `narrow`; those that are not finite in quotes."""
    cdef text_t text
    cdef double value
    cdef float small
    cdef bint any = False
    text_begin(&text, 0)
    if not narrow:
        text_row(&text, &values[0] if values.shape[0] else NULL, values.shape[0], ITEM_DOUBLE, ODD_QUOTED)
        return finished(&text)
    for value in values:
        if any:
            text_byte(&text, c',')
        any = True
        small = <float>value
        text_row(&text, &small, 1, ITEM_FLOAT, ODD_QUOTED)
    return finished(&text)


def double_names(list names not None):
    """The indices of names that stand before them already, as the table of names finds them."""
    cdef list kept = [name.encode() for name in names]
    cdef list found = []
    cdef names_t table
    cdef bytes key
    names_begin(&table)
    try:
        for index, key in enumerate(kept):
            if names_put(&table, <const unsigned char *><const char *>key, len(key), index) == 0:
                found.append(index)
        return found
    finally:
        names_drop(&table)
