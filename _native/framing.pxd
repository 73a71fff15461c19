# Owns gRPC's framing of messages: five bytes (compressed flag, length) and the message, in both directions.
# Must not know HTTP/2, nor what a message holds.

from executor._native.budget cimport budget_t
from executor._native.buffer cimport buffer_t
from executor._native.message cimport message_t
from executor._native.output cimport output_t

cdef enum:
    PREFIX = 5

# Puts one message at a time together from bytes as they come. All zero at first, but `budget` and `waits`.
ctypedef struct reader_t:
    unsigned char[5] prefix
    int prefix_size              # bytes of the prefix so far; 0: between messages
    buffer_t *body               # what has come of the message; NULL while the prefix is incomplete
    size_t body_size             # its declared length
    budget_t *budget             # what messages are charged to; NULL: nothing
    bint waits                   # may wait for room in it; else a message that finds none is refused
    bint starved                 # refused for want of room

cdef enum:
    READER_MORE = 0              # all bytes taken
    READER_MESSAGE = 1           # a message is complete: reader_message
    READER_REFUSED = 2           # these bytes are not acceptable: reader_explain
    READER_WAITS = 3             # the budget has no room now for what the prefix declares: reader_grant goes on
    READER_NO_MEMORY = -1

# Takes bytes up to the end of a message; `data` and `size` move on to what is left.
cdef int reader_take(reader_t *reader, const unsigned char **data, size_t *size, size_t limit) noexcept nogil
# What a message that waits needs of the budget.
cdef size_t reader_needs(const reader_t *reader) noexcept nogil
# Goes on with a message that waited, for which reader_needs was taken from the budget. READER_MORE, READER_MESSAGE
# when it is an empty one, or READER_NO_MEMORY.
cdef int reader_grant(reader_t *reader) noexcept nogil
# The complete message; the caller takes the reference over. The reader is ready for the next one.
cdef buffer_t *reader_message(reader_t *reader, bint *compressed) noexcept nogil
# Bytes that have come of the message, prefix included.
cdef size_t reader_came(const reader_t *reader) noexcept nogil
# Why READER_REFUSED, as a gRPC status and a sentence for the peer.
cdef int reader_explain(const reader_t *reader, size_t limit, char *text, size_t room) noexcept nogil
# The same for a stream that ended where prefix_size is not 0.
cdef int reader_explain_end(const reader_t *reader, char *text, size_t room) noexcept nogil
cdef void reader_clear(reader_t *reader) noexcept nogil

ctypedef struct outgoing_t:
    outgoing_t *next
    message_t *message

# Messages waiting to be framed. All zero at first.
ctypedef struct queue_t:
    outgoing_t *first
    outgoing_t *last
    outgoing_t spare             # place for one message, so that a unary call allocates none
    size_t bytes                 # over all messages, prefixes included, not yet framed
    int prefix                   # bytes of the first message's prefix already framed
    int span                     # place in the first message
    size_t span_offset

# Takes a reference on `message`. 0, or -1 when memory is out.
cdef int queue_push(queue_t *queue, message_t *message) noexcept nogil
# Moves `size` bytes, at most queue.bytes, to the output; large spans by reference. 0, or -1 when memory is out.
cdef int queue_frame(queue_t *queue, size_t size, output_t *output) noexcept nogil
cdef void queue_clear(queue_t *queue) noexcept nogil

cdef inline size_t smaller(size_t a, size_t b) noexcept nogil:
    return a if a < b else b
