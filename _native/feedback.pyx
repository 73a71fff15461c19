"""Owns the feedback walk: which nodes are told of a reward, and in what order.

Must not know how a node is called (`calling` does), a protocol (codecs do), nor a clock.

Children on the path that the request took come first, all at once; then the node itself. An error stops nobody.
"""

from libc.stdio cimport snprintf
from libc.stdlib cimport malloc

from executor._native.calling cimport fail, fail_at, finish, leave, start_call, step_begin
from executor._native.codec cimport codec_of, codec_t, taken_puid_t
from executor._native.endpoint cimport error_at, error_free, error_new, error_of_failure, error_t
from executor._native.message cimport message_add_copy, message_new, message_ref, message_t, message_unref
from executor._native.program cimport node_t, program_t
from executor._native.request cimport request_t, step_t
from executor._native.types cimport (
    FORM_MESSAGE, METHOD_SEND_FEEDBACK, ROUTE_ALL, ROUTE_NONE, STATUS_INVALID_ARGUMENT, STATUS_RESOURCE_EXHAUSTED,
    failure_clear, failure_t,
)
from executor._native.weights cimport weights_find


cdef void feedback_start(request_t *request, message_t *message) noexcept nogil:
    if read_taken_path(request, message):
        feedback_enter(request, 0, message)
    else:
        message_unref(message)


# Which way did the request go that this feedback is about? False after it failed the request.
cdef bint read_taken_path(request_t *request, message_t *feedback) noexcept nogil:
    cdef program_t *program = request.program
    cdef taken_puid_t puid
    cdef failure_t failure
    cdef char[160] text
    cdef int index, route
    failure_clear(&failure)
    request.routes = <int *>malloc(program.count * sizeof(int))
    if request.routes == NULL:
        fail(request, error_new(STATUS_RESOURCE_EXHAUSTED, b"out of memory", 13))
        return False
    if codec_of(request.encoding).feedback_routes(
        feedback, program.names, program.count, request.routes, &puid, &failure
    ) < 0:
        fail(request, error_of_failure(&failure, NULL, 0))
        return False
    for index in range(program.count):
        route = request.routes[index]
        if program.nodes[index].table != NULL:
            route = weights_find(program.nodes[index].table, route, puid.text, puid.size)
            request.routes[index] = route
        if program.nodes[index].child_count > 0 and (route < ROUTE_NONE or route >= program.nodes[index].child_count):
            snprintf(
                text, sizeof(text),
                b"response.meta.routing is %d; allowed are -2 (no child), -1 (all children) and 0 to %d",
                route, program.nodes[index].child_count - 1,
            )
            fail(request, error_at(STATUS_INVALID_ARGUMENT, program.names[index].data, program.names[index].size, text))
            return False
    return True


# Children on the taken path first, all at once; an error among them stops nobody, or rewards would be lost.
cdef void feedback_enter(request_t *request, int index, message_t *message) noexcept nogil:
    cdef step_t *step = step_begin(request, index, message)
    cdef node_t *node = &request.program.nodes[index]
    cdef int slot
    step.route = request.routes[index]
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
    if step.request.program.nodes[step.index].takes_feedback:
        start_call(step, feedback_called, METHOD_SEND_FEEDBACK, message_ref(step.message))
    else:
        feedback_called(step, NULL, NULL)


# A node has taken its feedback (or has no use for it); takes over `answer` and `error`.
cdef void feedback_called(step_t *step, message_t *answer, error_t *error) noexcept nogil:
    cdef request_t *request = step.request
    cdef int parent = request.program.nodes[step.index].parent
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
