# Owns the way from protobuf to JSON text: proto3's JSON mapping, led by the table in descriptor.pxd. No GIL.
# Must not read JSON.

from executor._native.message cimport message_t
from executor._native.types cimport failure_t

# The message, which is protobuf, as JSON text; a new reference, or NULL with `failure` filled in.
cdef message_t *json_of_proto(message_t *message, failure_t *failure) noexcept nogil
