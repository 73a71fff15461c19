# Owns the way from JSON text to protobuf: proto3's JSON mapping, led by the table in descriptor.pxd. No GIL.
# Must not write JSON.

from executor._native.message cimport message_t
from executor._native.types cimport failure_t

# The message, which is JSON text, in protobuf; a new reference, or NULL with `failure` filled in.
cdef message_t *proto_of_json(message_t *message, failure_t *failure) noexcept nogil
