# Owns the one interface between `flow` and whatever reaches a node: start(call), complete, cancel.
# Must not know how a node is reached, nor how a plan is walked.

from executor._native.buffer cimport buffer_t
from executor._native.http2 cimport nv_t
from executor._native.message cimport message_t
from executor._native.meters cimport node_meter_t
from executor._native.types cimport failure_t

# Why a call or a request failed. One owner at a time; freed by error_free.
ctypedef struct error_t:
    int status               # gRPC status, never OK
    buffer_t *text           # UTF-8
    buffer_t *details        # raw grpc-status-details-bin, or NULL
    void *exception          # the Python error it came from (a PyObject reference), or NULL
    bint unreached           # the node was not reached, or did not answer: no word of its own
    buffer_t *node           # name of the node it happened at, UTF-8, or NULL

# Headers that travel with a request to every node: one memory block, freed with the last reference.
ctypedef struct metadata_t:
    long refs
    int count
    nv_t *fields

ctypedef struct call_t
ctypedef struct endpoint_t

ctypedef struct endpoint_ops_t:
    # Begins the call. Ends it by `call.complete`, now or later, on the loop's thread, exactly once, unless cancelled.
    void (*start)(endpoint_t *endpoint, call_t *call) noexcept nogil
    # The caller is gone: stop, and never touch the call again.
    void (*cancel)(endpoint_t *endpoint, call_t *call) noexcept nogil

ctypedef struct endpoint_t:
    const endpoint_ops_t *ops
    int encoding             # what it takes: ENCODING_*, or ENCODING_ANY
    double timeout           # seconds that one call may take, whatever the request has left; 0: no bound of its own
    bint inside              # its node is in this process: the time of a call that did not wait is the node's own
    void *impl               # the implementation's own

# One RPC to one node, embedded in the caller's own state.
ctypedef struct call_t:
    int method               # METHOD_*
    message_t *message       # what is sent; owned by the call until it completes
    metadata_t *metadata     # borrowed from the request; NULL: none
    double deadline          # seconds on the monotonic clock; 0: none
    const char *node         # name of the node, UTF-8
    size_t node_size
    const char *puid
    size_t puid_size
    void *token              # the endpoint's own
    node_meter_t *meter      # counts what is copied for it, on the loop's thread; NULL: nothing does
    # What the endpoint tells of it, for those who count.
    double waited            # seconds until there was a connection or a thread for it
    int retries              # times that it was sent again
    bint turned_away         # too many wait already
    bint timed               # the node is asked how long it takes
    double told_whole        # what it says of that, in seconds; 0: nothing
    double told_queued       # and how much of it was waiting
    int told_code            # HTTP status of the node's answer; 0: none came
    void *owner              # the caller's own
    # Ends the call. Takes over `answer` or `error`; exactly one of them is not NULL.
    void (*complete)(call_t *call, message_t *answer, error_t *error) noexcept nogil


# A new error; text is copied. Never NULL: when memory is out a static one is returned.
cdef error_t *error_new(int status, const char *text, size_t size) noexcept nogil
# The same with a printf format for one node name and one text: "node 'm0': text".
cdef error_t *error_at(int status, const char *node, size_t node_size, const char *text) noexcept nogil
cdef error_t *error_of_failure(const failure_t *failure, const char *node, size_t node_size) noexcept nogil
# An error of a Python exception (GIL held): executor.errors.Error keeps its status, anything else is INTERNAL.
cdef error_t *error_of_exception(object exception) noexcept
# The Python error for an error_t, which is freed.
cdef object error_to_exception(error_t *error)
# Says that no word of the node itself is in it.
cdef void error_mark_unreached(error_t *error) noexcept nogil
# Says which node it happened at, unless that is said already.
cdef void error_blame(error_t *error, const char *node, size_t node_size) noexcept nogil
# Adds grpc-status-details-bin; takes over the reference.
cdef void error_add_details(error_t *error, buffer_t *details) noexcept nogil
cdef void error_free(error_t *error) noexcept nogil

cdef enum:
    HEADERS_MAX = 112            # that one request may bring from Python

# (name, value) pairs of text as metadata; NULL (no error set) when there are none. Raises RequestError for what HTTP/2
# cannot carry, LimitError for too many.
cdef metadata_t *metadata_of(object headers) except? NULL
cdef metadata_t *metadata_new(const nv_t *fields, int count) noexcept nogil
cdef metadata_t *metadata_ref(metadata_t *metadata) noexcept nogil
cdef void metadata_unref(metadata_t *metadata) noexcept nogil


# Python face: what a plan's node is bound to. Subclasses fill in `raw`.
cdef class Endpoint:
    cdef endpoint_t raw
