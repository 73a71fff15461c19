"""Owns the queue of bytes that wait for the socket: small pieces copied together, large ones by reference.

Must not know what the bytes are, nor write them anywhere. Scratch memory is held only while something waits, so
that an idle connection costs none.
"""

from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memmove
from posix.uio cimport iovec

from executor._native.buffer cimport buffer_new, buffer_ref, buffer_t, buffer_unref

cdef enum:
    SCRATCH_BYTES = 32768
    FIRST_CHUNKS = 16


cdef int make_room(output_t *output) noexcept nogil:
    cdef int used = output.end - output.first
    cdef int room = output.room * 2 if output.room else FIRST_CHUNKS
    cdef chunk_t *chunks
    # Moving down is done only when it frees half, so that each chunk moves a bounded number of times.
    if output.first > 0 and output.first >= output.room // 2:
        memmove(output.chunks, output.chunks + output.first, used * sizeof(chunk_t))
        output.first = 0
        output.end = used
        return 0
    chunks = <chunk_t *>realloc(output.chunks, room * sizeof(chunk_t))
    if chunks == NULL:
        return -1
    output.chunks = chunks
    output.room = room
    return 0


cdef int push(output_t *output, buffer_t *buffer, const unsigned char *data, size_t size) noexcept nogil:
    cdef chunk_t *chunk
    if output.end == output.room and make_room(output) < 0:
        return -1
    chunk = &output.chunks[output.end]
    chunk.buffer = buffer_ref(buffer)
    chunk.data = data
    chunk.size = size
    output.end += 1
    output.pending += size
    return 0


cdef int renew_scratch(output_t *output) noexcept nogil:
    buffer_unref(output.scratch)
    output.scratch = buffer_new(SCRATCH_BYTES)
    return -1 if output.scratch == NULL else 0


cdef int output_copy(output_t *output, const void *data, size_t size) noexcept nogil:
    cdef const unsigned char *source = <const unsigned char *>data
    cdef buffer_t *scratch
    cdef chunk_t *last
    cdef unsigned char *target
    cdef size_t take
    while size > 0:
        scratch = output.scratch
        if scratch == NULL or scratch.size == scratch.capacity:
            if renew_scratch(output) < 0:
                return -1
            scratch = output.scratch
        take = scratch.capacity - scratch.size
        if take > size:
            take = size
        target = scratch.data + scratch.size
        memcpy(target, source, take)
        last = &output.chunks[output.end - 1] if output.end > output.first else NULL
        if last != NULL and last.buffer == scratch and last.data + last.size == target:
            last.size += take
            output.pending += take
        elif push(output, scratch, target, take) < 0:
            return -1
        scratch.size += take
        source += take
        size -= take
    return 0


cdef int output_add(output_t *output, buffer_t *buffer, const unsigned char *data, size_t size) noexcept nogil:
    if size < BY_REFERENCE:
        return output_copy(output, data, size)
    return push(output, buffer, data, size)


cdef int output_pieces(const output_t *output, iovec *pieces, int room) noexcept nogil:
    cdef int count = output.end - output.first
    cdef const chunk_t *chunk
    cdef int index
    if count > room:
        count = room
    for index in range(count):
        chunk = &output.chunks[output.first + index]
        pieces[index].iov_base = <void *>chunk.data
        pieces[index].iov_len = chunk.size
    return count


cdef void output_wrote(output_t *output, size_t size) noexcept nogil:
    cdef chunk_t *chunk
    output.written += size
    while size > 0 and output.first < output.end:
        chunk = &output.chunks[output.first]
        if size < chunk.size:
            chunk.data += size
            chunk.size -= size
            output.pending -= size
            return
        size -= chunk.size
        output.pending -= chunk.size
        buffer_unref(chunk.buffer)
        output.first += 1
    if output.first == output.end:
        output.first = output.end = 0
        buffer_unref(output.scratch)
        output.scratch = NULL


cdef void output_free(output_t *output) noexcept nogil:
    output_wrote(output, output.pending)
    buffer_unref(output.scratch)
    free(output.chunks)
    output.scratch = NULL
    output.chunks = NULL
    output.first = output.end = output.room = 0
