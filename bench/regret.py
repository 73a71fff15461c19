"""Owns the simulation of learning routers: their regret on known bandits, and the plot of it in docs/.

Must not measure time, nor know how a request is served: picks come from the native table, as when requests do.

    python -m bench.regret docs/regret.svg
"""

import math
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import plots
from executor._native import weights
from executor.graph.learners import (
    EpsilonGreedy,
    Exp3,
    Learner,
    Scores,
    ThompsonSampling,
    Ucb1,
    fresh,
    pulled,
    rewarded,
)

STYLE = (
    "<style>text{font:12px sans-serif;fill:#444}.title{font-weight:bold}.axis{fill:none;stroke:#888}"
    '.grid{fill:none;stroke:#e5e5e5}</style><rect width="100%" height="100%" fill="#fff"/>'
)
ARMS = (0.5, 0.6)
STEPS = 4000
RUNS = 24


class Play:
    """One router on one bandit, one request after the other, each with its reward."""

    def __init__(self, learner: Learner, branches: int, seed: int) -> None:
        self.learner = learner
        self.state = fresh(branches)
        self._weights = weights.Weights([f"b{number}" for number in range(branches)], seed)
        self._place()

    def step(self, rewards: Callable[[int], float]) -> int:
        """The branch of the next request, whose reward is learned from."""
        branch = self._weights.pick()
        reward = rewards(branch)
        gain = self.learner.gain(reward, self._chances[branch])
        self.state = rewarded(pulled(self.state, branch), branch, reward, gain)
        self._place()
        return branch

    def _place(self) -> None:
        table = self.learner.table(self.state)
        if isinstance(table, Scores):
            self._weights.set_scores(table.means, [0.0] * len(self.state), table.rate)
            self._chances = (1.0,) * len(self.state)
        else:
            self._weights.set_chances(table)
            self._chances = table


def regret(learner: Learner, arms: Sequence[float], steps: int, seed: int) -> list[float]:
    """What was lost after each step, against always taking the best of Bernoulli branches with these chances."""
    draws = random.Random(seed)
    play, lost, found = Play(learner, len(arms), seed), 0.0, []
    for _ in range(steps):
        branch = play.step(lambda branch: float(draws.random() < arms[branch]))
        lost += max(arms) - arms[branch]
        found.append(lost)
    return found


def mean_regret(learner: Learner, arms: Sequence[float], steps: int, runs: int) -> list[float]:
    """The same, on average over runs with seeds of their own."""
    every = [regret(learner, arms, steps, seed) for seed in range(runs)]
    return [sum(column) / runs for column in zip(*every, strict=True)]


def adversary(learner: Learner, branches: int, steps: int) -> list[list[float]]:
    """Rewards made up against a router that does not draw: 0 for the branch that it takes, 1 for all others."""
    play, found = Play(learner, branches, 0), []
    for _ in range(steps):
        taken = play.step(lambda branch: 0.0)
        found.append([float(branch != taken) for branch in range(branches)])
    return found


def regret_of_sequence(learner: Learner, rewards: Sequence[Sequence[float]], seed: int) -> float:
    """What was lost in the end on fixed rewards, against the one branch that was best over all steps."""
    play, got = Play(learner, len(rewards[0]), seed), 0.0
    for row in rewards:
        got += row[play.step(row.__getitem__)]
    return max(map(sum, zip(*rewards, strict=True))) - got


def exp3_gamma(branches: int, steps: int) -> float:
    """The share that Auer and others prove their bound with, 2.63 sqrt(g K ln K) for a best gain of at most g."""
    return min(1.0, math.sqrt(branches * math.log(branches) / ((math.e - 1.0) * steps)))


LEARNERS: dict[str, Learner] = {
    "EPSILON_GREEDY": EpsilonGreedy(0.1),
    "UCB1": Ucb1(),
    "EXP3": Exp3(exp3_gamma(len(ARMS), STEPS)),
    "THOMPSON_SAMPLING": ThompsonSampling(),
}


def label(name: str) -> str:
    """What a router is called in the plot, where there is little room."""
    return name.removesuffix("_SAMPLING").replace("_", " ").lower()


def plot(steps: int = STEPS, runs: int = RUNS) -> str:
    """Regret over requests of all four, as SVG."""
    every = max(1, steps // 40)
    series = []
    for name, learner in LEARNERS.items():
        lost = mean_regret(learner, ARMS, steps, runs)
        points = [(step + 1.0, lost[step]) for step in range(every - 1, steps, every)]
        series.append(plots.Series(label(name), points))
    title = f"Regret on two models that are right in {ARMS[0]:.0%} and {ARMS[1]:.0%} of the cases"
    drawn = plots.lines(title, series, plots.Axis("requests"), plots.Axis("rewards lost"))
    return drawn.replace(">", f">{STYLE}", 1)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(plot() + "\n")
