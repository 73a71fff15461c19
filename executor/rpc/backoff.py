"""Owns how long to wait before something that failed is tried again.

Must not try anything, nor read a clock.
"""

import random

FIRST_S = 0.05
LAST_S = 1.0
"""What comes back after a long time is used again within about this."""
FACTOR = 1.6


class Backoff:
    """The wait before the next attempt at one thing; it grows with each failure in a row."""

    def __init__(self) -> None:
        self.until = 0.0
        """No attempt before this moment."""
        self._wait_s = 0.0

    def grow(self, now: float, last_s: float = LAST_S) -> None:
        """It failed: the next wait is longer, up to `last_s`."""
        self._wait_s = min(max(FIRST_S, self._wait_s * FACTOR), last_s)
        # Jitter, so that many executors do not come back to a restarted node in step.
        self.until = now + self._wait_s * random.uniform(0.8, 1.2)

    def hurry(self, now: float) -> None:
        """It is needed more than before: the wait is over within LAST_S."""
        self.until = min(self.until, now + LAST_S)

    def reset(self) -> None:
        """It went well, or is to be tried at once."""
        self.until = self._wait_s = 0.0
