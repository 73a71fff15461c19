# Owns messages: an encoding and a gather list of byte spans, each holding a reference on its buffer.
# Must not know what the bytes mean.

from executor._native.buffer cimport buffer_t, counter_add
from executor._native.copies cimport copies_t

cdef enum:
    INLINE_SPANS = 6

ctypedef struct span_t:
    buffer_t *buffer             # owner of the bytes; NULL only in an empty span
    const unsigned char *data
    size_t size

ctypedef struct message_t:
    long refs
    int encoding                 # ENCODING_*
    int form                     # FORM_*: which message of the protocol it is
    int count                    # spans in use
    int capacity
    size_t size                  # bytes over all spans
    buffer_t *kind               # what its sender said that it is, an HTTP Content-Type; NULL: the encoding says it
    span_t *spans                # `inline_spans`, or the heap when there are more
    span_t[6] inline_spans

# A new empty message with one reference; NULL when memory is out.
cdef message_t *message_new(int encoding, int form) noexcept nogil
# A message of one span that covers the whole buffer. Takes over the caller's reference on `buffer`, also on failure.
cdef message_t *message_of(int encoding, int form, buffer_t *buffer) noexcept nogil
cdef void message_free(message_t *message) noexcept nogil
# Adds `size` bytes at `data` in `buffer` (a new reference is taken). 0, or -1 when memory is out.
cdef int message_add(message_t *message, buffer_t *buffer, const unsigned char *data, size_t size) noexcept nogil
# Adds a copy of `size` bytes at `data`.
cdef int message_add_copy(message_t *message, const void *data, size_t size) noexcept nogil
# Adds the bytes [start, start + size) of `source`, by reference.
cdef int message_add_part(message_t *message, const message_t *source, size_t start, size_t size) noexcept nogil
# Makes the message one span. Returns its bytes, or NULL when memory is out. An empty message gives a valid pointer.
cdef const unsigned char *message_flat(message_t *message) noexcept nogil
# The same is said of `message`, which is new, as of `source`.
cdef void message_describe(message_t *message, const message_t *source) noexcept nogil
# True when nobody else can see the bytes, so that a view of them may be written to.
cdef bint message_is_sole(const message_t *message) noexcept nogil

cdef inline message_t *message_ref(message_t *message) noexcept nogil:
    counter_add(&message.refs, 1)
    return message

cdef inline void message_unref(message_t *message) noexcept nogil:
    if message != NULL and counter_add(&message.refs, -1) == 0:
        message_free(message)


cdef class Message:
    cdef message_t *raw
    cdef copies_t *copies        # made of its bytes by those who were given it; NULL: none

# Wraps `raw`, taking over the caller's reference.
cdef Message message_wrap(message_t *raw)
