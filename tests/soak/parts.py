"""Owns the components of the soak's graph. `millrace` loads this file by its path.

Must not keep anything between calls that grows: the soak looks for memory that does.
"""

import itertools
from collections.abc import Sequence
from typing import Any

from executor.component import mark


class Pass:
    """Answers what it is given, at once."""

    @mark.quick
    def transform_input(self, X: Any, names: Sequence[str]) -> Any:
        return X


class Echo:
    """Answers what it is given, from a thread of the pool."""

    def predict(self, X: Any, names: Sequence[str]) -> Any:
        return X

    def send_feedback(self, features: Any, names: Sequence[str], reward: float, truth: Any, routing: Any = None) -> Any:
        return features


class Spread:
    """Takes its routes in turn, and counts rewards."""

    def __init__(self, routes: int) -> None:
        self._turns = itertools.cycle(range(routes))
        self.rewards = 0.0

    @mark.quick
    def route(self, X: Any, names: Sequence[str]) -> int:
        return next(self._turns)

    @mark.quick
    def send_feedback(self, features: Any, names: Sequence[str], reward: float, truth: Any, routing: Any = None) -> Any:
        self.rewards += reward
        return features
