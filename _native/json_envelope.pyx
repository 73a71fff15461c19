"""Owns the envelope of seldon.protos messages as JSON text: which member lies where, and edits by gathering.

Must not look into payload values, nor touch Python objects. What is not edited keeps its bytes: white space,
order of members, the text of numbers.
"""

from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memset, strlen

from executor._native.codec cimport name_t
from executor._native.json cimport (
    json_fail, json_finish, json_literal, json_more, json_name, json_open, json_over, json_pass, json_peek, json_t,
    string_is, string_plain, string_t,
)
from executor._native.message cimport (
    message_add_copy, message_add_part, message_describe, message_flat, message_new, message_ref, message_unref,
)
from executor._native.text cimport (
    text_begin, text_byte, text_drop, text_integer, text_string, text_t, text_word,
)
from executor._native.types cimport (
    ENCODING_SELDON_JSON, FORM_FEEDBACK, FORM_FOREIGN, FORM_LIST, STATUS_INVALID_ARGUMENT, STATUS_RESOURCE_EXHAUSTED,
    fail,
)

cdef int out_of_memory(failure_t *failure) noexcept nogil:
    return fail(failure, STATUS_RESOURCE_EXHAUSTED, -1, b"out of memory")


# --- finding members ---

# Passes over the value that comes next and says where it lies; a null counts as absent unless `keep_null`.
cdef int take_member(json_t *json, member_t *member, bint keep_null) noexcept nogil:
    cdef bint null = json_peek(json) == c'n' and not keep_null
    member.data = json.at
    if json_pass(json) < 0:
        return -1
    member.size = json.at - member.data
    if null:
        member.data = NULL
        member.size = 0
    return 0


cdef int take_payload(json_t *json, int kind, opened_t *opened) noexcept nogil:
    cdef member_t member
    if take_member(json, &member, kind == PAYLOAD_JSON) < 0:
        return -1
    if member.data == NULL:
        return 0
    if opened.kind != PAYLOAD_NONE:
        return json_fail(json, member.data, b"the message holds a second payload; one is allowed")
    opened.kind = kind
    opened.body = member
    return 0


cdef int data_kind(const string_t *name) noexcept nogil:
    if string_is(name, b"tensor"):
        return PAYLOAD_TENSOR
    if string_is(name, b"ndarray"):
        return PAYLOAD_NDARRAY
    return PAYLOAD_TFTENSOR if string_is(name, b"tftensor") else PAYLOAD_NONE


cdef int open_data(json_t *json, opened_t *opened) noexcept nogil:
    cdef string_t name
    cdef int kind
    cdef int result
    cdef int more
    if json_peek(json) == c'n':
        return json_literal(json, b"null")
    more = json_open(json, c'{')
    while more > 0:
        if json_name(json, &name) < 0:
            return -1
        kind = data_kind(&name)
        if kind != PAYLOAD_NONE:
            result = take_payload(json, kind, opened)
        elif string_is(&name, b"names"):
            result = take_member(json, &opened.names, False)
        else:
            result = json_pass(json)
        more = json_more(json, c'{') if result == 0 else -1
    return more


cdef int message_kind(const string_t *name) noexcept nogil:
    if string_is(name, b"binData"):
        return PAYLOAD_BIN
    if string_is(name, b"strData"):
        return PAYLOAD_STR
    if string_is(name, b"jsonData"):
        return PAYLOAD_JSON
    return PAYLOAD_CUSTOM if string_is(name, b"customData") else PAYLOAD_NONE


cdef int open_member(json_t *json, const string_t *name, opened_t *opened) noexcept nogil:
    cdef int kind
    if string_is(name, b"data"):
        return open_data(json, opened)
    if string_is(name, b"meta"):
        return take_member(json, &opened.meta, False)
    if string_is(name, b"status"):
        return take_member(json, &opened.status, False)
    kind = message_kind(name)
    return take_payload(json, kind, opened) if kind != PAYLOAD_NONE else json_pass(json)


cdef json_t reader_of(const unsigned char *start, member_t text, failure_t *failure) noexcept nogil:
    cdef json_t json = json_over(text.data, text.size, failure)
    json.start = start
    return json


cdef int opened_scan(
    const unsigned char *start, member_t text, opened_t *opened, failure_t *failure
) noexcept nogil:
    cdef json_t json = reader_of(start, text, failure)
    cdef string_t name
    cdef int more = json_open(&json, c'{')
    memset(opened, 0, sizeof(opened_t))
    while more > 0:
        if json_name(&json, &name) < 0 or open_member(&json, &name, opened) < 0:
            return -1
        more = json_more(&json, c'{')
    return json_finish(&json) if more == 0 else -1


