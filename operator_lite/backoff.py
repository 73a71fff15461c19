"""Owns how long to wait before the next try: twice as long each time, and never the same for all. Must not wait."""

import random
from collections.abc import Callable
from dataclasses import dataclass

FIRST_S, MOST_S = 0.5, 300.0


@dataclass(slots=True)
class Backoff:
    """The waits of one thing that fails."""

    first_s: float = FIRST_S
    most_s: float = MOST_S
    chance: Callable[[], float] = random.random
    """From 0 to 1; many that failed together do not come again together."""
    failures: int = 0

    def next(self) -> float:
        """Counts a failure; seconds until the next try."""
        full = min(self.most_s, self.first_s * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return full * (0.5 + 0.5 * self.chance())

    def reset(self) -> None:
        """It went well."""
        self.failures = 0
