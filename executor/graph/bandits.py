"""Owns the parameters of the built-in routers that learn: how each is read, checked and made a learner.

Must not learn: `executor.graph.learners` does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from executor.graph.learners import EpsilonGreedy, Exp3, Learner, ThompsonSampling, Ucb1
from executor.graph.spec import Node, Value

Number = TypeVar("Number", int, float)
Result = TypeVar("Result")

COMMON = ("n_branches", "branch_names", "seed", "verbose", "history")
"""What every learning router takes, as Seldon's router images do."""


@dataclass(frozen=True, slots=True)
class Bandit:
    """A learning router as its node asks for it."""

    learner: Learner
    labels: tuple[str, ...]
    """What the branches are called where somebody reads: `branch_names`, else the children's names."""
    seed: int | None
    verbose: bool
    """Whether each reward is logged."""


def epsilon_greedy(node: Node) -> Bandit:
    """Raises ValueError with messages for the user, one for each wrong parameter, as all of these do."""
    given = _Given(node, "epsilon", "best_branch")
    epsilon = given.number("epsilon", 0.1, "a number from 0 to 1", lambda value: 0.0 <= value <= 1.0)
    last = len(node.children) - 1
    best = given.whole("best_branch", 0, f"a whole number from 0 to {last}", lambda value: 0 <= value <= last)
    return given.bandit(EpsilonGreedy(epsilon, best))


def thompson_sampling(node: Node) -> Bandit:
    """Beta priors of all branches: `alpha` and `beta`."""
    given = _Given(node, "alpha", "beta")
    told = "a number from 0.001 to 1e9"
    alpha, beta = (given.number(name, 1.0, told, lambda value: 1e-3 <= value <= 1e9) for name in ("alpha", "beta"))
    return given.bandit(ThompsonSampling(alpha, beta))


def ucb1(node: Node) -> Bandit:
    """It has no parameters of its own."""
    return _Given(node).bandit(Ucb1())


def exp3(node: Node) -> Bandit:
    """`gamma` is the share of requests that go anywhere."""
    given = _Given(node, "gamma")
    return given.bandit(Exp3(given.number("gamma", 0.1, "a number from 1e-6 to 1", lambda value: 1e-6 <= value <= 1.0)))


class _Given:
    """The parameters of one node."""

    def __init__(self, node: Node, *own: str) -> None:
        self._node = node
        self._values: Mapping[str, Value] = {each.name: each.value for each in node.parameters}
        self._wrong: list[str] = []
        allowed = (*own, *COMMON)
        for name in self._values:
            if name not in allowed:
                told = f"{node.implementation} takes no parameter {name!r}; allowed are {', '.join(allowed)}"
                self._wrong.append(f"node {node.name!r}: {told}")

    def bandit(self, learner: Learner) -> Bandit:
        """The learner with what every router takes besides. Raises ValueError with a message for each wrong value."""
        count = len(self._node.children)
        self.whole("n_branches", count, f"{count}, the number of children", lambda value: value == count)
        self._flag("history")
        whole = "a whole number from 0 to 2**64 - 1"
        made = Bandit(
            learner,
            self._labels(count),
            self.whole("seed", None, whole, lambda value: 0 <= value < 1 << 64),
            self._flag("verbose"),
        )
        if self._wrong:
            raise ValueError(*self._wrong)
        return made

    def number(self, name: str, default: float, told: str, fits: Callable[[float], bool]) -> float:
        """A real number; a text that is one will do."""
        return float(self._read(name, default, told, float, fits))

    def whole(self, name: str, default: Result, told: str, fits: Callable[[int], bool]) -> int | Result:
        """A whole number; a text that is one will do."""
        return self._read(name, default, told, _whole, fits)

    def _read(
        self, name: str, default: Result, told: str, read: Callable[[str], Number], fits: Callable[[Number], bool]
    ) -> Number | Result:
        if name not in self._values:
            return default
        value = self._values[name]
        try:
            found = None if isinstance(value, bool) else read(str(value))
        except (ValueError, OverflowError):
            found = None
        if found is None or not fits(found):  # NaN fits nowhere
            self._refuse(name, told)
            return default
        return found

    def _flag(self, name: str) -> bool:
        value = str(self._values.get(name, False)).lower()
        if value not in ("true", "false", "1", "0"):
            self._refuse(name, "true or false")
        return value in ("true", "1")

    def _labels(self, count: int) -> tuple[str, ...]:
        names = tuple(child.name for child in self._node.children)
        if "branch_names" not in self._values:
            return names
        labels = tuple(str(self._values["branch_names"]).split(":"))
        if len(labels) != count or not all(labels) or len(set(labels)) != count:
            self._refuse("branch_names", f"{count} different names with colons between, like {':'.join(names)}")
        return labels

    def _refuse(self, name: str, told: str) -> None:
        self._wrong.append(f"node {self._node.name!r}: {name} must be {told}; it is {self._values[name]!r}")


def _whole(text: str) -> int:
    number = float(text)
    if number != int(number):
        raise ValueError(text)
    return int(text) if text.lstrip("+-").isdigit() else int(number)
