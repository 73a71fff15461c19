"""Owns the connections of a channel: which one a call takes, when one is given up, whether its peer still lives.

Must not know what becomes of calls (`channel`), nor how connections are made (`executor.rpc.channels`).
"""

from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free

from executor._native.exchange cimport channel_t, exchange_t, link_t
from executor._native.http2 cimport (
    H2_CANCEL, session_free, session_goaway, session_new, session_ops_t, session_ping, session_room, session_t,
    stream_reset,
)
from executor._native.tls cimport Veil, veil_new, veil_put
from executor._native.transport cimport (
    Reactor, conn_close, conn_t, conn_touch, connection_open, reactor_add_work, timer_arm, timer_disarm, timer_t,
)

cdef enum:
    # Together less than the 1 000 that peers allow, who may count by whole seconds.
    RESETS_AT_ONCE = 500
    RESETS_PER_S = 400
    PATIENCE_S = 5               # from a connection's beginning until the peer's SETTINGS

cdef double RESETTING_S = 0.02   # between two looks at those that are to be reset


cdef void channel_changed(channel_t *channel) noexcept nogil:
    if not channel.closed:
        reactor_add_work(channel.reactor, &channel.changed)


# --- which one ----------------------------------------------------------------------------------

cdef inline bint has_room(const link_t *link) noexcept nogil:
    return not link.conn.closing and session_room(link.conn.session) > 0


# Called for each call: the walk reads the links alone, and asks the session only of one that is better than what was
# found before. An idle one ends it.
cdef link_t *link_pick(channel_t *channel, const link_t *avoid) noexcept nogil:
    cdef link_t *first = channel.turn
    cdef link_t *link = first
    cdef link_t *best = NULL
    cdef link_t *avoided = NULL
    if first == NULL:
        return NULL
    while True:
        if link.settled and not link.leaving and (best == NULL or link.streams < best.streams) and has_room(link):
            if link == avoid:
                avoided = link
            else:
                best = link
                if best.streams == 0:
                    break
        link = link.next if link.next != NULL else channel.links
        if link == first:
            break
    if best == NULL:
        best = avoided
    if best != NULL:
        channel.turn = best.next if best.next != NULL else channel.links
    return best


cdef link_t *link_find(channel_t *channel, long number) noexcept nogil:
    cdef link_t *link = channel.links
    while link != NULL and link.number != number:
        link = link.next
    return link


# --- life ---------------------------------------------------------------------------------------

cdef link_t *link_open(
    channel_t *channel, Reactor reactor, int fd, const session_ops_t *ops, object context, str host, object face
) except NULL:
    cdef Veil veil = veil_new(context, host) if context is not None else None
    cdef link_t *link = <link_t *>calloc(1, sizeof(link_t))
    cdef session_t *session
    if link == NULL:
        raise MemoryError()
    session = session_new(False, ops, &channel.limits, link)
    if session == NULL:
        free(link)
        raise MemoryError()
    link.channel = channel
    try:
        link.conn = &connection_open(reactor, fd, session, link, on_lost, face).raw
    except BaseException:
        session_free(session)
        free(link)
        raise
    if veil is not None:
        veil_put(veil, link.conn)
    channel.last_number += 1
    link.number = channel.last_number
    link.next = channel.links
    link.watch.fire = on_patience
    link.watch.owner = link
    timer_arm(&reactor.raw, &link.watch, reactor.raw.now + PATIENCE_S)
    channel.links = link
    if channel.turn == NULL:
        channel.turn = link
    return link


cdef void on_lost(conn_t *conn) noexcept nogil:
    cdef link_t *link = <link_t *>conn.user
    cdef channel_t *channel = link.channel
    cdef link_t **place = &channel.links
    while place[0] != link:
        place = &place[0].next
    place[0] = link.next
    if channel.turn == link:
        channel.turn = link.next if link.next != NULL else channel.links
    timer_disarm(channel.reactor, &link.watch)
    timer_disarm(channel.reactor, &link.resetting)
    channel.lost(channel, link)
    free(link)
    channel_changed(channel)


cdef void link_retire(link_t *link) noexcept nogil:
    link.leaving = True
    link.retired = True
    if link.streams == 0:
        finish(link)


# Only when nothing is on it any more: some servers take a client's GOAWAY for the end of what it has asked, too.
cdef void finish(link_t *link) noexcept nogil:
    session_goaway(link.conn.session, True)
    conn_touch(link.conn)


