# Owns the bytes that a stream has brought while its message waits for the budget.
# Must not know HTTP/2, nor gRPC's framing: bytes are kept as they came.

from executor._native.budget cimport budget_t, waiter_t
from executor._native.buffer cimport buffer_t

# All zero at first.
ctypedef struct intake_t:
    waiter_t waiter              # in the budget's queue, while waiter.lane is set
    buffer_t *first              # chunks, oldest first
    buffer_t *last
    size_t offset                # bytes of the first one that are done with
    size_t held                  # bytes over all chunks

cdef inline bint intake_waits(const intake_t *intake) noexcept nogil:
    return intake.waiter.lane != NULL

# Begins to wait for `size` bytes of the budget; `owner` is what budget_next finds.
cdef void intake_wait(intake_t *intake, budget_t *budget, size_t size, void *owner) noexcept nogil
# Keeps a copy of bytes that came. 0; 1 when the budget lets those that wait hold no more; -1 when memory is out.
cdef int intake_keep(intake_t *intake, budget_t *budget, const unsigned char *data, size_t size) noexcept nogil
# Takes the oldest chunk out: the caller owns the reference. NULL when there is none.
cdef buffer_t *intake_pop(
    intake_t *intake, budget_t *budget, const unsigned char **data, size_t *size
) noexcept nogil
# Puts a chunk back of which the last `left` bytes are not done with.
cdef void intake_unpop(intake_t *intake, budget_t *budget, buffer_t *chunk, size_t left) noexcept nogil
# Waits no more and drops what it holds; how many bytes that were.
cdef size_t intake_clear(intake_t *intake, budget_t *budget) noexcept nogil
