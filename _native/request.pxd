# Owns the memory of a request on its way through a plan: the request itself, a step for each node, and its id.
# Must not hold behaviour: `flow` moves them, fronts and `routing` read them.

from executor._native.chance cimport chance_t
from executor._native.codec cimport name_t
from executor._native.endpoint cimport call_t, error_t, metadata_t
from executor._native.message cimport message_t
from executor._native.meters cimport engine_meter_t
from executor._native.program cimport program_t
from executor._native.tap cimport tap_t
from executor._native.tracer cimport tracer_t
from executor._native.trail cimport trail_t
from executor._native.transport cimport reactor_t, timer_t

ctypedef struct request_t
ctypedef struct engine_t
ctypedef struct step_t

ctypedef struct front_ops_t:
    # The request is over: `request.answer` or `request.error` is set. Called exactly once unless the request was
    # cancelled. The request must not be used after it returns.
    void (*finish)(request_t *request) noexcept nogil
    # There is an answer: why it cannot be told, which then is the request's error; NULL: it can. The function itself
    # may be NULL.
    error_t *(*refuse)(request_t *request) noexcept nogil
    # The HTTP status that it is answered with, asked before it is told, where somebody traces it; NULL: not over HTTP.
    int (*code)(request_t *request) noexcept nogil

# What one node is doing for one request.
ctypedef struct step_t:
    request_t *request
    int index                    # of the node
    # What goes on when the call has ended; takes over `answer` and `error`, of which one is NULL.
    void (*after)(step_t *step, message_t *answer, error_t *error) noexcept nogil
    int route                    # where it went: a child's position, ROUTE_ALL or ROUTE_NONE
    int waiting                  # children not yet answered
    bint visited
    bint foreign                 # nodes made what it works on: it is not as the caller sent it any more
    message_t *message           # what the node works on; its answer once it is done
    message_t *twin              # the same in another encoding, kept while several need it
    message_t *logged            # what a combiner was reached by, kept to be logged when it is called
    call_t call
    bint calling
    double called                # when its call began, by `meter_now`
    double spent                 # seconds in its calls so far, where somebody counts
    int last                     # the child that answered last; 0: none
    timer_t timer                # of `patience`: armed while a call runs that its node has a time of its own for

ctypedef struct request_t:
    engine_t *engine
    program_t *program
    int walk                     # WALK_*
    int method                   # for WALK_CALL
    int encoding                 # of the client's message; the answer leaves in the same
    message_t *message           # the client's
    metadata_t *metadata
    tap_t *tap                   # where its payloads are logged; NULL: nowhere
    trail_t *trail               # what is written down of it; NULL: nothing
    name_t label                 # what its span begins with, borrowed from the front
    char *puid                   # behind the steps
    size_t puid_size
    double deadline              # 0: none
    double started
    timer_t timer
    const front_ops_t *front     # NULL: cancelled
    void *user                   # the front's own
    message_t *answer
    error_t *error
    int calls                    # in flight
    int holds                    # frames of this module that still look at the request
    bint over
    bint left                    # whoever asked: nobody is told of its end
    int *routes                  # feedback walk: the taken path, one per node
    step_t *steps                # one per node

ctypedef struct engine_t:
    reactor_t *reactor
    long in_flight
    long in_flight_max           # a bound; one more is refused at once
    chance_t chance
    engine_meter_t *meter        # NULL: nothing is counted
    tracer_t *tracer             # NULL: nothing is traced
