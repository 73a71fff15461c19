"""Owns header blocks in memory: those received, and those waiting to be sent.

Must not know HTTP/2 frames, nor what a header means to gRPC. Memory is kept from one block to the next, since a
connection carries the same few headers again and again.
"""

from libc.stdint cimport uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy

cdef enum:
    FIRST_BYTES = 512        # an ordinary gRPC request has some 250
    FIRST_FIELDS = 16
    KEPT_BYTES = 8192        # a block that grew beyond this is not kept


cdef int grow_block(headers_t *headers, size_t needed) noexcept nogil:
    cdef size_t capacity = headers.capacity * 2 if headers.capacity else FIRST_BYTES
    cdef char *block
    while capacity < needed:
        capacity *= 2
    block = <char *>realloc(headers.block, capacity)
    if block == NULL:
        return -1
    headers.block = block
    headers.capacity = <uint32_t>capacity
    return 0


cdef int grow_fields(headers_t *headers) noexcept nogil:
    cdef int room = headers.room * 2 if headers.room else FIRST_FIELDS
    cdef field_t *fields = <field_t *>realloc(headers.fields, room * sizeof(field_t))
    if fields == NULL:
        return -1
    headers.fields = fields
    headers.room = room
    return 0


cdef int headers_add(
    headers_t *headers, const void *name, size_t name_size, const void *value, size_t value_size, size_t limit
) noexcept nogil:
    cdef size_t needed = headers.size + name_size + value_size
    cdef field_t *field
    if needed + (<size_t>headers.count + 1) * FIELD_OVERHEAD > limit:
        return HEADERS_OVER_LIMIT
    if needed > headers.capacity and grow_block(headers, needed) < 0:
        return HEADERS_NO_MEMORY
    if headers.count == headers.room and grow_fields(headers) < 0:
        return HEADERS_NO_MEMORY
    field = &headers.fields[headers.count]
    field.name = headers.size
    field.name_size = <uint32_t>name_size
    field.value = headers.size + <uint32_t>name_size
    field.value_size = <uint32_t>value_size
    memcpy(headers.block + field.name, name, name_size)
    memcpy(headers.block + field.value, value, value_size)
    headers.size = <uint32_t>needed
    headers.count += 1
    return HEADERS_OK


cdef void headers_clear(headers_t *headers) noexcept nogil:
    if headers.capacity > KEPT_BYTES:
        headers_free(headers)
    headers.size = 0
    headers.count = 0


cdef void headers_free(headers_t *headers) noexcept nogil:
    free(headers.block)
    free(headers.fields)
    headers.block = NULL
    headers.fields = NULL
    headers.size = headers.capacity = 0
    headers.count = headers.room = 0


cdef const char *headers_get(
    const headers_t *headers, const char *name, size_t name_size, size_t *size
) noexcept nogil:
    cdef const field_t *field
    cdef int index
    for index in range(headers.count):
        field = &headers.fields[index]
        if field.name_size == name_size and memcmp(headers.block + field.name, name, name_size) == 0:
            size[0] = field.value_size
            return headers.block + field.value
    size[0] = 0
    return NULL


cdef size_t fields_size(const nv_t *fields, int count) noexcept nogil:
    cdef size_t size = 0
    cdef int index
    for index in range(count):
        size += fields[index].name_size + fields[index].value_size + FIELD_OVERHEAD
    return size


cdef int fields_keep(fields_t *kept, const nv_t *fields, int count) noexcept nogil:
    cdef size_t needed = fields_size(fields, count) + count * sizeof(nv_t)
    cdef nv_t *copies
    cdef char *bytes_at
    cdef void *block
    cdef int index
    if needed > kept.room:
        block = realloc(kept.block, needed)
        if block == NULL:
            return -1
        kept.block = block
        kept.room = needed
    copies = <nv_t *>kept.block
    bytes_at = <char *>(copies + count)
    for index in range(count):
        copies[index] = fields[index]
        memcpy(bytes_at, fields[index].name, fields[index].name_size)
        copies[index].name = bytes_at
        bytes_at += fields[index].name_size
        memcpy(bytes_at, fields[index].value, fields[index].value_size)
        copies[index].value = bytes_at
        bytes_at += fields[index].value_size
    kept.count = count
    return 0


cdef void fields_free(fields_t *kept) noexcept nogil:
    free(kept.block)
    kept.block = NULL
    kept.room = 0
    kept.count = 0
