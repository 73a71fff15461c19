# Owns one RPC on a channel: its memory, how it ends, and what its errors say.
# Must not know how a connection is found for it: `channel` does.

from libc.stdint cimport uint32_t

from executor._native.buffer cimport buffer_t
from executor._native.codec cimport name_t
from executor._native.endpoint cimport error_t, metadata_t
from executor._native.http2 cimport headers_t, limits_t, stream_t
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
    long number                  # its name towards Python
    int streams                  # calls of ours on it
    bint settled                 # the peer's SETTINGS have come: it speaks HTTP/2, and its bounds are known
    bint leaving                 # no new streams: the peer sent GOAWAY, or it is retired
    bint retired                 # by us: closed once its last stream is over
    bint pinged                  # and nothing has been heard since
    double heard                 # when the peer last said something, or the first of its streams began
    double resets                # streams reset of late, draining with time
    double reset_at
    timer_t watch                # ends a connection on which no SETTINGS come; later on, one whose peer is silent
    exchange_t *unwanted         # cancelled ones that are to be reset, oldest first
    exchange_t *unwanted_last
    timer_t resetting            # while there are some

# One RPC on a channel: waits for a connection, then is a stream.
ctypedef struct exchange_t:
    channel_t *channel
    exchange_t *previous         # among those that wait, or that are to be reset
    exchange_t *next
    bint waiting
    double since                 # when it began to wait
    double waited                # seconds that it did, altogether
    bint turned_away             # too many wait already
    bint timed                   # the peer is asked how long it takes
    double told_whole            # what it says of that, in seconds; 0: nothing
    double told_queued
    int refused                  # times that the peer said it did nothing with it
    int unsent                   # times that its connection was lost before a byte of it had left
    stream_t *stream             # once sent
    link_t *link                 # that it is on; of one to be sent again: where it was, to be compared only
    unsigned long long mark      # bytes of its connection before its own
    name_t path                  # borrowed from the channel or the owner
    message_t *message
    metadata_t *metadata
    double deadline
    int answer_encoding
    buffer_t *body               # the answer
    size_t inflated              # its bytes, if they came compressed
    error_t *error
    void *owner
    # Takes over `answer` or `error`; the exchange is freed after it returns.
    void (*done)(exchange_t *exchange, message_t *answer, error_t *error) noexcept nogil
    bint unwanted                # in its link's list of those to be reset

ctypedef struct channel_t:
    reactor_t *reactor
    void *face                   # the Channel, borrowed: connections hold a reference
    link_t *links
    link_t *turn                 # where the search for the next call's connection begins
    long last_number
    exchange_t *first            # waiting for a connection, oldest first
    exchange_t *last
    long waiting
    long waiting_max
    long active                  # streams open
    long active_max
    long sent                    # calls put on the wire, ever
    long peak                    # most of them at once since Python last asked
    int crowd                    # with more streams on each connection, another one is of use
    bint full                    # Python has no further connection to give, or one is on its way
    double keepalive             # silence on a connection with streams before a PING; 0: none is sent
    double pong                  # how long its answer may take
    name_t authority
    name_t target                # for messages
    name_t user_agent
    name_t[6] paths              # one per method; size 0: the node cannot be asked that
    int encoding
    limits_t limits
    bint closed
    bint secure                  # its connections are TLS
    work_t changed               # tells Python that calls wait, or that a connection changed
    # A connection is gone: its link goes when this returns.
    void (*lost)(channel_t *channel, link_t *link) noexcept nogil

# A new exchange that nobody has been asked yet; takes references on both. NULL when memory is out.
cdef exchange_t *exchange_new(channel_t *channel, message_t *message, metadata_t *metadata) noexcept nogil
cdef void exchange_free(exchange_t *exchange) noexcept nogil
# Takes it out of those that wait for a connection.
cdef void leave_queue(exchange_t *exchange) noexcept nogil
# Ends the exchange, with the message that came or with `error`, which it takes over.
cdef void conclude(exchange_t *exchange, error_t *error) noexcept nogil
# How the call ended, and what the peer says of the time that it took.
cdef void read_trailers(exchange_t *exchange, const headers_t *trailers) noexcept nogil
# What `exchange.done` is once nobody waits for it any more.
cdef void dropped(exchange_t *exchange, message_t *answer, error_t *error) noexcept nogil
# An error of ours that names the channel's target.
cdef error_t *error_here(channel_t *channel, int status, const char *text) noexcept nogil
# Why a stream ended without an answer.
cdef error_t *error_of_reset(exchange_t *exchange, uint32_t code) noexcept nogil
