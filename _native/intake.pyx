"""Owns the bytes that a stream has brought while its message waits for the budget.

Must not know HTTP/2, nor gRPC's framing: bytes are kept as they came. Chunks are a little larger than what comes, so
that one who trickles costs no chunk per byte; the budget counts what they take, not what they hold.
"""

from libc.string cimport memcpy

from executor._native.budget cimport budget_leave, budget_wait
from executor._native.buffer cimport buffer_new, buffer_room, buffer_unref

cdef enum:
    CHUNK_BYTES = 4096           # the least that a chunk has room for


cdef void intake_wait(intake_t *intake, budget_t *budget, size_t size, void *owner) noexcept nogil:
    intake.waiter.size = size
    intake.waiter.owner = owner
    budget_wait(budget, &intake.waiter)


cdef inline size_t fill(buffer_t *chunk, const unsigned char *data, size_t size) noexcept nogil:
    cdef size_t take = min(size, chunk.capacity - chunk.size)
    memcpy(chunk.data + chunk.size, data, take)
    chunk.size += take
    return take


cdef int intake_keep(intake_t *intake, budget_t *budget, const unsigned char *data, size_t size) noexcept nogil:
    cdef size_t spare = intake.last.capacity - intake.last.size if intake.last != NULL else 0
    cdef buffer_t *chunk = NULL
    cdef size_t done = 0
    if size > spare:
        if budget.held + buffer_room(max(size - spare, <size_t>CHUNK_BYTES)) > budget.held_max:
            return 1
        chunk = buffer_new(max(size - spare, <size_t>CHUNK_BYTES))
        if chunk == NULL:
            return -1
        budget.held += chunk.capacity
    if intake.last != NULL:
        done = fill(intake.last, data, size)
    if chunk != NULL:
        fill(chunk, data + done, size - done)
        if intake.last == NULL:
            intake.first = chunk
        else:
            intake.last.next = chunk
        intake.last = chunk
    intake.held += size
    return 0


cdef buffer_t *intake_pop(
    intake_t *intake, budget_t *budget, const unsigned char **data, size_t *size
) noexcept nogil:
    cdef buffer_t *chunk = intake.first
    if chunk == NULL:
        return NULL
    intake.first = chunk.next
    if intake.first == NULL:
        intake.last = NULL
    chunk.next = NULL
    data[0] = chunk.data + intake.offset
    size[0] = chunk.size - intake.offset
    intake.offset = 0
    intake.held -= size[0]
    budget.held -= chunk.capacity
    return chunk


cdef void intake_unpop(intake_t *intake, budget_t *budget, buffer_t *chunk, size_t left) noexcept nogil:
    chunk.next = intake.first
    if intake.last == NULL:
        intake.last = chunk
    intake.first = chunk
    intake.offset = chunk.size - left
    intake.held += left
    budget.held += chunk.capacity


cdef size_t intake_clear(intake_t *intake, budget_t *budget) noexcept nogil:
    cdef size_t held = intake.held
    cdef const unsigned char *data
    cdef size_t size
    if intake.waiter.lane != NULL:
        budget_leave(budget, &intake.waiter)
    while intake.first != NULL:
        buffer_unref(intake_pop(intake, budget, &data, &size))
    return held
