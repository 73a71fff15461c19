"""Owns the router of the digits graph: which of the two models a request goes to, and what came of it.

Must not change the request.
"""

from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy
from numpy.typing import NDArray

from executor.component import quick


class InkRouter:
    """Sends faint digits to child 0 and bold ones to child 1, and counts the rewards that come back for each."""

    def __init__(self, threshold: float = 0.3) -> None:
        self.threshold = threshold
        self.rewards = {0: 0.0, 1: 0.0}
        self._lock = Lock()

    @quick
    def route(self, X: NDArray[numpy.float64], names: Sequence[str]) -> int:
        return int(X.mean() > self.threshold)

    def send_feedback(
        self, X: Any, names: Sequence[str], reward: float, truth: Any, routing: int | None = None
    ) -> None:
        """`routing` is the child that answered the request in question."""
        if routing in self.rewards:
            with self._lock:
                self.rewards[routing] += reward

    def health_status(self) -> dict[str, Any]:
        """What a status request shows: the rewards so far."""
        return {"rewards": [self.rewards[0], self.rewards[1]]}
