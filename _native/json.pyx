"""Owns the checked reader of JSON text, and the way of its numbers into typed memory and back.

Must not know any message type, nor write anything but numbers (see text.pyx). Text is read in place, forwards, once;
what was passed over was checked (grammar, UTF-8, escapes, depth), so that what comes later may rely on it.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.string cimport memchr, memcmp, memcpy, strlen

from executor._native.buffer cimport buffer_new, buffer_t, buffer_unref, memory_lend
from executor._native.cursor cimport raise_failure
from executor._native.message cimport Message, message_flat
from executor._native.types cimport (
    FAILURE_TEXT, STATUS_INVALID_ARGUMENT, STATUS_RESOURCE_EXHAUSTED, fail, failure_clear, failure_t,
)
from executor._native.utf8 cimport plain_end, utf8_size

cdef extern from "numbers.h" nogil:
    enum:
        ROW_CLOSED
        ROW_FULL
        ROW_OTHER
        ROW_BAD
        ROW_HUGE

    ctypedef struct row_t:
        const unsigned char *at
        const unsigned char *end
        void *items
        size_t count
        size_t capacity
        int real
        int big

    const unsigned char *number_read(const unsigned char *at, const unsigned char *end, number_t *number)
    const unsigned char *number_skip(
        const unsigned char *at, const unsigned char *end, const unsigned char **wrong
    )
    int row_read(row_t *row)
    void row_to_double(row_t *row)
    size_t double_write(char *to, double value)
    size_t float_write(char *to, float value)
    size_t integer_write(char *to, int64_t value)
    size_t unsigned_write(char *to, uint64_t value)
    size_t row_write(char *to, const void *items, size_t count, int kind, size_t *done)

cdef extern from *:
    """
    #ifdef __SSE2__
    #include <emmintrin.h>
    /* Which of sixteen bytes are quotes or brackets: brackets of both kinds differ in one bit. */
    static inline __m128i structure_of(const unsigned char *at) {
        const __m128i bytes = _mm_loadu_si128((const __m128i *)at);
        const __m128i folded = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
        return _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
            _mm_or_si128(_mm_cmpeq_epi8(folded, _mm_set1_epi8('{')), _mm_cmpeq_epi8(folded, _mm_set1_epi8('}'))));
    }
    #endif
    static inline int is_structure(unsigned char c) {
        return c == '"' || (c | 0x20) == '{' || (c | 0x20) == '}';
    }
    /* The next quote or bracket. */
    static inline const unsigned char *structure_next(const unsigned char *at, const unsigned char *end) {
    #ifdef __SSE2__
        for (; end - at >= 64; at += 64) {
            const __m128i first = _mm_or_si128(structure_of(at), structure_of(at + 16));
            const __m128i second = _mm_or_si128(structure_of(at + 32), structure_of(at + 48));
            if (_mm_movemask_epi8(_mm_or_si128(first, second))) break;
        }
        for (; end - at >= 16; at += 16) {
            const int mask = _mm_movemask_epi8(structure_of(at));
            if (mask) return at + __builtin_ctz(mask);
        }
    #endif
        while (at < end && !is_structure(*at)) at++;
        return at;
    }
    """
    const unsigned char *structure_next(const unsigned char *at, const unsigned char *end) noexcept nogil

cdef const char *NUMBERS = b"-0123456789"


# --- failures ---

cdef int json_fail(json_t *json, const unsigned char *at, const char *text) noexcept nogil:
    return fail(json.failure, STATUS_INVALID_ARGUMENT, at - json.start, text)


cdef int json_expected(json_t *json, const char *wanted) noexcept nogil:
    cdef int found = json_peek(json)
    json.failure.status = STATUS_INVALID_ARGUMENT
    json.failure.offset = json.at - json.start
    if found < 0:
        snprintf(json.failure.text, FAILURE_TEXT, b"expected %s, but the JSON text ends", wanted)
    elif 32 < found < 127:
        snprintf(json.failure.text, FAILURE_TEXT, b"expected %s, found '%c'", wanted, found)
    else:
        snprintf(json.failure.text, FAILURE_TEXT, b"expected %s, found byte 0x%02x", wanted, found)
    return -1


cdef int no_memory(failure_t *failure) noexcept nogil:
    return fail(failure, STATUS_RESOURCE_EXHAUSTED, -1, b"out of memory")


# --- structure ---

cdef int json_open(json_t *json, int bracket) noexcept nogil:
    if json_peek(json) != bracket:
        return json_expected(json, b"an object" if bracket == c'{' else b"an array")
    if json.depth == 0:
        return json_fail(json, json.at, b"brackets are nested more than 100 deep")
    json.at += 1
    # '}' and ']' lie two behind their opening ones.
    if json_peek(json) == bracket + 2:
        json.at += 1
        return 0
    json.depth -= 1
    return 1


cdef int json_more(json_t *json, int bracket) noexcept nogil:
    cdef int byte = json_peek(json)
    if byte == c',':
        json.at += 1
        return 1
    if byte == bracket + 2:
        json.at += 1
        json.depth += 1
        return 0
    return json_expected(json, b"',' or '}'" if bracket == c'{' else b"',' or ']'")


cdef int json_name(json_t *json, string_t *name) noexcept nogil:
    if json_peek(json) != c'"':
        return json_expected(json, b"a name in quotes")
    if json_string(json, name) < 0:
        return -1
    if json_peek(json) != c':':
        return json_expected(json, b"':'")
    json.at += 1
    return 0


cdef int json_literal(json_t *json, const char *word) noexcept nogil:
    cdef size_t size = strlen(word)
    json_peek(json)
    if <size_t>(json.end - json.at) < size or memcmp(json.at, word, size) != 0:
        return json_expected(json, b"a value: a string, number, object, array, true, false or null")
    json.at += size
    return 0


cdef int json_finish(json_t *json) noexcept nogil:
    return 0 if json_peek(json) < 0 else json_expected(json, b"the end of the JSON text")


cdef int skip_members(json_t *json, int bracket) noexcept nogil:
    cdef string_t name
    cdef int more = json_open(json, bracket)
    while more > 0:
        if bracket == c'{' and json_name(json, &name) < 0:
            return -1
        if json_skip(json) < 0:
            return -1
        more = json_more(json, bracket)
    return more


cdef int skip_number(json_t *json) noexcept nogil:
    cdef const unsigned char *wrong
    cdef const unsigned char *after = number_skip(json.at, json.end, &wrong)
    if after == NULL:
        json.at = wrong
        return json_expected(json, b"a digit")
    json.at = after
    return 0


cdef int json_skip(json_t *json) noexcept nogil:
    cdef int byte = json_peek(json)
    cdef string_t string
    if byte == c'"':
        return json_string(json, &string)
    if byte == c'{' or byte == c'[':
        return skip_members(json, byte)
    if byte == c'-' or c'0' <= byte <= c'9':
        return skip_number(json)
    return json_literal(json, b"true" if byte == c't' else b"false" if byte == c'f' else b"null")


cdef int json_pass(json_t *json) noexcept nogil:
    cdef char[JSON_DEPTH] open
    cdef string_t string
    cdef int count = 0
    cdef int byte = json_peek(json)
    if byte != c'{' and byte != c'[':
        return json_skip(json)
    while True:
        json.at = structure_next(json.at, json.end)
        if json.at == json.end:
            return json_expected(json, b"'}'" if open[count - 1] == c'{' else b"']'")
        byte = json.at[0]
        if byte == c'"':
            if json_string(json, &string) < 0:
                return -1
            continue
        if byte == c'{' or byte == c'[':
            if count >= json.depth:
                return json_fail(json, json.at, b"brackets are nested more than 100 deep")
            open[count] = byte
            count += 1
        else:
            count -= 1
            if byte != open[count] + 2:
                return json_expected(json, b"'}'" if open[count] == c'{' else b"']'")
        json.at += 1
        if count == 0:
            return 0


# --- strings ---

cdef int hex_value(const unsigned char *at, const unsigned char *end) noexcept nogil:
    cdef int value = 0
    cdef int index
    cdef int digit
    if end - at < 4:
        return -1
    for index in range(4):
        digit = at[index]
        if c'0' <= digit <= c'9':
            digit -= c'0'
        elif c'a' <= (digit | 0x20) <= c'f':
            digit = (digit | 0x20) - c'a' + 10
        else:
            return -1
        value = value * 16 + digit
    return value


# Bytes of the escape whose backslash is at `at`, a surrogate pair whole; 0 when it is none. Sets its code point.
cdef int escape_size(const unsigned char *at, const unsigned char *end, uint32_t *code) noexcept nogil:
    cdef int value
    cdef int second
    if end - at < 2:
        return 0
    if at[1] != c'u':
        code[0] = at[1]
        return 2 if memchr(b'"\\/bfnrt', at[1], 8) != NULL else 0
    value = hex_value(at + 2, end)
    if value < 0 or 0xDC00 <= value < 0xE000:
        return 0
    code[0] = value
    if value < 0xD800 or value >= 0xE000:
        return 6
    if end - at < 12 or at[6] != c'\\' or at[7] != c'u':
        return 0
    second = hex_value(at + 8, end)
    if second < 0xDC00 or second >= 0xE000:
        return 0
    code[0] = 0x10000 + ((value - 0xD800) << 10) + (second - 0xDC00)
    return 12


# The string's next byte that is no plain character is at json.at: passes over it.
cdef int string_special(json_t *json) noexcept nogil:
    cdef uint32_t code
    cdef int size
    if json.at[0] == c'\\':
        size = escape_size(json.at, json.end, &code)
        if size == 0:
            return json_fail(json, json.at, b"a string holds an escape that does not exist, or half a surrogate pair")
    elif json.at[0] < 32:
        return json_fail(json, json.at, b"a string holds a control character; it must be escaped")
    else:
        size = utf8_size(json.at, json.end)
        if size == 0:
            return json_fail(json, json.at, b"a string is not valid UTF-8")
    json.at += size
    return 0


cdef int json_string(json_t *json, string_t *string) noexcept nogil:
    cdef const unsigned char *begin
    if json_peek(json) != c'"':
        return json_expected(json, b"a string")
    begin = json.at
    json.at += 1
    string.data = json.at
    string.escaped = False
    while True:
        json.at = plain_end(json.at, json.end)
        if json.at == json.end:
            return json_fail(json, begin, b"a string is not closed")
        if json.at[0] == c'"':
            break
        if json.at[0] == c'\\':
            string.escaped = True
        if string_special(json) < 0:
            return -1
    string.size = json.at - string.data
    json.at += 1
    return 0


cdef size_t put_utf8(unsigned char *to, uint32_t code) noexcept nogil:
    if code < 0x80:
        to[0] = <unsigned char>code
        return 1
    if code < 0x800:
        to[0] = <unsigned char>(0xC0 | (code >> 6))
        to[1] = <unsigned char>(0x80 | (code & 0x3F))
        return 2
    if code < 0x10000:
        to[0] = <unsigned char>(0xE0 | (code >> 12))
        to[1] = <unsigned char>(0x80 | ((code >> 6) & 0x3F))
        to[2] = <unsigned char>(0x80 | (code & 0x3F))
        return 3
    to[0] = <unsigned char>(0xF0 | (code >> 18))
    to[1] = <unsigned char>(0x80 | ((code >> 12) & 0x3F))
    to[2] = <unsigned char>(0x80 | ((code >> 6) & 0x3F))
    to[3] = <unsigned char>(0x80 | (code & 0x3F))
    return 4


cdef uint32_t escape_code(int letter) noexcept nogil:
    if letter == c'b':
        return 8
    if letter == c'f':
        return 12
    if letter == c'n':
        return 10
    if letter == c'r':
        return 13
    return 9 if letter == c't' else letter


cdef size_t string_plain(const string_t *string, unsigned char *to) noexcept nogil:
    cdef const unsigned char *at = string.data
    cdef const unsigned char *end = string.data + string.size
    cdef const unsigned char *slash
    cdef unsigned char *begin = to
    cdef uint32_t code
    cdef int size
    while True:
        slash = <const unsigned char *>memchr(at, c'\\', end - at) if string.escaped and at < end else NULL
        if slash == NULL:
            memcpy(to, at, end - at)
            return to - begin + (end - at)
        memcpy(to, at, slash - at)
        to += slash - at
        size = escape_size(slash, end, &code)
        to += put_utf8(to, escape_code(code) if size == 2 else code)
        at = slash + size


cdef bint string_is(const string_t *string, const char *word) noexcept nogil:
    cdef size_t size = strlen(word)
    cdef unsigned char[192] plain
    if not string.escaped:
        return string.size == size and memcmp(string.data, word, size) == 0
    if string.size > sizeof(plain):
        return False
    return string_plain(string, plain) == size and memcmp(plain, word, size) == 0


# --- numbers ---

cdef int json_number(json_t *json, number_t *number) noexcept nogil:
    cdef int byte = json_peek(json)
    cdef const unsigned char *after
    if byte < 0 or memchr(NUMBERS, byte, 11) == NULL:
        return json_expected(json, b"a number")
    after = number_read(json.at, json.end, number)
    if number.kind == NUMBER_HUGE:
        return json_fail(json, json.at, b"the number is too large for a double")
    json.at = after
    return 0 if number.kind != NUMBER_BAD else json_expected(json, b"a digit")


cdef int grid_begin(grid_t *grid, size_t bytes, failure_t *failure) noexcept nogil:
    grid.buffer = buffer_new(bytes + 64)
    grid.count = 0
    grid.ndim = -1
    grid.real = False
    grid.big = False
    return 0 if grid.buffer != NULL else no_memory(failure)


cdef void grid_drop(grid_t *grid) noexcept nogil:
    buffer_unref(grid.buffer)
    grid.buffer = NULL


cdef int grid_room(grid_t *grid, failure_t *failure) noexcept nogil:
    cdef buffer_t *larger = buffer_new(grid.buffer.capacity * 2)
    if larger == NULL:
        return no_memory(failure)
    memcpy(larger.data, grid.buffer.data, grid.count * 8)
    buffer_unref(grid.buffer)
    grid.buffer = larger
    return 0


cdef row_t grid_row(grid_t *grid) noexcept nogil:
    cdef row_t row
    row.at = NULL
    row.end = NULL
    row.items = grid.buffer.data
    row.count = grid.count
    row.capacity = grid.buffer.capacity // 8
    row.real = grid.real
    row.big = grid.big
    return row


cdef void grid_to_double(grid_t *grid) noexcept nogil:
    cdef row_t row = grid_row(grid)
    if not grid.real:
        row_to_double(&row)
        grid.real = True


cdef int grid_add(grid_t *grid, double value, failure_t *failure) noexcept nogil:
    grid_to_double(grid)
    if grid.count == grid.buffer.capacity // 8 and grid_room(grid, failure) < 0:
        return -1
    (<double *>grid.buffer.data)[grid.count] = value
    grid.count += 1
    return 0


cdef bint json_odd(json_t *json) noexcept nogil:
    cdef int byte = json_peek(json)
    return byte == c'N' or byte == c'I' or (byte == c'-' and json.end - json.at > 1 and json.at[1] == c'I')


# Whether a member of an array may begin here, not what follows one.
cdef bint is_member(const json_t *json) noexcept nogil:
    cdef const unsigned char *at = json.at
    while at > json.start:
        at -= 1
        if at[0] != c' ' and at[0] != c'\n' and at[0] != c'\t' and at[0] != c'\r':
            return at[0] == c',' or at[0] == c'['
    return False


cdef int json_row(json_t *json, grid_t *grid) noexcept nogil:
    cdef row_t row
    cdef int state
    while True:
        row = grid_row(grid)
        row.at = json.at
        row.end = json.end
        state = row_read(&row)
        json.at = row.at
        grid.count = row.count
        grid.real = row.real
        grid.big = row.big
        if state != ROW_FULL:
            break
        if grid_room(grid, json.failure) < 0:
            return -1
    if state == ROW_CLOSED:
        json.depth += 1
        return 1
    if state == ROW_HUGE:
        return json_fail(json, json.at, b"the number is too large for a double")
    if state == ROW_OTHER:
        return 0
    if json.at > json.start and json.at < json.end and json.at[0] == c'I' and (json.at - 1)[0] == c'-':
        json.at -= 1
    if json_odd(json) and is_member(json):
        return 0
    return json_expected(json, b"a number, ',' or ']'")


# Notes that a list at `level` has `size` members, which are numbers when `leaf`. 1, or 0 when others differ.
cdef int grid_note(grid_t *grid, int level, int64_t size, bint leaf) noexcept nogil:
    if leaf:
        if grid.ndim < 0:
            grid.ndim = level + 1
        elif grid.ndim != level + 1:
            return 0
    if grid.dims[level] < 0:
        grid.dims[level] = size
    return grid.dims[level] == size


cdef int grid_lists(json_t *json, grid_t *grid, int level, int limit) noexcept nogil:
    cdef int64_t size = 0
    cdef int state = 1
    while state > 0:
        if json_peek(json) != c'[' or level + 1 == limit:
            return 0
        state = grid_level(json, grid, level + 1, limit)
        if state <= 0:
            return state
        size += 1
        state = json_more(json, c'[')
    return grid_note(grid, level, size, False) if state == 0 else -1


cdef int grid_level(json_t *json, grid_t *grid, int level, int limit) noexcept nogil:
    cdef size_t before = grid.count
    cdef int state = json_open(json, c'[')
    if state <= 0:
        return state if state < 0 else grid_note(grid, level, 0, True)
    if json_peek(json) == c'[':
        return grid_lists(json, grid, level, limit)
    state = json_row(json, grid)
    return grid_note(grid, level, grid.count - before, True) if state > 0 else state


cdef int json_grid(json_t *json, grid_t *grid, int dims) noexcept nogil:
    cdef const unsigned char *at
    cdef int depth = json.depth
    cdef int index
    cdef int state
    if json_peek(json) != c'[':
        return 0
    at = json.at
    for index in range(JSON_DIMS):
        grid.dims[index] = -1
    grid.ndim = -1
    grid.count = 0
    state = grid_level(json, grid, 0, dims)
    if state == 0:
        json.at = at
        json.depth = depth
    return state


cdef size_t number_text(char *to, const void *item, int kind) noexcept nogil:
    if kind == ITEM_DOUBLE:
        return double_write(to, (<const double *>item)[0])
    if kind == ITEM_FLOAT:
        return float_write(to, (<const float *>item)[0])
    if kind == ITEM_INT64:
        return integer_write(to, (<const int64_t *>item)[0])
    return unsigned_write(to, (<const uint64_t *>item)[0])


cdef size_t number_row(char *to, const void *items, size_t count, int kind, size_t *done) noexcept nogil:
    return row_write(to, items, count, kind, done)


# --- for tools and tests ---

def check(data):
    """Checks that `data` is one JSON value. Raises DecodeError."""
    cdef Message whole = Message(data)
    cdef failure_t failure
    cdef json_t json = json_over(message_flat(whole.raw), whole.raw.size, &failure)
    failure_clear(&failure)
    if json_skip(&json) < 0 or json_finish(&json) < 0:
        raise_failure(&failure)


def numbers(data):
    """The nested array of numbers in `data` as (shape, "int64" or "float64", memory); None when it is something else.

    Raises DecodeError for what is not JSON.
    """
    cdef Message whole = Message(data)
    cdef failure_t failure
    cdef json_t json = json_over(message_flat(whole.raw), whole.raw.size, &failure)
    cdef grid_t grid
    cdef int found
    failure_clear(&failure)
    if grid_begin(&grid, whole.raw.size, &failure) < 0:
        raise_failure(&failure)
    try:
        found = json_grid(&json, &grid, JSON_DIMS)
        if found < 0 or (found > 0 and json_finish(&json) < 0):
            raise_failure(&failure)
        if found == 0:
            return None
        memory = memory_lend(grid.buffer, grid.buffer.data, grid.count * 8, True)
        return tuple([grid.dims[level] for level in range(grid.ndim)]), "float64" if grid.real else "int64", memory
    finally:
        grid_drop(&grid)
