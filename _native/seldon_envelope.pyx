"""Owns the envelopes of seldon.protos messages: finding fields, merging split ones, editing meta by gathering.

Must not look into payload values (see `seldon_route`, `seldon_value`) nor touch Python objects. Everything here
runs without the GIL. Repeated occurrences follow protobuf: of a scalar the last one counts, message fields
merge, a oneof keeps its last member, and setting another member clears what was there before.
"""

from libc.stdint cimport int32_t
from libc.string cimport memcmp, memcpy, memset

from executor._native.buffer cimport buffer_new, buffer_unref
from executor._native.cursor cimport cursor_enter, cursor_over
from executor._native.message cimport (
    message_add, message_add_part, message_flat, message_new, message_ref, message_unref,
)
from executor._native.types cimport (
    ENCODING_SELDON_PROTO, FORM_FEEDBACK, FORM_LIST, FORM_MESSAGE, ROUTE_ALL, STATUS_INTERNAL,
    STATUS_RESOURCE_EXHAUSTED, fail,
)
from executor._native.wire cimport (
    WIRE_BYTES, WIRE_FIXED32, WIRE_VARINT, field_t, wire_field_size, wire_float, wire_header_size, wire_int_size,
    wire_is, wire_next, wire_put_bytes, wire_put_fixed32, wire_put_header, wire_put_int,
)

cdef enum:
    PUID = META_PUID
    ENTRY_KEY = 1
    ENTRY_VALUE = 2
    FIXED32_FIELD = 5            # bytes of a float field with a small number


cdef inline int out_of_memory(failure_t *failure) noexcept nogil:
    return fail(failure, STATUS_RESOURCE_EXHAUSTED, -1, b"memory is out")


cdef inline void piece_add(piece_t *piece, const field_t *field) noexcept nogil:
    if piece.count == 0:
        piece.first = field.begin
    piece.count += 1
    piece.data = field.data
    piece.size = field.size


# Another member of a oneof clears the one before; the same one again merges.
cdef inline void member_add(int *kind, piece_t *piece, const field_t *field) noexcept nogil:
    if kind[0] != <int>field.number:
        kind[0] = field.number
        piece.count = 0
    piece_add(piece, field)


cdef int envelope_scan(cursor_t cursor, envelope_t *envelope, failure_t *failure) noexcept nogil:
    cdef field_t field
    cdef int got
    memset(envelope, 0, sizeof(envelope_t))
    while True:
        got = wire_next(&cursor, &field, failure)
        if got <= 0:
            return got
        if field.type != WIRE_BYTES:
            continue
        if MESSAGE_DATA <= field.number <= MESSAGE_CUSTOM:
            member_add(&envelope.kind, &envelope.body, &field)
        elif field.number == MESSAGE_META:
            piece_add(&envelope.meta, &field)
        elif field.number == MESSAGE_STATUS:
            piece_add(&envelope.status, &field)


cdef int data_scan(cursor_t cursor, data_t *data, failure_t *failure) noexcept nogil:
    cdef field_t field
    cdef int got
    memset(data, 0, sizeof(data_t))
    while True:
        got = wire_next(&cursor, &field, failure)
        if got <= 0:
            return got
        if field.type != WIRE_BYTES:
            continue
        if field.number == DATA_NAMES:
            piece_add(&data.names, &field)
        elif DATA_TENSOR <= field.number <= DATA_TFTENSOR:
            member_add(&data.kind, &data.body, &field)


cdef int feedback_scan(cursor_t cursor, feedback_t *feedback, failure_t *failure) noexcept nogil:
    cdef field_t field
    cdef int got
    memset(feedback, 0, sizeof(feedback_t))
    while True:
        got = wire_next(&cursor, &field, failure)
        if got <= 0:
            return got
        if wire_is(&field, FEEDBACK_REWARD, WIRE_FIXED32):
            feedback.reward = wire_float(field.value)
        elif wire_is(&field, FEEDBACK_REQUEST, WIRE_BYTES):
            piece_add(&feedback.request, &field)
        elif wire_is(&field, FEEDBACK_RESPONSE, WIRE_BYTES):
            piece_add(&feedback.response, &field)
        elif wire_is(&field, FEEDBACK_TRUTH, WIRE_BYTES):
            piece_add(&feedback.truth, &field)


