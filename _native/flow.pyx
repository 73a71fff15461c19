"""Owns running a plan for one request: start, reply, route, join. The predict walk is here.

Must not know a protocol (codecs do), how a node is called (`calling` does) or reached (endpoints do), nor a clock.

A request is one block of memory with a step for each node. A step moves through the stages

    input -> route -> children -> aggregate -> output -> done

and skips those its node does not have; each of them makes at most one call, and names the function that goes on when
it has ended. When a step is done its `message` is its answer, and the parent's step is told. The feedback walk is in
`feedback`. An endpoint may complete a call while it is being started; so after a call was started, nothing of the
request is touched again, and whoever loops over children takes a hold on the request first.
"""

from libc.stdio cimport snprintf
from libc.stdlib cimport free, malloc

from executor._native.calling cimport (
    cancel_calls, close_trail, copied, drop_message, fail, fail_at, fail_with, finish, flattened, in_encoding, leave,
    request_new, start_call, step_begin, take_message, tapped,
)
from executor._native.chance cimport chance_next, chance_seed
from executor._native.codec cimport codec_of
from executor._native.copies cimport COPY_CONTIGUOUS
from executor._native.endpoint cimport error_t, metadata_t
from executor._native.feedback cimport feedback_start
from executor._native.message cimport message_flat, message_ref, message_t, message_unref
from executor._native.meters cimport EngineMeter
from executor._native.program cimport node_t, program_t
from executor._native.tap cimport TAP_REQUEST, TAP_RESPONSE
from executor._native.tracer cimport Tracer
from executor._native.transport cimport Reactor, timer_arm
from executor._native.types cimport (
    ENCODING_ANY, METHOD_AGGREGATE, METHOD_ROUTE, METHOD_TRANSFORM_OUTPUT, ROUTE_ALL, ROUTE_NONE, STATUS_INTERNAL,
    STATUS_RESOURCE_EXHAUSTED, WALK_CALL, WALK_FEEDBACK, failure_clear, failure_t,
)
from executor._native.weights cimport weights_pick

cdef enum:
    LIST_ON_STACK = 32


# --- a request's life ---------------------------------------------------------------------------

cdef request_t *flow_new(
    engine_t *engine, program_t *program, int walk, int method, message_t *message, metadata_t *metadata,
    const char *puid, size_t puid_size, double deadline, const front_ops_t *front, void *user,
) noexcept nogil:
    return request_new(
        engine, program, walk, method, message, metadata, puid, puid_size, deadline, front, user
    )


cdef void flow_start(request_t *request) noexcept nogil:
    # Handed on, not shared: a component that holds the only reference may work on the bytes in place.
    cdef message_t *message = request.message
    request.message = NULL
    request.started = request.engine.reactor.now
    request.holds += 1
    if request.deadline > 0:
        timer_arm(request.engine.reactor, &request.timer, request.deadline)
    if request.walk == WALK_CALL:
        start_call(step_begin(request, 0, NULL), after_output, request.method, message)
    elif request.walk == WALK_FEEDBACK:
        feedback_start(request, message)
    else:
        enter(request, 0, message)
    leave(request)


cdef void flow_cancel(request_t *request) noexcept nogil:
    request.over = True
    request.left = True          # an end that is just being told of waits for calls to be cancelled, too
    request.holds += 1
    cancel_calls(request)
    close_trail(request)
    leave(request)


# --- the predict walk ---------------------------------------------------------------------------

# A message reaches a node; takes it over.
cdef void enter(request_t *request, int index, message_t *message) noexcept nogil:
    cdef node_t *node = &request.program.nodes[index]
    if node.input >= 0:
        start_call(step_begin(request, index, NULL), after_input, node.input, message)
    else:
        choose(step_begin(request, index, message))


# The input step is over: which children?
cdef void choose(step_t *step) noexcept nogil:
    cdef node_t *node = &step.request.program.nodes[step.index]
    cdef message_t *message
    cdef double point
    cdef int slot = 0
    if node.child_count == 0:
        after_children(step)
        return
    if not tapped(step, TAP_REQUEST, step.message):
        return
    if node.taps & TAP_REQUEST and node.aggregates and step.request.tap != NULL:
        step.logged = message_ref(step.message)
    if node.asks_route:
        message = message_for(step, node.endpoint.encoding)
        if message != NULL:
            start_call(step, routed, METHOD_ROUTE, message)
    elif node.table != NULL:
        descend(step, weights_pick(node.table, &step.request.engine.chance, step.request.puid, step.request.puid_size))
    elif node.weights != NULL:
        point = chance_next(&step.request.engine.chance) * node.weights[node.child_count - 1]
        while slot < node.child_count - 1 and point >= node.weights[slot]:
            slot += 1
        descend(step, slot)
    else:
        descend(step, ROUTE_ALL)


