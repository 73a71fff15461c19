"""Owns gRPC's framing of messages: five bytes (compressed flag, length) and the message, in both directions.

Must not know HTTP/2, nor what a message holds. A declared length is checked, and charged to the budget, before memory
is taken for it, and memory is committed as bytes come.
"""

from libc.stdint cimport uint32_t
from libc.stdio cimport snprintf
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from executor._native.budget cimport budget_enter, budget_give, budget_lane, budget_read, budget_take
from executor._native.buffer cimport buffer_charge, buffer_new, buffer_room, buffer_t, buffer_unref
from executor._native.message cimport message_ref, message_t, message_unref, span_t
from executor._native.output cimport output_add, output_copy, output_t
from executor._native.types cimport STATUS_INTERNAL, STATUS_RESOURCE_EXHAUSTED

cdef enum:
    # Memory a length may claim before its bytes come; a sender of this many gets room for all it declared, which the
    # kernel commits page by page. Messages up to here are copied once, of larger ones this much is copied twice.
    FIRST_COMMIT = 1 << 20


# --- receiving ------------------------------------------------------------------------------------

cdef inline size_t declared(const reader_t *reader) noexcept nogil:
    return (
        <size_t>reader.prefix[1] << 24 | <size_t>reader.prefix[2] << 16
        | <size_t>reader.prefix[3] << 8 | <size_t>reader.prefix[4])


# Memory for the message, which is charged for `room` already.
cdef int make(reader_t *reader, size_t room) noexcept nogil:
    reader.body = buffer_new(smaller(reader.body_size, FIRST_COMMIT))
    if reader.budget == NULL:
        return READER_NO_MEMORY if reader.body == NULL else READER_MORE
    if reader.body == NULL:
        budget_give(reader.budget, room)
        return READER_NO_MEMORY
    buffer_charge(reader.body, reader.budget, room)
    return READER_MORE


cdef int begin(reader_t *reader, size_t limit) noexcept nogil:
    cdef size_t room
    if reader.prefix[0] > 1 or declared(reader) > limit:
        return READER_REFUSED
    reader.body_size = declared(reader)
    if reader.budget == NULL:
        return make(reader, 0)
    room = buffer_room(reader.body_size)
    if reader.waits:
        if budget_enter(reader.budget, room):
            return make(reader, room)
        if room <= budget_lane(reader.budget, room).limit:
            return READER_WAITS
    elif budget_take(reader.budget, room, reader.budget.hard):
        return make(reader, room)
    reader.starved = True
    return READER_REFUSED


cdef size_t reader_needs(const reader_t *reader) noexcept nogil:
    return buffer_room(reader.body_size)


cdef int reader_grant(reader_t *reader) noexcept nogil:
    cdef int result = make(reader, reader_needs(reader))
    return READER_MESSAGE if result == READER_MORE and reader.body_size == 0 else result


cdef int grow(reader_t *reader) noexcept nogil:
    cdef buffer_t *smaller_one = reader.body
    cdef buffer_t *larger = buffer_new(reader.body_size)
    if larger == NULL:
        return READER_NO_MEMORY
    memcpy(larger.data, smaller_one.data, smaller_one.size)
    larger.size = smaller_one.size
    buffer_charge(larger, smaller_one.budget, smaller_one.charge)
    smaller_one.budget = NULL    # the charge has moved
    buffer_unref(smaller_one)
    reader.body = larger
    return READER_MORE


cdef int take_prefix(reader_t *reader, const unsigned char **data, size_t *size, size_t limit) noexcept nogil:
    cdef size_t take = smaller(PREFIX - reader.prefix_size, size[0])
    memcpy(reader.prefix + reader.prefix_size, data[0], take)
    reader.prefix_size += <int>take
    data[0] += take
    size[0] -= take
    return begin(reader, limit) if reader.prefix_size == PREFIX else READER_MORE


cdef int take_body(reader_t *reader, const unsigned char **data, size_t *size) noexcept nogil:
    cdef buffer_t *body = reader.body
    cdef size_t take
    if body.size == body.capacity:
        if grow(reader) < 0:
            return READER_NO_MEMORY
        body = reader.body
    take = smaller(smaller(reader.body_size, body.capacity) - body.size, size[0])
    memcpy(body.data + body.size, data[0], take)
    body.size += take
    data[0] += take
    size[0] -= take
    return READER_MORE


cdef int reader_take(reader_t *reader, const unsigned char **data, size_t *size, size_t limit) noexcept nogil:
    cdef int result
    while size[0] > 0:
        if reader.body == NULL:
            result = take_prefix(reader, data, size, limit)
        else:
            result = take_body(reader, data, size)
        if result != READER_MORE:
            return result
        if reader.body != NULL and reader.body.size == reader.body_size:
            return READER_MESSAGE
    return READER_MORE


