# Owns reference-counted memory: `buffer_t` for the native side, `Memory` to lend it to Python.
# Must not know what the bytes mean.

from executor._native.budget cimport budget_t

cdef extern from *:
    """
    #define counter_add(p, n) __atomic_add_fetch((p), (n), __ATOMIC_ACQ_REL)
    #define counter_get(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
    """
    # Counts are atomic: pool threads drop references while the loop's thread runs without the GIL.
    long counter_add(long *counter, long n) noexcept nogil
    long counter_get(long *counter) noexcept nogil

ctypedef struct buffer_t:
    long refs                # references; the buffer goes back when it reaches zero
    size_t capacity          # bytes at `data` that may be written
    size_t size              # bytes at `data` that hold something
    unsigned char *data
    void *owner              # PyObject whose memory this is, or NULL when it is ours
    int shelf                # size class the memory returns to; -1: none
    budget_t *budget         # what its memory was charged to, or NULL
    size_t charge            # bytes given back to `budget` at the end
    buffer_t *next           # while it waits in a shelf; its user's own before that

# A new buffer of at least `capacity` bytes, 16-byte aligned, one reference, size 0; NULL when memory is out.
cdef buffer_t *buffer_new(size_t capacity) noexcept nogil
# What memory a buffer of this capacity takes.
cdef size_t buffer_room(size_t capacity) noexcept nogil
# A new buffer holding a copy of `size` bytes at `data`; NULL when memory is out.
cdef buffer_t *buffer_copy(const void *data, size_t size) noexcept nogil
# A buffer over the memory of a bytes object, which it keeps alive.
cdef buffer_t *buffer_of_bytes(bytes data) except NULL
# A buffer over contiguous memory that `owner` keeps alive.
cdef buffer_t *buffer_borrow(object owner, const void *data, size_t size) except NULL
# Drops the last reference: memory goes back. Use buffer_unref.
cdef void buffer_free(buffer_t *buffer) noexcept nogil

# From here on `charge` bytes, which were taken from the budget, are given back when the buffer is freed.
cdef inline void buffer_charge(buffer_t *buffer, budget_t *budget, size_t charge) noexcept nogil:
    buffer.budget = budget
    buffer.charge = charge

cdef inline buffer_t *buffer_ref(buffer_t *buffer) noexcept nogil:
    counter_add(&buffer.refs, 1)
    return buffer

cdef inline void buffer_unref(buffer_t *buffer) noexcept nogil:
    if buffer != NULL and counter_add(&buffer.refs, -1) == 0:
        buffer_free(buffer)


# A part of a buffer, lent to Python through the buffer protocol. Holds one reference while it lives.
cdef class Memory:
    cdef buffer_t *buffer
    cdef const unsigned char *data
    cdef Py_ssize_t size
    cdef bint writable

# Lends `size` bytes at `data`, which lie in `buffer`.
cdef Memory memory_lend(buffer_t *buffer, const unsigned char *data, Py_ssize_t size, bint writable)
