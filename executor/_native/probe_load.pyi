"""Owns the load generator of the benchmarks. Must not know what is measured, nor start or stop a server."""

import ssl
from collections.abc import Sequence
from typing import TypedDict

class Outcome(TypedDict):
    """What became of one run. Histograms are pairs of a bucket and the number in it."""

    sent: int
    answered: int
    errors: int
    error_kinds: dict[str, int]
    first_error: str
    elapsed_s: float
    waited: int
    latency: list[tuple[int, int]]
    lag: list[tuple[int, int]]
    samples: list[bytes]

def bucket_of(nanoseconds: int) -> int:
    """The histogram's bucket for a duration."""

class Load:
    """Connections to one server, and one request that is sent over and over.

    `protocol` is "grpc", "http" or "tcp". `sockets` are connected and not blocking: file descriptors, or TLS after its
    handshake; this takes them over. `request` is the message (gRPC), the whole request with its head (HTTP), or the
    bytes to be echoed. `fields` are the request's HTTP/2 headers. Answers must be one of `accepted`, unless that is
    empty; with `keep`, a few from all over the run are kept for the caller to look at.
    """

    def __init__(
        self,
        protocol: str,
        sockets: Sequence[int | ssl.SSLSocket],
        request: bytes,
        *,
        fields: Sequence[tuple[str, str]] = (),
        streams: int = 1,
        accepted: Sequence[bytes] = (),
        keep: bool = False,
    ) -> None: ...
    def run(self, *, seconds: float = 0, rate: float = 0, count: int = 0, drain_s: float = 5) -> Outcome:
        """Sends for `seconds`, or `count` requests; `rate` per second makes it an open loop. Waits for the answers.

        What has not come `drain_s` after the last was due counts as failed, and ends the connections.
        """

    def close(self) -> None:
        """Ends the connections."""
