"""Owns one RPC on a channel: its memory, how it ends, and what its errors say.

Must not know how a connection is found for it: `channel` does.
"""

from libc.stdint cimport uint32_t
from libc.stdio cimport snprintf
from libc.string cimport strlen

from executor._native.buffer cimport buffer_unref
from executor._native.endpoint cimport (
    error_free, error_mark_unreached, error_new, error_t, metadata_ref, metadata_t, metadata_unref,
)
from executor._native.grpcwire cimport error_of_trailers
from executor._native.http2 cimport H2_CANCEL, H2_ENHANCE_YOUR_CALM, H2_REFUSED_STREAM, headers_get
from executor._native.message cimport message_of, message_ref, message_t, message_unref
from executor._native.pool cimport pool_give, pool_take_clear
from executor._native.transport cimport conn_t
from executor._native.timing cimport timing_read
from executor._native.types cimport (
    FORM_MESSAGE, STATUS_CANCELLED, STATUS_INTERNAL, STATUS_RESOURCE_EXHAUSTED, STATUS_UNAVAILABLE,
)


cdef exchange_t *exchange_new(channel_t *channel, message_t *message, metadata_t *metadata) noexcept nogil:
    cdef exchange_t *exchange = <exchange_t *>pool_take_clear(channel.reactor.pool, sizeof(exchange_t))
    if exchange != NULL:
        exchange.channel = channel
        exchange.message = message_ref(message)
        exchange.metadata = metadata_ref(metadata)
        exchange.answer_encoding = channel.encoding
    return exchange


cdef void exchange_free(exchange_t *exchange) noexcept nogil:
    message_unref(exchange.message)
    metadata_unref(exchange.metadata)
    buffer_unref(exchange.body)
    error_free(exchange.error)
    pool_give(exchange.channel.reactor.pool, exchange)


cdef error_t *error_here(channel_t *channel, int status, const char *text) noexcept nogil:
    cdef char[400] line
    cdef error_t *error
    snprintf(line, sizeof(line), b"%.*s: %s", <int>channel.target.size, channel.target.data, text)
    error = error_new(status, line, strlen(line))
    error_mark_unreached(error)
    return error


cdef void leave_queue(exchange_t *exchange) noexcept nogil:
    cdef channel_t *channel = exchange.channel
    if exchange.previous == NULL:
        channel.first = exchange.next
    else:
        exchange.previous.next = exchange.next
    if exchange.next == NULL:
        channel.last = exchange.previous
    else:
        exchange.next.previous = exchange.previous
    exchange.waiting = False
    exchange.waited += channel.reactor.now - exchange.since
    channel.waiting -= 1


# Ends the exchange; takes over `error`.
cdef void conclude(exchange_t *exchange, error_t *error) noexcept nogil:
    cdef message_t *answer = NULL
    if error == NULL:
        if exchange.body == NULL:
            error = error_here(exchange.channel, STATUS_INTERNAL, b"answered OK without a message")
        else:
            answer = message_of(exchange.answer_encoding, FORM_MESSAGE, exchange.body)
            exchange.body = NULL
            if answer == NULL:
                error = error_new(STATUS_RESOURCE_EXHAUSTED, b"out of memory", 13)
    exchange.done(exchange, answer, error)
    exchange_free(exchange)


cdef void dropped(exchange_t *exchange, message_t *answer, error_t *error) noexcept nogil:
    message_unref(answer)
    error_free(error)


cdef void read_trailers(exchange_t *exchange, const headers_t *trailers) noexcept nogil:
    cdef size_t size = 0
    cdef const char *text
    exchange.error = error_of_trailers(trailers)
    if not exchange.timed:
        return
    text = headers_get(trailers, b"millrace-timing", 15, &size)
    if text == NULL or not timing_read(text, size, &exchange.told_whole, &exchange.told_queued):
        exchange.told_whole = 0


cdef error_t *error_of_reset(exchange_t *exchange, uint32_t code) noexcept nogil:
    cdef channel_t *channel = exchange.channel
    cdef conn_t *conn = exchange.link.conn
    cdef char[260] text
    if conn.lost or conn.closing:
        snprintf(text, sizeof(text), b"connection lost: %s", <char *>conn.reason)
        return error_here(channel, STATUS_UNAVAILABLE, text)
    if code == H2_REFUSED_STREAM:
        return error_here(channel, STATUS_UNAVAILABLE, b"the peer refused the stream")
    if code == H2_CANCEL:
        return error_here(channel, STATUS_CANCELLED, b"the peer cancelled the stream")
    if code == H2_ENHANCE_YOUR_CALM:
        return error_here(channel, STATUS_RESOURCE_EXHAUSTED, b"the peer asks for fewer requests")
    snprintf(text, sizeof(text), b"stream reset by the peer, HTTP/2 error code %u", code)
    return error_here(channel, STATUS_INTERNAL, text)
