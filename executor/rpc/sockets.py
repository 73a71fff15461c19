"""Owns the options of TCP sockets that carry gRPC, on either side.

Must not open or close sockets.
"""

import socket

UNANSWERED_S = 20
"""How long the peer's kernel may leave what was sent unacknowledged, or probes unanswered, before it counts as gone."""
PROBE_S = 5
PROBES = 3


def tune(sock: socket.socket) -> None:
    """Sends small messages at once, and notices a host that is gone.

    Without the latter a connection to a host that vanished without a word stays in use until TCP gives up, which takes
    a quarter of an hour. The kernel's probes do it: HTTP/2 PINGs on a quiet connection are answered with GOAWAY by
    gRPC servers that count them as abuse.
    """
    if sock.family == socket.AF_UNIX:
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_USER_TIMEOUT", UNANSWERED_S * 1000),
        ("TCP_KEEPIDLE", UNANSWERED_S),
        ("TCP_KEEPINTVL", PROBE_S),
        ("TCP_KEEPCNT", PROBES),
    ):
        option = getattr(socket, name, None)  # not every system has all of them
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
