"""Owns running a plan for one request: start, reply, route, join, cancel, deadline, finish.

Must not know a protocol (codecs do), how a node is reached (endpoints do), nor read a clock (transport does).

A request is one block of memory with a step for each node. A step moves through the stages

    INPUT -> ROUTE -> CHILDREN -> AGGREGATE -> OUTPUT -> DONE

and skips those its node does not have; each of them makes at most one call. When a step is DONE its `message` is its
answer, and the parent's step is told. The feedback walk knows CHILDREN -> FEEDBACK -> DONE. An endpoint may complete a
call while it is being started; so after a call was started, nothing of the request is touched again, and whoever loops
over children takes a hold on the request first.
"""

from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, strlen

from executor._native.chance cimport chance_next, chance_seed
from executor._native.codec cimport codec_of, codec_t, name_t
from executor._native.endpoint cimport (
    call_t, endpoint_t, error_at, error_free, error_new, error_of_failure, error_t, metadata_t, metadata_unref,
)
from executor._native.message cimport message_add_copy, message_flat, message_new, message_ref, message_t, message_unref
from executor._native.patience cimport patience_begin, patience_end
from executor._native.program cimport node_t, program_ref, program_t, program_unref
from executor._native.routing cimport is_callers, read_taken_path, with_routing
from executor._native.tap cimport TAP_FEEDBACK, TAP_REQUEST, TAP_RESPONSE, tap_add, tap_skips
from executor._native.transport cimport Reactor, timer_arm, timer_disarm, timer_t
from executor._native.types cimport (
    ENCODING_ANY, FORM_MESSAGE, METHOD_AGGREGATE, METHOD_ROUTE, METHOD_SEND_FEEDBACK, METHOD_TRANSFORM_OUTPUT,
    ROUTE_ALL, ROUTE_NONE, STATUS_DEADLINE_EXCEEDED, STATUS_INTERNAL, STATUS_RESOURCE_EXHAUSTED, WALK_CALL,
    WALK_FEEDBACK, WALK_PREDICT, failure_clear, failure_t,
)
from executor._native.weights cimport weights_pick

cdef enum:
    STAGE_IDLE = 0
    STAGE_INPUT
    STAGE_ROUTE
    STAGE_CHILDREN
    STAGE_AGGREGATE
    STAGE_OUTPUT
    STAGE_FEEDBACK
    STAGE_DIRECT
    STAGE_DONE

cdef enum:
    LIST_ON_STACK = 32


# --- a request's life ---------------------------------------------------------------------------

cdef request_t *flow_new(
    engine_t *engine, program_t *program, int walk, int method, message_t *message, metadata_t *metadata,
    const char *puid, size_t puid_size, double deadline, const front_ops_t *front, void *user,
) noexcept nogil:
    cdef request_t *request = NULL
    if engine.in_flight < engine.in_flight_max:
        request = <request_t *>calloc(1, sizeof(request_t) + program.count * sizeof(step_t))
    if request == NULL:
        message_unref(message)
        metadata_unref(metadata)
        return NULL
    request.engine = engine
    request.program = program_ref(program)
    request.walk = walk
    request.method = method
    request.encoding = message.encoding
    request.message = message
    request.metadata = metadata
    request.tap = NULL if program.tap == NULL or tap_skips(metadata) else program.tap
    request.puid_size = min(puid_size, sizeof(request.puid))
    memcpy(request.puid, puid, request.puid_size)
    request.deadline = deadline
    request.front = front
    request.user = user
    request.steps = <step_t *>(<char *>request + sizeof(request_t))
    request.timer.fire = on_deadline
    request.timer.owner = request
    engine.in_flight += 1
    return request


cdef void flow_start(request_t *request) noexcept nogil:
    # Handed on, not shared: a component that holds the only reference may work on the bytes in place.
    cdef message_t *message = request.message
    cdef error_t *error
    request.message = NULL
    request.started = request.engine.reactor.now
    request.holds += 1
    if request.deadline > 0:
        timer_arm(request.engine.reactor, &request.timer, request.deadline)
    if request.walk == WALK_CALL:
        start_call(step_begin(request, 0, NULL), STAGE_DIRECT, request.method, message)
    elif request.walk == WALK_FEEDBACK:
        error = read_taken_path(request, message)
        if error == NULL:
            feedback_enter(request, 0, message)
        else:
            message_unref(message)
            fail(request, error)
    else:
        enter(request, 0, message)
    leave(request)


cdef void flow_cancel(request_t *request) noexcept nogil:
    request.over = True
    request.holds += 1
    cancel_calls(request)
    leave(request)


cdef void on_deadline(timer_t *timer, double now) noexcept nogil:
    cdef request_t *request = <request_t *>timer.owner
    cdef char[80] text
    snprintf(text, sizeof(text), b"deadline exceeded after %.3f s", now - request.started)
    fail(request, error_new(STATUS_DEADLINE_EXCEEDED, text, strlen(text)))