cdef int fields_check(cursor_t cursor, failure_t *failure) noexcept nogil:
    cdef field_t field
    cdef int got = 1
    while got > 0:
        got = wire_next(&cursor, &field, failure)
    return got


# The next occurrence of message field `number` at or after the cursor; 1, 0 at the end, -1.
cdef inline int find_next(cursor_t *cursor, uint32_t number, field_t *field, failure_t *failure) noexcept nogil:
    cdef int got
    while True:
        got = wire_next(cursor, field, failure)
        if got <= 0 or wire_is(field, number, WIRE_BYTES):
            return got


cdef buffer_t *piece_join(const piece_t *piece, const unsigned char *end, uint32_t number) noexcept nogil:
    cdef cursor_t cursor = cursor_over(piece.first, end - piece.first)
    cdef buffer_t *joined = buffer_new(end - piece.first)
    cdef failure_t failure
    cdef field_t field
    if joined == NULL:
        return NULL
    # These bytes were scanned before, so the only way out is their end.
    while find_next(&cursor, number, &field, &failure) > 0:
        memcpy(joined.data + joined.size, field.data, field.size)
        joined.size += field.size
    return joined


cdef int piece_enter(
    const cursor_t *outer, const piece_t *piece, uint32_t number, cursor_t *inner, buffer_t **joined,
    failure_t *failure,
) noexcept nogil:
    joined[0] = NULL
    if piece.count <= 1:
        return cursor_enter(outer, piece.data, piece.size, inner, failure)
    joined[0] = piece_join(piece, outer.end, number)
    if joined[0] == NULL:
        return out_of_memory(failure)
    if cursor_enter(outer, joined[0].data, joined[0].size, inner, failure) < 0:
        buffer_unref(joined[0])
        joined[0] = NULL
        return -1
    inner.start = inner.position
    return 0


# --- scan: is the envelope what it claims to be ---

# Checks the fields one level down in every occurrence of a message field.
cdef int pieces_check(cursor_t cursor, uint32_t number, failure_t *failure) noexcept nogil:
    cdef field_t field
    cdef cursor_t inner
    cdef int got
    while True:
        got = find_next(&cursor, number, &field, failure)
        if got <= 0:
            return got
        if cursor_enter(&cursor, field.data, field.size, &inner, failure) < 0:
            return -1
        if fields_check(inner, failure) < 0:
            return -1


cdef int message_check(cursor_t cursor, failure_t *failure) noexcept nogil:
    cdef envelope_t envelope
    if envelope_scan(cursor, &envelope, failure) < 0:
        return -1
    if envelope.status.count and pieces_check(cursor, MESSAGE_STATUS, failure) < 0:
        return -1
    if envelope.meta.count and pieces_check(cursor, MESSAGE_META, failure) < 0:
        return -1
    # Also pieces that a later member of the oneof clears: a parser would have read them.
    return pieces_check(cursor, MESSAGE_DATA, failure)


cdef inline bint holds_message(int form, const field_t *field) noexcept nogil:
    if field.type != WIRE_BYTES:
        return False
    if form == FORM_LIST:
        return field.number == LIST_MESSAGES
    return (
        field.number == FEEDBACK_REQUEST or field.number == FEEDBACK_RESPONSE or field.number == FEEDBACK_TRUTH
    )


