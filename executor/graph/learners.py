"""Owns how routers learn: what is known of each branch, what a pull and a reward change, and where requests go then.

Must not do I/O, draw at random, nor keep anything: state goes in, state comes out.

All state is sums. Events may then be added in any order, by several processes, and another algorithm may go on with
what one has learned. The algorithms are those of the literature, named where they stand.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy

from executor.graph import posterior
from executor.state import Branch

State = tuple[Branch, ...]
"""One for each branch, in the order of the children."""


def fresh(branches: int) -> State:
    """The state before anything happened."""
    return (Branch(),) * branches


def pulled(state: State, branch: int, count: int = 1) -> State:
    """The state after `branch` was picked."""
    return _with(state, branch, state[branch].pulled(count))


def rewarded(state: State, branch: int, reward: float, gain: float = 0.0) -> State:
    """The state after a reward for a pull of `branch`; `gain` is what the learner says it gained."""
    return _with(state, branch, state[branch].rewarded(reward, gain))


def _with(state: State, branch: int, known: Branch) -> State:
    return (*state[:branch], known, *state[branch + 1 :])


@dataclass(frozen=True, slots=True)
class Scores:
    """What UCB1 picks by: the native table adds to it how often each branch was pulled, request by request."""

    means: tuple[float, ...]
    rate: float
    """What part of the pulls counts as tried: those that feedback came back for."""


class Learner(Protocol):
    """One algorithm with its parameters."""

    @property
    def rewards(self) -> tuple[float, float]:
        """The least and the greatest reward that it takes."""

    def table(self, state: State) -> tuple[float, ...] | Scores:
        """What the native table picks by: chances, or scores."""

    def gain(self, reward: float, chance: float) -> float:
        """What a reward is worth for a pull that had this chance; 0 where the learner does not ask."""

    def chances(self, state: State) -> tuple[float, ...]:
        """The chance of each branch to get the next request."""


@dataclass(frozen=True, slots=True)
class EpsilonGreedy:
    """The branch with the best mean reward, and with probability epsilon any of all, uniformly.

    Sutton and Barto, Reinforcement Learning, chapter 2.
    """

    epsilon: float = 0.1
    best_branch: int = 0
    """The best one while no reward is known."""
    rewards: tuple[float, float] = (-math.inf, math.inf)

    def table(self, state: State) -> tuple[float, ...]:
        return self.chances(state)

    def gain(self, reward: float, chance: float) -> float:
        return 0.0

    def chances(self, state: State) -> tuple[float, ...]:
        known = [index for index, branch in enumerate(state) if branch.rewards]
        best = max(known, key=lambda index: state[index].mean) if known else self.best_branch
        each = self.epsilon / len(state)
        return tuple(each + (1.0 - self.epsilon if index == best else 0.0) for index in range(len(state)))


@dataclass(frozen=True, slots=True)
class ThompsonSampling:
    """A draw from each branch's Beta posterior, and the branch with the greatest one.

    Thompson (1933), for Bernoulli rewards. Nothing needs to be drawn: the greatest draw is that of branch i with the
    probability that i is the best one, which is computed. A reward between 0 and 1 counts as that part of a success.
    """

    alpha: float = 1.0
    beta: float = 1.0
    rewards: tuple[float, float] = (0.0, 1.0)

    def table(self, state: State) -> tuple[float, ...]:
        return self.chances(state)

    def gain(self, reward: float, chance: float) -> float:
        return 0.0

    def chances(self, state: State) -> tuple[float, ...]:
        return posterior.chances_to_be_best(
            [self.alpha + max(branch.total, 0.0) for branch in state],
            [self.beta + max(branch.rewards - branch.total, 0.0) for branch in state],
        )


@dataclass(frozen=True, slots=True)
class Ucb1:
    """The branch with the greatest upper confidence bound, mean + sqrt(2 ln t / n).

    Auer, Cesa-Bianchi and Fischer (2002), Finite-time analysis of the multiarmed bandit problem. Where feedback comes
    late or only for a part of the requests, t and n are the pulls times that part: so the bound is as wide as the
    rewards that are known allow, and still moves with every pull.
    """

    rewards: tuple[float, float] = (0.0, 1.0)

    def table(self, state: State) -> Scores:
        pulls, rewards = sum(branch.pulls for branch in state), sum(branch.rewards for branch in state)
        overall = sum(branch.total for branch in state) / rewards if rewards else 0.0
        means = tuple(branch.mean if branch.rewards else overall for branch in state)
        return Scores(means, min(1.0, rewards / pulls) if rewards and pulls else 1.0)

    def gain(self, reward: float, chance: float) -> float:
        return 0.0

    def chances(self, state: State) -> tuple[float, ...]:
        pulls = [branch.pulls for branch in state]
        best = best_scored(self.table(state), pulls)
        return tuple(float(index == best) for index in range(len(state)))


def best_scored(scores: Scores, pulls: Sequence[float]) -> int:
    """The branch that UCB1 picks: what the native table computes for each request, for readers and tests."""
    if 0 in pulls:
        return list(pulls).index(0)
    tried = [each * scores.rate for each in pulls]
    bonus = 2.0 * math.log(max(sum(tried), 2.0))
    found = [mean + math.sqrt(bonus / each) for mean, each in zip(scores.means, tried, strict=True)]
    return max(range(len(found)), key=lambda index: (found[index], -pulls[index]))


@dataclass(frozen=True, slots=True)
class Exp3:
    """Chances by exponential weights over what each branch has gained, mixed with a share `gamma` of uniform ones.

    Auer, Cesa-Bianchi, Freund and Schapire (2002), The nonstochastic multiarmed bandit problem. Each reward is divided
    by the chance its pull had, so that branches that are seldom picked are not undervalued.
    """

    gamma: float = 0.1
    rewards: tuple[float, float] = (0.0, 1.0)

    def table(self, state: State) -> tuple[float, ...]:
        return self.chances(state)

    def gain(self, reward: float, chance: float) -> float:
        return reward / chance

    def chances(self, state: State) -> tuple[float, ...]:
        count = len(state)
        logs = numpy.array([self.gamma * branch.gain / count for branch in state])
        weights = numpy.exp(logs - logs.max())
        mixed = (1.0 - self.gamma) * weights / weights.sum() + self.gamma / count
        return tuple(mixed.tolist())
