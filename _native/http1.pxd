# Owns reading and writing whole HTTP/1.1 messages in their plain form, without a parser's callbacks.
# Must not accept what a full parser reads otherwise: whatever is not plain is left to one.

from executor._native.endpoint cimport metadata_t
from executor._native.http2 cimport nv_t
from executor._native.message cimport message_t

cdef enum:
    FIELDS_MAX = 60              # of one request; one with more is not plain

# One header line.
ctypedef struct line_t:
    const unsigned char *name
    Py_ssize_t name_size
    const unsigned char *value
    Py_ssize_t value_size


# The headers of a request that travel on to nodes, over the bytes they came in.
cdef class Fields:
    cdef list kept               # the names, which the fields point into
    cdef nv_t[60] fields
    cdef int count
    # As metadata with `puid` added; NULL when memory is out.
    cdef metadata_t *metadata(self, bytes puid) noexcept


cdef class PlainRequest(Fields):
    cdef bytes data              # the whole request, which values and body point into
    cdef Py_ssize_t body_at
    cdef readonly bytes path
    cdef readonly str content_type
    cdef readonly str puid
    cdef readonly str timeout
    cdef readonly bint timed     # where its time goes is asked for
    cdef bint forward(self, const line_t *line, bytes name) except -1
    cdef bint take(self, const line_t *line, Py_ssize_t *length) except -1
