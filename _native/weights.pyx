"""Owns the weight table of a learning router: which branch the next request takes, how many took each, and what is
remembered of the last ones.

Must not learn: whoever does puts another table in its place.

Tables are handed over by one pointer. A writer leaves the new one in `pending`; the next pick takes it from there and
frees the one before. So neither ever waits, and a pick costs no lock.
"""

import zlib

cimport cython
from libc.math cimport log, sqrt
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from executor._native.chance cimport chance_next, chance_seed, chance_t
from executor._native.types cimport ROUTE_NONE

cdef extern from *:
    """
    #define word_get(p) __atomic_load_n((p), __ATOMIC_RELAXED)
    #define word_set(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
    #define table_seen(p) __atomic_load_n((p), __ATOMIC_RELAXED)
    #define POSITION 0xFFFFFFFFULL  /* part of `slot_t.where` */
    #define table_swap(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQ_REL)
    """
    unsigned long long word_get(unsigned long long *word) noexcept nogil
    void word_set(unsigned long long *word, unsigned long long value) noexcept nogil
    table_t *table_seen(table_t **place) noexcept nogil
    const unsigned long long POSITION
    table_t *table_swap(table_t **place, table_t *table) noexcept nogil

cdef enum:
    TRIALS_LEAST = 2             # a logarithm above zero from the first pick on


# --- picking ------------------------------------------------------------------------------------

cdef int weights_pick(weights_t *weights, chance_t *chance, const char *puid, size_t size) noexcept nogil:
    cdef double share = 1.0
    cdef int branch
    if table_seen(&weights.pending) != NULL:
        free(weights.current)
        weights.current = table_swap(&weights.pending, NULL)
    if weights.current.scored:
        branch = best_scored(weights)
    else:
        branch = drawn(weights, &weights.chance if weights.seeded else chance, &share)
    word_set(<unsigned long long *>&weights.pulls[branch], weights.pulls[branch] + 1)
    if weights.slots != NULL and size > 0:
        remember(weights, branch, share, puid, size)
    return branch


cdef int drawn(const weights_t *weights, chance_t *chance, double *share) noexcept nogil:
    cdef const double *cumulative = weights.current.values
    cdef int last = weights.count - 1
    cdef int slot = 0
    cdef double point = chance_next(chance) * cumulative[last]
    while slot < last and point >= cumulative[slot]:
        slot += 1
    share[0] = (cumulative[slot] - (cumulative[slot - 1] if slot > 0 else 0.0)) / cumulative[last]
    return slot


# UCB1: mean + sqrt(2 ln t / n). Branches that nobody tried come first; of equals, the one with fewer pulls.
cdef int best_scored(const weights_t *weights) noexcept nogil:
    cdef const table_t *table = weights.current
    cdef double total = 0.0
    cdef double best = 0.0
    cdef double fewest = 0.0
    cdef double pulls, score, bonus
    cdef int found = -1
    cdef int slot
    for slot in range(weights.count):
        total += table.base[slot] + weights.pulls[slot]
    total *= table.rate
    bonus = 2.0 * log(total if total > TRIALS_LEAST else TRIALS_LEAST)
    for slot in range(weights.count):
        pulls = table.base[slot] + weights.pulls[slot]
        if pulls <= 0.0:
            return slot
        score = table.values[slot] + sqrt(bonus / (pulls * table.rate))
        if found < 0 or score > best or (score == best and pulls < fewest):
            found, best, fewest = slot, score, pulls
    return found


# --- remembering --------------------------------------------------------------------------------

# FNV-1a, and a last mix so that all bits count where few are used.
cdef unsigned long long hash_of(const char *text, size_t size) noexcept nogil:
    cdef unsigned long long found = 0xCBF29CE484222325ULL
    cdef size_t index
    for index in range(size):
        found = (found ^ <unsigned char>text[index]) * 0x100000001B3ULL
    found ^= found >> 32
    found *= 0x9E3779B97F4A7C15ULL
    return found ^ (found >> 29)


cdef void remember(weights_t *weights, int branch, double share, const char *puid, size_t size) noexcept nogil:
    cdef unsigned long long key = hash_of(puid, size)
    cdef unsigned long long where = (<unsigned long long>weights.marks[branch] << 32) | <unsigned int>branch
    cdef slot_t *slot = &weights.slots[key % weights.slot_count]
    cdef unsigned long long chance
    memcpy(&chance, &share, sizeof(chance))
    word_set(&slot.check, key ^ chance ^ where)
    word_set(&slot.chance, chance)
    word_set(&slot.where, where)


# What is remembered of a puid, into `found`; False where it is nothing.
cdef bint recalled(const weights_t *weights, const char *puid, size_t size, slot_t *found) noexcept nogil:
    cdef unsigned long long key = hash_of(puid, size)
    cdef slot_t *slot
    if weights.slots == NULL or size == 0:
        return False
    slot = &weights.slots[key % weights.slot_count]
    found.check = word_get(&slot.check)
    found.chance = word_get(&slot.chance)
    found.where = word_get(&slot.where)
    return (found.check ^ found.chance ^ found.where) == key and (found.check | found.chance | found.where) != 0


cdef int weights_find(const weights_t *weights, int route, const char *puid, size_t size) noexcept nogil:
    cdef slot_t found
    cdef int slot
    # Another position was taken by another request of the same puid: then what the client says counts.
    if not recalled(weights, puid, size, &found) or <int>(found.where & POSITION) != route:
        return route
    for slot in range(weights.count):
        if weights.marks[slot] == found.where >> 32:
            return slot
    return ROUTE_NONE


