# Owns the codec of encoding seldon-protobuf: registered at import; reached by `flow` through codec_t.
# Must not know JSON: the module that does sets the transcoder.

from executor._native.message cimport message_t
from executor._native.types cimport failure_t

ctypedef message_t *(*transcoder_t)(message_t *message, int encoding, failure_t *failure) noexcept nogil

# Sets what codec_t.transcode calls to reach another encoding. At import of the other codec, once.
cdef void seldon_set_transcoder(transcoder_t transcoder) noexcept nogil