# Ends the request with an error: the first one counts. Calls still in flight are cancelled.
cdef void fail(request_t *request, error_t *error) noexcept nogil:
    if request.over:
        error_free(error)
        return
    request.over = True
    request.holds += 1
    error_free(request.error)    # a feedback walk may have met one already
    request.error = error
    cancel_calls(request)
    request.front.finish(request)
    leave(request)


cdef void cancel_calls(request_t *request) noexcept nogil:
    cdef step_t *step
    cdef endpoint_t *endpoint
    cdef int index = 0
    while request.calls > 0 and index < request.program.count:
        step = &request.steps[index]
        if step.calling:
            step.calling = False
            request.calls -= 1
            if step.timer.due > 0:
                patience_end(step)
            endpoint = request.program.nodes[index].endpoint
            endpoint.ops.cancel(endpoint, &step.call)
            message_unref(step.call.message)
            step.call.message = NULL
        index += 1


# Gives a hold back; the last one frees a request that is over.
cdef void leave(request_t *request) noexcept nogil:
    cdef int index
    request.holds -= 1
    if request.holds > 0 or not request.over:
        return
    timer_disarm(request.engine.reactor, &request.timer)
    for index in range(request.program.count):
        drop_message(&request.steps[index])
        message_unref(request.steps[index].logged)
    message_unref(request.message)
    message_unref(request.answer)
    metadata_unref(request.metadata)
    error_free(request.error)
    free(request.routes)
    request.engine.in_flight -= 1
    program_unref(request.program)
    free(request)


# --- calls --------------------------------------------------------------------------------------

cdef inline const name_t *name_of(step_t *step) noexcept nogil:
    return &step.request.program.names[step.index]


cdef void fail_at(step_t *step, int status, const char *text) noexcept nogil:
    fail(step.request, error_at(status, name_of(step).data, name_of(step).size, text))


cdef void fail_with(step_t *step, const failure_t *failure) noexcept nogil:
    fail(step.request, error_of_failure(failure, name_of(step).data, name_of(step).size))


# A payload that is logged where its node asks for it. Every call of a node passes here: one flag when nothing is.
cdef inline void tapped(step_t *step, int kind, const message_t *message) noexcept nogil:
    cdef request_t *request = step.request
    if request.program.nodes[step.index].taps & kind and request.tap != NULL:
        tap_add(request.tap, step.index, kind, message, request.puid, request.puid_size)


# The same message in `encoding`; takes over the reference. NULL after it failed the request.
cdef message_t *in_encoding(step_t *step, message_t *message, int encoding) noexcept nogil:
    cdef const codec_t *codec
    cdef message_t *other
    cdef failure_t failure
    if encoding == ENCODING_ANY or message.encoding == encoding:
        return message
    failure_clear(&failure)
    codec = codec_of(message.encoding)
    other = codec.transcode(message, encoding, &failure)
    if other == NULL:
        if message.encoding != step.request.encoding or not is_callers(step):
            failure.status = STATUS_INTERNAL     # a node wrote it, not the caller
        fail_with(step, &failure)
    message_unref(message)
    return other


# Calls the step's node; takes over `message`. Nothing of the request may be touched after it.
cdef void start_call(step_t *step, int stage, int method, message_t *message) noexcept nogil:
    cdef request_t *request = step.request
    cdef endpoint_t *endpoint = request.program.nodes[step.index].endpoint
    cdef call_t *call = &step.call
    message = in_encoding(step, message, endpoint.encoding)
    if message == NULL:
        return
    if stage == STAGE_AGGREGATE:
        tapped(step, TAP_REQUEST, step.logged)     # not the children's answers
    elif stage == STAGE_INPUT or stage == STAGE_OUTPUT:
        tapped(step, TAP_REQUEST, message)
    step.stage = stage
    call.method = method
    call.message = message
    call.metadata = request.metadata
    call.deadline = request.deadline
    call.node = name_of(step).data
    call.node_size = name_of(step).size
    call.puid = request.puid
    call.puid_size = request.puid_size
    call.owner = step
    call.complete = on_complete
    call.token = NULL
    if endpoint.timeout > 0:
        patience_begin(step, endpoint.timeout)
    step.calling = True
    request.calls += 1
    endpoint.ops.start(endpoint, call)


cdef void on_complete(call_t *call, message_t *answer, error_t *error) noexcept nogil:
    cdef step_t *step = <step_t *>call.owner
    cdef request_t *request = step.request
    cdef int stage = step.stage
    step.calling = False
    request.calls -= 1
    if step.timer.due > 0:
        patience_end(step)
    message_unref(call.message)
    call.message = NULL
    request.holds += 1
    if stage == STAGE_FEEDBACK:
        feedback_called(step, answer, error)
    elif error != NULL:
        fail(request, error)
    elif stage == STAGE_ROUTE:
        routed(step, answer)
    else:
        message_unref(step.message)
        step.message = answer
        tapped(step, TAP_RESPONSE, answer)
        if stage == STAGE_INPUT:
            choose(step)
        elif stage == STAGE_AGGREGATE:
            answered(step)
        else:
            done(step)
    leave(request)


