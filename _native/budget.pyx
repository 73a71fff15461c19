"""Owns the bounds on the memory of received messages: how much of it is taken, and who waits for more.

Must not know what lies in that memory, nor whose it is.

A message is charged whole when its length is known and before memory is committed, and is given back when that memory
is freed, wherever it went in between. So what has been let in can always complete, and nothing else need be tracked.
Requests wait above the soft limit. Answers of nodes never wait, since requests hold what they need to be freed: they
may go on to the hard one.

Two lanes, each first come, first served; neither starves. Small messages have a room of their own above the soft
limit, which is not held against a large one: once one of those waits, small ones come in to that room alone, so the
common room empties and the large one gets it, while small ones go on in theirs.
"""

cimport cython
from libc.stdlib cimport calloc, free

cdef enum:
    # Parts of the soft limit: for messages that do not wait behind larger ones, and for bytes of those that wait.
    SMALL_PART = 8
    HELD_PART = 4

cdef size_t BOUNDLESS = <size_t>1 << 60


cdef void budget_free(budget_t *budget) noexcept nogil:
    free(budget)


cdef void budget_wait(budget_t *budget, waiter_t *waiter) noexcept nogil:
    cdef lane_t *lane = budget_lane(budget, waiter.size)
    waiter.lane = lane
    waiter.next = NULL
    waiter.previous = lane.last
    if lane.last == NULL:
        lane.first = waiter
    else:
        lane.last.next = waiter
    lane.last = waiter
    budget.waiting += 1


cdef void budget_leave(budget_t *budget, waiter_t *waiter) noexcept nogil:
    cdef lane_t *lane = waiter.lane
    if lane == NULL:
        return
    if waiter.previous == NULL:
        lane.first = waiter.next
    else:
        waiter.previous.next = waiter.next
    if waiter.next == NULL:
        lane.last = waiter.previous
    else:
        waiter.next.previous = waiter.previous
    waiter.lane = NULL
    budget.waiting -= 1


cdef inline waiter_t *ready(budget_t *budget, lane_t *lane) noexcept nogil:
    return lane.first if lane.first != NULL and budget_admits(budget, lane.first.size) else NULL


cdef waiter_t *budget_next(budget_t *budget) noexcept nogil:
    cdef waiter_t *waiter = ready(budget, &budget.small)
    return waiter if waiter != NULL else ready(budget, &budget.large)


cdef class Budget:
    """Bounds on the memory of received messages: `Budget(hard, soft)` in bytes; without, everything is let in.

    Requests wait above `soft`, default half of `hard`; answers of nodes are refused above `hard`.
    """

    def __cinit__(self, hard=None, soft=None):
        cdef size_t top = BOUNDLESS if hard is None else hard
        cdef size_t low = top // 2 if soft is None else soft
        if low < 1 or low > top or top > BOUNDLESS:
            raise ValueError(f"soft limit {low}, hard limit {top}: allowed are 1 <= soft <= hard <= {BOUNDLESS}")
        self.raw = <budget_t *>calloc(1, sizeof(budget_t))
        if self.raw == NULL:
            raise MemoryError()
        self.raw.soft = low
        self.raw.hard = top
        self.raw.large.limit = low
        self.raw.own = low // SMALL_PART
        if low > BUDGET_SMALL:   # else none is large; where one may wait, a small one finds room beside it
            self.raw.own = max(self.raw.own, <size_t>BUDGET_SMALL)
        self.raw.own = min(self.raw.own, top - low)
        self.raw.small.limit = low + self.raw.own
        self.raw.held_max = low // HELD_PART

    def __dealloc__(self):
        # What is not given back yet keeps the struct, and no more than that, alive.
        if self.raw != NULL and budget_count(&self.raw.used, BUDGET_ORPHAN) == BUDGET_ORPHAN:
            budget_free(self.raw)

    def hold(self):
        """What Python keeps in memory by itself, counted: `with budget.hold() as held: held.add(n)`."""
        return Hold.__new__(Hold, self)

    @property
    def used(self):
        """Bytes that are taken."""
        return budget_read(&self.raw.used)

    @property
    def soft(self):
        """Bytes above which requests wait."""
        return self.raw.soft

    @property
    def hard(self):
        """Bytes above which nothing is let in."""
        return self.raw.hard

    @property
    def waiting(self):
        """Requests that wait for room."""
        return self.raw.waiting

    @property
    def held(self):
        """Bytes that came already for requests that wait; they are not in `used`."""
        return self.raw.held

    @property
    def held_max(self):
        """Bytes that may come for requests that wait, all together."""
        return self.raw.held_max


# The collector would clear `budget` before the bytes are given back; a budget refers to nothing.
@cython.no_gc
cdef class Hold:
    """Bytes that Python holds, out of a budget: given back at the end of the `with` block."""

    def __cinit__(self, Budget budget not None):
        self.budget = budget

    def __dealloc__(self):
        self.close()

    def add(self, size_t size):
        """Takes more. False, and nothing taken, when requests have to wait for memory."""
        cdef budget_t *budget = self.budget.raw
        cdef size_t total = self.size + size
        cdef bint taken
        self.close()             # it is one message, small or large by all its bytes
        taken = budget_enter(budget, total)
        if not taken and total > size:
            budget_add(budget, total - size)
        self.size = total if taken else total - size
        return taken

    def close(self):
        """Gives all back."""
        if self.size > 0:
            budget_give(self.budget.raw, self.size)
            self.size = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
