"""Owns the feedback walk: which nodes are told of a reward, and in what order.

Must not know how a node is called (`calling` does), a protocol (codecs do), nor a clock.

Children on the path that the request took come first, all at once; then the node itself. An error stops nobody.
"""

from executor._native.calling cimport conclude, fail, fail_at, finish, leave, start_call, step_begin, tapped, transcoded
from executor._native.codec cimport codec_of, name_t
from executor._native.endpoint cimport error_at, error_free, error_of_failure, error_t
from executor._native.message cimport message_new, message_ref, message_t, message_unref
from executor._native.program cimport node_t
from executor._native.request cimport request_t, step_t
from executor._native.routing cimport read_taken_path
from executor._native.tap cimport TAP_FEEDBACK
from executor._native.types cimport (
    FORM_MESSAGE, METHOD_SEND_FEEDBACK, ROUTE_ALL, ROUTE_NONE, STATUS_INTERNAL, STATUS_RESOURCE_EXHAUSTED, failure_t,
)


cdef void feedback_start(request_t *request, message_t *message) noexcept nogil:
    cdef error_t *error = read_taken_path(request, message)
    if error == NULL:
        feedback_enter(request, 0, message)
    else:
        message_unref(message)
        fail(request, error)


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
    cdef node_t *node = &step.request.program.nodes[step.index]
    cdef const name_t *name = &step.request.program.names[step.index]
    cdef message_t *message
    cdef failure_t failure
    if node.tap_fault != NULL and node.taps & TAP_FEEDBACK and step.request.tap != NULL:
        feedback_called(step, NULL, error_at(STATUS_INTERNAL, name.data, name.size, node.tap_fault))
        return
    tapped(step, TAP_FEEDBACK, step.message)
    if not node.takes_feedback:
        feedback_called(step, NULL, NULL)
        return
    # Not left to the call, which would end the request: other nodes may be able to read it.
    message = transcoded(step, message_ref(step.message), node.endpoint.encoding, &failure)
    if message == NULL:
        feedback_called(step, NULL, error_of_failure(&failure, name.data, name.size))
    else:
        start_call(step, feedback_called, METHOD_SEND_FEEDBACK, message)


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
        request.steps[parent].last = step.index
        step = &request.steps[parent]
        step.waiting -= 1
        if step.waiting == 0:
            feedback_own(step)
        return
    if request.error != NULL:
        message_unref(answer)
        conclude(request)
        return
    # A root without feedback answers what it was given, where that can be an answer, else an empty message if any.
    if answer != NULL or not codec_of(request.encoding).any_answer:
        if answer == NULL and request.program.owes_answer:
            fail_at(step, STATUS_INTERNAL, b"takes no feedback, and so has no answer to it; the nodes below were told")
            return
        message_unref(step.message)
        step.message = answer if answer != NULL else message_new(request.encoding, FORM_MESSAGE)
        step.foreign = True
    if step.message == NULL:
        fail_at(step, STATUS_RESOURCE_EXHAUSTED, b"out of memory")
    else:
        finish(step)
