"""Owns the way from protobuf to JSON text: proto3's JSON mapping for the messages that descriptor.pxd lists.

Must not read JSON, nor hold code for a single message type. What protobuf's rules say of repeated, split and
conflicting fields is followed: pieces merge, the last member of a oneof and the last of double map keys hold.
Fields that hold their default are left out, and so are unknown ones.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.string cimport memcmp, memcpy, memset, strlen

from executor._native.buffer cimport buffer_t, buffer_unref
from executor._native.cursor cimport cursor_enter, cursor_fail, cursor_over, cursor_t
from executor._native.descriptor cimport (
    KIND_BOOL, KIND_BYTES, KIND_DOUBLE, KIND_ENUM, KIND_FLOAT, KIND_INT32, KIND_INT64, KIND_MESSAGE, KIND_STRING,
    KIND_UINT32, RULE_ALWAYS, RULE_MAP, RULE_ONEOF, RULE_REPEATED, RULES_MAX, STYLE_ANY, STYLE_LIST, STYLE_PLAIN,
    STYLE_STRUCT, STYLE_VALUE, known_layouts, layout_feedback, layout_list, layout_listvalue,
    layout_message, layout_struct, layout_t, rule_t,
)
from executor._native.json cimport ITEM_DOUBLE, ITEM_FLOAT
from executor._native.message cimport message_flat, message_of, message_t
from executor._native.seldon_envelope cimport piece_enter, piece_t
from executor._native.text cimport (
    ODD_ENDS, ODD_QUOTED, names_begin, names_drop, names_get, names_put, names_t, text_base64, text_begin, text_byte,
    text_double, text_drop, text_integer, text_row, text_string, text_t, text_unsigned, text_word,
)
from executor._native.types cimport (
    ENCODING_SELDON_JSON, FAILURE_TEXT, FORM_FEEDBACK, FORM_LIST, STATUS_RESOURCE_EXHAUSTED, fail, failure_t,
)
from executor._native.wire cimport (
    WIRE_BYTES, WIRE_FIXED32, WIRE_FIXED64, WIRE_VARINT, field_t, wire_double, wire_next, wire_varint,
)

# Fields of google.protobuf.Value.
cdef enum:
    VALUE_NUMBER = 2
    VALUE_STRING = 3
    VALUE_BOOL = 4
    VALUE_STRUCT = 5
    VALUE_LIST = 6

cdef enum:
    RUN = 256                # numbers that are printed at once

# What one pass over a message found of one field.
ctypedef struct found_t:
    piece_t piece            # occurrences that count
    uint64_t value           # of the last one that is no WIRE_BYTES

ctypedef struct print_t:
    text_t text
    failure_t *failure
    bint placed              # the failure's text begins with the path of the field


# --- failures ---

cdef int out_of_memory(print_t *out) noexcept nogil:
    return fail(out.failure, STATUS_RESOURCE_EXHAUSTED, -1, b"out of memory")


# Puts the name of the field it happened in before the failure's text. Returns -1.
cdef int place_failure(print_t *out, const char *name) noexcept nogil:
    cdef failure_t *failure = out.failure
    cdef char[FAILURE_TEXT] text
    memcpy(text, failure.text, FAILURE_TEXT)
    snprintf(failure.text, FAILURE_TEXT, b"%.60s%s%.170s", name, b"." if out.placed else b": ", text)
    out.placed = True
    return -1


# --- scalars ---

cdef int wire_type(int kind) noexcept nogil:
    if kind == KIND_DOUBLE:
        return WIRE_FIXED64
    if kind == KIND_FLOAT:
        return WIRE_FIXED32
    return WIRE_BYTES if kind == KIND_STRING or kind == KIND_BYTES or kind == KIND_MESSAGE else WIRE_VARINT


cdef bint is_packable(int kind) noexcept nogil:
    return wire_type(kind) != WIRE_BYTES


# A varint as a field of that kind keeps it.
cdef uint64_t narrowed(int kind, uint64_t value) noexcept nogil:
    if kind == KIND_INT32 or kind == KIND_ENUM:
        return <uint64_t>(<int64_t>(<int32_t>value))
    if kind == KIND_UINT32:
        return <uint32_t>value
    return value != 0 if kind == KIND_BOOL else value


cdef void print_choice(print_t *out, const rule_t *rule, int64_t value) noexcept nogil:
    cdef const unsigned char *name
    cdef int index = 0
    while rule.choices[index].name != NULL:
        if rule.choices[index].number == value:
            name = <const unsigned char *>rule.choices[index].name
            text_string(&out.text, name, strlen(rule.choices[index].name))
            return
        index += 1
    # An enum value that is not known here stays a number.
    text_integer(&out.text, value)


cdef void print_varint(print_t *out, const rule_t *rule, uint64_t value) noexcept nogil:
    value = narrowed(rule.kind, value)
    if rule.kind == KIND_BOOL:
        text_word(&out.text, b"true" if value else b"false")
    elif rule.kind == KIND_ENUM:
        print_choice(out, rule, <int64_t>value)
    elif rule.kind == KIND_INT32:
        text_integer(&out.text, <int64_t>value)
    elif rule.kind == KIND_UINT32:
        text_unsigned(&out.text, value)
    else:
        # 64 bits go in quotes: many readers of JSON know doubles only.
        text_byte(&out.text, c'"')
        if rule.kind == KIND_INT64:
            text_integer(&out.text, <int64_t>value)
        else:
            text_unsigned(&out.text, value)
        text_byte(&out.text, c'"')


cdef void print_real(print_t *out, int kind, uint64_t value) noexcept nogil:
    text_row(&out.text, &value, 1, ITEM_FLOAT if kind == KIND_FLOAT else ITEM_DOUBLE, ODD_QUOTED)


cdef int print_string(
    print_t *out, const cursor_t *cursor, const unsigned char *data, size_t size
) noexcept nogil:
    if text_string(&out.text, data, size) < 0:
        return cursor_fail(cursor, data, out.failure, b"a string is not valid UTF-8", 0, 0)
    return 0


# The value of a field that is no message.
cdef int print_scalar(
    print_t *out, const cursor_t *cursor, const rule_t *rule, const unsigned char *data, size_t size, uint64_t value
) noexcept nogil:
    if rule.kind == KIND_STRING:
        return print_string(out, cursor, data, size)
    if rule.kind == KIND_BYTES:
        text_base64(&out.text, data, size)
    elif rule.kind == KIND_DOUBLE or rule.kind == KIND_FLOAT:
        print_real(out, rule.kind, value)
    else:
        print_varint(out, rule, value)
    return 0


# --- one pass over a message ---

cdef int rule_of(const layout_t *layout, uint32_t number) noexcept nogil:
    cdef int index
    for index in range(layout.count):
        if <uint32_t>layout.rules[index].number == number:
            return index
    return -1


# Whether an occurrence counts: a field of another wire type is unknown, an empty packed one adds nothing.
cdef bint is_valid(const rule_t *rule, const field_t *field) noexcept nogil:
    if rule.flags & RULE_MAP:
        return field.type == WIRE_BYTES
    if rule.flags & RULE_REPEATED and is_packable(rule.kind) and field.type == WIRE_BYTES:
        return field.size > 0
    return field.type == wire_type(rule.kind)


cdef void note(found_t *found, const field_t *field) noexcept nogil:
    if found.piece.count == 0:
        found.piece.first = field.begin
    found.piece.count += 1
    found.piece.data = field.data
    found.piece.size = field.size
    found.value = field.value


# Finds the fields of `layout` under `cursor`: found[i] belongs to rule i.
cdef int collect(cursor_t cursor, const layout_t *layout, found_t *found, failure_t *failure) noexcept nogil:
    cdef field_t field
    cdef int chosen = -1
    cdef int index
    cdef int got
    memset(found, 0, layout.count * sizeof(found_t))
    while True:
        got = wire_next(&cursor, &field, failure)
        if got <= 0:
            return got
        index = rule_of(layout, field.number)
        if index < 0 or not is_valid(&layout.rules[index], &field):
            continue
        if layout.rules[index].flags & RULE_ONEOF:
            # Another member of the oneof clears this one, pieces and all.
            if chosen >= 0 and chosen != index:
                found[chosen].piece.count = 0
            chosen = index
        note(&found[index], &field)


# Whether a field is left out: it is not there, or is a singular one without presence that holds its default.
cdef bint is_left_out(const rule_t *rule, const found_t *found) noexcept nogil:
    if found.piece.count == 0 or rule.kind == KIND_MESSAGE or rule.flags != 0:
        return found.piece.count == 0 and not rule.flags & RULE_ALWAYS
    if rule.kind == KIND_STRING or rule.kind == KIND_BYTES:
        return found.piece.size == 0
    return narrowed(rule.kind, found.value) == 0


# --- Value ---

cdef int find_value(cursor_t cursor, int *kind, found_t *found, failure_t *failure) noexcept nogil:
    cdef field_t field
    cdef int type
    cdef int got
    kind[0] = 0
    found.piece.count = 0
    while True:
        got = wire_next(&cursor, &field, failure)
        if got <= 0:
            return got
        if field.number < 1 or field.number > VALUE_LIST:
            continue
        type = WIRE_VARINT if field.number == 1 or field.number == VALUE_BOOL else WIRE_BYTES
        if field.type != (WIRE_FIXED64 if field.number == VALUE_NUMBER else type):
            continue
        if kind[0] != <int>field.number:
            kind[0] = field.number
            found.piece.count = 0
        note(found, &field)


cdef int print_number(print_t *out, const cursor_t *cursor, const unsigned char *at, double value) noexcept nogil:
    if value - value != 0:
        return cursor_fail(
            cursor, at, out.failure, b"NaN and Infinity have no JSON form here, only in a tensor", 0, 0
        )
    text_double(&out.text, value)
    return 0


cdef int print_value(print_t *out, cursor_t cursor) noexcept nogil:
    cdef found_t found
    cdef double number
    cdef int kind
    # Nearly all values of large lists are this: one number.
    if cursor.end - cursor.position == 9 and cursor.position[0] == 0x11:
        memcpy(&number, cursor.position + 1, 8)
        return print_number(out, &cursor, cursor.position, number)
    if find_value(cursor, &kind, &found, out.failure) < 0:
        return -1
    if kind == VALUE_NUMBER:
        return print_number(out, &cursor, cursor.position, wire_double(found.value))
    if kind == VALUE_STRING:
        return print_string(out, &cursor, found.piece.data, found.piece.size)
    if kind == VALUE_STRUCT or kind == VALUE_LIST:
        return print_message(
            out, &cursor, &found.piece, kind, &layout_struct if kind == VALUE_STRUCT else &layout_listvalue
        )
    if kind == VALUE_BOOL:
        text_word(&out.text, b"true" if found.value else b"false")
    else:
        text_word(&out.text, b"null")
    return 0


# --- repeated fields and maps ---

# The numbers of one packed occurrence, with commas between.
cdef int print_packed(print_t *out, const cursor_t *cursor, const rule_t *rule, const field_t *field) noexcept nogil:
    cdef size_t width = 4 if rule.kind == KIND_FLOAT else 8
    cdef cursor_t packed = cursor[0]
    cdef uint64_t value
    packed.position = field.data
    packed.end = field.data + field.size
    if rule.kind == KIND_FLOAT or rule.kind == KIND_DOUBLE:
        if field.size % width != 0:
            return cursor_fail(
                cursor, field.begin, out.failure, b"%lld bytes are no whole number of items", field.size, 0
            )
        text_row(&out.text, field.data, field.size // width, ITEM_FLOAT if width == 4 else ITEM_DOUBLE, ODD_QUOTED)
        return 0
    while packed.position < packed.end:
        if wire_varint(&packed, &value, out.failure) < 0:
            return -1
        print_varint(out, rule, value)
        if packed.position < packed.end:
            text_byte(&out.text, c',')
    return 0


cdef int print_item(print_t *out, const cursor_t *cursor, const rule_t *rule, const field_t *field) noexcept nogil:
    cdef cursor_t inner
    if field.type == WIRE_BYTES and is_packable(rule.kind):
        return print_packed(out, cursor, rule, field)
    if rule.kind != KIND_MESSAGE:
        return print_scalar(out, cursor, rule, field.data, field.size, field.value)
    if cursor_enter(cursor, field.data, field.size, &inner, out.failure) < 0:
        return -1
    return print_content(out, &inner, rule.layout)


# Whether the next item of a ListValue is one number and nothing else.
cdef inline bint is_number_value(const unsigned char *at, const unsigned char *end) noexcept nogil:
    return end - at >= 11 and at[0] == 0x0A and at[1] == 9 and at[2] == 0x11


# A run of values that are plain numbers, which is what large lists are made of. Returns how many, -1 for failure.
cdef int print_run(print_t *out, cursor_t *items, int most) noexcept nogil:
    cdef double[RUN] numbers
    cdef const unsigned char *at = items.position
    cdef int count = 0
    cdef int done
    while count < most and count < RUN and is_number_value(at, items.end):
        memcpy(&numbers[count], at + 3, 8)
        at += 11
        count += 1
    done = <int>text_row(&out.text, numbers, count, ITEM_DOUBLE, ODD_ENDS)
    if done < count:
        return print_number(out, items, items.position + 11 * done, numbers[done])
    items.position = at
    return count


cdef int print_repeated(print_t *out, const cursor_t *cursor, const rule_t *rule, const piece_t *piece) noexcept nogil:
    cdef cursor_t items = cursor[0]
    cdef field_t field
    cdef int left = piece.count
    cdef int run
    items.position = piece.first if left > 0 else items.end
    text_byte(&out.text, c'[')
    while left > 0:
        if rule == layout_listvalue.rules and is_number_value(items.position, items.end):
            if left < piece.count:
                text_byte(&out.text, c',')
            run = print_run(out, &items, left)
            if run < 0:
                return -1
            left -= run
            continue
        # These bytes were passed over once already, so nothing but their end can stop it.
        if wire_next(&items, &field, out.failure) <= 0:
            return -1
        if <int>field.number != rule.number or not is_valid(rule, &field):
            continue
        if left < piece.count:
            text_byte(&out.text, c',')
        if print_item(out, cursor, rule, &field) < 0:
            return -1
        left -= 1
    text_byte(&out.text, c']')
    return 0


# One map entry: its key, and where its value lies.
cdef int read_entry(
    print_t *out, const cursor_t *cursor, const rule_t *rule, const field_t *entry, cursor_t *inner, found_t *key,
    found_t *value,
) noexcept nogil:
    cdef cursor_t fields
    cdef field_t field
    cdef int got
    memset(key, 0, sizeof(found_t))
    memset(value, 0, sizeof(found_t))
    key.piece.data = entry.data
    if cursor_enter(cursor, entry.data, entry.size, inner, out.failure) < 0:
        return -1
    fields = inner[0]
    while True:
        got = wire_next(&fields, &field, out.failure)
        if got <= 0:
            return got
        if field.number == 1 and field.type == WIRE_BYTES:
            note(key, &field)
        elif field.number == 2 and field.type == wire_type(rule.kind):
            note(value, &field)


cdef int print_entry(
    print_t *out, const cursor_t *inner, const rule_t *rule, const found_t *key, const found_t *value
) noexcept nogil:
    if print_string(out, inner, key.piece.data, key.piece.size) < 0:
        return -1
    text_byte(&out.text, c':')
    if rule.kind != KIND_MESSAGE:
        return print_scalar(out, inner, rule, value.piece.data, value.piece.size, value.value)
    if value.piece.count > 0:
        return print_message(out, inner, &value.piece, 2, rule.layout)
    # Every map of messages here maps to Value, and an empty one is null.
    text_word(&out.text, b"null")
    return 0


# Goes over the entries of a map: notes where each key comes last (`print` false), or prints those.
cdef int walk_map(
    print_t *out, const cursor_t *cursor, const rule_t *rule, const piece_t *piece, names_t *names, bint printing
) noexcept nogil:
    cdef cursor_t entries = cursor[0]
    cdef cursor_t inner
    cdef field_t field
    cdef found_t key, value
    cdef int left = piece.count
    cdef bint any = False
    entries.position = piece.first
    while left > 0:
        if wire_next(&entries, &field, out.failure) <= 0:
            return -1
        if <int>field.number != rule.number or not is_valid(rule, &field):
            continue
        left -= 1
        if read_entry(out, cursor, rule, &field, &inner, &key, &value) < 0:
            return -1
        if not printing:
            if names_put(names, key.piece.data, key.piece.size, <size_t>field.begin) < 0:
                return out_of_memory(out)
        elif piece.count == 1 or names_get(names, key.piece.data, key.piece.size) == <size_t>field.begin:
            if any:
                text_byte(&out.text, c',')
            any = True
            if print_entry(out, &inner, rule, &key, &value) < 0:
                return -1
    return 0


cdef int print_map(print_t *out, const cursor_t *cursor, const rule_t *rule, const piece_t *piece) noexcept nogil:
    cdef names_t names
    cdef int result = 0
    names_begin(&names)
    text_byte(&out.text, c'{')
    if piece.count > 1:
        result = walk_map(out, cursor, rule, piece, &names, False)
    if piece.count > 0 and result == 0:
        result = walk_map(out, cursor, rule, piece, &names, True)
    text_byte(&out.text, c'}')
    names_drop(&names)
    return result


# --- messages ---

# A message field, its occurrences merged.
cdef int print_message(
    print_t *out, const cursor_t *outer, const piece_t *piece, int number, const layout_t *layout
) noexcept nogil:
    cdef buffer_t *joined = NULL
    cdef cursor_t inner
    cdef int result
    if piece_enter(outer, piece, number, &inner, &joined, out.failure) < 0:
        return -1
    result = print_content(out, &inner, layout)
    if result < 0 and joined != NULL:
        # Offsets in joined bytes say nothing about the message.
        out.failure.offset = -1
    buffer_unref(joined)
    return result


cdef int print_member(print_t *out, const cursor_t *cursor, const rule_t *rule, const found_t *found) noexcept nogil:
    cdef const piece_t *piece = &found.piece
    text_byte(&out.text, c'"')
    text_word(&out.text, rule.json)
    text_word(&out.text, b'":')
    if rule.flags & RULE_MAP:
        return print_map(out, cursor, rule, piece)
    if rule.flags & RULE_REPEATED:
        return print_repeated(out, cursor, rule, piece)
    if rule.kind == KIND_MESSAGE:
        return print_message(out, cursor, piece, rule.number, rule.layout)
    return print_scalar(out, cursor, rule, piece.data, piece.size, found.value)


# Members of a plain message, without brackets. `any`: others stand before them.
cdef int print_members(print_t *out, const cursor_t *cursor, const layout_t *layout, bint any) noexcept nogil:
    cdef found_t[RULES_MAX] found
    cdef int index
    if collect(cursor[0], layout, found, out.failure) < 0:
        return -1
    for index in range(layout.count):
        if is_left_out(&layout.rules[index], &found[index]):
            continue
        if any:
            text_byte(&out.text, c',')
        any = True
        if print_member(out, cursor, &layout.rules[index], &found[index]) < 0:
            return place_failure(out, layout.rules[index].json)
    return 0


cdef int print_plain(print_t *out, const cursor_t *cursor, const layout_t *layout) noexcept nogil:
    text_byte(&out.text, c'{')
    if print_members(out, cursor, layout, False) < 0:
        return -1
    text_byte(&out.text, c'}')
    return 0


cdef int print_content(print_t *out, const cursor_t *cursor, const layout_t *layout) noexcept nogil:
    cdef found_t found
    if layout.style == STYLE_PLAIN:
        return print_plain(out, cursor, layout)
    if layout.style == STYLE_VALUE:
        return print_value(out, cursor[0])
    if layout.style == STYLE_ANY:
        return print_any(out, cursor, layout)
    if collect(cursor[0], layout, &found, out.failure) < 0:
        return -1
    if layout.style == STYLE_LIST:
        return print_repeated(out, cursor, layout.rules, &found.piece)
    if layout.style == STYLE_STRUCT:
        return print_map(out, cursor, layout.rules, &found.piece)
    return print_scalar(out, cursor, layout.rules, found.piece.data, found.piece.size, found.value)


# --- Any ---

cdef const layout_t *known_layout(const unsigned char *type, size_t size) noexcept nogil:
    cdef const layout_t **layout = <const layout_t **>known_layouts
    cdef size_t begin = size
    while begin > 0 and type[begin - 1] != c'/':
        begin -= 1
    while layout[0] != NULL:
        if strlen(layout[0].name) == size - begin and memcmp(layout[0].name, type + begin, size - begin) == 0:
            return layout[0]
        layout += 1
    return NULL


cdef int print_any(print_t *out, const cursor_t *cursor, const layout_t *any) noexcept nogil:
    cdef found_t[2] found
    cdef const layout_t *layout
    cdef cursor_t inner
    if collect(cursor[0], any, found, out.failure) < 0:
        return -1
    if found[0].piece.size == 0 and found[1].piece.size == 0:
        text_word(&out.text, b"{}")
        return 0
    layout = known_layout(found[0].piece.data, found[0].piece.size)
    if layout == NULL:
        return cursor_fail(
            cursor, cursor.position, out.failure, b"the type of this Any has no JSON form known here: "
            b"send it in protobuf, or use jsonData or binData", 0, 0,
        )
    text_word(&out.text, b'{"@type":')
    if print_string(out, cursor, found[0].piece.data, found[0].piece.size) < 0:
        return -1
    if found[1].piece.count == 0:
        found[1].piece.data = cursor.end
    if cursor_enter(cursor, found[1].piece.data, found[1].piece.size, &inner, out.failure) < 0:
        return -1
    if layout.style == STYLE_PLAIN:
        if print_members(out, &inner, layout, True) < 0:
            return -1
    else:
        text_word(&out.text, b',"value":')
        if print_content(out, &inner, layout) < 0:
            return -1
    text_byte(&out.text, c'}')
    return 0


# --- whole messages ---

# A list is written as a bare array of messages, which is what combiners get.
cdef int print_form(print_t *out, const cursor_t *cursor, int form) noexcept nogil:
    cdef found_t found
    if form != FORM_LIST:
        return print_plain(out, cursor, &layout_feedback if form == FORM_FEEDBACK else &layout_message)
    if collect(cursor[0], &layout_list, &found, out.failure) < 0:
        return -1
    return print_repeated(out, cursor, layout_list.rules, &found.piece)


cdef message_t *json_of_proto(message_t *message, failure_t *failure) noexcept nogil:
    cdef const unsigned char *data = message_flat(message)
    cdef message_t *result = NULL
    cdef buffer_t *buffer
    cdef cursor_t cursor
    cdef print_t out
    out.failure = failure
    out.placed = False
    if data == NULL:
        out_of_memory(&out)
        return NULL
    cursor = cursor_over(data, message.size)
    text_begin(&out.text, message.size * 2 + 64)
    if print_form(&out, &cursor, message.form) < 0:
        text_drop(&out.text)
        return NULL
    if not out.text.failed:
        buffer = out.text.buffer
        out.text.buffer = NULL
        result = message_of(ENCODING_SELDON_JSON, message.form, buffer)
    if result == NULL:
        out_of_memory(&out)
    text_drop(&out.text)
    return result
