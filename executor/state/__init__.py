"""Owns what learning routers keep: its form, where it is kept, and the one interface of all places.

Must not know how a router learns from it, nor what a graph is.

All that is kept are sums for each branch of each router, and the puids of the last rewards. Places differ in who shares
them: `memory` nobody, `sqlite` the processes of one machine, `redis` all that reach the server.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from executor import errors

WINDOW = 100_000
"""Rewards of a router whose puids are remembered, so that a second one for the same request is not counted."""
PUID_MAX = 64
"""Longer puids are remembered by a hash."""
MEMORY = "memory"
REDIS_SCHEMES = ("redis://", "rediss://", "redis+unix://")
FORMS = "a file's path, redis://HOST:PORT[/DB] (rediss:// for TLS, redis+unix:///PATH for a socket) or memory"


@dataclass(frozen=True, slots=True)
class Branch:
    """What is known of one branch: sums over all its events."""

    pulls: int = 0
    """Requests that it was picked for."""
    rewards: int = 0
    """Those that a reward came back for."""
    total: float = 0.0
    """The rewards' sum."""
    gain: float = 0.0
    """The same, each reward divided by the chance that its pull had, where the router learns from that."""

    @property
    def mean(self) -> float:
        """The mean reward; 0 where there is none yet."""
        return self.total / self.rewards if self.rewards else 0.0

    def pulled(self, count: int = 1) -> "Branch":
        """The same after that many more pulls."""
        return replace(self, pulls=self.pulls + count)

    def rewarded(self, reward: float, gain: float = 0.0) -> "Branch":
        """The same after one more reward."""
        return Branch(self.pulls, self.rewards + 1, self.total + reward, self.gain + gain)


@dataclass(frozen=True, slots=True)
class Reward:
    """One reward for one branch."""

    router: str
    branch: str
    reward: float
    gain: float = 0.0
    puid: str = ""
    """Of the request that it is about; empty is not known, and then it is counted however often it comes."""


@dataclass(frozen=True, slots=True)
class Pulls:
    """Requests that a branch was picked for."""

    router: str
    branch: str
    count: int


class Store(Protocol):
    """A place. One thread alone uses it. Every method raises `errors.StateError`."""

    def add(self, rewards: Sequence[Reward], pulls: Sequence[Pulls] = ()) -> list[bool]:
        """Adds events, all or none of those of a router. When it returns they last. Whether each reward was counted:
        not where its puid came before.
        """

    def read(self, router: str) -> dict[str, Branch]:
        """The sums of each branch of a router, those that it once had too."""

    def changed(self) -> bool:
        """Whether anybody else may have added events since this was last asked."""

    def routers(self) -> list[str]:
        """All routers of which something is kept."""

    def close(self) -> None:
        """Lets go of the place."""


def open_store(where: str, make: bool = True) -> Store:
    """The place called `where`; a file that is not there is made, if it may be. Raises `errors.StateError`."""
    if where == MEMORY:
        from executor.state.memory import MemoryStore

        return MemoryStore()
    if where.startswith(REDIS_SCHEMES):
        from executor.state.redis import RedisStore

        return RedisStore(where)
    from executor.state.sqlite import SqliteStore

    if not make and not os.path.exists(where):
        raise errors.StateError(f"state file {where}: there is no such file")
    return SqliteStore(where)


def checked(where: str) -> str:
    """`where` if it names a place: an absolute path for a file. Raises `errors.RequestError`."""
    if where == MEMORY or where.startswith(REDIS_SCHEMES):
        return where
    if not where or "://" in where or where.endswith("/") or Path(where).is_dir():
        raise errors.RequestError(f"--state {where!r}: allowed are {FORMS}")
    return os.path.abspath(where)


def default_place(deployment: str, predictor: str, environment: Mapping[str, str] = os.environ) -> str:
    """The user's own file for a deployment: below $XDG_STATE_HOME, else ~/.local/state."""
    home = environment.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    name = "-".join(filter(None, (deployment, predictor))) or "graph"
    return os.path.join(home, "millrace", f"{name.replace('/', '_')}.sqlite")


def told(where: str) -> str:
    """`where` for readers: without a password."""
    scheme, separator, rest = where.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if separator else where


def puid_key(puid: str) -> str:
    """What a puid is remembered by."""
    return puid if len(puid) <= PUID_MAX else "sha256:" + hashlib.sha256(puid.encode()).hexdigest()
