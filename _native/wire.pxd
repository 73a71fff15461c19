# Owns protobuf's wire primitives, inline and without the GIL: varints, tags, lengths, whole fields.
# Must not know any message type. Bounds are those of google.protobuf's own parser: tags and lengths of
# at most five bytes, lengths below 2 GiB, values of at most ten bytes, groups no deeper than the cursor allows.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from executor._native.cursor cimport cursor_fail, cursor_t
from executor._native.types cimport failure_t

cdef enum:
    WIRE_VARINT = 0
    WIRE_FIXED64 = 1
    WIRE_BYTES = 2           # length-delimited: strings, bytes, messages, packed numbers
    WIRE_GROUP = 3
    WIRE_GROUP_END = 4
    WIRE_FIXED32 = 5

cdef enum:
    WIRE_VARINT_MAX = 10     # bytes of the longest varint
    WIRE_GROUPS = 100

# One field as it lies on the wire.
ctypedef struct field_t:
    uint32_t number
    int type                     # WIRE_*; a group is one field that reaches to its end tag
    const unsigned char *begin   # its tag
    const unsigned char *data    # content of WIRE_BYTES
    size_t size
    uint64_t value               # value of WIRE_VARINT, WIRE_FIXED32, WIRE_FIXED64


# --- reading: 0, or -1 with `failure` filled in and the cursor anywhere ---

cdef inline int wire_varint_long(cursor_t *cursor, uint64_t *value, failure_t *failure) noexcept nogil:
    cdef const unsigned char *at = cursor.position
    cdef uint64_t result = 0
    cdef uint64_t byte
    cdef int shift = 0
    while at < cursor.end:
        byte = at[0]
        at += 1
        if shift == 63 and byte > 1:
            return cursor_fail(cursor, cursor.position, failure, b"a varint does not fit in 64 bits", 0, 0)
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            cursor.position = at
            value[0] = result
            return 0
        shift += 7
    return cursor_fail(cursor, cursor.position, failure, b"the bytes end inside a varint", 0, 0)

cdef inline int wire_varint(cursor_t *cursor, uint64_t *value, failure_t *failure) noexcept nogil:
    if cursor.position < cursor.end and cursor.position[0] < 0x80:
        value[0] = cursor.position[0]
        cursor.position += 1
        return 0
    return wire_varint_long(cursor, value, failure)

cdef inline int wire_tag(cursor_t *cursor, uint32_t *number, int *type, failure_t *failure) noexcept nogil:
    cdef const unsigned char *begin = cursor.position
    cdef uint64_t tag
    if wire_varint(cursor, &tag, failure) < 0:
        return -1
    if tag > 0xFFFFFFFFULL or cursor.position - begin > 5:
        return cursor_fail(cursor, begin, failure, b"a field tag is longer than 32 bits", 0, 0)
    number[0] = <uint32_t>(tag >> 3)
    type[0] = <int>(tag & 7)
    if number[0] == 0:
        return cursor_fail(cursor, begin, failure, b"field number 0 does not exist", 0, 0)
    return 0

# The length of what follows; it is known to lie within the cursor.
cdef inline int wire_length(cursor_t *cursor, size_t *size, failure_t *failure) noexcept nogil:
    cdef const unsigned char *begin = cursor.position
    cdef uint64_t length
    if wire_varint(cursor, &length, failure) < 0:
        return -1
    if cursor.position - begin > 5 or length > 0x7FFFFFFF:
        return cursor_fail(cursor, begin, failure, b"a length is not below 2 GiB in at most five bytes", 0, 0)
    if length > <uint64_t>(cursor.end - cursor.position):
        return cursor_fail(
            cursor, begin, failure, b"a length of %lld runs past the end, %lld bytes are left", <long long>length,
            cursor.end - cursor.position,
        )
    size[0] = <size_t>length
    return 0

cdef inline int wire_fixed64(cursor_t *cursor, uint64_t *value, failure_t *failure) noexcept nogil:
    if cursor.end - cursor.position < 8:
        return cursor_fail(cursor, cursor.position, failure, b"the bytes end inside a 64-bit value", 0, 0)
    memcpy(value, cursor.position, 8)
    cursor.position += 8
    return 0

cdef inline int wire_fixed32(cursor_t *cursor, uint64_t *value, failure_t *failure) noexcept nogil:
    cdef uint32_t narrow
    if cursor.end - cursor.position < 4:
        return cursor_fail(cursor, cursor.position, failure, b"the bytes end inside a 32-bit value", 0, 0)
    memcpy(&narrow, cursor.position, 4)
    cursor.position += 4
    value[0] = narrow
    return 0

# Passes over the value of one field that is not a group.
cdef inline int wire_skip_plain(cursor_t *cursor, int type, failure_t *failure) noexcept nogil:
    cdef uint64_t value
    cdef size_t size
    if type == WIRE_VARINT:
        return wire_varint(cursor, &value, failure)
    if type == WIRE_FIXED64:
        return wire_fixed64(cursor, &value, failure)
    if type == WIRE_FIXED32:
        return wire_fixed32(cursor, &value, failure)
    if type != WIRE_BYTES:
        return cursor_fail(cursor, cursor.position, failure, b"wire type %lld does not exist", type, 0)
    if wire_length(cursor, &size, failure) < 0:
        return -1
    cursor.position += size
    return 0