cdef int seldon_scan(message_t *message, failure_t *failure) noexcept nogil:
    cdef const unsigned char *data = message_flat(message)
    cdef cursor_t cursor
    cdef cursor_t inner
    cdef field_t field
    cdef int got
    if data == NULL:
        return out_of_memory(failure)
    cursor = cursor_over(data, message.size)
    if message.form == FORM_MESSAGE:
        return message_check(cursor, failure)
    while True:
        got = wire_next(&cursor, &field, failure)
        if got <= 0:
            return got
        if not holds_message(message.form, &field):
            continue
        if cursor_enter(&cursor, field.data, field.size, &inner, failure) < 0:
            return -1
        if message_check(inner, failure) < 0:
            return -1


# --- edit: new bytes beside the old ones ---

cdef inline size_t entry_size(const name_t *node, int route) noexcept nogil:
    return wire_field_size(ENTRY_KEY, node.size) + wire_int_size(ENTRY_VALUE, route)


cdef size_t edit_size(const meta_edit_t *edit) noexcept nogil:
    cdef size_t size = 0
    cdef int index
    for index in range(edit.count):
        size += wire_field_size(META_ROUTING, entry_size(&edit.nodes[index], edit.routes[index]))
    if edit.puid.size > 0:
        size += wire_field_size(PUID, edit.puid.size)
    return size


cdef unsigned char *edit_write(unsigned char *to, const meta_edit_t *edit) noexcept nogil:
    cdef int index
    for index in range(edit.count):
        to = wire_put_header(to, META_ROUTING, entry_size(&edit.nodes[index], edit.routes[index]))
        to = wire_put_bytes(to, ENTRY_KEY, edit.nodes[index].data, edit.nodes[index].size)
        to = wire_put_int(to, ENTRY_VALUE, edit.routes[index])
    if edit.puid.size > 0:
        to = wire_put_bytes(to, PUID, edit.puid.data, edit.puid.size)
    return to


# Adds to `target` the content of every meta field of `source` (wanted), or all that is no meta field.
cdef int add_split(
    message_t *target, const message_t *source, cursor_t cursor, bint wanted, failure_t *failure
) noexcept nogil:
    cdef field_t field
    cdef const unsigned char *since = cursor.position
    cdef int got
    while True:
        got = find_next(&cursor, MESSAGE_META, &field, failure)
        if got < 0:
            return -1
        if wanted and got > 0:
            if message_add_part(target, source, field.data - cursor.start, field.size) < 0:
                return out_of_memory(failure)
        elif not wanted:
            # field.begin is the end of the bytes when nothing more was found.
            if message_add_part(target, source, since - cursor.start, field.begin - since) < 0:
                return out_of_memory(failure)
            since = cursor.position
        if got == 0:
            return 0


cdef int edit_gather(
    message_t *target, const message_t *source, cursor_t cursor, size_t old_size, const meta_edit_t *edit,
    failure_t *failure,
) noexcept nogil:
    cdef size_t added = edit_size(edit)
    cdef size_t header = wire_header_size(MESSAGE_META, old_size + added)
    cdef buffer_t *fresh = buffer_new(header + added)
    cdef int result
    if fresh == NULL:
        return out_of_memory(failure)
    edit_write(wire_put_header(fresh.data, MESSAGE_META, old_size + added), edit)
    fresh.size = header + added
    if old_size == 0:
        result = message_add(target, fresh, fresh.data, fresh.size)
    else:
        result = message_add(target, fresh, fresh.data, header)
        if result == 0 and add_split(target, source, cursor, True, failure) < 0:
            result = -1
        if result == 0:
            result = message_add(target, fresh, fresh.data + header, added)
    buffer_unref(fresh)
    if result < 0:
        return out_of_memory(failure)
    return add_split(target, source, cursor, False, failure)


