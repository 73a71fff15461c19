"""Owns the last step of the digits graph: probabilities become the names of the classes.

Must not know which model they come from.
"""

from collections.abc import Sequence
from types import SimpleNamespace

import numpy
from numpy.typing import NDArray

WORDS = numpy.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])


class Labels:
    """Names the most probable class of each row, and tags the answer with how sure the model was."""

    def transform_output(self, X: NDArray[numpy.float64], names: Sequence[str]) -> SimpleNamespace:
        """An answer may carry tags and metrics of its own: any object with `data`, `tags` and `metrics` will do."""
        best = X.argmax(axis=1)
        sure = X[numpy.arange(len(X)), best]
        return SimpleNamespace(
            data=WORDS[best],
            tags={"confidence": [round(float(each), 3) for each in sure]},
            metrics=[{"key": "lowest_confidence", "type": "GAUGE", "value": float(sure.min())}],
        )
