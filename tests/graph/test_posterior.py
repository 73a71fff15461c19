"""Tests `executor.graph.posterior` against exact sums and against draws."""

import math

import numpy
import pytest

from executor.graph import posterior


def exact(alpha: int, beta: int, other_alpha: int, other_beta: int) -> float:
    """P(second > first) for whole numbers, as a finite sum of Beta functions."""

    def log_beta(a: float, b: float) -> float:
        return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)

    terms = (
        log_beta(alpha + i, beta + other_beta)
        - math.log(other_beta + i)
        - log_beta(1 + i, other_beta)
        - log_beta(alpha, beta)
        for i in range(other_alpha)
    )
    return sum(map(math.exp, terms))


@pytest.mark.parametrize(
    "pair", [(1, 1, 1, 1), (2, 3, 4, 5), (30, 70, 35, 65), (300, 700, 340, 660), (1, 1, 1, 500), (5000, 5000, 1, 1)]
)
def test_two_are_compared_exactly(pair: tuple[int, int, int, int]) -> None:
    alpha, beta, other_alpha, other_beta = pair
    first, second = posterior.chances_to_be_best([alpha, other_alpha], [beta, other_beta])
    assert second == pytest.approx(exact(*pair), abs=1e-5)
    assert first + second == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("alphas", "betas"),
    [
        ([300, 310, 290], [700, 700, 700]),
        ([0.5, 0.5, 3.0], [0.5, 2.0, 0.1]),
        ([1e5, 1.001e5], [1e6, 1e6]),
        ([1, 5000, 40, 40], [1, 5000, 39, 40]),
        ([0.3] * 6, [0.3, 0.3, 1.0, 2.0, 3.0, 4.0]),
    ],
)
def test_several_are_compared_as_draws_are(alphas: list[float], betas: list[float]) -> None:
    generator = numpy.random.default_rng(1)
    drawn = numpy.stack([generator.beta(*pair, 400_000) for pair in zip(alphas, betas, strict=True)])
    share = numpy.bincount(drawn.argmax(axis=0), minlength=len(alphas)) / 400_000
    assert posterior.chances_to_be_best(alphas, betas) == pytest.approx(share, abs=0.005)


@pytest.mark.parametrize(
    ("alphas", "betas", "best"), [([1e9, 1], [1, 1e9], 0), ([1e-3, 1], [1, 1e-3], 1), ([1, 1e9], [1e9, 1e9], 1)]
)
def test_extremes_stay_numbers(alphas: list[float], betas: list[float], best: int) -> None:
    found = posterior.chances_to_be_best(alphas, betas)
    assert found[best] == pytest.approx(1.0, abs=1e-3)
    assert sum(found) == pytest.approx(1.0)


@pytest.mark.parametrize("count", [1, 2, 7, 150])
def test_equals_are_equal(count: int) -> None:
    assert posterior.chances_to_be_best([3.0] * count, [4.0] * count) == pytest.approx([1 / count] * count)
