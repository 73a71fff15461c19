"""Models that tell whether a number is above zero, and are right only so often."""

import random

import numpy


class Guess:
    """Right for the share `accuracy` of its rows."""

    def __init__(self, accuracy: float = 0.5) -> None:
        self.accuracy = accuracy
        self._draws = random.Random(1)

    def predict(self, X: numpy.ndarray, names: list[str]) -> numpy.ndarray:
        """1 for rows above zero, 0 for others; the other way round where it errs."""
        right = numpy.array([self._draws.random() < self.accuracy for _ in X])
        return numpy.where(right, X[:, 0] > 0, X[:, 0] <= 0).astype(int)
