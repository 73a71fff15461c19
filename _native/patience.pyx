"""Owns how long a node may take for one call, where that is less than the request has left.

Must not know what a late call means for the request: `flow` is told as by the endpoint itself.
"""

from libc.stdio cimport snprintf

from executor._native.endpoint cimport endpoint_t, error_at
from executor._native.request cimport step_t
from executor._native.transport cimport reactor_t, timer_arm, timer_disarm, timer_t
from executor._native.types cimport STATUS_DEADLINE_EXCEEDED


cdef void patience_begin(step_t *step, double timeout) noexcept nogil:
    cdef reactor_t *reactor = step.request.engine.reactor
    cdef double due = reactor.now + timeout
    if step.call.deadline > 0 and step.call.deadline <= due:
        return
    step.call.deadline = due
    step.timer.fire = on_late
    step.timer.owner = step
    timer_arm(reactor, &step.timer, due)


cdef void patience_end(step_t *step) noexcept nogil:
    timer_disarm(step.request.engine.reactor, &step.timer)


cdef void on_late(timer_t *timer, double now) noexcept nogil:
    cdef step_t *step = <step_t *>timer.owner
    cdef endpoint_t *endpoint = step.request.program.nodes[step.index].endpoint
    cdef char[64] text
    snprintf(text, sizeof(text), b"no answer within %g ms", endpoint.timeout * 1e3)
    # Python is told, and may cancel the request: it stays, and this call is left alone.
    step.request.holds += 1
    step.calling = False
    endpoint.ops.cancel(endpoint, &step.call)
    step.request.holds -= 1
    step.call.complete(
        &step.call, NULL, error_at(STATUS_DEADLINE_EXCEEDED, step.call.node, step.call.node_size, text)
    )