cdef int feedback_open(
    const unsigned char *start, member_t text, opened_feedback_t *opened, failure_t *failure
) noexcept nogil:
    cdef json_t json = reader_of(start, text, failure)
    cdef string_t name
    cdef int result
    cdef int more = json_open(&json, c'{')
    memset(opened, 0, sizeof(opened_feedback_t))
    while more > 0:
        if json_name(&json, &name) < 0:
            return -1
        if string_is(&name, b"request"):
            result = take_member(&json, &opened.request, False)
        elif string_is(&name, b"response"):
            result = take_member(&json, &opened.response, False)
        elif string_is(&name, b"truth"):
            result = take_member(&json, &opened.truth, False)
        elif string_is(&name, b"reward"):
            result = take_member(&json, &opened.reward, False)
        else:
            result = json_pass(&json)
        more = json_more(&json, c'{') if result == 0 else -1
    return json_finish(&json) if more == 0 else -1


# --- the shallow check ---

cdef bint is_space(unsigned char byte) noexcept nogil:
    return byte == 32 or byte == 10 or byte == 13 or byte == 9


cdef int first_byte(const message_t *message) noexcept nogil:
    cdef int index
    cdef size_t at
    for index in range(message.count):
        for at in range(message.spans[index].size):
            if not is_space(message.spans[index].data[at]):
                return message.spans[index].data[at]
    return -1


cdef int last_byte(const message_t *message) noexcept nogil:
    cdef int index = message.count
    cdef size_t at
    while index > 0:
        index -= 1
        at = message.spans[index].size
        while at > 0:
            at -= 1
            if not is_space(message.spans[index].data[at]):
                return message.spans[index].data[at]
    return -1


cdef bint is_object(const message_t *message) noexcept nogil:
    return first_byte(message) == c'{' and last_byte(message) == c'}'


cdef int envelope_check(message_t *message, failure_t *failure) noexcept nogil:
    if is_object(message):
        return 0
    if message.form == FORM_LIST:
        if first_byte(message) == c'[' and last_byte(message) == c']':
            return 0
        return fail(failure, STATUS_INVALID_ARGUMENT, 0, b"expected a JSON array or object")
    return fail(failure, STATUS_INVALID_ARGUMENT, 0, b"expected a JSON object")


# --- editing ---

# A message that is being edited: all before `done` is in `result`.
ctypedef struct splice_t:
    json_t json
    const meta_edit_t *edit
    message_t *source
    message_t *result
    size_t done
    text_t text              # the new bytes of one place
    bint failed


# Puts the text in place of the bytes from `at` to `after`, and empties it.
cdef void splice(splice_t *edited, const unsigned char *at, const unsigned char *after) noexcept nogil:
    cdef size_t begin = at - edited.json.start
    if edited.text.failed or message_add_part(edited.result, edited.source, edited.done, begin - edited.done) < 0:
        edited.failed = True
        return
    if message_add_copy(edited.result, edited.text.buffer.data, edited.text.buffer.size) < 0:
        edited.failed = True
    edited.text.buffer.size = 0
    edited.done = after - edited.json.start


cdef int put_name(splice_t *edited, const name_t *name) noexcept nogil:
    if text_string(&edited.text, <const unsigned char *>name.data, name.size) < 0:
        return fail(edited.json.failure, STATUS_INVALID_ARGUMENT, -1, b"a node's name is not valid UTF-8")
    return 0


# Routing entries, of which `taken` says that they are in the text already. `any`: others stand before them.
cdef int put_routes(splice_t *edited, const char *taken, bint any) noexcept nogil:
    cdef int index
    for index in range(edited.edit.count):
        if taken != NULL and taken[index]:
            continue
        if any:
            text_byte(&edited.text, c',')
        any = True
        if put_name(edited, &edited.edit.nodes[index]) < 0:
            return -1
        text_byte(&edited.text, c':')
        text_integer(&edited.text, edited.edit.routes[index])
    return 0


cdef int put_routing(splice_t *edited) noexcept nogil:
    text_byte(&edited.text, c'{')
    if put_routes(edited, NULL, False) < 0:
        return -1
    text_byte(&edited.text, c'}')
    return 0


