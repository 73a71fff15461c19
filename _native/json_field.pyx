"""Owns scalars and arrays of numbers in JSON, read as proto3's JSON mapping says and laid out as protobuf wants them.

Must not know any message type, nor the structure around a field (see proto_of_json.pyx).
"""

from libc.stdint cimport INT32_MAX, INT32_MIN, UINT32_MAX, UINT64_MAX, int64_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.string cimport memcpy

from executor._native.buffer cimport buffer_new, buffer_t, buffer_unref
from executor._native.descriptor cimport KIND_ENUM, KIND_FLOAT, KIND_INT32, KIND_UINT32, KIND_UINT64, choice_t
from executor._native.json cimport (
    JSON_DIMS, NUMBER_BIG, NUMBER_INTEGER, NUMBER_REAL, grid_add, grid_begin, grid_drop, grid_t, grid_to_double,
    json_expected, json_fail, json_literal, json_more, json_number, json_odd, json_open, json_peek, json_row,
    json_string, json_t, number_t, string_is, string_plain, string_t,
)
from executor._native.sink cimport SINK_CHUNK, sink_buffer, sink_header, sink_t
from executor._native.types cimport FAILURE_TEXT, STATUS_INVALID_ARGUMENT, STATUS_RESOURCE_EXHAUSTED, fail
from executor._native.wire cimport wire_field_size, wire_put_header

cdef extern from "math.h" nogil:
    double INFINITY
    double NAN
    double floor(double value)

# From here on a double rounds to no float. The shortest text of the largest float lies a little below.
cdef double FLOAT_END = 3.4028235677973366e38
cdef double TWO_63 = 9223372036854775808.0


cdef int fail_name(json_t *json, const string_t *name, const char *format) noexcept nogil:
    cdef int size = <int>name.size if name.size < 64 else 64
    # A name cut in the middle of a character would not be UTF-8.
    while size < <int>name.size and size > 0 and (name.data[size] & 0xC0) == 0x80:
        size -= 1
    json.failure.status = STATUS_INVALID_ARGUMENT
    json.failure.offset = name.data - 1 - json.start
    snprintf(json.failure.text, FAILURE_TEXT, format, size, name.data)
    return -1


# A number that stands in quotes, such as proto3 wants for 64-bit integers.
cdef int quoted_number(json_t *json, number_t *number) noexcept nogil:
    cdef json_t inner = json[0]
    cdef string_t string
    cdef unsigned char[64] plain
    if json_string(json, &string) < 0:
        return -1
    if string.size > sizeof(plain):
        return json_fail(json, string.data, b"expected a number")
    if string.escaped:
        inner.at = plain
        inner.end = plain + string_plain(&string, plain)
    else:
        inner.at = string.data
        inner.end = string.data + string.size
    # White space around it is no part of a number.
    if inner.at == inner.end or inner.at[0] <= 32 or inner.end[-1] <= 32:
        return json_fail(json, string.data, b"expected a number")
    if json_number(&inner, number) < 0 or inner.at != inner.end:
        return json_fail(json, string.data, b"expected a number")
    return 0


cdef int read_number(json_t *json, number_t *number) noexcept nogil:
    return quoted_number(json, number) if json_peek(json) == c'"' else json_number(json, number)


cdef int read_real(json_t *json, double *value) noexcept nogil:
    cdef json_t before = json[0]
    cdef string_t string
    cdef number_t number
    if json_peek(json) == c'"':
        if json_string(json, &string) < 0:
            return -1
        if string_is(&string, b"NaN"):
            value[0] = NAN
            return 0
        if string_is(&string, b"Infinity") or string_is(&string, b"-Infinity"):
            value[0] = INFINITY if string.data[0] == c'I' else -INFINITY
            return 0
        json[0] = before
    if json_odd(json):
        return read_odd(json, value)
    if read_number(json, &number) < 0:
        return -1
    value[0] = number.real
    return 0


cdef int read_odd(json_t *json, double *value) noexcept nogil:
    cdef bint minus = json.at[0] == c'-'
    json.at += minus
    value[0] = NAN if json.at[0] == c'N' else -INFINITY if minus else INFINITY
    return json_literal(json, b"NaN" if json.at[0] == c'N' else b"Infinity")


cdef int check_float(json_t *json, const unsigned char *at, double value) noexcept nogil:
    if -FLOAT_END < value < FLOAT_END or value != value or value == INFINITY or value == -INFINITY:
        return 0
    return json_fail(json, at, b"the number is too large for a float")


# The digits from `at` to `end`, quotes allowed, as an unsigned integer of 64 bits. False when it is larger.
cdef bint read_unsigned(const unsigned char *at, const unsigned char *end, uint64_t *value) noexcept nogil:
    value[0] = 0
    while at < end:
        if c'0' <= at[0] <= c'9':
            if value[0] > (UINT64_MAX - (at[0] - c'0')) // 10:
                return False
            value[0] = value[0] * 10 + (at[0] - c'0')
        elif at[0] != c'"':
            return False
        at += 1
    return True


