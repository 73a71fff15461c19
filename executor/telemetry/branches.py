"""Owns the series of the branches of routers that learn.

Must not know how a router learns, nor count by itself.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from executor.telemetry import families
from executor.telemetry.store import Store


class Branch(Protocol):
    """What is known of a branch of a router; `executor.learning` has it."""

    @property
    def name(self) -> str: ...
    @property
    def mean(self) -> float: ...
    @property
    def chance(self) -> float: ...


class Branches:
    """The series of the branches of a process' learning routers."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tells = store.index <= 1
        """All workers know the same means and chances, and gauges of a group are added up: one of them tells."""

    def pulled(self, node: str, branch: str, count: int) -> None:
        """Counts requests that went to a branch."""
        self._store.add(families.PULLS, node, branch, amount=count)

    def rewarded(self, node: str, branch: str) -> None:
        """Counts a reward."""
        self._store.add(families.REWARDS, node, branch)

    def known(self, branches: Mapping[str, Sequence[Branch]]) -> None:
        """Tells what is known of all branches, by their routers."""
        if self._tells:
            every = [(node, each) for node, some in branches.items() for each in some]
            self._store.set_all(families.REWARD_MEAN, {(node, each.name): each.mean for node, each in every})
            self._store.set_all(families.CHANCE, {(node, each.name): each.chance for node, each in every})
