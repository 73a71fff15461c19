"""Owns AVERAGE_COMBINER as an endpoint: the codec computes what is plain, the component behind it gets the rest.

Must not know what messages mean, nor say what is wrong with one: the component does.
"""

from executor._native.codec cimport codec_of, codec_t
from executor._native.copies cimport COPY_CONTIGUOUS
from executor._native.endpoint cimport Endpoint, call_t, endpoint_ops_t, endpoint_t
from executor._native.message cimport message_t
from executor._native.meters cimport meter_copied
from executor._native.types cimport FORM_LIST, METHOD_AGGREGATE


cdef message_t *answer_to(const call_t *call) noexcept nogil:
    cdef const codec_t *codec = codec_of(call.message.encoding)
    cdef message_t *answer
    cdef int spans = call.message.count
    if call.method != METHOD_AGGREGATE or call.message.form != FORM_LIST or codec == NULL or codec.mean == NULL:
        return NULL
    answer = codec.mean(call.message)
    if spans > 1 and call.message.count == 1:
        meter_copied(call.meter, COPY_CONTIGUOUS, call.message.size)
    return answer


cdef void mean_start(endpoint_t *endpoint, call_t *call) noexcept nogil:
    cdef endpoint_t *component = <endpoint_t *>endpoint.impl
    cdef message_t *answer = answer_to(call)
    if answer != NULL:
        call.complete(call, answer, NULL)
    else:
        component.ops.start(component, call)


# Only what the component was given can still be under way.
cdef void mean_cancel(endpoint_t *endpoint, call_t *call) noexcept nogil:
    cdef endpoint_t *component = <endpoint_t *>endpoint.impl
    component.ops.cancel(component, call)


cdef endpoint_ops_t OPS
OPS.start = mean_start
OPS.cancel = mean_cancel


cdef class Mean(Endpoint):
    """AVERAGE_COMBINER: `Mean(component)`, which computes what is plain and hands the rest on to `component`."""

    cdef Endpoint component

    def __init__(self, Endpoint component):
        self.component = component
        self.raw.ops = &OPS
        self.raw.encoding = component.raw.encoding
        self.raw.inside = component.raw.inside
        self.raw.impl = &component.raw
