# Owns Tensor of seldon.protos: where its numbers lie, and the mean of several.
# Must not know the messages that hold them, but for the list that is averaged.

from executor._native.cursor cimport cursor_t
from executor._native.message cimport message_t
from executor._native.tensor cimport numbers_t, shape_t
from executor._native.types cimport failure_t

# The shape of a Tensor and where its numbers lie. 0, or -1 with `failure` filled in.
cdef int tensor_scan(cursor_t cursor, shape_t *shape, numbers_t *numbers, failure_t *failure) noexcept nogil
# A function of codec_t.
cdef message_t *seldon_mean(message_t *message) noexcept nogil