# The bytes in all meta fields and how many there are; checks their fields, since ours will follow them.
cdef int meta_measure(cursor_t cursor, size_t *size, int *count, failure_t *failure) noexcept nogil:
    cdef field_t field
    cdef cursor_t inner
    cdef int got
    size[0] = 0
    count[0] = 0
    while True:
        got = find_next(&cursor, MESSAGE_META, &field, failure)
        if got <= 0:
            return got
        if cursor_enter(&cursor, field.data, field.size, &inner, failure) < 0:
            return -1
        if fields_check(inner, failure) < 0:
            return -1
        size[0] += field.size
        count[0] += 1


cdef message_t *seldon_edit_meta(message_t *message, const meta_edit_t *edit, failure_t *failure) noexcept nogil:
    cdef const unsigned char *data
    cdef message_t *edited
    cdef cursor_t cursor
    cdef size_t old_size
    cdef int count
    if message.form != FORM_MESSAGE:
        fail(failure, STATUS_INTERNAL, -1, b"only a SeldonMessage has a meta field to edit")
        return NULL
    data = message_flat(message)
    if data == NULL:
        out_of_memory(failure)
        return NULL
    cursor = cursor_over(data, message.size)
    if meta_measure(cursor, &old_size, &count, failure) < 0:
        return NULL
    if edit.count == 0 and edit.puid.size == 0 and count <= 1:
        return message_ref(message)
    edited = message_new(ENCODING_SELDON_PROTO, FORM_MESSAGE)
    if edited == NULL:
        out_of_memory(failure)
    elif edit_gather(edited, message, cursor, old_size, edit, failure) < 0:
        message_unref(edited)
        edited = NULL
    return edited


# --- lists and feedback: a header before each message, by reference ---

# Adds `item` as message field `number`; its header goes to the end of `headers`.
cdef int add_item(message_t *target, buffer_t *headers, uint32_t number, const message_t *item) noexcept nogil:
    cdef unsigned char *header = headers.data + headers.size
    cdef size_t size = wire_put_header(header, number, item.size) - header
    headers.size += size
    if message_add(target, headers, header, size) < 0:
        return -1
    return message_add_part(target, item, 0, item.size)


cdef bint is_plain(const message_t *item, failure_t *failure) noexcept nogil:
    if item.encoding == ENCODING_SELDON_PROTO and item.form == FORM_MESSAGE:
        return True
    fail(failure, STATUS_INTERNAL, -1, b"an item is not a SeldonMessage in protobuf: transcode it first")
    return False


cdef inline bint may_hold(const message_t *item, failure_t *failure) noexcept nogil:
    return item == NULL or is_plain(item, failure)


cdef message_t *seldon_make_list(message_t **items, int count, failure_t *failure) noexcept nogil:
    cdef size_t room = 0
    cdef buffer_t *headers
    cdef message_t *made
    cdef int index
    for index in range(count):
        if not is_plain(items[index], failure):
            return NULL
        room += wire_header_size(LIST_MESSAGES, items[index].size)
    headers = buffer_new(room)
    made = message_new(ENCODING_SELDON_PROTO, FORM_LIST) if headers != NULL else NULL
    if made != NULL:
        for index in range(count):
            if add_item(made, headers, LIST_MESSAGES, items[index]) < 0:
                message_unref(made)
                made = NULL
                break
    buffer_unref(headers)
    if made == NULL:
        out_of_memory(failure)
    return made


cdef int add_reward(message_t *target, buffer_t *headers, float reward) noexcept nogil:
    cdef unsigned char *begin = headers.data + headers.size
    cdef uint32_t bits
    memcpy(&bits, &reward, 4)
    if bits == 0:
        return 0
    wire_put_fixed32(begin, FEEDBACK_REWARD, bits)
    headers.size += FIXED32_FIELD
    return message_add(target, headers, begin, FIXED32_FIELD)


