"""Tests `executor.graph.learners`: states, events and what follows from them; bench/test_regret has them play."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.graph import learners
from executor.graph.learners import EpsilonGreedy, Exp3, Learner, Scores, ThompsonSampling, Ucb1
from executor.state import Branch

ALL: list[Learner] = [EpsilonGreedy(), ThompsonSampling(), Ucb1(), Exp3()]


def state(*sums: tuple[int, int, float]) -> learners.State:
    return tuple(Branch(*each) for each in sums)


def test_events_make_new_states() -> None:
    before = learners.fresh(2)
    after = learners.rewarded(learners.pulled(learners.pulled(before, 1), 0, 3), 1, 0.5, 2.0)
    assert before == (Branch(), Branch())
    assert after == (Branch(3), Branch(1, 1, 0.5, 2.0))
    assert (after[1].mean, after[0].mean) == (0.5, 0.0)


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from([0.0, 0.25, 1.0])), max_size=30), st.randoms())
def test_the_order_of_events_does_not_matter(events: list[tuple[int, float]], order: random.Random) -> None:
    def after(events: list[tuple[int, float]]) -> learners.State:
        found = learners.fresh(3)
        for branch, reward in events:
            found = learners.rewarded(learners.pulled(found, branch), branch, reward)
        return found

    shuffled = list(events)
    order.shuffle(shuffled)
    assert after(events) == after(shuffled)


counted = st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), st.floats(0, 1), st.floats(0, 50))


@pytest.mark.parametrize("learner", ALL)
@given(st.lists(counted, min_size=1, max_size=6))
def test_chances_are_chances_whatever_happened(learner: Learner, sums: list[tuple[int, int, float, float]]) -> None:
    known = tuple(Branch(max(pulls, rewards), rewards, rewards * mean, gain) for pulls, rewards, mean, gain in sums)
    chances = learner.chances(known)
    assert len(chances) == len(known)
    assert min(chances) >= 0.0
    assert sum(chances) == pytest.approx(1.0)
    table = learner.table(known)
    assert isinstance(table, Scores) or table == chances


def test_epsilon_greedy() -> None:
    learner = EpsilonGreedy(0.3, best_branch=2)
    assert learner.chances(learners.fresh(3)) == pytest.approx((0.1, 0.1, 0.8))
    known = state((10, 10, 4.0), (2, 2, 1.0), (5, 0, 0.0))
    assert learner.chances(known) == pytest.approx((0.1, 0.8, 0.1))
    assert learner.chances(state((1, 1, -3.0), (9, 0, 0.0), (1, 1, -5.0))) == pytest.approx((0.8, 0.1, 0.1))
    assert learner.rewards == (-math.inf, math.inf)


def test_thompson_sampling_starts_from_its_priors() -> None:
    assert ThompsonSampling().chances(learners.fresh(2)) == pytest.approx((0.5, 0.5))
    # Beta(1, 2) against Beta(2, 1): 5/6.
    assert ThompsonSampling().chances(state((1, 1, 0.0), (1, 1, 1.0))) == pytest.approx((1 / 6, 5 / 6), abs=1e-5)
    half = ThompsonSampling().chances(state((1, 1, 0.5), (1, 1, 0.5)))
    assert half == pytest.approx((0.5, 0.5))
    strong = ThompsonSampling(1000.0, 1000.0).chances(state((1, 1, 0.0), (1, 1, 1.0)))
    assert strong == pytest.approx((0.5, 0.5), abs=0.02)


def test_ucb1_takes_the_greatest_bound() -> None:
    learner = Ucb1()
    assert learner.chances(state((3, 3, 3.0), (0, 0, 0.0))) == (0.0, 1.0)
    # 0.5 + sqrt(2 ln 12 / 10) = 1.205 and 0.25 + sqrt(2 ln 12 / 2) = 1.826
    assert learner.chances(state((10, 10, 5.0), (2, 2, 0.5))) == (0.0, 1.0)
    assert learner.chances(state((1000, 1000, 500.0), (200, 200, 50.0))) == (1.0, 0.0)


def test_ucb1_moves_with_pulls_alone() -> None:
    learner, known, taken = Ucb1(), learners.fresh(3), []
    for _ in range(30):
        branch = learner.chances(known).index(1.0)
        taken.append(branch)
        known = learners.pulled(known, branch)
    assert [taken.count(branch) for branch in range(3)] == [10, 10, 10]


def test_ucb1_trusts_rewards_that_are_known_not_pulls() -> None:
    few = Ucb1().table(state((1000, 10, 5.0), (1000, 10, 6.0)))
    assert isinstance(few, Scores)
    assert (few.means, few.rate) == ((0.5, 0.6), 0.01)
    unknown = Ucb1().table(state((10, 10, 5.0), (3, 0, 0.0)))
    assert isinstance(unknown, Scores)
    assert unknown.means == (0.5, 0.5)


def test_exp3_weighs_by_the_chance_of_the_pull() -> None:
    learner = Exp3(0.2)
    assert learner.gain(0.5, 0.1) == 5.0
    assert learner.chances(learners.fresh(2)) == pytest.approx((0.5, 0.5))
    gained = learners.rewarded(learners.fresh(2), 1, 1.0, learner.gain(1.0, 0.5))
    weight = math.exp(0.2 * 2.0 / 2)
    assert learner.chances(gained)[1] == pytest.approx(0.8 * weight / (1 + weight) + 0.1)
    assert learner.chances((Branch(gain=1e9), Branch())) == pytest.approx((0.9, 0.1))
    assert [each.gain(1.0, 0.5) for each in ALL[:3]] == [0.0] * 3
