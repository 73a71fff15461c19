# Owns small blocks of memory that one event loop takes and gives back all the time: kept by size, handed out again.
# Must not be used by two threads, nor know what is in a block.

cdef enum:
    POOL_STEP = 64               # sizes of blocks are multiples of it
    POOL_CLASSES = 16            # larger blocks than so many steps are not kept

# What stands before a block's memory.
ctypedef struct block_t:
    block_t *next                # while it is kept
    size_t kind                  # which list keeps it; POOL_CLASSES: none

ctypedef struct pool_t:
    block_t *kept[16]
    size_t size                  # bytes kept
    size_t size_max
    long lent                    # blocks that are in use

# These are malloc, calloc, realloc and free; without a pool (NULL) too.
cdef void *pool_take(pool_t *pool, size_t size) noexcept nogil
cdef void *pool_take_clear(pool_t *pool, size_t size) noexcept nogil
cdef void *pool_resize(pool_t *pool, void *memory, size_t size) noexcept nogil
cdef void pool_give(pool_t *pool, void *memory) noexcept nogil


# The owner of a pool: it goes when all blocks are back, or the memory of those that are not is lost.
cdef class Pool:
    cdef pool_t raw
