# Owns the bounds on the memory of received messages: how much of it is taken, and who waits for more.
# Must not know what lies in that memory, nor whose it is.

cdef extern from *:
    """
    #define budget_count(p, n) __atomic_add_fetch((p), (n), __ATOMIC_ACQ_REL)
    #define budget_read(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
    #define BUDGET_ORPHAN (1L << 62)
    """
    # Added to `used` when the owner is gone: whoever gives the last bytes back then frees the budget.
    const long BUDGET_ORPHAN
    long budget_count(long *counter, long n) noexcept nogil
    long budget_read(long *counter) noexcept nogil

cdef enum:
    BUDGET_SMALL = 64 << 10      # messages up to here do not wait behind larger ones, nor larger ones behind them

ctypedef struct lane_t
ctypedef struct waiter_t

# Something that waits for room. Embedded in its owner; all zero at first.
ctypedef struct waiter_t:
    waiter_t *previous
    waiter_t *next
    lane_t *lane                 # NULL: it does not wait
    size_t size                  # what it waits for
    void *owner

# Those that wait, oldest first, and what may be taken before one has to.
ctypedef struct lane_t:
    waiter_t *first
    waiter_t *last
    size_t limit

# All is of the thread of its event loop, but what counts bytes taken: they are given back from any thread.
ctypedef struct budget_t:
    long used
    size_t soft                  # requests wait above it
    size_t hard                  # nothing is taken above it
    lane_t small                 # has a little room of its own above `soft`
    lane_t large
    long waiting                 # in both lanes
    size_t held                  # bytes that came for those that wait
    size_t held_max
    long small_used              # of `used`: by messages that are small
    size_t own                   # what small ones have to themselves, above `soft`

cdef void budget_free(budget_t *budget) noexcept nogil

cdef inline lane_t *budget_lane(budget_t *budget, size_t size) noexcept nogil:
    return &budget.small if size <= BUDGET_SMALL else &budget.large

cdef inline bint budget_fits(budget_t *budget, size_t size, size_t limit) noexcept nogil:
    cdef size_t used = <size_t>budget_read(&budget.used)
    return size <= limit and used <= limit - size

# Whether a message of a request finds room. What is taken above `soft` never keeps a large one out; and while one
# waits, small ones come in no further than to what is their own.
cdef inline bint budget_admits(budget_t *budget, size_t size) noexcept nogil:
    cdef size_t small = <size_t>budget_read(&budget.small_used)
    if size > BUDGET_SMALL:
        return budget_fits(budget, size, budget.large.limit + min(small, budget.own))
    return budget_fits(budget, size, budget.small.limit) and (
        budget.large.first == NULL or small + size <= budget.own)

# Counts `size` bytes as taken. Only the loop's thread takes.
cdef inline void budget_add(budget_t *budget, size_t size) noexcept nogil:
    budget_count(&budget.used, <long>size)
    if size <= BUDGET_SMALL:
        budget_count(&budget.small_used, <long>size)

# Takes `size` bytes if no more than `limit` are taken then.
cdef inline bint budget_take(budget_t *budget, size_t size, size_t limit) noexcept nogil:
    if not budget_fits(budget, size, limit):
        return False
    budget_add(budget, size)
    return True

# The same for one that could wait: those that wait already come first.
cdef inline bint budget_enter(budget_t *budget, size_t size) noexcept nogil:
    if budget_lane(budget, size).first != NULL or not budget_admits(budget, size):
        return False
    budget_add(budget, size)
    return True

# Gives back what was taken in one. Any thread.
cdef inline void budget_give(budget_t *budget, size_t size) noexcept nogil:
    if size <= BUDGET_SMALL:
        budget_count(&budget.small_used, -<long>size)
    if budget_count(&budget.used, -<long>size) == BUDGET_ORPHAN:
        budget_free(budget)

# Queues `waiter`, with its size and owner set.
cdef void budget_wait(budget_t *budget, waiter_t *waiter) noexcept nogil
# Takes it out of its queue, if it is in one.
cdef void budget_leave(budget_t *budget, waiter_t *waiter) noexcept nogil
# Who is next and finds room now; NULL: nobody.
cdef waiter_t *budget_next(budget_t *budget) noexcept nogil


cdef class Budget:
    cdef budget_t *raw


cdef class Hold:
    cdef Budget budget
    cdef size_t size
