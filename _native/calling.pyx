"""Owns a request's life and its steps' calls: how it begins, fails and ends, what is called, and what of it is counted.

Must not know which step comes after which (`flow` and `feedback` do), a protocol (codecs do), nor how a node is reached
(endpoints do). The one clock it reads is that of `meters`, to count by.

A request is one block of memory with a step for each node, and its id behind them. An endpoint may complete a call
while it is being started; so after a call was started, nothing of the request is touched again.
"""

from libc.stdio cimport snprintf
from libc.stdlib cimport free
from libc.string cimport memcpy, strlen

from executor._native.codec cimport codec_of, codec_t, name_t
from executor._native.copies cimport COPY_CONTIGUOUS, COPY_TRANSCODED
from executor._native.endpoint cimport (
    call_t, endpoint_t, error_at, error_blame, error_free, error_new, error_of_failure, error_t, metadata_t,
    metadata_unref,
)
from executor._native.message cimport message_t, message_unref
from executor._native.meters cimport (
    REJECTED_DEADLINE, REJECTED_IN_FLIGHT, REJECTED_QUEUE, meter_add, meter_copied, meter_failed, meter_now, meter_t,
    node_meter_t,
)
from executor._native.patience cimport patience_begin, patience_end
from executor._native.pool cimport pool_give, pool_take_clear
from executor._native.program cimport program_ref, program_t, program_unref
from executor._native.routing cimport with_routing
from executor._native.stats cimport histogram_add
from executor._native.tap cimport TAP_REQUEST, tap_skips
from executor._native.trail cimport ending_t, trail_call, trail_called, trail_end, trail_free, trail_of
from executor._native.transport cimport timer_disarm, timer_t
from executor._native.types cimport (
    ENCODING_ANY, METHOD_AGGREGATE, METHOD_ROUTE, METHOD_SEND_FEEDBACK, ROUTE_ALL, STATUS_CANCELLED,
    STATUS_DEADLINE_EXCEEDED, STATUS_INTERNAL, STATUS_OK, STATUS_RESOURCE_EXHAUSTED, WALK_FEEDBACK, WALK_PREDICT,
    failure_clear, failure_t,
)

cdef enum:
    PATH_MAX = 64                # nodes of a path that are told


# --- a request's life ---------------------------------------------------------------------------

cdef request_t *request_new(
    engine_t *engine, program_t *program, int walk, int method, message_t *message, metadata_t *metadata,
    const char *puid, size_t puid_size, double deadline, const front_ops_t *front, void *user,
) noexcept nogil:
    cdef request_t *request = NULL
    if engine.in_flight >= engine.in_flight_max:
        count_rejected(engine, REJECTED_IN_FLIGHT)
    else:
        request = <request_t *>pool_take_clear(
            engine.reactor.pool, sizeof(request_t) + program.count * sizeof(step_t) + puid_size
        )
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
    request.trail = trail_of(engine.tracer, &request.metadata, program.count)
    request.tap = NULL if program.tap == NULL or tap_skips(request.metadata) else program.tap
    request.deadline = deadline
    request.front = front
    request.user = user
    request.steps = <step_t *>(<char *>request + sizeof(request_t))
    request.puid = <char *>(request.steps + program.count)
    request.puid_size = puid_size
    memcpy(request.puid, puid, puid_size)
    request.timer.fire = on_deadline
    request.timer.owner = request
    engine.in_flight += 1
    count_in_flight(engine)
    return request


cdef void on_deadline(timer_t *timer, double now) noexcept nogil:
    cdef request_t *request = <request_t *>timer.owner
    cdef char[80] text
    count_rejected(request.engine, REJECTED_DEADLINE)
    cdef error_t *error
    cdef int index
    snprintf(text, sizeof(text), b"deadline exceeded after %.3f s", now - request.started)
    error = error_new(STATUS_DEADLINE_EXCEEDED, text, strlen(text))
    for index in range(request.program.count):
        if request.steps[index].calling:     # of several, the first is as good as any
            error_blame(error, request.program.names[index].data, request.program.names[index].size)
            break
    fail(request, error)


cdef void fail(request_t *request, error_t *error) noexcept nogil:
    if request.over:
        error_free(error)
        return
    request.over = True
    request.holds += 1
    error_free(request.error)    # a feedback walk may have met one already
    request.error = error
    cancel_calls(request)
    conclude(request)
    leave(request)


cdef void conclude(request_t *request) noexcept nogil:
    if request.left:             # meanwhile, by Python that was told of a cancelled call
        return
    request.over = True
    if request.answer != NULL and request.front.refuse != NULL:
        request.error = request.front.refuse(request)
    if request.answer != NULL and request.error != NULL:
        message_unref(request.answer)
        request.answer = NULL
        write_trail(request, True)
    else:
        write_trail(request, False)
    request.front.finish(request)


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
            count_call(step, STATUS_CANCELLED, NULL, NULL)
            drop_call(step)
        index += 1


