# Owns the one table of functions per encoding through which `flow` reaches codecs.
# Must not know any protocol: a new one fills in a table and registers it.

from executor._native.message cimport message_t
from executor._native.types cimport failure_t

ctypedef struct name_t:
    const char *data             # UTF-8, not NUL-terminated
    size_t size

# The request that a feedback message is about: text that lies in the feedback itself, or where there is one in `owner`,
# which whoever asked for it gives back.
ctypedef struct taken_puid_t:
    const char *text
    size_t size
    message_t *owner

# What the executor adds to the one meta field of an answer.
ctypedef struct meta_edit_t:
    const name_t *nodes          # names of visited nodes
    const int *routes            # their routes
    int count
    name_t puid                  # size 0: none

# All functions are called on the loop's thread without the GIL. Those that return a message return a new
# reference, or NULL with `failure` filled in; those that return int return 0, or -1 with `failure` filled in.
# A message given to them may be made flat (message_flat) but is otherwise left alone.
ctypedef struct codec_t:
    int encoding
    # Is the envelope what it claims to be? Payload bytes are not looked at.
    int (*scan)(message_t *message, failure_t *failure) noexcept nogil
    # The route a router's answer means: first number, truncated; -1 when there is no number at all.
    # An empty list is an error. Range is flow's business.
    int (*route)(message_t *answer, long long *route, failure_t *failure) noexcept nogil
    # The same message with the edit inside its one meta field (old entries kept, ours win on equal keys).
    message_t *(*edit_meta)(message_t *message, const meta_edit_t *edit, failure_t *failure) noexcept nogil
    # The children's answers as one list message (form FORM_LIST), by reference.
    message_t *(*make_list)(message_t **items, int count, failure_t *failure) noexcept nogil
    # routes[i] = response.meta.routing[nodes[i]] of a feedback message, ROUTE_ALL where it says nothing; and
    # response.meta.puid, size 0 where there is none.
    int (*feedback_routes)(
        message_t *feedback, const name_t *nodes, int count, int *routes, taken_puid_t *puid, failure_t *failure
    ) noexcept nogil
    # The same message in the encoding `encoding`.
    message_t *(*transcode)(message_t *message, int encoding, failure_t *failure) noexcept nogil

    # Can a feedback stand where a message is answered? Then one that the root has no use for goes back as it came; else
    # an empty message does, which is no bytes at all.
    bint any_answer

    # The mean of the tensors in a list message, as AVERAGE_COMBINER's component answers it; NULL, and nothing said,
    # where that is not plain. The function itself may be NULL.
    message_t *(*mean)(message_t *message) noexcept nogil

# Registers the table of one encoding; at import, under the GIL.
cdef int codec_register(const codec_t *codec) except -1
# The table of an encoding, or NULL when its module was not imported.
cdef const codec_t *codec_of(int encoding) noexcept nogil
