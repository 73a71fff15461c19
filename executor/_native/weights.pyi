"""Owns the weight table of a learning router: which branch the next request takes, how many took each, and what is
remembered of the last ones. Must not learn: whoever does puts another table in its place.
"""

from collections.abc import Sequence
from mmap import mmap

class Weights:
    """A table over the branches called `names`: `Weights(names, seed=None, memory=None)`.

    At first all chances are equal. `seed` makes picks come out the same each time. `memory` is a writable buffer, such
    as an mmap that processes share, in which the last picks are remembered by puid. One thread alone may pick; any may
    do the rest.
    """

    def __init__(
        self, names: Sequence[str], seed: int | None = None, memory: mmap | bytearray | None = None
    ) -> None: ...
    def sow(self, seed: int) -> None: ...
    def lend(self, memory: mmap | bytearray) -> None: ...
    def set_chances(self, chances: Sequence[float]) -> None:
        """The next picks draw by these chances. They need not sum to 1."""

    def set_scores(self, means: Sequence[float], base: Sequence[float], rate: float) -> None:
        """The next picks take the best by UCB1. `base` are pulls of each branch besides those that are counted here;
        `rate` says what part of all pulls counts as tried.
        """

    @property
    def pulls(self) -> list[int]:
        """How often each branch was picked since this was made."""

    def pick(self, puid: str = "") -> int:
        """The branch that a request with this puid takes; what `flow` does natively."""

    def recall(self, puid: str) -> tuple[int, int, float] | None:
        """(mark, position, chance) of the branch that this puid was sent to; None where that is forgotten."""

    def __len__(self) -> int: ...

def mark(name: str) -> int:
    """What a branch of this name is remembered by."""
