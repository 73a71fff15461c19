# Owns what an answer says of the way its request went: meta.routing and meta.puid.
# Must not know how the way was chosen, nor how a codec writes it.

from executor._native.request cimport request_t
from executor._native.message cimport message_t
from executor._native.types cimport failure_t

# The answer with what the program reports edited in; takes `answer` over. NULL with `failure` filled in.
cdef message_t *with_routing(const request_t *request, message_t *answer, failure_t *failure) noexcept nogil
