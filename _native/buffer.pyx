"""Owns reference-counted memory and the shelves it is reused from.

Must not know what the bytes mean. Buffers up to 8 MiB return to shelves of their size class, so that a
steady load neither faults pages in anew nor fragments the heap; what a shelf may keep is bounded. A build that
watches memory has no shelves, and buffers of exactly the size asked for, so that no overrun lands in spare room.
"""

from cpython.buffer cimport PyBuffer_FillInfo
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from executor._native.budget cimport budget_give, budget_t

cdef extern from *:
    """
    #ifdef NATIVE_EXACT_BUFFERS
    #define HAS_SHELVES 0
    #else
    #define HAS_SHELVES 1
    #endif
    static inline int lock_try(int *lock) { return __atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE) == 0; }
    static inline void lock_leave(int *lock) { __atomic_store_n(lock, 0, __ATOMIC_RELEASE); }
    """
    bint HAS_SHELVES
    bint lock_try(int *lock) noexcept nogil
    void lock_leave(int *lock) noexcept nogil

cdef enum:
    SHELF_COUNT = 16         # 256 B, 512 B, … 8 MiB
    SHELF_SMALLEST = 256
    SHELF_BYTES = 16 << 20   # what one shelf keeps at most, unless keep_at_most asks for less
    HEADER = (sizeof(buffer_t) + 15) & ~15

ctypedef struct shelf_t:
    int lock
    long count
    buffer_t *first

cdef shelf_t[SHELF_COUNT] shelves
cdef long shelf_bytes = SHELF_BYTES
cdef long live = 0           # buffers handed out and not yet returned, for tests and leak checks


cdef inline int shelf_of(size_t capacity) noexcept nogil:
    cdef int index = 0
    cdef size_t size = SHELF_SMALLEST
    if not HAS_SHELVES:
        return -1
    while size < capacity and index < SHELF_COUNT:
        size <<= 1
        index += 1
    return index if index < SHELF_COUNT else -1


cdef inline buffer_t *shelf_take(int index) noexcept nogil:
    cdef shelf_t *shelf = &shelves[index]
    cdef buffer_t *buffer = NULL
    # A busy lock is not waited for: fresh memory is cheaper than a stalled loop.
    if shelf.first == NULL or not lock_try(&shelf.lock):
        return NULL
    if shelf.first != NULL:
        buffer = shelf.first
        shelf.first = buffer.next
        shelf.count -= 1
    lock_leave(&shelf.lock)
    return buffer


cdef inline bint shelf_put(buffer_t *buffer) noexcept nogil:
    cdef shelf_t *shelf = &shelves[buffer.shelf]
    cdef bint kept = False
    if not lock_try(&shelf.lock):
        return False
    if (shelf.count + 1) * <long>buffer.capacity <= shelf_bytes:
        buffer.next = shelf.first
        shelf.first = buffer
        shelf.count += 1
        kept = True
    lock_leave(&shelf.lock)
    return kept


cdef size_t buffer_room(size_t capacity) noexcept nogil:
    cdef int index = shelf_of(capacity)
    return <size_t>SHELF_SMALLEST << index if index >= 0 else capacity


cdef buffer_t *buffer_new(size_t capacity) noexcept nogil:
    cdef int index = shelf_of(capacity)
    cdef buffer_t *buffer = shelf_take(index) if index >= 0 else NULL
    if buffer == NULL:
        if index >= 0:
            capacity = <size_t>SHELF_SMALLEST << index
        if capacity > (<size_t>1 << 62):
            return NULL
        buffer = <buffer_t *>malloc(<size_t>HEADER + capacity)
        if buffer == NULL:
            return NULL
        buffer.capacity = capacity
        buffer.data = <unsigned char *>buffer + <size_t>HEADER
        buffer.shelf = index
    buffer.refs = 1
    buffer.size = 0
    buffer.owner = NULL
    buffer.budget = NULL
    buffer.next = NULL
    counter_add(&live, 1)
    return buffer


cdef buffer_t *buffer_copy(const void *data, size_t size) noexcept nogil:
    cdef buffer_t *buffer = buffer_new(size)
    if buffer != NULL:
        memcpy(buffer.data, data, size)
        buffer.size = size
    return buffer


cdef buffer_t *buffer_borrow(object owner, const void *data, size_t size) except NULL:
    cdef buffer_t *buffer = <buffer_t *>malloc(sizeof(buffer_t))
    if buffer == NULL:
        raise MemoryError()
    Py_INCREF(owner)
    buffer.refs = 1
    buffer.capacity = 0
    buffer.size = size
    buffer.data = <unsigned char *>data
    buffer.owner = <void *>owner
    buffer.shelf = -1
    buffer.budget = NULL
    buffer.next = NULL
    counter_add(&live, 1)
    return buffer


cdef buffer_t *buffer_of_bytes(bytes data) except NULL:
    return buffer_borrow(data, <const char *>data, len(data))


cdef void drop_owner(void *owner) noexcept with gil:
    Py_DECREF(<object>owner)


cdef void buffer_free(buffer_t *buffer) noexcept nogil:
    cdef budget_t *budget = buffer.budget
    cdef size_t charge = buffer.charge
    counter_add(&live, -1)
    if buffer.owner != NULL:
        drop_owner(buffer.owner)
        free(buffer)
    elif buffer.shelf < 0 or not shelf_put(buffer):
        free(buffer)
    if budget != NULL:
        budget_give(budget, charge)      # last: until here the memory is in use


cdef class Memory:
    """A part of a native buffer, lent to Python; the memory lives as long as this does."""

    def __cinit__(self):
        self.buffer = NULL

    def __dealloc__(self):
        buffer_unref(self.buffer)

    def __getbuffer__(self, Py_buffer *view, int flags):
        PyBuffer_FillInfo(view, self, <void *>self.data, self.size, not self.writable, flags)

    def __len__(self):
        return self.size


cdef Memory memory_lend(buffer_t *buffer, const unsigned char *data, Py_ssize_t size, bint writable):
    cdef Memory memory = Memory.__new__(Memory)
    memory.buffer = buffer_ref(buffer)
    memory.data = data
    memory.size = size
    memory.writable = writable
    return memory


def live_buffers():
    """How many buffers are in use; a test that ends with more than it began with has found a leak."""
    return counter_get(&live)


def room(Py_ssize_t size):
    """What memory a buffer for `size` bytes takes; a build that watches memory has no size classes."""
    return buffer_room(size)


def keep_at_most(Py_ssize_t size):
    """Bounds what all shelves together keep of memory that nobody uses; 256 MiB is the most."""
    global shelf_bytes
    shelf_bytes = min(<long>SHELF_BYTES, max(<long>0, <long>size // SHELF_COUNT))
