# Owns Meta, Metric and Status of seldon.protos: to and from dicts in their JSON form.
# Must not know what the executor does with them.

from executor._native.cursor cimport cursor_t
from executor._native.writer cimport writer_t

# The content of a Meta: absent keys are left out.
cdef dict meta_object(cursor_t cursor)
# The content of a Status: code, info, reason, status, always all four.
cdef dict status_object(cursor_t cursor)
# These write the content of the message back to front and raise EncodeError.
cdef int write_meta(writer_t *writer, object meta, int depth) except -1
cdef int write_status(writer_t *writer, object status) except -1
