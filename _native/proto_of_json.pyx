"""Owns the way from JSON text to protobuf: proto3's JSON mapping for the messages that descriptor.pxd lists.

Must not write JSON, nor hold code for a single message type. Strict as google.protobuf's own mapping is: an
unknown field, a double name or a second member of a oneof is an error that says where. Text is read once and
written as it is read; arrays of numbers go through typed memory.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, strlen, strncat

from executor._native.buffer cimport buffer_new, buffer_t, buffer_unref
from executor._native.descriptor cimport (
    KIND_BOOL, KIND_BYTES, KIND_DOUBLE, KIND_ENUM, KIND_FLOAT, KIND_MESSAGE, KIND_STRING, RULE_MAP, RULE_ONEOF,
    RULE_REPEATED, STYLE_ANY, STYLE_LIST, STYLE_PLAIN, STYLE_STRUCT, STYLE_WRAPPER, known_layouts,
    layout_feedback, layout_list, layout_message, layout_struct, layout_t, layout_value, rule_t,
)
from executor._native.json cimport (
    JSON_DIMS, grid_drop, grid_t, json_expected, json_fail, json_finish, json_grid, json_literal,
    json_more, json_name, json_number, json_odd, json_open, json_over, json_peek, json_skip, json_string, json_t,
    number_t, string_is, string_plain, string_t,
)
from executor._native.json_field cimport (
    base64_read, check_float, fail_name, put_grid, put_reals, read_bool, read_choice, read_integer, read_real,
    use_grid,
)
from executor._native.message cimport message_flat, message_t
from executor._native.sink cimport (
    SINK_CHUNK, mark_t, sink_begin, sink_buffer, sink_close, sink_drop, sink_header, sink_message, sink_open,
    sink_t, sink_tag, sink_varint,
)
from executor._native.text cimport names_begin, names_drop, names_put, names_t, text_byte, text_raw, text_room
from executor._native.types cimport (
    ENCODING_SELDON_PROTO, FAILURE_TEXT, FORM_FEEDBACK, FORM_FOREIGN, FORM_LIST, STATUS_RESOURCE_EXHAUSTED, fail,
    failure_t,
)
from executor._native.wire cimport WIRE_FIXED32, WIRE_FIXED64, WIRE_VARINT

cdef enum:
    MESSAGE_DEPTH = 100      # messages within messages that protobuf's own parsers accept

# How a scalar is written.
cdef enum:
    PUT_SET = 0              # with its tag, unless it is the default
    PUT_ALWAYS = 1           # with its tag
    PUT_BARE = 2             # without: an item of a packed field

# A name without its escapes, kept until reading is over.
ctypedef struct kept_t:
    kept_t *next

ctypedef struct parse_t:
    json_t json
    sink_t sink
    int depth                # messages that may still be opened
    grid_t grid              # scratch for numbers; begun when first needed
    bint flat                # inside a list that turned out not to be a grid: only rows are tried
    bint placed              # the failure's text begins with the path of the field
    kept_t *kept


# --- failures ---

cdef int out_of_memory(parse_t *parse) noexcept nogil:
    return fail(parse.json.failure, STATUS_RESOURCE_EXHAUSTED, -1, b"out of memory")


# Puts the name of the field it happened in before the failure's text. Returns -1.
cdef int place_failure(parse_t *parse, const char *name) noexcept nogil:
    cdef failure_t *failure = parse.json.failure
    cdef char[FAILURE_TEXT] text
    memcpy(text, failure.text, FAILURE_TEXT)
    text[FAILURE_TEXT - 1] = 0
    snprintf(failure.text, FAILURE_TEXT, b"%.60s%s%.170s", name, b"." if parse.placed else b": ", text)
    parse.placed = True
    return -1


cdef int unknown_field(parse_t *parse, const layout_t *layout, const string_t *name) noexcept nogil:
    cdef char *text = parse.json.failure.text
    cdef int index
    fail_name(&parse.json, name, b'unknown field "%.*s" of ')
    strncat(text, layout.name, FAILURE_TEXT - 1 - strlen(text))
    for index in range(layout.count):
        strncat(text, b"; it has " if index == 0 else b", ", FAILURE_TEXT - 1 - strlen(text))
        strncat(text, layout.rules[index].json, FAILURE_TEXT - 1 - strlen(text))
    return -1


# --- scalars ---

cdef bint is_null(parse_t *parse) noexcept nogil:
    return json_peek(&parse.json) == c'n'


cdef int put_real(parse_t *parse, int kind, int number, int put) noexcept nogil:
    cdef const unsigned char *at
    cdef double value
    cdef float narrow
    cdef uint64_t bits
    json_peek(&parse.json)
    at = parse.json.at
    if read_real(&parse.json, &value) < 0 or (kind == KIND_FLOAT and check_float(&parse.json, at, value) < 0):
        return -1
    memcpy(&bits, &value, 8)
    if put == PUT_SET and bits == 0:
        return 0
    if put != PUT_BARE:
        sink_tag(&parse.sink, number, WIRE_FIXED32 if kind == KIND_FLOAT else WIRE_FIXED64)
    if kind == KIND_FLOAT:
        narrow = <float>value
        text_raw(&parse.sink.text, &narrow, 4)
    else:
        text_raw(&parse.sink.text, &value, 8)
    return 0


cdef int put_string(parse_t *parse, int number, int put) noexcept nogil:
    cdef string_t string
    cdef mark_t mark
    cdef unsigned char *to
    if json_string(&parse.json, &string) < 0:
        return -1
    if put == PUT_SET and string.size == 0:
        return 0
    if not string.escaped:
        sink_header(&parse.sink, number, string.size)
        text_raw(&parse.sink.text, string.data, string.size)
        return 0
    mark = sink_open(&parse.sink, number)
    to = text_room(&parse.sink.text, string.size)
    if to != NULL:
        parse.sink.text.buffer.size += string_plain(&string, to)
    sink_close(&parse.sink, mark)
    return 0


cdef int put_bytes(parse_t *parse, int number, int put) noexcept nogil:
    cdef string_t string
    cdef buffer_t *buffer
    cdef Py_ssize_t size
    if json_string(&parse.json, &string) < 0:
        return -1
    if put == PUT_SET and string.size == 0:
        return 0
    buffer = buffer_new(string.size)
    if buffer == NULL:
        return out_of_memory(parse)
    size = base64_read(&parse.json, &string, buffer.data)
    if size >= 0:
        sink_header(&parse.sink, number, size)
        sink_buffer(&parse.sink, buffer, size)
    buffer_unref(buffer)
    return 0 if size >= 0 else -1


cdef int put_scalar(parse_t *parse, const rule_t *rule, int number, int put) noexcept nogil:
    cdef uint64_t value = 0
    cdef int result
    if rule.kind == KIND_STRING:
        return put_string(parse, number, put)
    if rule.kind == KIND_BYTES:
        return put_bytes(parse, number, put)
    if rule.kind == KIND_DOUBLE or rule.kind == KIND_FLOAT:
        return put_real(parse, rule.kind, number, put)
    if rule.kind == KIND_BOOL:
        result = read_bool(&parse.json, &value)
    elif rule.kind == KIND_ENUM:
        result = read_choice(&parse.json, rule.choices, &value)
    else:
        result = read_integer(&parse.json, rule.kind, &value)
    if result < 0 or (put == PUT_SET and value == 0):
        return result
    if put != PUT_BARE:
        sink_tag(&parse.sink, number, WIRE_VARINT)
    sink_varint(&parse.sink, value)
    return 0


# --- Value, ListValue, Struct ---

cdef int put_mixed_list(parse_t *parse) noexcept nogil:
    cdef int more = json_open(&parse.json, c'[')
    while more > 0:
        if put_message(parse, 1, &layout_value) < 0:
            return -1
        more = json_more(&parse.json, c'[')
    return more


cdef int put_list(parse_t *parse) noexcept nogil:
    cdef bint flat = parse.flat
    cdef int state
    if json_peek(&parse.json) != c'[':
        return json_expected(&parse.json, b"an array")
    if use_grid(&parse.json, &parse.grid) < 0:
        return -1
    state = json_grid(&parse.json, &parse.grid, 1 if flat else JSON_DIMS)
    if state != 0:
        return put_grid(&parse.json, &parse.grid, &parse.sink, parse.depth) if state > 0 else -1
    # Nested lists would fail as grids once more at each level, so from here on only rows are tried.
    parse.flat = True
    state = put_mixed_list(parse)
    parse.flat = flat
    return state


cdef int put_value(parse_t *parse) noexcept nogil:
    cdef int byte = json_peek(&parse.json)
    cdef number_t number
    cdef uint64_t value
    if byte == c'[':
        return put_styled(parse, 6, STYLE_LIST)
    if byte == c'{':
        return put_styled(parse, 5, STYLE_STRUCT)
    if byte == c'"':
        return put_string(parse, 3, PUT_ALWAYS)
    if byte == c't' or byte == c'f':
        sink_tag(&parse.sink, 4, WIRE_VARINT)
        text_byte(&parse.sink.text, byte == c't')
        return read_bool(&parse.json, &value)
    if byte == c'n':
        sink_tag(&parse.sink, 1, WIRE_VARINT)
        text_byte(&parse.sink.text, 0)
        return json_literal(&parse.json, b"null")
    if json_odd(&parse.json):
        if read_real(&parse.json, &number.real) < 0:
            return -1
    elif json_number(&parse.json, &number) < 0:
        return -1
    sink_tag(&parse.sink, 2, WIRE_FIXED64)
    text_raw(&parse.sink.text, &number.real, 8)
    return 0


# --- messages ---

cdef int put_style(parse_t *parse, int style) noexcept nogil:
    if style == STYLE_LIST:
        return put_list(parse)
    if style == STYLE_STRUCT:
        return put_map(parse, layout_struct.rules)
    return put_value(parse)


# Field `number`: a message whose content `style` says.
cdef int put_styled(parse_t *parse, int number, int style) noexcept nogil:
    cdef mark_t mark
    cdef int result
    if parse.depth == 0:
        return json_fail(&parse.json, parse.json.at, b"messages are nested more than 100 deep")
    parse.depth -= 1
    mark = sink_open(&parse.sink, number)
    result = put_style(parse, style)
    sink_close(&parse.sink, mark)
    parse.depth += 1
    return result


cdef int put_message(parse_t *parse, int number, const layout_t *layout) noexcept nogil:
    cdef mark_t mark
    cdef int result
    if parse.depth == 0:
        return json_fail(&parse.json, parse.json.at, b"messages are nested more than 100 deep")
    parse.depth -= 1
    mark = sink_open(&parse.sink, number)
    result = put_content(parse, layout)
    sink_close(&parse.sink, mark)
    parse.depth += 1
    return result


cdef int put_content(parse_t *parse, const layout_t *layout) noexcept nogil:
    if layout.style == STYLE_PLAIN:
        return put_members(parse, layout, False)
    if layout.style == STYLE_ANY:
        return put_any(parse)
    if layout.style == STYLE_WRAPPER:
        return put_scalar(parse, layout.rules, 1, PUT_SET)
    return put_style(parse, layout.style)


# The name without escapes, in memory that stays until the end; NULL when that is out.
cdef const unsigned char *keep_name(parse_t *parse, const string_t *name, size_t *size) noexcept nogil:
    cdef kept_t *kept
    size[0] = name.size
    if not name.escaped:
        return name.data
    kept = <kept_t *>malloc(sizeof(kept_t) + name.size)
    if kept == NULL:
        return NULL
    kept.next = parse.kept
    parse.kept = kept
    size[0] = string_plain(name, <unsigned char *>(kept + 1))
    return <unsigned char *>(kept + 1)


# One entry of a map, whose name was read: a message of key 1 and value 2.
cdef int put_entry(parse_t *parse, const rule_t *rule, names_t *names, const string_t *name) noexcept nogil:
    cdef size_t size
    cdef const unsigned char *key = keep_name(parse, name, &size)
    cdef int fresh = names_put(names, key, size, 0) if key != NULL else -1
    cdef mark_t mark
    cdef int result
    if fresh <= 0:
        return out_of_memory(parse) if fresh < 0 else fail_name(&parse.json, name, b'"%.*s" is given twice')
    mark = sink_open(&parse.sink, rule.number)
    sink_header(&parse.sink, 1, size)
    text_raw(&parse.sink.text, key, size)
    if rule.kind == KIND_MESSAGE:
        result = put_message(parse, 2, rule.layout)
    else:
        result = put_scalar(parse, rule, 2, PUT_ALWAYS)
    sink_close(&parse.sink, mark)
    return result


cdef int put_map(parse_t *parse, const rule_t *rule) noexcept nogil:
    cdef names_t names
    cdef string_t name
    cdef int more = json_open(&parse.json, c'{')
    names_begin(&names)
    # An entry is a message of its own.
    if more > 0 and parse.depth == 0:
        more = json_fail(&parse.json, parse.json.at, b"messages are nested more than 100 deep")
    parse.depth -= 1
    while more > 0:
        if json_name(&parse.json, &name) < 0 or put_entry(parse, rule, &names, &name) < 0:
            more = -1
        else:
            more = json_more(&parse.json, c'{')
    parse.depth += 1
    names_drop(&names)
    return more


cdef int put_items(parse_t *parse, const rule_t *rule) noexcept nogil:
    cdef bint packed = rule.kind != KIND_MESSAGE and rule.kind != KIND_STRING and rule.kind != KIND_BYTES
    cdef mark_t mark
    cdef int result
    cdef int more = json_open(&parse.json, c'[')
    if more > 0 and packed:
        mark = sink_open(&parse.sink, rule.number)
    while more > 0:
        if rule.kind == KIND_MESSAGE:
            result = put_message(parse, rule.number, rule.layout)
        else:
            result = put_scalar(parse, rule, rule.number, PUT_BARE if packed else PUT_ALWAYS)
        if result < 0:
            return -1
        more = json_more(&parse.json, c'[')
        if more == 0 and packed:
            sink_close(&parse.sink, mark)
    return more


cdef int put_member(parse_t *parse, const rule_t *rule, bint *chosen) noexcept nogil:
    if is_null(parse):
        if rule.flags == 0 or rule.flags == RULE_ONEOF:
            if rule.layout == &layout_value:
                return put_message(parse, rule.number, rule.layout)
        return json_literal(&parse.json, b"null")
    if rule.flags & RULE_ONEOF:
        if chosen[0]:
            return json_fail(&parse.json, parse.json.at, b"another field of the same oneof is set already")
        chosen[0] = True
    if rule.flags & RULE_MAP:
        return put_map(parse, rule)
    if rule.flags & RULE_REPEATED:
        if rule.kind == KIND_DOUBLE or rule.kind == KIND_FLOAT:
            return put_reals(&parse.json, &parse.grid, &parse.sink, rule.number, rule.kind)
        return put_items(parse, rule)
    if rule.kind == KIND_MESSAGE:
        return put_message(parse, rule.number, rule.layout)
    return put_scalar(parse, rule, rule.number, PUT_ALWAYS if rule.flags & RULE_ONEOF else PUT_SET)


cdef int find_rule(const layout_t *layout, const string_t *name) noexcept nogil:
    cdef int index
    for index in range(layout.count):
        if string_is(name, layout.rules[index].json) or string_is(name, layout.rules[index].name):
            return index
    return -1


# The members of a plain message. `typed`: inside an Any, where "@type" stands among them.
cdef int put_members(parse_t *parse, const layout_t *layout, bint typed) noexcept nogil:
    cdef string_t name
    cdef uint32_t seen = 0
    cdef bint chosen = False
    cdef int index
    cdef int more = json_open(&parse.json, c'{')
    while more > 0:
        if json_name(&parse.json, &name) < 0:
            return -1
        index = find_rule(layout, &name)
        if index >= 0:
            if seen & (<uint32_t>1 << index):
                return fail_name(&parse.json, &name, b'"%.*s" is given twice')
            seen |= <uint32_t>1 << index
            if put_member(parse, &layout.rules[index], &chosen) < 0:
                return place_failure(parse, layout.rules[index].json)
        elif not (typed and string_is(&name, b"@type")):
            return unknown_field(parse, layout, &name)
        elif json_skip(&parse.json) < 0:
            return -1
        more = json_more(&parse.json, c'{')
    return more


# --- Any ---

# Finds the members "@type" and "value" of the object that begins here: the reader is left where it was.
# `type.data` and `value` are NULL when there is none; `others` counts the rest.
cdef int scan_any(parse_t *parse, string_t *type, const unsigned char **value, int *others) noexcept nogil:
    cdef json_t json = parse.json
    cdef string_t name
    cdef int more = json_open(&json, c'{')
    type.data = NULL
    value[0] = NULL
    others[0] = 0
    while more > 0:
        if json_name(&json, &name) < 0:
            return -1
        json_peek(&json)
        if string_is(&name, b"@type"):
            if type.data != NULL:
                return fail_name(&parse.json, &name, b'"%.*s" is given twice')
            if json_string(&json, type) < 0:
                return -1
        else:
            if string_is(&name, b"value") and value[0] == NULL:
                value[0] = json.at
            else:
                others[0] += 1
            if json_skip(&json) < 0:
                return -1
        more = json_more(&json, c'{')
    return more


cdef const layout_t *known_layout(const string_t *type) noexcept nogil:
    cdef string_t name = type[0]
    cdef const layout_t **layout = <const layout_t **>known_layouts
    cdef Py_ssize_t index = type.size - 1
    while index >= 0 and type.data[index] != c'/':
        index -= 1
    name.data += index + 1
    name.size -= index + 1
    while layout[0] != NULL:
        if string_is(&name, layout[0].name):
            return layout[0]
        layout += 1
    return NULL


# The value of an Any that holds a type with a JSON form of its own: it stands in the member "value".
cdef int put_any_value(
    parse_t *parse, const layout_t *layout, const unsigned char *value, int others
) noexcept nogil:
    cdef json_t after = parse.json
    if value == NULL or others > 0:
        return json_fail(&parse.json, parse.json.at, b"this type wants one member besides @type: value")
    if json_skip(&after) < 0:
        return -1
    parse.json.at = value
    parse.json.depth -= 1
    if put_content(parse, layout) < 0:
        return -1
    parse.json = after
    return 0


cdef int put_any(parse_t *parse) noexcept nogil:
    cdef string_t type
    cdef const unsigned char *value
    cdef const layout_t *layout
    cdef mark_t mark
    cdef unsigned char *to
    cdef int others
    cdef int result
    if scan_any(parse, &type, &value, &others) < 0:
        return -1
    if type.data == NULL:
        if value != NULL or others > 0:
            return json_fail(&parse.json, parse.json.at, b'the member "@type" is missing')
        return json_skip(&parse.json)
    layout = known_layout(&type)
    if layout == NULL:
        return fail_name(
            &parse.json, &type,
            b'type "%.*s" has no JSON form known here: send it in protobuf, or use jsonData or binData',
        )
    mark = sink_open(&parse.sink, 1)
    to = text_room(&parse.sink.text, type.size)
    if to != NULL:
        parse.sink.text.buffer.size += string_plain(&type, to)
    sink_close(&parse.sink, mark)
    mark = sink_open(&parse.sink, 2)
    if layout.style == STYLE_PLAIN:
        result = put_members(parse, layout, True)
    else:
        result = put_any_value(parse, layout, value, others)
    sink_close(&parse.sink, mark)
    return result


# --- whole messages ---

# A list may be written as a bare array of messages, which is how a combiner gets it.
cdef int put_bare_list(parse_t *parse) noexcept nogil:
    cdef int more = json_open(&parse.json, c'[')
    while more > 0:
        if put_message(parse, 1, &layout_message) < 0:
            return -1
        more = json_more(&parse.json, c'[')
    return more


cdef int put_form(parse_t *parse, int form) noexcept nogil:
    if form == FORM_LIST:
        if json_peek(&parse.json) == c'[':
            return put_bare_list(parse)
        return put_members(parse, &layout_list, False)
    # Of what only nodes can read, feedback alone is looked at: it may be JSON after all.
    return put_members(
        parse, &layout_feedback if form == FORM_FEEDBACK or form == FORM_FOREIGN else &layout_message, False
    )


cdef void drop_kept(parse_t *parse) noexcept nogil:
    cdef kept_t *next
    while parse.kept != NULL:
        next = parse.kept.next
        free(parse.kept)
        parse.kept = next


cdef message_t *proto_of_json(message_t *message, failure_t *failure) noexcept nogil:
    cdef const unsigned char *data = message_flat(message)
    cdef message_t *result = NULL
    cdef parse_t parse
    if data == NULL:
        fail(failure, STATUS_RESOURCE_EXHAUSTED, -1, b"out of memory")
        return NULL
    parse.json = json_over(data, message.size, failure)
    parse.depth = MESSAGE_DEPTH
    parse.grid.buffer = NULL
    parse.flat = False
    parse.placed = False
    parse.kept = NULL
    sink_begin(&parse.sink, 512 if message.size < 512 else SINK_CHUNK)
    if put_form(&parse, message.form) == 0 and json_finish(&parse.json) == 0:
        result = sink_message(&parse.sink, ENCODING_SELDON_PROTO, message.form)
        if result == NULL:
            out_of_memory(&parse)
    sink_drop(&parse.sink)
    grid_drop(&parse.grid)
    drop_kept(&parse)
    return result
