# Owns what messages say of the way a request went: meta.routing and meta.puid of an answer, the path of feedback.
# Must not know how the way was chosen, nor how a codec writes it.

from executor._native.endpoint cimport error_t
from executor._native.message cimport message_t
from executor._native.request cimport request_t
from executor._native.types cimport failure_t

# The answer with what the program reports edited in; takes `answer` over. NULL with `failure` filled in.
cdef message_t *with_routing(const request_t *request, message_t *answer, failure_t *failure) noexcept nogil
# Fills `request.routes`: which way did the request go that this feedback is about? NULL, or what is wrong with it.
cdef error_t *read_taken_path(request_t *request, message_t *feedback) noexcept nogil