# --- the Python face ----------------------------------------------------------------------------

cdef table_t *table_new(int count) noexcept nogil:
    cdef table_t *table = <table_t *>calloc(1, sizeof(table_t) + 2 * count * sizeof(double))
    if table != NULL:
        table.values = <double *>(<char *>table + sizeof(table_t))
        table.base = table.values + count
    return table


@cython.no_gc_clear
cdef class Weights:
    """A table over the branches called `names`: `Weights(names, seed=None, memory=None)`.

    At first all chances are equal. `seed` makes picks come out the same each time. `memory` is a writable buffer, such
    as an mmap that processes share, in which the last picks are remembered by puid. One thread alone may pick; any may
    do the rest.
    """

    def __cinit__(self, names, seed=None, memory=None):
        cdef int count = len(names)
        cdef int slot
        if count == 0:
            raise ValueError("a table needs at least one branch")
        memset(&self.raw, 0, sizeof(weights_t))
        self.raw.count = count
        self.raw.pulls = <long long *>calloc(count, sizeof(long long))
        self.raw.marks = <unsigned int *>calloc(count, sizeof(unsigned int))
        self.raw.current = table_new(count)
        if not (self.raw.pulls and self.raw.marks and self.raw.current):
            raise MemoryError()
        for slot in range(count):
            self.raw.marks[slot] = mark(names[slot])
            self.raw.current.values[slot] = slot + 1.0
        if seed is not None:
            self.sow(seed)
        if memory is not None:
            self.lend(memory)

    def sow(self, seed):
        """Picks come out as they do for every table with this seed."""
        cdef unsigned long long state = <unsigned long long>(seed & 0xFFFFFFFFFFFFFFFF)
        cdef unsigned long long mixed
        cdef int word
        for word in range(4):    # splitmix64, which the makers of the generator recommend for this
            state += 0x9E3779B97F4A7C15ULL
            mixed = state
            mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9ULL
            mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBULL
            self.raw.chance.state[word] = mixed ^ (mixed >> 31)
        self.raw.seeded = True

    def lend(self, memory):
        """Remembers picks in `memory` from now on."""
        cdef unsigned char[::1] view = memory
        if <size_t>view.shape[0] < sizeof(slot_t):
            raise ValueError(f"memory for picks takes at least {sizeof(slot_t)} bytes, not {view.shape[0]}")
        self.memory = view
        self.raw.slots = <slot_t *>&view[0]
        self.raw.slot_count = <size_t>view.shape[0] // sizeof(slot_t)

    cdef int place(self, table_t *table) except -1:
        free(table_swap(&self.raw.pending, table))
        return 0

    def set_chances(self, chances):
        """The next picks draw by these chances. They need not sum to 1."""
        cdef table_t *table
        cdef double total = 0.0
        cdef int slot
        cdef list given = [float(each) for each in chances]
        if len(given) != self.raw.count or not all(0.0 <= each < float("inf") for each in given) or not any(given):
            raise ValueError(f"chances of {self.raw.count} branches must be from 0 on and not all 0, not {given}")
        table = table_new(self.raw.count)
        if table == NULL:
            raise MemoryError()
        for slot in range(self.raw.count):
            total += <double>given[slot]
            table.values[slot] = total
        self.place(table)

    def set_scores(self, means, base, double rate):
        """The next picks take the best by UCB1. `base` are pulls of each branch besides those that are counted here;
        `rate` says what part of all pulls counts as tried.
        """
        cdef table_t *table
        cdef int slot
        if len(means) != self.raw.count or len(base) != self.raw.count or not 0.0 < rate <= 1.0:
            raise ValueError(f"scores need {self.raw.count} means and pulls, and a rate above 0 up to 1, not {rate}")
        table = table_new(self.raw.count)
        if table == NULL:
            raise MemoryError()
        table.scored = True
        table.rate = rate
        for slot in range(self.raw.count):
            table.values[slot] = means[slot]
            table.base[slot] = base[slot]
        self.place(table)

    @property
    def pulls(self):
        """How often each branch was picked since this was made."""
        return [<long long>word_get(<unsigned long long *>&self.raw.pulls[slot]) for slot in range(self.raw.count)]

    def pick(self, str puid=""):
        """The branch that a request with this puid takes; what `flow` does natively."""
        cdef bytes text = puid.encode()
        cdef chance_t chance
        cdef int branch
        cdef const char *start = text
        cdef size_t size = len(text)
        if chance_seed(&chance) < 0:
            raise OSError("no randomness from the kernel")
        with nogil:
            branch = weights_pick(&self.raw, &chance, start, size)
        return branch

    def recall(self, str puid):
        """(mark, position, chance) of the branch that this puid was sent to; None where that is forgotten."""
        cdef bytes text = puid.encode()
        cdef slot_t found
        cdef double share
        if not recalled(&self.raw, text, len(text), &found):
            return None
        memcpy(&share, &found.chance, sizeof(share))
        return found.where >> 32, found.where & POSITION, share

    def __len__(self):
        return self.raw.count

    def __dealloc__(self):
        free(self.raw.current)
        free(self.raw.pending)
        free(self.raw.pulls)
        free(self.raw.marks)


def mark(str name):
    """What a branch of this name is remembered by."""
    return zlib.crc32(name.encode())
