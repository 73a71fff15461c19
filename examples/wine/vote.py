"""Owns the combiner of the wine graph: one answer from three.

Must not know what the models are.
"""

from collections.abc import Sequence

import numpy
from numpy.typing import NDArray

from executor.component import quick


class Vote:
    """The weighted mean of the children's probabilities. `weights` has one number per child, in their order."""

    def __init__(self, weights: str) -> None:
        self.weights = [float(weight) for weight in weights.split()]

    @quick
    def aggregate(
        self, features_list: Sequence[NDArray[numpy.float64]], names_list: Sequence[Sequence[str]]
    ) -> NDArray[numpy.float64]:
        return numpy.average(numpy.stack(features_list), axis=0, weights=self.weights)

    def class_names(self) -> list[str]:
        return ["barolo", "grignolino", "barbera"]
