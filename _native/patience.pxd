# Owns how long a node may take for one call, where that is less than the request has left.
# Must not know what a late call means for the request: `flow` is told as by the endpoint itself.

from executor._native.request cimport step_t

# The step's call is about to start on an endpoint that has a timeout: shortens its deadline, and watches it.
cdef void patience_begin(step_t *step, double timeout) noexcept nogil
# The call is over, or cancelled.
cdef void patience_end(step_t *step) noexcept nogil
