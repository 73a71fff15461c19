# Owns the text in which an answer says where its time went, and reading what a node says of its own.
# Must not measure anything.

from executor._native.span cimport out_t

cdef enum:
    TIMING_MAX = 4096            # bytes of the text; nodes for which there is no room are left out

# What is known of a node's calls, in seconds.
ctypedef struct spent_t:
    double whole
    double queued                # for a connection or a thread, here and at the node
    double network
    double computed
    bint told                    # the last two are known
    int calls

# What a node says: true when it is of ours. `whole` and `queued` in seconds.
cdef bint timing_read(const char *text, size_t size, double *whole, double *queued) noexcept nogil
cdef void timing_begin(out_t *out, double whole, double queued) noexcept nogil
cdef void timing_path(out_t *out, const char *name, size_t size, bint first, bint last) noexcept nogil
cdef void timing_node(out_t *out, const char *name, size_t size, const spent_t *spent) noexcept nogil
# Does the value of the header ask for it?
cdef bint timing_wanted(const char *value, size_t size) noexcept nogil