cdef message_t *seldon_make_feedback(
    message_t *request, message_t *response, float reward, message_t *truth, failure_t *failure
) noexcept nogil:
    cdef buffer_t *headers
    cdef message_t *made
    cdef bint done = True
    if not (may_hold(request, failure) and may_hold(response, failure) and may_hold(truth, failure)):
        return NULL
    headers = buffer_new(64)
    made = message_new(ENCODING_SELDON_PROTO, FORM_FEEDBACK) if headers != NULL else NULL
    if made != NULL:
        if request != NULL:
            done = add_item(made, headers, FEEDBACK_REQUEST, request) == 0
        if done and response != NULL:
            done = add_item(made, headers, FEEDBACK_RESPONSE, response) == 0
        done = done and add_reward(made, headers, reward) == 0
        if done and truth != NULL:
            done = add_item(made, headers, FEEDBACK_TRUTH, truth) == 0
        if not done:
            message_unref(made)
            made = NULL
    buffer_unref(headers)
    if made == NULL:
        out_of_memory(failure)
    return made


# --- the way a feedback message is about: response.meta.routing and response.meta.puid ---

cdef int read_entry(cursor_t cursor, field_t *key, int *route, failure_t *failure) noexcept nogil:
    cdef field_t field
    cdef int got
    key.data = cursor.position
    key.size = 0
    route[0] = 0
    while True:
        got = wire_next(&cursor, &field, failure)
        if got <= 0:
            return got
        if wire_is(&field, ENTRY_KEY, WIRE_BYTES):
            key[0] = field
        elif wire_is(&field, ENTRY_VALUE, WIRE_VARINT):
            route[0] = <int32_t>field.value


cdef int read_routing(
    cursor_t meta, const name_t *nodes, int count, int *routes, failure_t *failure
) noexcept nogil:
    cdef cursor_t inner
    cdef field_t field
    cdef field_t key
    cdef int got, index, route
    while True:
        got = find_next(&meta, META_ROUTING, &field, failure)
        if got <= 0:
            return got
        if cursor_enter(&meta, field.data, field.size, &inner, failure) < 0:
            return -1
        if read_entry(inner, &key, &route, failure) < 0:
            return -1
        for index in range(count):
            if nodes[index].size == key.size and memcmp(nodes[index].data, key.data, key.size) == 0:
                routes[index] = route


cdef int read_puid(cursor_t meta, taken_puid_t *puid, failure_t *failure) noexcept nogil:
    cdef field_t field
    cdef int got
    while True:
        got = find_next(&meta, META_PUID, &field, failure)
        if got <= 0:
            return got
        puid.text = <const char *>field.data
        puid.size = field.size


cdef int read_response(
    cursor_t response, const name_t *nodes, int count, int *routes, taken_puid_t *puid, failure_t *failure
) noexcept nogil:
    cdef cursor_t meta
    cdef field_t field
    cdef int got
    while True:
        got = find_next(&response, MESSAGE_META, &field, failure)
        if got <= 0:
            return got
        if cursor_enter(&response, field.data, field.size, &meta, failure) < 0:
            return -1
        if read_routing(meta, nodes, count, routes, failure) < 0 or read_puid(meta, puid, failure) < 0:
            return -1


# Occurrences are read one after the other, which is what merging them first would give.
cdef int seldon_feedback_routes(
    message_t *feedback, const name_t *nodes, int count, int *routes, taken_puid_t *puid, failure_t *failure
) noexcept nogil:
    cdef const unsigned char *data = message_flat(feedback)
    cdef cursor_t cursor, response
    cdef field_t field
    cdef int got, index
    for index in range(count):
        routes[index] = ROUTE_ALL
    puid.size = 0
    puid.owner = NULL
    if data == NULL:
        return out_of_memory(failure)
    cursor = cursor_over(data, feedback.size)
    while True:
        got = find_next(&cursor, FEEDBACK_RESPONSE, &field, failure)
        if got <= 0:
            return got
        if cursor_enter(&cursor, field.data, field.size, &response, failure) < 0:
            return -1
        if read_response(response, nodes, count, routes, puid, failure) < 0:
            return -1
