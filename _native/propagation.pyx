"""Owns the headers in which a trace travels: W3C Trace Context, B3 in one header and in several, Jaeger.

Must not decide what is traced. A header that is no such thing is none: it is never an error.
"""

from libc.stdint cimport uint64_t
from libc.string cimport memcmp, memcpy, memset

from executor._native.endpoint cimport metadata_new, metadata_of, metadata_t, metadata_unref
from executor._native.headers cimport nv_t

W3C, B3, B3_MULTI, JAEGER = CONTEXT_W3C, CONTEXT_B3, CONTEXT_B3_MULTI, CONTEXT_JAEGER

cdef enum:
    FIELDS_MAX = 128             # that one call carries
    OWN_MAX = 8                  # headers of all forms together
    TEXT_BYTES = 320             # of their values

cdef const char *HEX = b"0123456789abcdef"


cdef const char *metadata_get(
    const metadata_t *metadata, const char *name, size_t name_size, size_t *size
) noexcept nogil:
    cdef const nv_t *field
    cdef int index
    if metadata != NULL:
        for index in range(metadata.count):
            field = &metadata.fields[index]
            if field.name_size == name_size and memcmp(field.name, name, name_size) == 0:
                size[0] = field.value_size
                return field.value
    size[0] = 0
    return NULL


# --- hexadecimal ----------------------------------------------------------------------------------

cdef void put_hex(const unsigned char *data, int size, char *out) noexcept nogil:
    cdef int index
    for index in range(size):
        out[2 * index] = HEX[data[index] >> 4]
        out[2 * index + 1] = HEX[data[index] & 15]


cdef inline void put_hex64(uint64_t value, char *out) noexcept nogil:
    cdef int index
    for index in range(16):
        out[index] = HEX[(value >> (60 - 4 * index)) & 15]


cdef inline int digit_of(char letter, bint upper) noexcept nogil:
    if c'0' <= letter <= c'9':
        return letter - c'0'
    if c'a' <= letter <= c'f':
        return letter - c'a' + 10
    return letter - c'A' + 10 if upper and c'A' <= letter <= c'F' else -1