cdef void routed(step_t *step, message_t *answer, error_t *error) noexcept nogil:
    cdef node_t *node = &step.request.program.nodes[step.index]
    cdef failure_t failure
    cdef char[160] text
    cdef long long route = ROUTE_ALL
    cdef int result
    if error != NULL:
        fail(step.request, error)
        return
    failure_clear(&failure)
    result = codec_of(answer.encoding).route(answer, &route, &failure)
    message_unref(answer)
    if result < 0:
        failure.status = STATUS_INTERNAL     # the router is at fault, not the caller
        fail_with(step, &failure)
    elif route < ROUTE_NONE or route >= node.child_count:
        snprintf(
            text, sizeof(text), b"route %lld does not exist; allowed are -2 (no child), -1 (all children) and 0 to %d",
            route, node.child_count - 1,
        )
        fail_at(step, STATUS_INTERNAL, text)
    else:
        descend(step, <int>route)


cdef void descend(step_t *step, int route) noexcept nogil:
    cdef request_t *request = step.request
    cdef node_t *node = &request.program.nodes[step.index]
    cdef message_t *message
    step.route = route
    if route == ROUTE_NONE:
        # The message that reached this node goes back; nothing is aggregated, the output step still runs.
        after_children(step)
    elif route == ROUTE_ALL and node.child_count > 1:
        fan_out(step)
    else:
        step.waiting = 1
        route = max(route, 0)
        message = message_for(step, entry_encoding(request.program, node.children[route]))
        drop_message(step)
        if message != NULL:
            enter(request, node.children[route], message)


# All children at once, on the same message.
cdef void fan_out(step_t *step) noexcept nogil:
    cdef request_t *request = step.request
    cdef node_t *node = &request.program.nodes[step.index]
    cdef message_t *message
    cdef int slot, spans
    step.waiting = node.child_count
    request.holds += 1
    for slot in range(node.child_count):
        message = message_for(step, entry_encoding(request.program, node.children[slot]))
        spans = message.count if message != NULL else 0
        # Children that make no call answer at once: with the last of them the step goes on, to a message of its own.
        if slot == node.child_count - 1:
            drop_message(step)
        # Several threads may look at it from here on, and none may find it being made flat.
        if message == NULL or message_flat(message) == NULL:
            message_unref(message)
            fail_at(step, STATUS_RESOURCE_EXHAUSTED, b"out of memory")
        else:
            flattened(step, message, spans)
            enter(request, node.children[slot], message)
        if request.over:
            break
    leave(request)


# A reference on the step's message in `encoding`; transcoded once, however many ask. NULL after it failed the request.
cdef message_t *message_for(step_t *step, int encoding) noexcept nogil:
    if encoding == ENCODING_ANY or step.message.encoding == encoding:
        return message_ref(step.message)
    if step.twin == NULL or step.twin.encoding != encoding:
        message_unref(step.twin)
        step.twin = in_encoding(step, message_ref(step.message), encoding)
    return message_ref(step.twin) if step.twin != NULL else NULL


# --- what goes on when a call has ended: each takes over `answer` and `error` -------------------

# Whether there is an answer, which is the step's message from now on.
cdef inline bint has_answer(step_t *step, message_t *answer, error_t *error) noexcept nogil:
    if error != NULL:
        fail(step.request, error)
        return False
    message_unref(step.message)
    step.message = answer
    step.foreign = True
    return tapped(step, TAP_RESPONSE, answer)


cdef void after_input(step_t *step, message_t *answer, error_t *error) noexcept nogil:
    if has_answer(step, answer, error):
        choose(step)


cdef void after_aggregate(step_t *step, message_t *answer, error_t *error) noexcept nogil:
    if has_answer(step, answer, error):
        answered(step)


cdef void after_output(step_t *step, message_t *answer, error_t *error) noexcept nogil:
    if has_answer(step, answer, error):
        done(step)


# --- children and answers -----------------------------------------------------------------------