# The members of meta that are new. `any`: others stand before them.
cdef int put_members(splice_t *edited, bint puid, bint routing, bint any) noexcept nogil:
    if puid and edited.edit.puid.size > 0:
        text_word(&edited.text, b',"puid":' if any else b'"puid":')
        any = True
        if put_name(edited, &edited.edit.puid) < 0:
            return -1
    if routing and edited.edit.count > 0:
        text_word(&edited.text, b',"routing":' if any else b'"routing":')
        return put_routing(edited)
    return 0


cdef int put_meta(splice_t *edited) noexcept nogil:
    text_byte(&edited.text, c'{')
    if put_members(edited, True, True, False) < 0:
        return -1
    text_byte(&edited.text, c'}')
    return 0


# Which node of the edit a name in the text is; -1: none.
cdef int node_of(const splice_t *edited, const string_t *name) noexcept nogil:
    cdef unsigned char[512] plain
    cdef const unsigned char *data = name.data
    cdef size_t size = name.size
    cdef int index
    if name.escaped:
        if size > sizeof(plain):
            return -1
        size = string_plain(name, plain)
        data = plain
    for index in range(edited.edit.count):
        if edited.edit.nodes[index].size == size and memcmp(edited.edit.nodes[index].data, data, size) == 0:
            return index
    return -1


cdef int edit_routes(splice_t *edited, char *taken) noexcept nogil:
    cdef json_t *json = &edited.json
    cdef const unsigned char *begin
    cdef string_t name
    cdef int node
    cdef int more = json_open(json, c'{')
    cdef bint any = more > 0
    while more > 0:
        if json_name(json, &name) < 0:
            return -1
        json_peek(json)
        begin = json.at
        if json_pass(json) < 0:
            return -1
        node = node_of(edited, &name)
        if node >= 0:
            taken[node] = 1
            text_integer(&edited.text, edited.edit.routes[node])
            splice(edited, begin, json.at)
        more = json_more(json, c'{')
    if more < 0 or put_routes(edited, taken, any) < 0:
        return -1
    splice(edited, json.at - 1, json.at - 1)
    return 0


cdef int edit_routing(splice_t *edited) noexcept nogil:
    cdef char *taken
    cdef int result
    if edited.edit.count == 0:
        return json_pass(&edited.json)
    if json_peek(&edited.json) == c'n':
        if json_literal(&edited.json, b"null") < 0 or put_routing(edited) < 0:
            return -1
        splice(edited, edited.json.at - 4, edited.json.at)
        return 0
    taken = <char *>calloc(edited.edit.count, 1)
    if taken == NULL:
        return out_of_memory(edited.json.failure)
    result = edit_routes(edited, taken)
    free(taken)
    return result


cdef int edit_puid(splice_t *edited) noexcept nogil:
    cdef const unsigned char *begin
    json_peek(&edited.json)
    begin = edited.json.at
    if json_pass(&edited.json) < 0:
        return -1
    if edited.edit.puid.size > 0:
        if put_name(edited, &edited.edit.puid) < 0:
            return -1
        splice(edited, begin, edited.json.at)
    return 0


cdef int twice(json_t *json, const string_t *name) noexcept nogil:
    return json_fail(json, name.data - 1, b"the member is given twice")


cdef int edit_members(splice_t *edited) noexcept nogil:
    cdef json_t *json = &edited.json
    cdef string_t name
    cdef bint puid = False
    cdef bint routing = False
    cdef int result
    cdef int more = json_open(json, c'{')
    cdef bint any = more > 0
    while more > 0:
        if json_name(json, &name) < 0:
            return -1
        if string_is(&name, b"puid"):
            result = edit_puid(edited) if not puid else twice(json, &name)
            puid = True
        elif string_is(&name, b"routing"):
            result = edit_routing(edited) if not routing else twice(json, &name)
            routing = True
        else:
            result = json_pass(json)
        more = json_more(json, c'{') if result == 0 else -1
    if more < 0 or put_members(edited, not puid, not routing, any) < 0:
        return -1
    splice(edited, json.at - 1, json.at - 1)
    return 0


cdef int edit_value(splice_t *edited) noexcept nogil:
    if json_peek(&edited.json) != c'n':
        return edit_members(edited)
    if json_literal(&edited.json, b"null") < 0 or put_meta(edited) < 0:
        return -1
    splice(edited, edited.json.at - 4, edited.json.at)
    return 0


