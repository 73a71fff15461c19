# Owns the connections of a channel: which one a call takes, when one is given up, whether its peer still lives.
# Must not know what becomes of calls (`channel`), nor how connections are made (`executor.rpc.channels`).

from executor._native.exchange cimport channel_t, exchange_t, link_t
from executor._native.http2 cimport session_ops_t
from executor._native.transport cimport Reactor

# The connection with the fewest streams that has room, each in its turn among equals; `avoid` only when there is no
# other. NULL: none has room.
cdef link_t *link_pick(channel_t *channel, const link_t *avoid) noexcept nogil
# Takes over a connected socket; with TLS when there is a context. `face` lives as long as the connection.
cdef link_t *link_open(
    channel_t *channel, Reactor reactor, int fd, const session_ops_t *ops, object context, str host, object face
) except NULL
cdef link_t *link_find(channel_t *channel, long number) noexcept nogil
# The peer's SETTINGS have come.
cdef void link_settled(link_t *link) noexcept nogil
# Takes no new calls; closes once the last one is over.
cdef void link_retire(link_t *link) noexcept nogil
# A call was put on it, or is over.
cdef void link_entered(link_t *link) noexcept nogil
cdef void link_left(link_t *link) noexcept nogil
# The peer answered a PING.
cdef void link_answered(link_t *link) noexcept nogil
# The peer said something.
cdef inline void link_heard(link_t *link) noexcept nogil:
    link.heard = link.channel.reactor.now
    if link.pinged:
        link_answered(link)
# Resets the stream of a call that nobody wants any more: now, or in its turn.
cdef void link_reset(exchange_t *exchange) noexcept nogil
# Its stream is gone: it has no turn any more.
cdef void link_spare(exchange_t *exchange) noexcept nogil
# Whether the link is on its way out of the channel, or there already.
cdef inline bint link_is_leaving(const link_t *link) noexcept nogil:
    return link.leaving or link.conn.closing
# Tells Python that something is different, once per pass.
cdef void channel_changed(channel_t *channel) noexcept nogil
