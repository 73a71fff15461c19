"""Owns the three models of the chain: each does one small sum, so that the answer shows that all three were there.

Must not need anything but numpy: these are the smallest useful components.
"""

from collections.abc import Sequence
from typing import Any

import numpy
from numpy.typing import NDArray

Numbers = NDArray[numpy.float64]


class StepOne:
    """Adds one."""

    def predict(self, X: Numbers, names: Sequence[str], meta: dict[str, Any] | None = None) -> Numbers:
        return numpy.asarray(X) + 1.0


class StepTwo:
    """Multiplies by ten."""

    def predict(self, X: Numbers, names: Sequence[str], meta: dict[str, Any] | None = None) -> Numbers:
        return numpy.asarray(X) * 10.0


class StepThree:
    """Subtracts the column's number, and says that it was here."""

    def predict(self, X: Numbers, names: Sequence[str], meta: dict[str, Any] | None = None) -> Numbers:
        return numpy.asarray(X) - numpy.arange(numpy.asarray(X).shape[-1])

    def tags(self) -> dict[str, Any]:
        return {"chain": "complete"}
