# Owns a request's life and its steps' calls: how it begins, fails and ends, what is called, and what of it is counted.
# Must not know which step comes after which: `flow` and `feedback` do. No part of it knows a protocol or an endpoint.

from executor._native.endpoint cimport error_t, metadata_t
from executor._native.message cimport message_t
from executor._native.program cimport node_t, program_t
from executor._native.request cimport engine_t, front_ops_t, request_t, step_t
from executor._native.tap cimport tap_add
from executor._native.types cimport STATUS_INTERNAL, failure_t

# What becomes of a call's end; takes over `answer` and `error`, of which one is NULL.
ctypedef void (*after_t)(step_t *step, message_t *answer, error_t *error) noexcept nogil

cdef request_t *request_new(
    engine_t *engine, program_t *program, int walk, int method, message_t *message, metadata_t *metadata,
    const char *puid, size_t puid_size, double deadline, const front_ops_t *front, void *user,
) noexcept nogil
# Ends the request with an error: the first one counts. Calls still in flight are cancelled.
cdef void fail(request_t *request, error_t *error) noexcept nogil
cdef void cancel_calls(request_t *request) noexcept nogil
# Gives a hold back; the last one frees a request that is over.
cdef void leave(request_t *request) noexcept nogil
cdef void fail_at(step_t *step, int status, const char *text) noexcept nogil
cdef void fail_with(step_t *step, const failure_t *failure) noexcept nogil
# The same message in `encoding`; takes over the reference. NULL after it failed the request.
cdef message_t *in_encoding(step_t *step, message_t *message, int encoding) noexcept nogil
# The same, and NULL with `failure` filled in.
cdef message_t *transcoded(step_t *step, message_t *message, int encoding, failure_t *failure) noexcept nogil
# Its bytes were copied: that is counted at the step's node.
cdef void copied(step_t *step, int reason, size_t size) noexcept nogil
# The same where `message`, which had so many spans, was made one.
cdef void flattened(step_t *step, const message_t *message, int spans) noexcept nogil
# Calls the step's node; takes over `message`. Nothing of the request may be touched after it.
cdef void start_call(step_t *step, after_t after, int method, message_t *message) noexcept nogil
cdef step_t *step_begin(request_t *request, int index, message_t *message) noexcept nogil
cdef void drop_message(step_t *step) noexcept nogil
# The root has answered: the request is over.
cdef void finish(step_t *root) noexcept nogil
# The request is over with the answer or the error that it has: it is written down, and its front is told.
cdef void conclude(request_t *request) noexcept nogil
# Writes down how it ended, where anything is written down of it.
cdef void close_trail(request_t *request) noexcept nogil

# A payload that is logged where its node asks for it. Every call of a node passes here: one flag when nothing is. False
# after it failed the request, since the payload cannot be logged.
cdef inline bint tapped(step_t *step, int kind, const message_t *message) noexcept nogil:
    cdef request_t *request = step.request
    cdef const node_t *node = &request.program.nodes[step.index]
    if node.taps & kind and request.tap != NULL:
        if node.tap_fault != NULL:
            fail_at(step, STATUS_INTERNAL, node.tap_fault)
            return False
        tap_add(request.tap, step.index, kind, message, request.puid, request.puid_size)
    return True


cdef inline message_t *take_message(step_t *step) noexcept nogil:
    cdef message_t *message = step.message
    step.message = NULL
    return message
