# Owns the weight table of a learning router: which branch the next request takes, how many took each, and what is
# remembered of the last ones. Must not learn: whoever does puts another table in its place.

from executor._native.chance cimport chance_t

# What picks look at. Never changed once it is in place.
ctypedef struct table_t:
    bint scored                  # the best score wins (UCB1); else chances decide
    double rate                  # scored: what part of the pulls counts as tried
    double *values               # cumulative chances; scored: means
    double *base                 # scored: pulls of each branch besides those counted here

# One request that was sent somewhere, in memory that processes may share. A slot that two of them wrote at once does
# not check, and is as good as empty.
ctypedef struct slot_t:
    unsigned long long check     # hash of the puid ^ chance ^ where
    unsigned long long chance    # a double: the chance that the branch had
    unsigned long long where     # the branch's mark << 32 | its position

ctypedef struct weights_t:
    int count                    # branches
    table_t *current             # belongs to the thread that picks
    table_t *pending             # the next one, until a pick takes it over
    long long *pulls             # of each branch, since this was made
    unsigned int *marks          # of each branch, the same in every process: a hash of its name
    bint seeded
    chance_t chance              # when seeded: picks come out the same each time
    slot_t *slots                # NULL: nothing is remembered
    size_t slot_count

# The branch that a request takes. One thread alone may pick.
cdef int weights_pick(weights_t *weights, chance_t *chance, const char *puid, size_t size) noexcept nogil

# Where the branch is now that a request took at `route`: somewhere else after a reload, ROUTE_NONE when it has gone.
# `route` itself where the request is forgotten. Any thread may ask.
cdef int weights_find(const weights_t *weights, int route, const char *puid, size_t size) noexcept nogil


cdef class Weights:
    cdef weights_t raw
    cdef object memory           # keeps `slots`
    cdef int place(self, table_t *table) except -1
