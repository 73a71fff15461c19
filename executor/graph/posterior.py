"""Owns the probability that one of several Beta distributed quantities is the greatest, by numerical integration.

Must not know what the quantities stand for, nor draw at random.

All is done in log odds, t = ln(x / (1 - x)): there the density is exp(alpha ln x + beta ln(1 - x)), smooth and with
exponential tails for all alpha and beta, also below 1, where the density in x has poles.
"""

import math
from collections.abc import Sequence

import numpy
from numpy.typing import NDArray

Reals = NDArray[numpy.float64]

POINTS = 256
"""At which a distribution is looked at, at most; a part of them where there are many distributions."""
POINTS_MIN = 96
POINTS_ALL = 8192
DEVIATIONS = 9.0
TAIL = 38.0
"""Where exp(-TAIL) is no more than the rounding of a double."""


def chances_to_be_best(alphas: Sequence[float], betas: Sequence[float]) -> tuple[float, ...]:
    """For each of Beta(alpha, beta), independent of one another: how likely it is greater than all others."""
    if len(alphas) == 1:
        return (1.0,)
    different = list(dict.fromkeys(zip(alphas, betas, strict=True)))
    shared = dict(zip(different, _chances(different, list(zip(alphas, betas, strict=True))), strict=True))
    total = sum(shared[pair] for pair in zip(alphas, betas, strict=True))
    return tuple(shared[pair] / total for pair in zip(alphas, betas, strict=True))


def _chances(different: list[tuple[float, float]], pairs: list[tuple[float, float]]) -> list[float]:
    """The chance of each different distribution; equal ones share their integral, and their chance."""
    count = max(POINTS_MIN, min(POINTS, POINTS_ALL // len(different)))
    grid = numpy.unique(numpy.concatenate([_points(alpha, beta, count) for alpha, beta in different]))
    steps = numpy.diff(grid)
    # ln x and ln(1 - x) of the log odds, without loss on either side.
    log_x, log_rest = -numpy.logaddexp(0.0, -grid), -numpy.logaddexp(0.0, grid)
    densities = [_density(alpha * log_x + beta * log_rest) for alpha, beta in different]
    whole, below = [], []
    for density in densities:
        sums = numpy.concatenate(([0.0], numpy.cumsum(steps * (density[1:] + density[:-1]) / 2.0)))
        whole.append(sums[-1])
        below.append(numpy.log(numpy.maximum(sums / sums[-1], 1e-300)))
    all_below = sum((pairs.count(pair) * logs for pair, logs in zip(different, below, strict=True)), numpy.zeros(1))
    found = []
    for density, area, logs in zip(densities, whole, below, strict=True):
        inside = density / area * numpy.exp(all_below - logs)
        found.append(float(numpy.sum(steps * (inside[1:] + inside[:-1]) / 2.0)))
    return found


def _density(logs: Reals) -> Reals:
    found: Reals = numpy.exp(logs - logs.max())
    return found


def _points(alpha: float, beta: float, count: int) -> Reals:
    """Where to look at one distribution: from tail to tail, close together around its mode."""
    mode, deviation = math.log(alpha / beta), math.sqrt(1.0 / alpha + 1.0 / beta)
    left = math.asinh(DEVIATIONS + TAIL / alpha / deviation)
    right = math.asinh(DEVIATIONS + TAIL / beta / deviation)
    points: Reals = mode + deviation * numpy.sinh(numpy.linspace(-left, right, count))
    return points