# Gives back what its call held.
cdef inline void drop_call(step_t *step) noexcept nogil:
    cdef call_t *call = &step.call
    message_unref(call.message)
    call.message = NULL
    if call.metadata != step.request.metadata:
        metadata_unref(call.metadata)
        call.metadata = NULL


cdef void leave(request_t *request) noexcept nogil:
    cdef program_t *program = request.program
    cdef int index
    request.holds -= 1
    if request.holds > 0 or not request.over:
        return
    timer_disarm(request.engine.reactor, &request.timer)
    for index in range(program.count):
        drop_message(&request.steps[index])
        message_unref(request.steps[index].logged)
    message_unref(request.message)
    message_unref(request.answer)
    metadata_unref(request.metadata)
    error_free(request.error)
    free(request.routes)
    trail_free(request.trail)
    request.engine.in_flight -= 1
    count_in_flight(request.engine)
    pool_give(request.engine.reactor.pool, request)
    program_unref(program)


# --- calls --------------------------------------------------------------------------------------

cdef inline const name_t *name_of(step_t *step) noexcept nogil:
    return &step.request.program.names[step.index]


cdef void fail_at(step_t *step, int status, const char *text) noexcept nogil:
    fail(step.request, error_at(status, name_of(step).data, name_of(step).size, text))


cdef void fail_with(step_t *step, const failure_t *failure) noexcept nogil:
    fail(step.request, error_of_failure(failure, name_of(step).data, name_of(step).size))


# Whose fault it is that a message is not what it must be: the caller's, or that of the nodes that made it.
cdef inline void blame(const step_t *step, failure_t *failure) noexcept nogil:
    if step.foreign and failure.status != STATUS_RESOURCE_EXHAUSTED:
        failure.status = STATUS_INTERNAL


cdef message_t *in_encoding(step_t *step, message_t *message, int encoding) noexcept nogil:
    cdef failure_t failure
    message = transcoded(step, message, encoding, &failure)
    if message == NULL:
        fail_with(step, &failure)
    return message


cdef message_t *transcoded(step_t *step, message_t *message, int encoding, failure_t *failure) noexcept nogil:
    cdef const codec_t *codec
    cdef message_t *other
    cdef int spans = message.count
    if encoding == ENCODING_ANY or message.encoding == encoding:
        return message
    failure_clear(failure)
    codec = codec_of(message.encoding)
    other = codec.transcode(message, encoding, failure)
    flattened(step, message, spans)
    if other == NULL:
        blame(step, failure)
    else:
        copied(step, COPY_TRANSCODED, other.size)
    message_unref(message)
    return other


cdef void copied(step_t *step, int reason, size_t size) noexcept nogil:
    meter_copied(step.request.program.nodes[step.index].meter, reason, size)


cdef void flattened(step_t *step, const message_t *message, int spans) noexcept nogil:
    if spans > 1 and message.count == 1:
        copied(step, COPY_CONTIGUOUS, message.size)


cdef void start_call(step_t *step, after_t after, int method, message_t *message) noexcept nogil:
    cdef request_t *request = step.request
    cdef endpoint_t *endpoint = request.program.nodes[step.index].endpoint
    cdef call_t *call = &step.call
    message = in_encoding(step, message, endpoint.encoding)
    if message == NULL:
        return
    if method != METHOD_ROUTE and method != METHOD_SEND_FEEDBACK:
        # Of those that are aggregated what reached the node, not the children's answers.
        if not tapped(step, TAP_REQUEST, step.logged if method == METHOD_AGGREGATE else message):
            message_unref(message)
            return
    step.after = after
    call.method = method
    call.message = message
    call.metadata = request.metadata
    call.meter = request.program.nodes[step.index].meter
    call.timed = False
    if request.trail != NULL:
        call.timed = request.trail.timed
        call.metadata = trail_call(request.trail, step.index, request.metadata)
    call.deadline = request.deadline
    call.node = name_of(step).data
    call.node_size = name_of(step).size
    call.puid = request.puid
    call.puid_size = request.puid_size
    call.owner = step
    call.complete = on_complete
    call.token = NULL
    call.waited = 0
    call.retries = 0
    call.turned_away = False
    call.told_whole = 0
    call.told_code = 0
    if endpoint.timeout > 0:
        patience_begin(step, endpoint.timeout)
    step.calling = True
    request.calls += 1
    count_start(step)
    endpoint.ops.start(endpoint, call)


cdef void on_complete(call_t *call, message_t *answer, error_t *error) noexcept nogil:
    cdef step_t *step = <step_t *>call.owner
    cdef request_t *request = step.request
    step.calling = False
    request.calls -= 1
    if step.timer.due > 0:
        patience_end(step)
    count_call(step, STATUS_OK if error == NULL else error.status, answer, error)
    if error != NULL:
        error_blame(error, name_of(step).data, name_of(step).size)
    drop_call(step)
    request.holds += 1
    if not request.over:
        step.after(step, answer, error)
    else:                        # cancelled by what was told of this call's end
        message_unref(answer)
        error_free(error)
    leave(request)


# --- what is counted ----------------------------------------------------------------------------

