# Owns the numbers that native modules share: node methods, encodings, walks, status codes, and the
# failure that a step reports. Must not hold behaviour beyond filling a failure in.
# The first three are those of executor/types.py; tests/test_layout.py holds the two together.

from libc.stdio cimport snprintf
from libc.string cimport memset

cdef enum:
    METHOD_PREDICT = 0
    METHOD_TRANSFORM_INPUT = 1
    METHOD_TRANSFORM_OUTPUT = 2
    METHOD_ROUTE = 3
    METHOD_AGGREGATE = 4
    METHOD_SEND_FEEDBACK = 5
    METHOD_COUNT = 6

cdef enum:
    ENCODING_ANY = -1
    ENCODING_SELDON_PROTO = 0
    ENCODING_SELDON_JSON = 1
    ENCODING_COUNT = 2

cdef enum:
    WALK_PREDICT = 0
    WALK_FEEDBACK = 1
    WALK_CALL = 2

cdef enum:
    ROUTE_ALL = -1
    ROUTE_NONE = -2

cdef enum:
    STATUS_OK = 0
    STATUS_CANCELLED = 1
    STATUS_UNKNOWN = 2
    STATUS_INVALID_ARGUMENT = 3
    STATUS_DEADLINE_EXCEEDED = 4
    STATUS_NOT_FOUND = 5
    STATUS_RESOURCE_EXHAUSTED = 8
    STATUS_ABORTED = 10
    STATUS_UNIMPLEMENTED = 12
    STATUS_INTERNAL = 13
    STATUS_UNAVAILABLE = 14

# Which message of the protocol the bytes are: codecs need it to transcode.
cdef enum:
    FORM_MESSAGE = 0        # SeldonMessage
    FORM_LIST = 1           # SeldonMessageList
    FORM_FEEDBACK = 2       # Feedback
    FORM_FOREIGN = 3        # an HTTP body that only nodes can read

cdef enum:
    FAILURE_TEXT = 240

# What went wrong in a native step. `offset` counts bytes from the start of the message; -1 when
# there is no such place. `text` is NUL-terminated UTF-8, cut when too long.
ctypedef struct failure_t:
    int status
    Py_ssize_t offset
    char[240] text

cdef inline void failure_clear(failure_t *failure) noexcept nogil:
    failure.status = STATUS_OK
    failure.offset = -1
    failure.text[0] = 0

# Fills `failure` and returns -1, so that a step can `return fail(...)`.
cdef inline int fail(failure_t *failure, int status, Py_ssize_t offset, const char *text) noexcept nogil:
    failure.status = status
    failure.offset = offset
    snprintf(failure.text, FAILURE_TEXT, b"%s", text)
    return -1
