"""Owns saying in the program's log what was lost of what is sent elsewhere, without a line for each loss.

Must not count for metrics: those who lose do.
"""

import asyncio
import logging
from collections import Counter

log = logging.getLogger("millrace")

TELL_S = 10.0
"""Losses are logged at most so often."""
REASONS_MAX = 8
"""Different ones in one line."""


class Losses:
    """Says in the program's log what was lost: the first time at once, then all of a while in one line. `what` is how a
    line begins. Belongs to one event loop.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._untold: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, count: int, why: str) -> None:
        """So many were, for this reason."""
        if why not in self._untold and len(self._untold) >= REASONS_MAX:
            why = "other reasons"
        self._untold[why] += count
        if self._timer is None:
            self._tell()

    def close(self) -> None:
        """Says what was not said yet."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._untold:
            self._say()

    def _tell(self) -> None:
        self._timer = None
        if self._untold:
            self._say()
            self._timer = asyncio.get_running_loop().call_later(TELL_S, self._tell)

    def _say(self) -> None:
        told = "; ".join(f"{count}: {why}" for why, count in self._untold.most_common())
        log.warning("%s: %s", self._what, told)
        self._untold.clear()