cdef int check_range(json_t *json, const unsigned char *at, int kind, int64_t value) noexcept nogil:
    if (kind == KIND_INT32 or kind == KIND_ENUM) and not INT32_MIN <= value <= INT32_MAX:
        return json_fail(json, at, b"the integer is out of the range of int32")
    if kind == KIND_UINT32 and not 0 <= value <= <int64_t>UINT32_MAX:
        return json_fail(json, at, b"the integer is out of the range of uint32")
    if kind == KIND_UINT64 and value < 0:
        return json_fail(json, at, b"the integer is out of the range of uint64")
    return 0


# An integer of one of the KIND_*, also written as 3.0 or 3e0. `value` gets its 64 bits.
cdef int read_integer(json_t *json, int kind, uint64_t *value) noexcept nogil:
    cdef const unsigned char *at
    cdef number_t number
    json_peek(json)
    at = json.at
    if read_number(json, &number) < 0:
        return -1
    if number.kind == NUMBER_BIG and kind == KIND_UINT64 and read_unsigned(at, json.at, value):
        return 0
    if number.kind != NUMBER_INTEGER:
        if floor(number.real) != number.real:
            return json_fail(json, at, b"expected an integer")
        if kind == KIND_UINT64 and TWO_63 <= number.real < 2 * TWO_63 and number.kind == NUMBER_REAL:
            value[0] = <uint64_t>number.real
            return 0
        if not -TWO_63 <= number.real < TWO_63:
            return json_fail(json, at, b"the integer is out of range")
        number.integer = <int64_t>number.real
    value[0] = <uint64_t>number.integer
    return check_range(json, at, kind, number.integer)


cdef int read_choice(json_t *json, const choice_t *choices, uint64_t *value) noexcept nogil:
    cdef json_t before = json[0]
    cdef string_t string
    if json_peek(json) != c'"':
        return read_integer(json, KIND_ENUM, value)
    if json_string(json, &string) < 0:
        return -1
    while choices.name != NULL:
        if string_is(&string, choices.name):
            value[0] = choices.number
            return 0
        choices += 1
    json[0] = before
    if read_integer(json, KIND_ENUM, value) < 0:
        return fail_name(json, &string, b'"%.*s" is not a value of this enum')
    return 0


cdef int read_bool(json_t *json, uint64_t *value) noexcept nogil:
    cdef int byte = json_peek(json)
    if byte != c't' and byte != c'f':
        return json_expected(json, b"true or false")
    value[0] = byte == c't'
    return json_literal(json, b"true" if byte == c't' else b"false")


# --- bytes ---

cdef inline int base64_digit(int byte) noexcept nogil:
    if c'A' <= byte <= c'Z':
        return byte - c'A'
    if c'a' <= byte <= c'z':
        return byte - c'a' + 26
    if c'0' <= byte <= c'9':
        return byte - c'0' + 52
    if byte == c'+' or byte == c'-':
        return 62
    return 63 if byte == c'/' or byte == c'_' else -1


cdef signed char[256] base64_digits
cdef int base64_index
for base64_index in range(256):
    base64_digits[base64_index] = base64_digit(base64_index)


# The last two or three digits. Returns the bytes they give, -1 for one digit, which is none.
cdef int base64_rest(const unsigned char *at, size_t size, unsigned char *to) noexcept nogil:
    cdef uint32_t bits = 0
    cdef size_t index
    if size == 1:
        return -1
    for index in range(size):
        if base64_digits[at[index]] < 0:
            return -1
        bits |= <uint32_t>base64_digits[at[index]] << (18 - 6 * index)
    if size > 1:
        to[0] = <unsigned char>(bits >> 16)
    if size > 2:
        to[1] = <unsigned char>(bits >> 8)
    return <int>size - 1 if size > 0 else 0


# Decodes `size` digits from `at` to `to`, which may be the same place. Returns the end of what was understood.
cdef const unsigned char *base64_digits_read(
    const unsigned char *at, size_t size, unsigned char **to
) noexcept nogil:
    cdef int a, b, c, d
    while size >= 4:
        a = base64_digits[at[0]]
        b = base64_digits[at[1]]
        c = base64_digits[at[2]]
        d = base64_digits[at[3]]
        if (a | b | c | d) < 0:
            break
        to[0][0] = <unsigned char>((a << 2) | (b >> 4))
        to[0][1] = <unsigned char>((b << 4) | (c >> 2))
        to[0][2] = <unsigned char>((c << 6) | d)
        to[0] += 3
        at += 4
        size -= 4
    return at


