# Owns the feedback walk: which nodes are told of a reward, and in what order.
# Must not know how a node is called (`calling` does), a protocol (codecs do), nor a clock.

from executor._native.message cimport message_t
from executor._native.request cimport request_t

# Takes the request through it; takes over `message`.
cdef void feedback_start(request_t *request, message_t *message) noexcept nogil
