# Owns what is written down of a request on its way: the time its nodes took, and its spans where it is traced.
# Must not know in which order nodes are called (`flow`), nor what becomes of spans (`tracer`).

from executor._native.codec cimport name_t
from executor._native.endpoint cimport call_t, error_t, metadata_t
from executor._native.program cimport program_t
from executor._native.propagation cimport context_t
from executor._native.span cimport out_t
from executor._native.timing cimport spent_t
from executor._native.tracer cimport tracer_t

# What is known of one node of the plan.
ctypedef struct place_t:
    spent_t spent
    unsigned long long span      # of the call under way

ctypedef struct trail_t:
    tracer_t *tracer             # NULL: it is not traced (only timed), or over
    bint timed                   # the answer is to say where its time went
    bint blamed                  # it is known which node it failed at
    context_t context            # the trace, and the caller's span
    unsigned long long span      # its own
    double began
    out_t out
    int spans                    # in `out`
    out_t timing                 # the text, once it is over
    int count
    place_t *places              # one per node

# How a request ended, for `trail_end`.
ctypedef struct ending_t:
    int status                   # gRPC's
    int http                     # or HTTP's; 0: it came over gRPC
    bint untold                  # there was an answer, but it could not be told: a failure whatever the status
    const error_t *error
    const char *puid
    size_t puid_size
    const metadata_t *metadata
    name_t label                 # what its span begins with, of `span.static`

# What is to be written down of a request that begins; NULL: nothing. Where its caller traces it but nobody is to do so
# here, `metadata` is replaced by one that says so.
cdef trail_t *trail_begin(tracer_t *tracer, metadata_t **metadata, int count) noexcept nogil
cdef void trail_free(trail_t *trail) noexcept nogil
# Does one of the headers ask for times?
cdef bint asks_times(const metadata_t *metadata) noexcept nogil
# A call begins: the headers that it carries, with a reference of their own, or `metadata` as it is.
cdef metadata_t *trail_call(trail_t *trail, int index, metadata_t *metadata) noexcept nogil
# A call is over, which began at `began`.
cdef void trail_called(
    trail_t *trail, const program_t *program, int index, const call_t *call, int status, const error_t *error,
    double began, double now
) noexcept nogil
# The request is over; `path` are the nodes that it waited for, `length` of them.
cdef void trail_end(
    trail_t *trail, const program_t *program, const ending_t *ending, const int *path, int length
) noexcept nogil

# The same of a request that the flow does not have: `metadata` is replaced by what goes on to nodes. It ends with
# `trail_end`, without a program.
cdef trail_t *trail_apart(tracer_t *tracer, metadata_t **metadata) noexcept nogil
# A request that was refused before it ran, which began at `began`: its span, where it is traced.
cdef void trail_refused(tracer_t *tracer, const ending_t *ending, double began) noexcept nogil

# Nearly always nothing is to be written down.
cdef inline trail_t *trail_of(tracer_t *tracer, metadata_t **metadata, int count) noexcept nogil:
    if tracer == NULL and not asks_times(metadata[0]):
        return NULL
    return trail_begin(tracer, metadata, count)