cdef int edit_object(splice_t *edited) noexcept nogil:
    cdef json_t *json = &edited.json
    cdef string_t name
    cdef bint seen = False
    cdef int result
    cdef int more = json_open(json, c'{')
    cdef bint any = more > 0
    while more > 0:
        if json_name(json, &name) < 0:
            return -1
        if string_is(&name, b"meta"):
            result = edit_value(edited) if not seen else twice(json, &name)
            seen = True
        else:
            result = json_pass(json)
        more = json_more(json, c'{') if result == 0 else -1
    if more < 0:
        return -1
    if not seen:
        text_word(&edited.text, b',"meta":' if any else b'"meta":')
        if put_meta(edited) < 0:
            return -1
        splice(edited, json.at - 1, json.at - 1)
    return json_finish(json)


cdef message_t *text_edit_meta(message_t *message, const meta_edit_t *edit, failure_t *failure) noexcept nogil:
    cdef const unsigned char *data = message_flat(message)
    cdef splice_t edited
    cdef int result
    if message.form == FORM_FOREIGN:
        return message_ref(message)      # it has no meta that could be edited
    edited.result = message_new(ENCODING_SELDON_JSON, message.form)
    if data == NULL or edited.result == NULL:
        message_unref(edited.result)
        out_of_memory(failure)
        return NULL
    edited.json = json_over(data, message.size, failure)
    edited.edit = edit
    edited.source = message
    edited.done = 0
    edited.failed = False
    text_begin(&edited.text, 256)
    result = edit_object(&edited)
    if result == 0:
        # What is left of the text follows.
        splice(&edited, edited.json.end, edited.json.end)
        if edited.failed:
            result = out_of_memory(failure)
    text_drop(&edited.text)
    if result < 0:
        message_unref(edited.result)
        # Text that cannot be edited goes on as it is: it was the node's to write, and is the client's to read.
        return message_ref(message) if failure.status != STATUS_RESOURCE_EXHAUSTED else NULL
    message_describe(edited.result, message)
    return edited.result


# --- gathering ---

cdef int add_word(message_t *message, const char *word) noexcept nogil:
    return message_add_copy(message, word, strlen(word))


# An item may be any JSON; of what is inside its brackets, only the structure is looked at.
cdef int check_item(message_t *item, int number, failure_t *failure) noexcept nogil:
    cdef const unsigned char *data = message_flat(item)
    cdef json_t json = json_over(data, item.size, failure)
    cdef char[80] text
    if data == NULL:
        return out_of_memory(failure)
    if json_pass(&json) == 0 and json_finish(&json) == 0:
        return 0
    snprintf(text, sizeof(text), b"Data is not JSON: item %d of the list", number)
    return fail(failure, STATUS_INVALID_ARGUMENT, failure.offset, text)


cdef message_t *text_make_list(message_t **items, int count, failure_t *failure) noexcept nogil:
    cdef message_t *made = message_new(ENCODING_SELDON_JSON, FORM_LIST)
    cdef int failed = made == NULL or add_word(made, b"[") < 0
    cdef int index
    for index in range(count):
        if failed:
            break
        if check_item(items[index], index + 1, failure) < 0:
            message_unref(made)
            return NULL
        failed |= index > 0 and add_word(made, b",") < 0
        failed |= message_add_part(made, items[index], 0, items[index].size) < 0
    if failed or add_word(made, b"]") < 0:
        message_unref(made)
        out_of_memory(failure)
        return NULL
    return made


cdef int add_named(message_t *made, const char *name, message_t *part, bint *any) noexcept nogil:
    if part == NULL:
        return 0
    if any[0] and add_word(made, b",") < 0:
        return -1
    any[0] = True
    return -1 if add_word(made, name) < 0 or message_add_part(made, part, 0, part.size) < 0 else 0


cdef message_t *text_make_feedback(
    message_t *request, message_t *response, const char *reward, message_t *truth, failure_t *failure
) noexcept nogil:
    cdef message_t *made = message_new(ENCODING_SELDON_JSON, FORM_FEEDBACK)
    cdef bint any = False
    cdef int failed = made == NULL or add_word(made, b"{") < 0
    if not failed:
        failed |= add_named(made, b'"request":', request, &any) < 0
        failed |= add_named(made, b'"response":', response, &any) < 0
        failed |= add_named(made, b'"truth":', truth, &any) < 0
    if not failed and reward != NULL:
        failed |= add_word(made, b',"reward":' if any else b'"reward":') < 0
        failed |= add_word(made, reward) < 0
    if failed or add_word(made, b"}") < 0:
        message_unref(made)
        out_of_memory(failure)
        return NULL
    return made
