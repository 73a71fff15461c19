# Owns the payloads that are to be logged, by reference, until Python takes them at the end of the pass.
# Must not know who logs them and where to, nor how a plan is walked.

from executor._native.endpoint cimport metadata_t
from executor._native.message cimport message_t
from executor._native.transport cimport Reactor, reactor_t, work_t

# What a payload is to its node, and as bits what is logged of a node.
cdef enum:
    TAP_REQUEST = 1
    TAP_RESPONSE = 2
    TAP_FEEDBACK = 4

ctypedef struct tapped_t:
    tapped_t *next
    message_t *message
    int node
    int kind                     # TAP_*
    size_t puid_size
    char *puid                   # behind it

ctypedef struct tap_t:
    reactor_t *reactor
    tapped_t *first
    tapped_t *last
    long count
    long count_max
    size_t size                  # bytes of the payloads
    size_t size_max
    long lost                    # payloads that were over a bound, since Python was last told
    work_t work
    bint held                    # the Tap is referenced: payloads wait, which may outlast their plan

# Does a request of these headers ask not to be logged?
cdef bint tap_skips(const metadata_t *metadata) noexcept nogil
# Keeps a payload of the node of that number. Never fails: what is over a bound is counted and let go.
cdef void tap_add(
    tap_t *tap, int node, int kind, const message_t *message, const char *puid, size_t puid_size
) noexcept nogil


cdef class Tap:
    cdef tap_t raw
    cdef Reactor reactor
    cdef readonly tuple nodes    # what is logged of each node of the plan, as bits
    cdef readonly dict faults    # of nodes by number: why that cannot be, as bytes
    cdef object take