cdef inline void count_in_flight(engine_t *engine) noexcept nogil:
    if engine.meter != NULL:
        engine.meter.in_flight[0] = <double>engine.in_flight


cdef inline void count_rejected(engine_t *engine, int reason) noexcept nogil:
    if engine.meter != NULL:
        engine.meter.rejected[reason][0] += 1


cdef inline void count_start(step_t *step) noexcept nogil:
    cdef node_meter_t *meter = step.request.program.nodes[step.index].meter
    if meter != NULL:
        meter.in_flight[0] += 1
        meter.sent[0] += <double>step.call.message.size
    if meter != NULL or step.request.trail != NULL:
        step.called = meter_now()


# A call is over.
cdef void count_call(step_t *step, int status, const message_t *answer, const error_t *error) noexcept nogil:
    cdef node_meter_t *meter = step.request.program.nodes[step.index].meter
    cdef call_t *call = &step.call
    cdef meter_t *calls
    cdef double now
    if meter == NULL and step.request.trail == NULL:
        return
    now = meter_now()
    step.spent += now - step.called
    if step.request.trail != NULL:
        if status != STATUS_OK and not step.request.trail.blamed:
            step.request.trail.blamed = True     # calls that are cancelled for it come later
            point_at(step)
        trail_called(step.request.trail, step.request.program, step.index, call, status, error, step.called, now)
    if meter == NULL:
        return
    calls = meter.methods[call.method]
    meter.in_flight[0] -= 1
    meter.retries[0] += call.retries
    histogram_add(meter.queued, call.waited)
    if answer != NULL:
        meter.received[0] += <double>answer.size
    if call.turned_away:
        count_rejected(step.request.engine, REJECTED_QUEUE)
    if calls == NULL:
        return
    if calls.http and error != NULL:
        meter_failed(calls, error.exception, now - step.called, now)
    else:
        meter_add(calls, status, now - step.called, now)


# --- what is written down -----------------------------------------------------------------------

# A request that failed waited for this node.
cdef void point_at(step_t *step) noexcept nogil:
    cdef request_t *request = step.request
    cdef int index = step.index
    cdef int parent = request.program.nodes[index].parent
    while parent >= 0:
        request.steps[parent].last = index
        index = parent
        parent = request.program.nodes[index].parent


# The nodes that it waited for, from the root on: of a node's children the one that answered last.
cdef void count_critical(request_t *request) noexcept nogil:
    cdef node_meter_t *meter
    cdef int index = 0
    while True:
        meter = request.program.nodes[index].meter
        if meter != NULL:
            meter.critical[0] += request.steps[index].spent
        index = request.steps[index].last
        if index == 0:
            return


cdef void close_trail(request_t *request) noexcept nogil:
    write_trail(request, False)


cdef void write_trail(request_t *request, bint untold) noexcept nogil:
    cdef int[PATH_MAX] path
    cdef ending_t ending
    cdef int length = 0
    cdef int index = 0
    if request.trail == NULL:
        return
    while length < PATH_MAX:
        path[length] = index
        length += 1
        index = request.steps[index].last
        if index == 0:
            break
    ending.untold = untold
    ending.error = request.error
    ending.status = STATUS_CANCELLED
    if request.error != NULL:
        ending.status = request.error.status
    elif request.answer != NULL:
        ending.status = STATUS_OK
    ending.http = 0
    if request.front.code != NULL and request.trail.tracer != NULL:
        ending.http = request.front.code(request)
    ending.puid = request.puid
    ending.puid_size = request.puid_size
    ending.metadata = request.metadata
    ending.label = request.label
    trail_end(request.trail, request.program, &ending, path, length)


# --- steps --------------------------------------------------------------------------------------

cdef step_t *step_begin(request_t *request, int index, message_t *message) noexcept nogil:
    cdef step_t *step = &request.steps[index]
    cdef int parent = request.program.nodes[index].parent
    step.request = request
    step.index = index
    step.route = ROUTE_ALL
    step.visited = True
    step.foreign = parent >= 0 and request.steps[parent].foreign
    step.message = message
    return step


cdef void drop_message(step_t *step) noexcept nogil:
    message_unref(step.message)
    message_unref(step.twin)
    step.message = NULL
    step.twin = NULL


cdef void finish(step_t *root) noexcept nogil:
    cdef request_t *request = root.request
    cdef message_t *answer = take_message(root)
    cdef message_t *plain = answer
    cdef int spans = answer.count
    cdef size_t size = answer.size
    cdef failure_t failure
    if request.walk == WALK_PREDICT:
        failure_clear(&failure)
        answer = with_routing(request, answer, &failure)
        if answer == NULL:
            blame(root, &failure)
            fail_with(root, &failure)
            return
        if spans > 1 and answer != plain:      # whoever looks for meta needs it in one piece
            copied(root, COPY_CONTIGUOUS, size)
    answer = in_encoding(root, answer, request.encoding)
    if answer == NULL:
        return
    request.answer = answer
    if request.walk != WALK_FEEDBACK:
        count_critical(request)
    conclude(request)