cdef void link_entered(link_t *link) noexcept nogil:
    cdef channel_t *channel = link.channel
    if link.streams == 0:
        link.heard = channel.reactor.now
    link.streams += 1
    channel.active += 1
    channel.sent += 1
    if channel.active > channel.peak:
        channel.peak = channel.active
    if link.streams > channel.crowd and not channel.full:
        channel_changed(channel)


cdef void link_left(link_t *link) noexcept nogil:
    link.streams -= 1
    link.channel.active -= 1
    if link.retired and link.streams == 0:
        finish(link)


# --- calls that nobody wants any more -----------------------------------------------------------

# Servers end a connection that resets too many streams, and with it the calls of everybody who shares it. Above the
# rate that ours and nghttp2's take, a cancelled call waits for its turn; an answer that comes meanwhile is dropped.
cdef bint may_reset(link_t *link) noexcept nogil:
    cdef double now = link.channel.reactor.now
    link.resets = max(0.0, link.resets - (now - link.reset_at) * RESETS_PER_S) + 1
    link.reset_at = now
    if link.resets <= RESETS_AT_ONCE:
        return True
    link.resets -= 1
    return False


cdef void link_reset(exchange_t *exchange) noexcept nogil:
    cdef link_t *link = exchange.link
    if link.unwanted == NULL and may_reset(link):
        stream_reset(exchange.stream, H2_CANCEL)
        conn_touch(link.conn)
        return
    exchange.unwanted = True
    exchange.next = NULL
    exchange.previous = link.unwanted_last
    if link.unwanted == NULL:
        link.unwanted = exchange
        link.resetting.fire = on_resetting
        link.resetting.owner = link
        timer_arm(link.channel.reactor, &link.resetting, link.channel.reactor.now + RESETTING_S)
    else:
        link.unwanted_last.next = exchange
    link.unwanted_last = exchange


cdef void link_spare(exchange_t *exchange) noexcept nogil:
    cdef link_t *link = exchange.link
    if not exchange.unwanted:
        return
    exchange.unwanted = False
    if exchange.previous == NULL:
        link.unwanted = exchange.next
    else:
        exchange.previous.next = exchange.next
    if exchange.next == NULL:
        link.unwanted_last = exchange.previous
    else:
        exchange.next.previous = exchange.previous


cdef void on_resetting(timer_t *timer, double now) noexcept nogil:
    cdef link_t *link = <link_t *>timer.owner
    cdef exchange_t *exchange
    while link.unwanted != NULL and may_reset(link):
        exchange = link.unwanted
        link_spare(exchange)
        stream_reset(exchange.stream, H2_CANCEL)     # its end comes later, as the session reports it
        conn_touch(link.conn)
    if link.unwanted != NULL:
        timer_arm(link.channel.reactor, &link.resetting, now + RESETTING_S)


# --- whether the peer still lives ---------------------------------------------------------------

cdef void on_patience(timer_t *timer, double now) noexcept nogil:
    conn_close((<link_t *>timer.owner).conn, b"the peer does not speak HTTP/2: no settings came", True)


cdef void link_settled(link_t *link) noexcept nogil:
    cdef channel_t *channel = link.channel
    if not link.settled:
        link.settled = True
        timer_disarm(channel.reactor, &link.watch)
        if channel.keepalive > 0:
            link.watch.fire = on_pulse
            timer_arm(channel.reactor, &link.watch, channel.reactor.now + channel.keepalive)
        channel_changed(channel)


cdef void link_answered(link_t *link) noexcept nogil:
    link.pinged = False
    timer_arm(link.channel.reactor, &link.watch, link.heard + link.channel.keepalive)


# Armed for the earliest moment at which something may be due, not moved by every answer.
cdef void on_pulse(timer_t *timer, double now) noexcept nogil:
    cdef link_t *link = <link_t *>timer.owner
    cdef channel_t *channel = link.channel
    cdef double due = channel.keepalive + (link.heard if link.streams > 0 else now)
    cdef char[100] text
    if link.pinged:
        snprintf(text, sizeof(text), b"no answer to a PING within %g s", channel.pong)
        conn_close(link.conn, text, True)
        return
    if due <= now:
        link.pinged = True
        due = now + channel.pong
        session_ping(link.conn.session)
        conn_touch(link.conn)
    timer_arm(channel.reactor, &link.watch, due)