# Passes over the rest of group `number`, whose start tag was read. No recursion: open groups are kept in an array.
cdef inline int wire_skip_group(cursor_t *cursor, uint32_t number, failure_t *failure) noexcept nogil:
    cdef uint32_t[WIRE_GROUPS] open
    cdef int count = 0
    cdef int type
    cdef const unsigned char *begin
    while True:
        if number != 0:
            if count >= cursor.depth:
                return cursor_fail(
                    cursor, cursor.position, failure, b"groups are nested more than %lld deep", cursor.depth, 0
                )
            open[count] = number
            count += 1
        begin = cursor.position
        if begin == cursor.end:
            return cursor_fail(cursor, begin, failure, b"the bytes end inside group %lld", open[count - 1], 0)
        if wire_tag(cursor, &number, &type, failure) < 0:
            return -1
        if type == WIRE_GROUP:
            continue
        if type == WIRE_GROUP_END:
            count -= 1
            if open[count] != number:
                return cursor_fail(
                    cursor, begin, failure, b"group %lld is closed as group %lld", open[count], number
                )
            if count == 0:
                return 0
        elif wire_skip_plain(cursor, type, failure) < 0:
            return -1
        number = 0

# Passes over one field whose tag was read, groups whole.
cdef inline int wire_skip(cursor_t *cursor, uint32_t number, int type, failure_t *failure) noexcept nogil:
    if type == WIRE_GROUP:
        return wire_skip_group(cursor, number, failure)
    if type == WIRE_GROUP_END:
        return cursor_fail(cursor, cursor.position, failure, b"group %lld ends but never began", number, 0)
    return wire_skip_plain(cursor, type, failure)

# The next field, its value read or spanned. 1: there is one, 0: the cursor is at its end, -1: failure.
cdef inline int wire_next(cursor_t *cursor, field_t *field, failure_t *failure) noexcept nogil:
    field.begin = cursor.position
    if cursor.position == cursor.end:
        return 0
    if wire_tag(cursor, &field.number, &field.type, failure) < 0:
        return -1
    if field.type == WIRE_BYTES:
        if wire_length(cursor, &field.size, failure) < 0:
            return -1
        field.data = cursor.position
        cursor.position += field.size
        return 1
    if field.type == WIRE_VARINT:
        return 1 if wire_varint(cursor, &field.value, failure) == 0 else -1
    if field.type == WIRE_FIXED64:
        return 1 if wire_fixed64(cursor, &field.value, failure) == 0 else -1
    if field.type == WIRE_FIXED32:
        return 1 if wire_fixed32(cursor, &field.value, failure) == 0 else -1
    return 1 if wire_skip(cursor, field.number, field.type, failure) == 0 else -1

cdef inline bint wire_is(const field_t *field, uint32_t number, int type) noexcept nogil:
    return field.number == number and field.type == type

cdef inline double wire_double(uint64_t value) noexcept nogil:
    cdef double number
    memcpy(&number, &value, 8)
    return number

cdef inline float wire_float(uint64_t value) noexcept nogil:
    cdef uint32_t narrow = <uint32_t>value
    cdef float number
    memcpy(&number, &narrow, 4)
    return number


# --- sizes ---

cdef inline size_t wire_varint_size(uint64_t value) noexcept nogil:
    cdef size_t size = 1
    while value >= 0x80:
        value >>= 7
        size += 1
    return size

cdef inline size_t wire_tag_size(uint32_t number) noexcept nogil:
    return wire_varint_size(<uint64_t>number << 3)

# Tag and length of a length-delimited field that holds `size` bytes.
cdef inline size_t wire_header_size(uint32_t number, size_t size) noexcept nogil:
    return wire_tag_size(number) + wire_varint_size(size)

cdef inline size_t wire_field_size(uint32_t number, size_t size) noexcept nogil:
    return wire_header_size(number, size) + size

# An int32 or int64 field; negative numbers take ten bytes.
cdef inline size_t wire_int_size(uint32_t number, int64_t value) noexcept nogil:
    return wire_tag_size(number) + wire_varint_size(<uint64_t>value)


# --- writing: into room that the caller has measured; each returns the next free byte ---

cdef inline unsigned char *wire_put_varint(unsigned char *to, uint64_t value) noexcept nogil:
    while value >= 0x80:
        to[0] = <uint8_t>(value | 0x80)
        to += 1
        value >>= 7
    to[0] = <uint8_t>value
    return to + 1

cdef inline unsigned char *wire_put_tag(unsigned char *to, uint32_t number, int type) noexcept nogil:
    return wire_put_varint(to, (<uint64_t>number << 3) | <uint64_t>type)

cdef inline unsigned char *wire_put_header(unsigned char *to, uint32_t number, size_t size) noexcept nogil:
    return wire_put_varint(wire_put_tag(to, number, WIRE_BYTES), size)

cdef inline unsigned char *wire_put_bytes(
    unsigned char *to, uint32_t number, const void *data, size_t size
) noexcept nogil:
    to = wire_put_header(to, number, size)
    memcpy(to, data, size)
    return to + size

cdef inline unsigned char *wire_put_int(unsigned char *to, uint32_t number, int64_t value) noexcept nogil:
    return wire_put_varint(wire_put_tag(to, number, WIRE_VARINT), <uint64_t>value)

cdef inline unsigned char *wire_put_fixed32(unsigned char *to, uint32_t number, uint32_t value) noexcept nogil:
    to = wire_put_tag(to, number, WIRE_FIXED32)
    memcpy(to, &value, 4)
    return to + 4

cdef inline unsigned char *wire_put_fixed64(unsigned char *to, uint32_t number, uint64_t value) noexcept nogil:
    to = wire_put_tag(to, number, WIRE_FIXED64)
    memcpy(to, &value, 8)
    return to + 8
