# Owns header blocks in memory: those received (one block, fields as places in it) and those waiting to be sent.
# Must not know HTTP/2 frames, nor what a header means to gRPC.

from libc.stdint cimport uint32_t

# A header block as received: fields are places in `block`. Pseudo-headers are included; names are lower-case.
ctypedef struct field_t:
    uint32_t name
    uint32_t name_size
    uint32_t value
    uint32_t value_size

ctypedef struct headers_t:
    char *block
    uint32_t size
    uint32_t capacity
    field_t *fields
    int count
    int room

# A header to send.
ctypedef struct nv_t:
    const char *name
    size_t name_size
    const char *value
    size_t value_size

# Copies of headers to send, kept until the time has come: one memory block, reused.
ctypedef struct fields_t:
    void *block              # `count` of nv_t, then the bytes they point to
    size_t room
    int count

cdef enum:
    FIELD_OVERHEAD = 32          # what a field counts beside its bytes (RFC 9113 6.5.2)

cdef enum:
    HEADERS_OK = 0
    HEADERS_NO_MEMORY = -1
    HEADERS_OVER_LIMIT = 1

# Adds a field. HEADERS_OVER_LIMIT, and nothing added, when the block would count more than `limit` bytes.
cdef int headers_add(
    headers_t *headers, const void *name, size_t name_size, const void *value, size_t value_size, size_t limit
) noexcept nogil
# Forgets the fields; the memory stays for the next block, unless it is more than an ordinary one needs.
cdef void headers_clear(headers_t *headers) noexcept nogil
cdef void headers_free(headers_t *headers) noexcept nogil
# The value of the first field called `name`, or NULL; its size goes to `size`.
cdef const char *headers_get(
    const headers_t *headers, const char *name, size_t name_size, size_t *size
) noexcept nogil

# What `count` fields count towards a header block limit.
cdef size_t fields_size(const nv_t *fields, int count) noexcept nogil
# Replaces what `kept` holds by copies of `count` fields. 0, or -1 when memory is out.
cdef int fields_keep(fields_t *kept, const nv_t *fields, int count) noexcept nogil
cdef void fields_free(fields_t *kept) noexcept nogil

cdef inline const nv_t *fields_list(const fields_t *kept) noexcept nogil:
    return <const nv_t *>kept.block