cdef Py_ssize_t base64_read(json_t *json, const string_t *string, unsigned char *to) noexcept nogil:
    cdef unsigned char *begin = to
    cdef const unsigned char *at = string.data
    cdef const unsigned char *end
    cdef const unsigned char *digits = at
    cdef size_t size = string.size
    cdef int rest
    if string.escaped:
        size = string_plain(string, to)
        digits = to
    # Padding, where it is given, must fill up the last four.
    if size % 4 == 0 and size > 0 and digits[size - 1] == c'=':
        size -= 2 if digits[size - 2] == c'=' else 1
    end = base64_digits_read(digits, size, &to)
    rest = base64_rest(end, digits + size - end, to) if digits + size - end < 4 else -1
    if rest < 0:
        at += 0 if string.escaped else end - digits
        return json_fail(json, at, b"a string is not base64 (the standard or the url-safe alphabet, padding optional)")
    return to - begin + rest


# --- arrays ---

# The scratch grid, empty.
cdef int use_grid(json_t *json, grid_t *grid) noexcept nogil:
    cdef size_t guess = (json.end - json.at) // 2
    if grid.buffer == NULL:
        return grid_begin(grid, guess if guess < (1 << 20) else 1 << 20, json.failure)
    grid.count = 0
    grid.real = False
    return 0


# Members of an array of doubles or floats, of which the bracket was read, into the scratch grid.
cdef int read_reals(json_t *json, grid_t *grid) noexcept nogil:
    cdef double value
    cdef int more = 1
    while more > 0:
        more = json_row(json, grid)
        if more != 0:
            return -1 if more < 0 else 0
        if json_peek(json) != c'"' and not json_odd(json):
            return json_expected(json, b"a number")
        if read_real(json, &value) < 0 or grid_add(grid, value, json.failure) < 0:
            return -1
        more = json_more(json, c'[')
    return more


cdef int narrow_reals(json_t *json, grid_t *grid, const unsigned char *at) noexcept nogil:
    cdef const double *wide = <const double *>grid.buffer.data
    cdef float *narrow = <float *>grid.buffer.data
    cdef size_t index
    for index in range(grid.count):
        if check_float(json, at, wide[index]) < 0:
            return -1
        narrow[index] = <float>wide[index]
    return 0


cdef int put_reals(json_t *json, grid_t *grid, sink_t *sink, int number, int kind) noexcept nogil:
    cdef const unsigned char *at = json.at
    cdef size_t size
    cdef int more = json_open(json, c'[')
    if more <= 0:
        return more
    if use_grid(json, grid) < 0 or read_reals(json, grid) < 0:
        return -1
    grid_to_double(grid)
    if kind == KIND_FLOAT and narrow_reals(json, grid, at) < 0:
        return -1
    size = grid.count * (4 if kind == KIND_FLOAT else 8)
    sink_header(sink, number, size)
    sink_buffer(sink, grid.buffer, size)
    if size >= SINK_CHUNK:
        # The message refers to these bytes now.
        grid_drop(grid)
    return 0


# Bytes of a ListValue of this shape: sizes[level] is the content of one list at that level.
cdef void list_sizes(const grid_t *grid, size_t *sizes) noexcept nogil:
    cdef int level = grid.ndim - 1
    sizes[level] = grid.dims[level] * 11
    while level > 0:
        level -= 1
        sizes[level] = grid.dims[level] * wire_field_size(1, wire_field_size(6, sizes[level + 1]))


cdef unsigned char *put_lists(
    unsigned char *to, const unsigned char **item, const grid_t *grid, int level, const size_t *sizes
) noexcept nogil:
    cdef int64_t _index
    if level < grid.ndim - 1:
        for _index in range(grid.dims[level]):
            to = wire_put_header(to, 1, wire_field_size(6, sizes[level + 1]))
            to = wire_put_header(to, 6, sizes[level + 1])
            to = put_lists(to, item, grid, level + 1, sizes)
        return to
    for _index in range(grid.dims[level]):
        # values { number_value }: two headers of a known size, and the double.
        to[0] = 0x0A
        to[1] = 0x09
        to[2] = 0x11
        memcpy(to + 3, item[0], 8)
        item[0] += 8
        to += 11
    return to


# Writes the scratch grid as the content of a ListValue.
cdef int put_grid(json_t *json, grid_t *grid, sink_t *sink, int depth) noexcept nogil:
    cdef size_t[JSON_DIMS] sizes
    cdef buffer_t *buffer
    cdef const unsigned char *item
    if depth < 2 * grid.ndim - 1:
        return json_fail(json, json.at, b"messages are nested more than 100 deep")
    grid_to_double(grid)
    list_sizes(grid, sizes)
    buffer = buffer_new(sizes[0])
    if buffer == NULL:
        return fail(json.failure, STATUS_RESOURCE_EXHAUSTED, -1, b"out of memory")
    item = grid.buffer.data
    put_lists(buffer.data, &item, grid, 0, sizes)
    sink_buffer(sink, buffer, sizes[0])
    buffer_unref(buffer)
    return 0
