"""Tests `bench.regret`: routers that learn lose what theory says, no more and no less, on bandits that are known.

Seeds make each game come out the same every time.
"""

import math
from pathlib import Path

import pytest

from bench import regret
from executor.graph.learners import EpsilonGreedy, Exp3, ThompsonSampling, Ucb1

ARMS = (0.3, 0.7)
GAP = 0.4


def test_epsilon_greedy_loses_the_same_with_each_request() -> None:
    lost = regret.mean_regret(EpsilonGreedy(0.2), ARMS, 4000, 8)
    slope = (lost[-1] - lost[1999]) / 2000
    assert slope == pytest.approx(0.2 / 2 * GAP, rel=0.15)  # epsilon / K * gap


def test_ucb1_loses_like_a_logarithm() -> None:
    lost = regret.mean_regret(Ucb1(), ARMS, 8000, 6)
    bound = 8 * math.log(8000) / GAP + (1 + math.pi**2 / 3) * GAP
    assert lost[-1] < bound
    # A straight line would lose eight times as much, a root nearly three times.
    assert 1.0 < lost[-1] / lost[999] < 1.9


def test_thompson_sampling_loses_like_a_logarithm_and_little() -> None:
    lost = regret.mean_regret(ThompsonSampling(), ARMS, 2000, 4)
    divergence = 0.3 * math.log(0.3 / 0.7) + 0.7 * math.log(0.7 / 0.3)
    assert lost[-1] < 3 * GAP / divergence * math.log(2000)  # Lai and Robbins' least possible, with room
    assert lost[-1] / lost[249] < 1.9
    assert lost[-1] < regret.mean_regret(Ucb1(), ARMS, 2000, 6)[-1]


def test_exp3_loses_like_a_root() -> None:
    lost = []
    for steps in (1000, 4000):
        learner = Exp3(regret.exp3_gamma(2, steps))
        lost.append(regret.mean_regret(learner, (0.45, 0.55), steps, 12)[-1])
        assert lost[-1] < 2.63 * math.sqrt(steps * 2 * math.log(2))
    assert lost[1] / lost[0] < 3.0  # a straight line: 4, a root: 2


def test_exp3_stands_up_to_an_adversary_that_ruins_ucb1() -> None:
    steps = 3000
    rewards = regret.adversary(Ucb1(), 3, steps)
    assert regret.regret_of_sequence(Ucb1(), rewards, 0) > 0.5 * steps
    learner = Exp3(regret.exp3_gamma(3, steps))
    lost = [regret.regret_of_sequence(learner, rewards, seed) for seed in range(6)]
    assert sum(lost) / len(lost) < 2.63 * math.sqrt(steps * 3 * math.log(3))


def test_a_game_comes_out_the_same_each_time() -> None:
    games = [regret.regret(ThompsonSampling(), ARMS, 50, 4) for _ in range(2)]
    assert games[0] == games[1]
    assert games[0] != regret.regret(ThompsonSampling(), ARMS, 50, 5)


def test_the_plot_shows_all_four() -> None:
    drawn = regret.plot(steps=40, runs=1)
    assert drawn.startswith("<svg")
    kept = (Path(regret.__file__).resolve().parents[1] / "docs" / "regret.svg").read_text()
    assert kept.startswith(drawn[: drawn.index("</style>")])
    assert all(f">{regret.label(name)}</text>" in drawn for name in regret.LEARNERS)
