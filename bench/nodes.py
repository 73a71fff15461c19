"""Owns the user classes that serve as nodes in the scenarios. Must not do more than a scenario says."""

from collections.abc import Sequence
from typing import Any

import numpy
from numpy.typing import NDArray

from executor.component import quick

Array = NDArray[numpy.float64]


class Echo:
    """Answers what it is given, inline on the event loop."""

    @quick
    def predict(self, X: Array, names: Sequence[str]) -> Array:
        return X

    @quick
    def transform_input(self, X: Array, names: Sequence[str]) -> Array:
        return X

    @quick
    def send_feedback(self, features: Any, names: Sequence[str], reward: float, truth: Any) -> None:
        return None


class AsyncEcho:
    """The same as a coroutine."""

    async def predict(self, X: Array, names: Sequence[str]) -> Array:
        return X


class BlockingEcho:
    """The same in the pool of threads, where methods that nothing is said about go."""

    def predict(self, X: Array, names: Sequence[str]) -> Array:
        return X


class Scaler:
    """Divides by 16, as the digits graph's transformer does."""

    @quick
    def transform_input(self, X: Array, names: Sequence[str]) -> Array:
        return X / 16.0
