# Owns the queue of bytes that wait for the socket: small pieces copied together, large ones by reference.
# Must not know what the bytes are, nor write them anywhere.

from posix.uio cimport iovec

from executor._native.buffer cimport buffer_t

ctypedef struct chunk_t:
    buffer_t *buffer             # holds the bytes; a reference of ours
    const unsigned char *data
    size_t size

ctypedef struct output_t:
    chunk_t *chunks
    int first                    # the oldest chunk in use
    int end                      # one past the newest
    int room
    size_t pending               # bytes over all chunks
    buffer_t *scratch            # small pieces are copied here; NULL while the queue is empty
    unsigned long long written   # bytes that have left, ever

cdef enum:
    BY_REFERENCE = 4096          # pieces from this size on are not copied: below it a copy costs less than an iovec

# Adds a copy of `size` bytes. 0, or -1 when memory is out.
cdef int output_copy(output_t *output, const void *data, size_t size) noexcept nogil
# Adds `size` bytes that lie in `buffer`: by reference, or copied when there are few. 0 or -1.
cdef int output_add(output_t *output, buffer_t *buffer, const unsigned char *data, size_t size) noexcept nogil
# The oldest pieces, `room` at most; returns how many.
cdef int output_pieces(const output_t *output, iovec *pieces, int room) noexcept nogil
# The oldest `size` bytes have left.
cdef void output_wrote(output_t *output, size_t size) noexcept nogil
cdef void output_free(output_t *output) noexcept nogil