cdef buffer_t *reader_message(reader_t *reader, bint *compressed) noexcept nogil:
    cdef buffer_t *body = reader.body
    compressed[0] = reader.prefix[0]
    reader.body = NULL
    reader.prefix_size = 0
    return body


cdef size_t reader_came(const reader_t *reader) noexcept nogil:
    return reader.prefix_size + (reader.body.size if reader.body != NULL else 0)


cdef int reader_explain(const reader_t *reader, size_t limit, char *text, size_t room) noexcept nogil:
    if reader.prefix[0] > 1:
        snprintf(text, room, b"compressed flag %d before a message: allowed are 0 and 1", <int>reader.prefix[0])
        return STATUS_INTERNAL
    if reader.starved and reader.waits:
        snprintf(text, room, b"message of %zu bytes is larger than the %zu bytes of memory that requests may take",
                 declared(reader), reader.budget.soft)
        return STATUS_RESOURCE_EXHAUSTED
    if reader.starved:
        snprintf(text, room, b"no memory for a message of %zu bytes: %ld of the %zu bytes for messages are in use",
                 declared(reader), budget_read(&reader.budget.used), reader.budget.hard)
        return STATUS_RESOURCE_EXHAUSTED
    snprintf(text, room, b"message of %zu bytes is larger than the limit of %zu bytes", declared(reader), limit)
    return STATUS_RESOURCE_EXHAUSTED


cdef int reader_explain_end(const reader_t *reader, char *text, size_t room) noexcept nogil:
    if reader.body == NULL:
        snprintf(text, room, b"the stream ended inside a message prefix, after %d of %d bytes",
                 reader.prefix_size, <int>PREFIX)
    else:
        snprintf(text, room, b"the stream ended inside a message, after %zu of %zu bytes",
                 reader.body.size, reader.body_size)
    return STATUS_INTERNAL


cdef void reader_clear(reader_t *reader) noexcept nogil:
    buffer_unref(reader.body)
    reader.body = NULL
    reader.prefix_size = 0


# --- sending --------------------------------------------------------------------------------------

cdef int queue_push(queue_t *queue, message_t *message) noexcept nogil:
    cdef outgoing_t *out = &queue.spare
    if message.size > <size_t>0xFFFFFFFF:    # more than the length prefix can say
        return -1
    if out.message != NULL:
        out = <outgoing_t *>malloc(sizeof(outgoing_t))
        if out == NULL:
            return -1
    out.message = message_ref(message)
    out.next = NULL
    if queue.first == NULL:
        queue.first = out
    else:
        queue.last.next = out
    queue.last = out
    queue.bytes += PREFIX + message.size
    return 0


cdef void pop(queue_t *queue) noexcept nogil:
    cdef outgoing_t *out = queue.first
    queue.first = out.next
    message_unref(out.message)
    out.message = NULL
    if out != &queue.spare:
        free(out)
    queue.prefix = 0
    queue.span = 0
    queue.span_offset = 0


cdef int frame_prefix(queue_t *queue, size_t *size, output_t *output) noexcept nogil:
    cdef uint32_t length = <uint32_t>queue.first.message.size
    cdef unsigned char[5] prefix
    cdef size_t take = smaller(PREFIX - queue.prefix, size[0])
    prefix[0] = 0
    prefix[1] = length >> 24
    prefix[2] = length >> 16 & 255
    prefix[3] = length >> 8 & 255
    prefix[4] = length & 255
    if output_copy(output, prefix + queue.prefix, take) < 0:
        return -1
    queue.prefix += <int>take
    size[0] -= take
    return 0


cdef int frame_spans(queue_t *queue, size_t *size, output_t *output) noexcept nogil:
    cdef message_t *message = queue.first.message
    cdef const span_t *span
    cdef size_t take
    while queue.span < message.count and size[0] > 0:
        span = &message.spans[queue.span]
        take = smaller(span.size - queue.span_offset, size[0])
        if output_add(output, span.buffer, span.data + queue.span_offset, take) < 0:
            return -1
        size[0] -= take
        queue.span_offset += take
        if queue.span_offset == span.size:
            queue.span += 1
            queue.span_offset = 0
    return 0


cdef int queue_frame(queue_t *queue, size_t size, output_t *output) noexcept nogil:
    queue.bytes -= size
    while queue.first != NULL and size > 0:
        if queue.prefix < PREFIX and frame_prefix(queue, &size, output) < 0:
            return -1
        if queue.prefix == PREFIX and frame_spans(queue, &size, output) < 0:
            return -1
        if queue.prefix == PREFIX and queue.span == queue.first.message.count:
            pop(queue)
    return 0


cdef void queue_clear(queue_t *queue) noexcept nogil:
    while queue.first != NULL:
        pop(queue)
    queue.bytes = 0
