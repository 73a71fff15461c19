"""Owns what a channel knows of one address: its connections, their ages, and when it may be tried again.

Must not decide how many connections a channel has, nor make calls.
"""

import asyncio
import random
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

from executor.rpc import sockets
from executor.rpc.backoff import LAST_S, Backoff
from executor.rpc.resolve import Place

AGE_JITTER = (0.8, 1.2)
"""Connections that began together do not end together, nor do those of several executors."""
CROWD = 16
"""More calls than this on each connection to an address, and another connection is thought of."""
JAM = 256
"""Calls on each connection that are too many at any rate."""
CALM_PER_S = 1000
"""Calls per second up to which more connections cost next to nothing."""
WATCH_S = 0.5
SPARE_S = 5.0
"""The longest wait before a dead address is tried again while others serve."""


@dataclass(slots=True, eq=False)
class Link:
    """A connection, as last seen."""

    number: int
    """What `_native.channel` calls it."""
    born: float
    due: float
    """When a successor is to take over; infinity: never."""
    state: str = "starting"
    """starting, ready or leaving."""
    streams: int = 0
    retired: bool = False
    """Whether we have told it to end."""
    outlived: bool = False
    """Whether it has been seen to be due."""


class Site:
    """One address of a channel."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.listed = True
        """Whether the host still stands for it."""
        self.width = 1
        """How many connections it is to have."""
        self.links: dict[int, Link] = {}
        self.connecting: asyncio.Task[None] | None = None
        self.backoff = Backoff()
        self.problem = ""
        """Why the last attempt failed; none when it went well."""
        self.reached = False
        """Whether there ever was a connection to it."""

    def __str__(self) -> str:
        return str(self.place)

    @property
    def alive(self) -> list[Link]:
        """Its connections that take calls, or soon will."""
        return [link for link in self.links.values() if link.state != "leaving"]

    @property
    def ready(self) -> list[Link]:
        """Its connections that take calls."""
        return [link for link in self.links.values() if link.state == "ready"]

    @property
    def pending(self) -> bool:
        """Whether a connection is on its way."""
        return self.connecting is not None or any(link.state == "starting" for link in self.links.values())

    def lacks(self, now: float) -> bool:
        """Whether it has fewer connections than it should, not counting those whose time is over."""
        return self.listed and sum(link.due > now for link in self.alive) < self.width

    def may_try(self, now: float, wanted: bool) -> bool:
        """Whether to connect now; `wanted`: calls wait, and only a failure is a reason not to."""
        return self.connecting is None and (now >= self.backoff.until or (wanted and not self.problem))

    def began(self, number: int, max_age_s: float | None) -> None:
        """There is a new connection."""
        now = time.monotonic()
        age = float("inf") if max_age_s is None else max_age_s * random.uniform(*AGE_JITTER)
        self.links[number] = Link(number, now, now + age)

    def see(self, number: int, state: str, streams: int) -> bool:
        """What has become of one of its connections. Whether that is the first sign of the peer's leaving."""
        link = self.links[number]
        leaves = state == "leaving" and link.state != "leaving" and not link.retired
        if state == "ready":
            self.reached, self.problem = True, ""
        link.state, link.streams = state, streams
        return leaves

    def lost(self, number: int, was_ready: bool) -> Link:
        """A connection is gone. One that was of use is replaced at once, but for a peer that ends each of them soon."""
        link = self.links.pop(number)
        now = time.monotonic()
        if was_ready and not link.retired:
            if now - link.born > LAST_S:
                self.backoff.reset()
            else:
                self.backoff.grow(now)
        return link

    def failed(self, reason: str, others: bool) -> None:
        """It cannot be connected to; `others`: there are addresses that can."""
        self.problem = reason
        self.backoff.grow(time.monotonic(), SPARE_S if others else LAST_S)

    def outlive(self, now: float) -> bool:
        """Whether the time of a connection is over, which is said once for each."""
        over = [link for link in self.ready if link.due <= now and not link.outlived]
        for link in over:
            link.outlived = True
        return bool(over)

    def narrow(self, needed: int) -> None:
        """One connection less is enough when there are more than `needed`."""
        if self.width > max(1, needed):
            self.width -= 1

    def surplus(self, now: float) -> Iterator[Link]:
        """Connections to retire: those whose time is over, as far as enough others are ready."""
        spare = len(self.ready) - self.width
        for link in sorted(self.ready, key=lambda link: link.due):
            if link.due <= now and spare > 0:
                spare -= 1
                yield link


class Crowd:
    """Whether calls crowd on the connections to one address, so that another connection is of use.

    Spreading calls over more sockets has a price: they are written and read in smaller batches (128 calls of 64 bytes
    at once: 1.5 times the CPU with two connections, twice with four). It is of no matter at a low rate, which is what
    slow servers have; from fast ones, only a real jam makes it worth it.
    """

    def __init__(self) -> None:
        self._since = 0.0
        self._sent = 0

    @property
    def until(self) -> float:
        """When enough has been seen to say; infinity: nothing is being watched."""
        return self._since + WATCH_S if self._since else float("inf")

    def watch(self, now: float, sent: int) -> None:
        """Begins to watch, unless it does already; `sent` counts calls."""
        if not self._since:
            self._since, self._sent = now, sent

    def over(self, now: float, sent: int, streams: int) -> bool:
        """With `streams` calls on each connection: whether there should be another one. False until it can be said."""
        if now < self.until:
            return False
        rate = (sent - self._sent) / (now - self._since)
        self._since = 0.0
        return streams >= JAM or (streams > CROWD and rate <= CALM_PER_S)


async def open_socket(place: Place) -> socket.socket:
    """A socket connected to it. Raises OSError."""
    sock = socket.socket(place.family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sockets.tune(sock)
        await asyncio.get_running_loop().sock_connect(sock, place.where)
    except BaseException:
        sock.close()
        raise
    return sock
