# Owns one RPC on a channel: its memory, how it ends, and what its errors say.
# Must not know how a connection is found for it: `channel` does.

from libc.stdint cimport uint32_t

from executor._native.buffer cimport buffer_t
from executor._native.codec cimport name_t
from executor._native.endpoint cimport error_t, metadata_t
from executor._native.http2 cimport limits_t, stream_t
from executor._native.message cimport message_t
from executor._native.transport cimport conn_t, reactor_t, timer_t, work_t

ctypedef struct channel_t
ctypedef struct link_t
ctypedef struct exchange_t

# One connection of a channel.
ctypedef struct link_t:
    channel_t *channel
    link_t *next
    conn_t *conn
    bint settled                 # the peer's SETTINGS have come: it speaks HTTP/2, and its bounds are known
    double resets                # streams reset of late, draining with time
    double reset_at
    bint leaving                 # the peer sent GOAWAY: no new streams
    timer_t patience             # ends a connection on which no SETTINGS come

# One RPC on a channel: waits for a connection, then is a stream.
ctypedef struct exchange_t:
    channel_t *channel
    exchange_t *previous         # among those that wait
    exchange_t *next
    bint waiting
    bint again                   # was refused once without having been processed
    stream_t *stream             # once sent
    link_t *link
    name_t path                  # borrowed from the channel or the owner
    message_t *message
    metadata_t *metadata
    double deadline
    int answer_encoding
    buffer_t *body               # the answer
    error_t *error
    void *owner
    # Takes over `answer` or `error`; the exchange is freed after it returns.
    void (*done)(exchange_t *exchange, message_t *answer, error_t *error) noexcept nogil

ctypedef struct channel_t:
    reactor_t *reactor
    void *face                   # the Channel, borrowed: connections hold a reference
    link_t *links
    exchange_t *first            # waiting for a connection, oldest first
    exchange_t *last
    long waiting
    long waiting_max
    long active                  # streams open
    name_t authority
    name_t target                # for messages
    name_t user_agent
    name_t[6] paths              # one per method; size 0: the node cannot be asked that
    int encoding
    limits_t limits
    bint closed
    bint secure                  # its connections are TLS
    work_t wanted                # asks Python for a connection

# A new exchange that nobody has been asked yet; takes references on both. NULL when memory is out.
cdef exchange_t *exchange_new(channel_t *channel, message_t *message, metadata_t *metadata) noexcept nogil
cdef void exchange_free(exchange_t *exchange) noexcept nogil
# Ends the exchange, with the message that came or with `error`, which it takes over.
cdef void conclude(exchange_t *exchange, error_t *error) noexcept nogil
# What `exchange.done` is once nobody waits for it any more.
cdef void dropped(exchange_t *exchange, message_t *answer, error_t *error) noexcept nogil
# An error of ours that names the channel's target.
cdef error_t *error_here(channel_t *channel, int status, const char *text) noexcept nogil
# Why a stream ended without an answer.
cdef error_t *error_of_reset(exchange_t *exchange, uint32_t code) noexcept nogil