# --- the predict walk ---------------------------------------------------------------------------

cdef step_t *step_begin(request_t *request, int index, message_t *message) noexcept nogil:
    cdef step_t *step = &request.steps[index]
    step.request = request
    step.index = index
    step.route = ROUTE_ALL
    step.visited = True
    step.message = message
    return step


cdef inline message_t *take_message(step_t *step) noexcept nogil:
    cdef message_t *message = step.message
    step.message = NULL
    return message


# A message reaches a node; takes it over.
cdef void enter(request_t *request, int index, message_t *message) noexcept nogil:
    cdef node_t *node = &request.program.nodes[index]
    if node.input >= 0:
        start_call(step_begin(request, index, NULL), STAGE_INPUT, node.input, message)
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
    tapped(step, TAP_REQUEST, step.message)
    if node.taps & TAP_REQUEST and node.aggregates and step.request.tap != NULL:
        step.logged = message_ref(step.message)
    if node.asks_route:
        message = message_for(step, node.endpoint.encoding)
        if message != NULL:
            start_call(step, STAGE_ROUTE, METHOD_ROUTE, message)
    elif node.table != NULL:
        descend(step, weights_pick(node.table, &step.request.engine.chance, step.request.puid, step.request.puid_size))
    elif node.weights != NULL:
        point = chance_next(&step.request.engine.chance) * node.weights[node.child_count - 1]
        while slot < node.child_count - 1 and point >= node.weights[slot]:
            slot += 1
        descend(step, slot)
    else:
        descend(step, ROUTE_ALL)


# The router has answered; takes the answer over.
cdef void routed(step_t *step, message_t *answer) noexcept nogil:
    cdef node_t *node = &step.request.program.nodes[step.index]
    cdef failure_t failure
    cdef char[160] text
    cdef long long route = ROUTE_ALL
    cdef int result
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
    step.stage = STAGE_CHILDREN
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
    cdef int slot
    step.waiting = node.child_count
    request.holds += 1
    for slot in range(node.child_count):
        message = message_for(step, entry_encoding(request.program, node.children[slot]))
        # Several threads may look at it from here on, and none may find it being made flat.
        if message == NULL or message_flat(message) == NULL:
            message_unref(message)
            fail_at(step, STATUS_RESOURCE_EXHAUSTED, b"out of memory")
        else:
            enter(request, node.children[slot], message)
        if request.over:
            break
    drop_message(step)
    leave(request)


# A reference on the step's message in `encoding`; transcoded once, however many ask. NULL after it failed the request.
cdef message_t *message_for(step_t *step, int encoding) noexcept nogil:
    if encoding == ENCODING_ANY or step.message.encoding == encoding:
        return message_ref(step.message)
    if step.twin == NULL or step.twin.encoding != encoding:
        message_unref(step.twin)
        step.twin = in_encoding(step, message_ref(step.message), encoding)
    return message_ref(step.twin) if step.twin != NULL else NULL


cdef void drop_message(step_t *step) noexcept nogil:
    message_unref(step.message)
    message_unref(step.twin)
    step.message = NULL
    step.twin = NULL


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
    step.waiting -= 1
    if step.waiting > 0:
        return
    if node.aggregates:
        aggregate(step)
        return
    message_unref(step.message)
    step.message = take_message(&request.steps[node.children[max(step.route, 0)]])
    answered(step)


cdef void aggregate(step_t *step) noexcept nogil:
    cdef request_t *request = step.request
    cdef node_t *node = &request.program.nodes[step.index]
    cdef message_t *few[LIST_ON_STACK]
    cdef message_t **items = few
    cdef message_t *whole
    cdef failure_t failure
    cdef int count = node.child_count if step.route == ROUTE_ALL else 1
    cdef int first = max(step.route, 0)
    cdef int encoding = node.endpoint.encoding
    cdef int slot
    if encoding == ENCODING_ANY:
        encoding = request.encoding
    if count > LIST_ON_STACK:
        items = <message_t **>malloc(count * sizeof(message_t *))
        if items == NULL:
            fail_at(step, STATUS_RESOURCE_EXHAUSTED, b"out of memory")
            return
    for slot in range(count):
        items[slot] = in_encoding(step, take_message(&request.steps[node.children[first + slot]]), encoding)
        if items[slot] == NULL:
            count = slot
            break
    if not request.over:
        failure_clear(&failure)
        whole = codec_of(encoding).make_list(items, count, &failure)
        if whole == NULL:
            failure.status = failure.status if failure.status == STATUS_RESOURCE_EXHAUSTED else STATUS_INTERNAL
            fail_with(step, &failure)     # what children answered is no fault of the caller
        else:
            start_call(step, STAGE_AGGREGATE, METHOD_AGGREGATE, whole)
    for slot in range(count):
        message_unref(items[slot])
    if items != few:
        free(items)


