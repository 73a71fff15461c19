"""Owns small blocks of memory that one event loop takes and gives back all the time: kept by size, handed out again.

Must not be used by two threads, nor know what is in a block. A request takes some twenty blocks, nghttp2's above all,
and more requests run at once than malloc's own caches have places for: each block then costs it several times what it
costs here. A build that watches memory keeps none, so that it sees every block go.
"""

from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memset

cdef extern from *:
    """
    #ifdef NATIVE_EXACT_BUFFERS
    #define KEEPS_BLOCKS 0
    #else
    #define KEEPS_BLOCKS 1
    #endif
    """
    bint KEEPS_BLOCKS

cdef enum:
    HEADER = sizeof(block_t)     # 16: what malloc aligned stays so


cdef inline size_t kind_of(size_t size) noexcept nogil:
    cdef size_t kind = (size - 1) // POOL_STEP if size > 0 else 0
    return kind if KEEPS_BLOCKS and kind < POOL_CLASSES else POOL_CLASSES


cdef inline void *memory_of(block_t *block) noexcept nogil:
    return <char *>block + <size_t>HEADER


cdef inline block_t *block_of(void *memory) noexcept nogil:
    return <block_t *>(<char *>memory - <size_t>HEADER)


cdef block_t *fresh(size_t kind, size_t size) noexcept nogil:
    cdef block_t *block
    if kind < POOL_CLASSES:
        size = (kind + 1) * POOL_STEP
    elif size > (<size_t>1 << 62):
        return NULL
    block = <block_t *>malloc(<size_t>HEADER + size)
    if block != NULL:
        block.kind = kind
    return block


cdef void *pool_take(pool_t *pool, size_t size) noexcept nogil:
    cdef size_t kind = kind_of(size)
    cdef block_t *block = NULL
    if pool == NULL:
        return malloc(size)
    if kind < POOL_CLASSES:
        block = pool.kept[kind]
    if block != NULL:
        pool.kept[kind] = block.next
        pool.size -= (kind + 1) * POOL_STEP
    else:
        block = fresh(kind, size)
        if block == NULL:
            return NULL
    pool.lent += 1
    return memory_of(block)


cdef void *pool_take_clear(pool_t *pool, size_t size) noexcept nogil:
    cdef void *memory = pool_take(pool, size)
    if memory != NULL:
        memset(memory, 0, size)
    return memory


cdef void pool_give(pool_t *pool, void *memory) noexcept nogil:
    cdef block_t *block
    cdef size_t size
    if pool == NULL or memory == NULL:
        free(memory)
        return
    block = block_of(memory)
    pool.lent -= 1
    size = (block.kind + 1) * POOL_STEP
    if block.kind == POOL_CLASSES or pool.size + size > pool.size_max:
        free(block)
        return
    block.next = pool.kept[block.kind]
    pool.kept[block.kind] = block
    pool.size += size


cdef void *pool_resize(pool_t *pool, void *memory, size_t size) noexcept nogil:
    cdef size_t kind = kind_of(size)
    cdef block_t *block
    cdef void *other
    if pool == NULL:
        return realloc(memory, size)
    if memory == NULL:
        return pool_take(pool, size)
    block = block_of(memory)
    if block.kind == POOL_CLASSES and kind == POOL_CLASSES:
        if size > (<size_t>1 << 62):
            return NULL
        block = <block_t *>realloc(block, <size_t>HEADER + size)
        return memory_of(block) if block != NULL else NULL
    if block.kind == kind:
        return memory
    # One of the two is a block of a known size, the other one is at least as large as the smaller.
    other = pool_take(pool, size)
    if other != NULL:
        memcpy(other, memory, min(size, (block.kind + 1) * POOL_STEP))
        pool_give(pool, memory)
    return other


cdef class Pool:
    """Blocks that are kept for the next one who needs some: `Pool(keep)` keeps that many bytes at most."""

    def __cinit__(self, size_t keep=4 << 20):
        self.raw.size_max = keep

    def __dealloc__(self):
        cdef block_t *block
        cdef int kind
        for kind in range(POOL_CLASSES):
            while self.raw.kept[kind] != NULL:
                block = self.raw.kept[kind]
                self.raw.kept[kind] = block.next
                free(block)

    @property
    def kept(self):
        """Bytes that are kept."""
        return self.raw.size

    @property
    def lent(self):
        """Blocks that are in use."""
        return self.raw.lent
