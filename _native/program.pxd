# Owns the plan in native form: an immutable array of nodes that `flow` walks.
# Must not hold anything of a request, nor decide what the plan has decided already.

from executor._native.codec cimport name_t
from executor._native.endpoint cimport endpoint_t
from executor._native.meters cimport node_meter_t
from executor._native.tap cimport Tap, tap_t
from executor._native.weights cimport weights_t

cdef enum:
    ROUTING_NONE = 0             # meta.routing is left alone
    ROUTING_ROUTED = 1           # nodes that chose a branch are reported
    ROUTING_VISITED = 2          # every visited node is reported

cdef enum:                       # how a node is called, as its spans tell
    NODE_INSIDE = 0              # in this process
    NODE_GRPC = 1
    NODE_HTTP = 2

ctypedef struct node_t:
    int parent                   # index; -1 for the root
    int child_count
    int *children                # indices
    int input                    # METHOD_PREDICT, METHOD_TRANSFORM_INPUT, or -1
    bint asks_route              # calls ROUTE
    double *weights              # cumulative, child_count of them: the pick is ours; or NULL
    weights_t *table             # the same where the router learns: its chances change; or NULL
    bint aggregates
    bint output
    bint takes_feedback
    endpoint_t *endpoint         # NULL when the node makes no call
    node_meter_t *meter          # NULL: nothing is counted
    int taps                     # what is logged of it: TAP_*, as bits
    const char *tap_fault        # why it cannot be logged, so that its requests fail; NULL: it can
    int kind                     # NODE_*
    name_t *spans                # what spans of its calls begin with, by METHOD_*; NULL: nothing is traced

ctypedef struct program_t:
    long refs
    int count
    int routing                  # ROUTING_*
    bint adds_puid
    bint owes_answer             # feedback to a root that takes none fails where nothing given can be the answer
    node_t *nodes                # depth-first, the root at 0
    name_t *names                # of the nodes, same order
    tap_t *tap                   # where what is logged goes; NULL: nothing is
    void *face                   # the Program, referenced while `refs` is above zero

cdef program_t *program_ref(program_t *program) noexcept nogil
cdef void program_unref(program_t *program) noexcept nogil


cdef class Program:
    cdef program_t raw
    cdef int *children_block
    cdef double *weights_block
    cdef name_t *spans_block
    cdef list keep               # names as bytes, endpoints, weight tables, meters, the tap
    cdef int fill(self, int index, object node, object endpoint, object table, int *places) except -1
    cdef int log_to(self, Tap tap) except -1
    cdef int trace(self, object spans) except -1