# The step's message is what its children came to.
cdef void answered(step_t *step) noexcept nogil:
    tapped(step, TAP_RESPONSE, step.message)
    after_children(step)


cdef void after_children(step_t *step) noexcept nogil:
    if step.request.program.nodes[step.index].output:
        start_call(step, STAGE_OUTPUT, METHOD_TRANSFORM_OUTPUT, take_message(step))
    else:
        done(step)


# The step's message is the node's answer.
cdef void done(step_t *step) noexcept nogil:
    cdef request_t *request = step.request
    cdef int parent = request.program.nodes[step.index].parent
    step.stage = STAGE_DONE
    if parent < 0:
        finish(step)
    else:
        child_done(&request.steps[parent])


cdef void finish(step_t *root) noexcept nogil:
    cdef request_t *request = root.request
    cdef message_t *answer = take_message(root)
    cdef failure_t failure
    if request.walk == WALK_PREDICT:
        failure_clear(&failure)
        answer = with_routing(request, answer, &failure)
        if answer == NULL:
            failure.status = STATUS_INTERNAL     # a node's answer is at fault, not the caller
            fail_with(root, &failure)
            return
    answer = in_encoding(root, answer, request.encoding)
    if answer == NULL:
        return
    request.over = True
    request.answer = answer
    request.front.finish(request)


# --- the feedback walk --------------------------------------------------------------------------

# Children on the taken path first, all at once; an error among them stops nobody, or rewards would be lost.
cdef void feedback_enter(request_t *request, int index, message_t *message) noexcept nogil:
    cdef step_t *step = step_begin(request, index, message)
    cdef node_t *node = &request.program.nodes[index]
    cdef int slot
    step.route = request.routes[index]
    step.stage = STAGE_CHILDREN
    if node.child_count == 0 or step.route == ROUTE_NONE:
        feedback_own(step)
        return
    request.holds += 1
    step.waiting = node.child_count if step.route == ROUTE_ALL else 1
    for slot in range(node.child_count):
        if request.over:
            break
        if step.route == ROUTE_ALL or step.route == slot:
            feedback_enter(request, node.children[slot], message_ref(message))
    leave(request)


cdef void feedback_own(step_t *step) noexcept nogil:
    tapped(step, TAP_FEEDBACK, step.message)
    if step.request.program.nodes[step.index].takes_feedback:
        start_call(step, STAGE_FEEDBACK, METHOD_SEND_FEEDBACK, message_ref(step.message))
    else:
        feedback_called(step, NULL, NULL)


# A node has taken its feedback (or has no use for it); takes over `answer` and `error`.
cdef void feedback_called(step_t *step, message_t *answer, error_t *error) noexcept nogil:
    cdef request_t *request = step.request
    cdef int parent = request.program.nodes[step.index].parent
    step.stage = STAGE_DONE
    if error != NULL and request.error == NULL:
        request.error = error
    else:
        error_free(error)
    if parent >= 0:
        message_unref(answer)
        step = &request.steps[parent]
        step.waiting -= 1
        if step.waiting == 0:
            feedback_own(step)
        return
    if request.error == NULL:
        # A root without feedback answers an empty message.
        message_unref(step.message)
        step.message = answer if answer != NULL else empty_message(request.encoding)
        if step.message == NULL:
            fail_at(step, STATUS_RESOURCE_EXHAUSTED, b"out of memory")
        else:
            finish(step)
        return
    message_unref(answer)
    request.over = True
    request.front.finish(request)


cdef message_t *empty_message(int encoding) noexcept nogil:
    cdef const codec_t *codec = codec_of(encoding)
    cdef message_t *message = message_new(encoding, FORM_MESSAGE)
    if message != NULL and codec.empty_size > 0 and message_add_copy(message, codec.empty, codec.empty_size) < 0:
        message_unref(message)
        return NULL
    return message


cdef class Engine:
    """Runs requests on one reactor. `in_flight_max` bounds the requests that run at once."""

    def __cinit__(self, Reactor reactor, long in_flight_max=100_000):
        self.reactor = reactor
        self.raw.reactor = &reactor.raw
        self.raw.in_flight = 0
        self.raw.in_flight_max = in_flight_max
        if chance_seed(&self.raw.chance) < 0:
            raise OSError("no randomness from the kernel")

    @property
    def in_flight(self):
        """Number of requests that run now."""
        return self.raw.in_flight