# The encoding in which a node is first called; ENCODING_ANY when that depends on what is below it.
cdef int entry_encoding(const program_t *program, int index) noexcept nogil:
    cdef const node_t *node = &program.nodes[index]
    if node.endpoint != NULL and (node.input >= 0 or (node.asks_route and node.child_count > 0)):
        return node.endpoint.encoding
    return ENCODING_ANY


# A child has answered. When all have: aggregate, or take the first answer.
cdef void child_done(step_t *step) noexcept nogil:
    cdef request_t *request = step.request
    cdef node_t *node = &request.program.nodes[step.index]
    cdef step_t *child
    step.waiting -= 1
    if step.waiting > 0:
        return
    if node.aggregates:
        aggregate(step)
        return
    child = &request.steps[node.children[max(step.route, 0)]]
    message_unref(step.message)
    step.message = take_message(child)
    step.foreign = child.foreign
    answered(step)


# Bytes of those messages that are several pieces.
cdef inline size_t in_pieces(message_t **items, int count) noexcept nogil:
    cdef size_t size = 0
    cdef int index
    for index in range(count):
        if items[index].count > 1:
            size += items[index].size
    return size


cdef void aggregate(step_t *step) noexcept nogil:
    cdef request_t *request = step.request
    cdef node_t *node = &request.program.nodes[step.index]
    cdef message_t *few[LIST_ON_STACK]
    cdef message_t **items = few
    cdef message_t *whole
    cdef step_t *child
    cdef failure_t failure
    cdef int count = node.child_count if step.route == ROUTE_ALL else 1
    cdef int first = max(step.route, 0)
    cdef int encoding = node.endpoint.encoding
    cdef int slot
    cdef size_t pieces
    if encoding == ENCODING_ANY:
        encoding = request.encoding
    if count > LIST_ON_STACK:
        items = <message_t **>malloc(count * sizeof(message_t *))
        if items == NULL:
            fail_at(step, STATUS_RESOURCE_EXHAUSTED, b"out of memory")
            return
    for slot in range(count):
        child = &request.steps[node.children[first + slot]]
        step.foreign = child.foreign
        items[slot] = in_encoding(step, take_message(child), encoding)
        if items[slot] == NULL:
            count = slot
            break
    if not request.over:
        failure_clear(&failure)
        pieces = in_pieces(items, count)
        whole = codec_of(encoding).make_list(items, count, &failure)
        pieces -= in_pieces(items, count)
        if pieces > 0:
            copied(step, COPY_CONTIGUOUS, pieces)
        if whole == NULL:
            failure.status = failure.status if failure.status == STATUS_RESOURCE_EXHAUSTED else STATUS_INTERNAL
            fail_with(step, &failure)     # what children answered is no fault of the caller
        else:
            start_call(step, after_aggregate, METHOD_AGGREGATE, whole)
    for slot in range(count):
        message_unref(items[slot])
    if items != few:
        free(items)


# The step's message is what its children came to.
cdef void answered(step_t *step) noexcept nogil:
    if tapped(step, TAP_RESPONSE, step.message):
        after_children(step)


cdef void after_children(step_t *step) noexcept nogil:
    if step.request.program.nodes[step.index].output:
        start_call(step, after_output, METHOD_TRANSFORM_OUTPUT, take_message(step))
    else:
        done(step)


# The step's message is the node's answer.
cdef void done(step_t *step) noexcept nogil:
    cdef request_t *request = step.request
    cdef int parent = request.program.nodes[step.index].parent
    if parent < 0:
        finish(step)
    else:
        request.steps[parent].last = step.index
        child_done(&request.steps[parent])


cdef class Engine:
    """Runs requests on one reactor. `in_flight_max` bounds the requests that run at once."""

    def __cinit__(self, Reactor reactor, long in_flight_max=100_000):
        self.reactor = reactor
        self.raw.reactor = &reactor.raw
        self.raw.in_flight = 0
        self.raw.in_flight_max = in_flight_max
        if chance_seed(&self.raw.chance) < 0:
            raise OSError("no randomness from the kernel")

    def count(self, EngineMeter meter not None):
        """Counts requests in flight and those rejected in `meter` from now on."""
        self.meter = meter
        self.raw.meter = &meter.raw

    def trace(self, Tracer tracer not None):
        """Traces requests by what `tracer` decides from now on."""
        self.tracer = tracer
        self.raw.tracer = &tracer.raw

    @property
    def in_flight(self):
        """Number of requests that run now."""
        return self.raw.in_flight