# Reads `size` digits, the last of the `room` bytes of `out` at its end; whether they are digits and not all 0.
cdef bint read_hex(const char *text, size_t size, unsigned char *out, int room, bint upper) noexcept nogil:
    cdef bint some = False
    cdef size_t index
    cdef size_t place
    cdef int digit
    if size == 0 or size > <size_t>room * 2:
        return False
    memset(out, 0, room)
    for index in range(size):
        digit = digit_of(text[index], upper)
        if digit < 0:
            return False
        place = room * 2 - size + index
        out[place // 2] |= digit << (0 if place % 2 else 4)
        some = some or digit > 0
    return some


cdef bint read_span(const char *text, size_t size, uint64_t *span, bint upper) noexcept nogil:
    cdef unsigned char[8] raw
    cdef int index
    if not read_hex(text, size, raw, 8, upper):
        return False
    span[0] = 0
    for index in range(8):
        span[0] = span[0] << 8 | raw[index]
    return True


# --- reading --------------------------------------------------------------------------------------

# `00-<trace>-<span>-<flags>`; of versions to come the beginning is the same.
cdef bint read_w3c(const metadata_t *metadata, context_t *context) noexcept nogil:
    cdef size_t size = 0
    cdef const char *text = metadata_get(metadata, b"traceparent", 11, &size)
    cdef int high
    cdef int low
    if text == NULL or size < 55 or text[2] != c'-' or text[35] != c'-' or text[52] != c'-':
        return False
    high, low = digit_of(text[0], False), digit_of(text[1], False)
    if high < 0 or low < 0 or (high == 15 and low == 15) or (size > 55 and (high + low == 0 or text[55] != c'-')):
        return False
    high, low = digit_of(text[53], False), digit_of(text[54], False)
    if high < 0 or low < 0 or not read_hex(text + 3, 32, context.trace, 16, False):
        return False
    if not read_span(text + 36, 16, &context.span, False):
        return False
    context.valid = context.w3c = True
    context.sampled = low & 1
    return True


cdef int read_decision(const char *text, size_t size) noexcept nogil:
    if size == 1 and (text[0] == c'1' or text[0] == c'd'):
        return 1
    if size == 1 and text[0] == c'0':
        return 0
    if size == 4 and memcmp(text, b"true", 4) == 0:
        return 1
    return 0 if size == 5 and memcmp(text, b"false", 5) == 0 else SAMPLED_UNSAID


# 16 or 32 digits, as B3 has them.
cdef bint read_ids(
    const char *trace, size_t trace_size, const char *span, size_t span_size, context_t *context
) noexcept nogil:
    if trace == NULL or span == NULL or (trace_size != 16 and trace_size != 32) or span_size != 16:
        return False
    return read_hex(trace, trace_size, context.trace, 16, True) and read_span(span, span_size, &context.span, True)


# `<trace>-<span>[-<decision>[-<parent>]]`, or a decision alone.
cdef bint read_b3(const metadata_t *metadata, context_t *context) noexcept nogil:
    cdef size_t size = 0
    cdef const char *text = metadata_get(metadata, b"b3", 2, &size)
    cdef size_t first = 0
    if text == NULL:
        return False
    if size == 1:
        context.sampled = read_decision(text, size)
        return context.sampled != SAMPLED_UNSAID
    while first < size and text[first] != c'-':
        first += 1
    if size < first + 17 or not read_ids(text, first, text + first + 1, 16, context):
        return False
    if size > first + 17:
        if size < first + 19 or text[first + 17] != c'-' or (size > first + 19 and text[first + 19] != c'-'):
            return False
        context.sampled = read_decision(text + first + 18, 1)
        if context.sampled == SAMPLED_UNSAID:
            return False
    context.valid = True
    return True


cdef bint read_b3_multi(const metadata_t *metadata, context_t *context) noexcept nogil:
    cdef size_t trace_size = 0
    cdef size_t span_size = 0
    cdef size_t size = 0
    cdef const char *trace = metadata_get(metadata, b"x-b3-traceid", 12, &trace_size)
    cdef const char *span = metadata_get(metadata, b"x-b3-spanid", 11, &span_size)
    cdef const char *said = metadata_get(metadata, b"x-b3-flags", 10, &size)
    if said != NULL and size == 1 and said[0] == c'1':
        context.sampled = 1      # debug
    else:
        said = metadata_get(metadata, b"x-b3-sampled", 12, &size)
        if said != NULL:
            context.sampled = read_decision(said, size)
    context.valid = read_ids(trace, trace_size, span, span_size, context)
    return context.valid or context.sampled != SAMPLED_UNSAID


# The end of what stands before the next colon, which clients of Jaeger may write as %3A.
cdef size_t part_end(const char *text, size_t size, size_t at, size_t *following) noexcept nogil:
    while at < size:
        if text[at] == c':':
            following[0] = at + 1
            return at
        if text[at] == c'%' and at + 2 < size and text[at + 1] == c'3' and (text[at + 2] | 32) == c'a':
            following[0] = at + 3
            return at
        at += 1
    following[0] = size
    return size


# `<trace>:<span>:<parent>:<flags>`, without zeros at the front.
cdef bint read_jaeger(const metadata_t *metadata, context_t *context) noexcept nogil:
    cdef size_t size = 0
    cdef const char *text = metadata_get(metadata, b"uber-trace-id", 13, &size)
    cdef size_t[4] begin
    cdef size_t[4] end
    cdef size_t at = 0
    cdef int digit
    cdef int index
    if text == NULL:
        return False
    for index in range(4):
        begin[index] = at
        end[index] = part_end(text, size, at, &at)
    if at < size or end[3] == begin[3] or end[3] > begin[3] + 2:
        return False
    digit = digit_of(text[end[3] - 1], True)
    if digit < 0 or not read_hex(text, end[0], context.trace, 16, True):
        return False
    if not read_span(text + begin[1], end[1] - begin[1], &context.span, True):
        return False
    context.valid = True
    context.sampled = digit & 1
    return True


cdef bint read_form(const metadata_t *metadata, int form, context_t *context) noexcept nogil:
    memset(context, 0, sizeof(context_t))
    context.sampled = SAMPLED_UNSAID
    if form == CONTEXT_W3C:
        return read_w3c(metadata, context)
    if form == CONTEXT_B3:
        return read_b3(metadata, context)
    if form == CONTEXT_B3_MULTI:
        return read_b3_multi(metadata, context)
    return read_jaeger(metadata, context)


cdef void context_read(const metadata_t *metadata, const int *forms, int count, context_t *context) noexcept nogil:
    cdef int index
    for index in range(count):
        if read_form(metadata, forms[index], context):
            return
    memset(context, 0, sizeof(context_t))
    context.sampled = SAMPLED_UNSAID


# --- writing --------------------------------------------------------------------------------------

# The form that a header belongs to; 0: none.
cdef int form_of(const char *name, size_t size) noexcept nogil:
    if size == 11 and (memcmp(name, b"traceparent", 11) == 0):
        return CONTEXT_W3C
    if size == 10 and memcmp(name, b"tracestate", 10) == 0:
        return CONTEXT_W3C
    if size == 2 and memcmp(name, b"b3", 2) == 0:
        return CONTEXT_B3
    if size == 13 and memcmp(name, b"uber-trace-id", 13) == 0:
        return CONTEXT_JAEGER
    if size < 10 or memcmp(name, b"x-b3-", 5) != 0:
        return 0
    if size == 12 and (memcmp(name, b"x-b3-traceid", 12) == 0 or memcmp(name, b"x-b3-sampled", 12) == 0):
        return CONTEXT_B3_MULTI
    if size == 11 and memcmp(name, b"x-b3-spanid", 11) == 0:
        return CONTEXT_B3_MULTI
    if size == 17 and memcmp(name, b"x-b3-parentspanid", 17) == 0:
        return CONTEXT_B3_MULTI
    return CONTEXT_B3_MULTI if size == 10 and memcmp(name, b"x-b3-flags", 10) == 0 else 0


cdef void put_field(nv_t *field, const char *name, size_t name_size, const char *value, size_t size) noexcept nogil:
    field.name = name
    field.name_size = name_size
    field.value = value
    field.value_size = size


# What says `context` in one form, in `fields`; `text` has room for its values. Returns how many fields there are.
cdef int put_form(int form, const context_t *context, char *text, nv_t *fields) noexcept nogil:
    cdef char decision = c'1' if context.sampled == 1 else c'0'
    if form == CONTEXT_W3C:
        memcpy(text, b"00-", 3)
        put_hex(context.trace, 16, text + 3)
        text[35] = text[52] = c'-'
        put_hex64(context.span, text + 36)
        text[53] = c'0'
        text[54] = decision
        put_field(fields, b"traceparent", 11, text, 55)
        return 1
    put_hex(context.trace, 16, text)
    put_hex64(context.span, text + 33)
    text[50] = decision
    if form == CONTEXT_B3_MULTI:
        put_field(fields, b"x-b3-traceid", 12, text, 32)
        put_field(fields + 1, b"x-b3-spanid", 11, text + 33, 16)
        put_field(fields + 2, b"x-b3-sampled", 12, text + 50, 1)
        return 3
    if form == CONTEXT_B3:
        text[32] = text[49] = c'-'
        put_field(fields, b"b3", 2, text, 51)
        return 1
    text[32] = text[49] = text[51] = c':'
    text[50] = c'0'              # the parent, which nobody reads any more
    text[52] = decision
    put_field(fields, b"uber-trace-id", 13, text, 53)
    return 1


cdef metadata_t *context_put(
    const metadata_t *metadata, const int *forms, int count, const context_t *context
) noexcept nogil:
    cdef nv_t[FIELDS_MAX] fields
    cdef char[TEXT_BYTES] text
    cdef int bits = 0
    cdef int used = 0
    cdef int form
    cdef int index
    cdef const nv_t *field
    for index in range(count):
        used += put_form(forms[index], context, text + 64 * index, fields + used)
        bits |= forms[index]
    for index in range(metadata.count if metadata != NULL else 0):
        field = &metadata.fields[index]
        form = form_of(field.name, field.name_size)
        if form & bits and not (form == CONTEXT_W3C and context.w3c and field.name_size == 10):
            continue             # but a tracestate, which goes with its traceparent
        if used < FIELDS_MAX:
            fields[used] = field[0]
            used += 1
    return metadata_new(fields, used)


# --- the Python face, for tests -------------------------------------------------------------------

cdef int forms_of(forms, int *out) except -1:
    cdef int index
    if len(forms) > FORMS_MAX:
        raise ValueError(f"{len(forms)} forms: there are {FORMS_MAX}")
    for index in range(len(forms)):
        if forms[index] not in (CONTEXT_W3C, CONTEXT_B3, CONTEXT_B3_MULTI, CONTEXT_JAEGER):
            raise ValueError(f"form {forms[index]}: there are 1, 2, 4 and 8")
        out[index] = forms[index]
    return len(forms)


def read(headers, forms):
    """What (name, value) pairs say in the first of `forms` that says anything: the trace's and the span's number, None
    where there is none, and whether it is sampled, None where that is not said.
    """
    cdef int[FORMS_MAX] wanted
    cdef int count = forms_of(forms, wanted)
    cdef metadata_t *metadata = metadata_of(headers)
    cdef context_t context
    context_read(metadata, wanted, count, &context)
    metadata_unref(metadata)
    sampled = None if context.sampled == SAMPLED_UNSAID else bool(context.sampled)
    if not context.valid:
        return None, None, sampled
    return int.from_bytes((<const char *>context.trace)[:16], "big"), context.span, sampled


def written(headers, forms, trace, span, bint sampled):
    """`headers` with this context in each of `forms`, and no other, as a list of pairs."""
    cdef int[FORMS_MAX] wanted
    cdef int count = forms_of(forms, wanted)
    cdef metadata_t *metadata = metadata_of(headers)
    cdef metadata_t *made
    cdef context_t context
    cdef bytes raw = trace.to_bytes(16, "big")
    cdef int index
    context_read(metadata, wanted, count, &context)
    memcpy(context.trace, <const char *>raw, 16)
    context.span = span
    context.sampled = sampled
    made = context_put(metadata, wanted, count, &context)
    metadata_unref(metadata)
    if made == NULL:
        raise MemoryError()
    found = [
        (made.fields[index].name[:made.fields[index].name_size].decode(),
         made.fields[index].value[:made.fields[index].value_size].decode("latin-1"))
        for index in range(made.count)
    ]
    metadata_unref(made)
    return found
