"""Owns which addresses a host stands for, and keeps that up to date.

Must not connect to any of them.
"""

import asyncio
import hashlib
import logging
import os
import random
import socket
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, NamedTuple

from executor.rpc.backoff import Backoff

log = logging.getLogger("millrace.rpc")

ADDRESSES_MAX = 16
"""Addresses in use of one host; of more, each channel uses a random choice that stays the same."""
LOOK_UP_S = 10.0
"""How long one look-up may take; a name server that loses a packet is asked again after 5 s."""
AT_LEAST_S = 1.0
"""Between two look-ups, however often connections are lost."""
JITTER = (0.9, 1.1)


class Place(NamedTuple):
    """One address that a server is reached at."""

    family: int
    where: Any
    """As `socket.connect` takes it."""

    def __str__(self) -> str:
        if self.family == socket.AF_UNIX:
            return f"unix:{self.where}"
        host, port = self.where[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


Resolve = Callable[[str, int], Awaitable[Sequence[Place]]]
"""Finds the addresses of a host and port. Raises OSError or ValueError with the reason; none at all is a failure."""


async def look_up(host: str, port: int) -> list[Place]:
    """By the system: DNS, the hosts file, and whatever else it is set up for."""
    return _places(await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM))


def numeric(host: str, port: int) -> list[Place]:
    """The one address that `host` is; none when it is a name.

    It needs no look-up, and so no thread: those of the loop may all be busy with what waits for this connection.
    """
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    try:
        return _places(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags))
    except socket.gaierror:
        return []


def words_of(error: Exception) -> str:
    """What is wrong, in the system's words: asyncio puts others there. Look-ups have numbers of their own, below 0."""
    if not isinstance(error, OSError):
        return str(error) or type(error).__name__
    return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)


def _places(found: Iterable[tuple[Any, ...]]) -> list[Place]:
    return [Place(int(family), where) for family, _, _, _, where in found]


class Addresses:
    """The addresses that one host stands for, looked up in the background; `changed` is called after each look-up."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        label: str,
        changed: Callable[[], None],
        every_s: float,
        resolve: Resolve = look_up,
    ) -> None:
        self.current: tuple[Place, ...] = ()
        self.problem = ""
        """Why the last look-up failed."""
        self.backoff = Backoff()
        self._host = host
        self._port = port
        self._label = label
        self._changed = changed
        self._every_s = every_s
        self._resolve = resolve
        self._salt = random.randbytes(8)
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._last = float("-inf")
        self._fixed = False

    @classmethod
    def only(cls, place: Place) -> "Addresses":
        """One address that needs no look-up."""
        made = cls("", 0, label="", changed=lambda: None, every_s=0.0)
        made.current, made._fixed = (place,), True
        return made

    @property
    def busy(self) -> bool:
        """Whether a look-up is under way."""
        return self._task is not None

    def refresh(self) -> None:
        """Looks again, at once or as soon as that is decent; it is already done for a host that is an address."""
        if self._fixed or self.busy:
            return
        if not self.current and (found := numeric(self._host, self._port)):
            self.current, self._fixed = tuple(found), True
            return
        wait_s = max(self._last + AT_LEAST_S, self.backoff.until) - time.monotonic()
        if wait_s > 0 and self.current:
            self._schedule(wait_s)
        elif time.monotonic() >= self.backoff.until:
            self._begin()

    def close(self) -> None:
        """Looks no more."""
        self._fixed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self._fixed and not self.busy:
            self._last = time.monotonic()
            self._task = asyncio.get_running_loop().create_task(self._look())

    def _schedule(self, wait_s: float) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            if not self._timer.cancelled() and self._timer.when() <= loop.time() + wait_s:
                return
            self._timer.cancel()
        self._timer = loop.call_later(wait_s, self._begin)

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(LOOK_UP_S):
                found = await self._resolve(self._host, self._port)
            if not found:
                raise OSError(f"no address for {self._host}")
        except TimeoutError:
            self._failed(f"no answer of the name servers within {LOOK_UP_S:g} s")
        except (OSError, ValueError) as error:
            self._failed(words_of(error))
        else:
            self._found(found)
        finally:
            self._task = None
        if self.current:
            self._schedule(self._every_s * random.uniform(*JITTER))
        self._changed()

    def _found(self, found: Iterable[Place]) -> None:
        if self.problem:
            log.info("%s: its name can be looked up again", self._label)
        self.problem = ""
        self.backoff.reset()
        self.current = self._choice(found)

    def _failed(self, reason: str) -> None:
        if not self.problem and self.current:
            log.warning("%s: cannot be looked up again, the addresses of before stay in use: %s", self._label, reason)
        self.problem = reason
        self.backoff.grow(time.monotonic())

    def _choice(self, found: Iterable[Place]) -> tuple[Place, ...]:
        """At most ADDRESSES_MAX. Each address has its rank on this channel, so that most stay when some come and go."""
        places = list(dict.fromkeys(found))
        if len(places) > ADDRESSES_MAX:
            places.sort(key=lambda place: hashlib.blake2b(str(place).encode(), key=self._salt, digest_size=8).digest())
        return tuple(places[:ADDRESSES_MAX])
