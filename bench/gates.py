"""Owns the ratios that the executor has to keep, and the costs that it aims at. Must not measure.

A ratio within one run is what a noisy machine leaves of a comparison; absolute times are targets only.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from bench.payloads import show_size
from bench.results import Run
from bench.stage import MILLRACE

KIB, MIB = 1 << 10, 1 << 20


@dataclass(frozen=True)
class Gate:
    """CPU per request of the executor, as a multiple of a baseline's that must not be exceeded."""

    scenario: str
    payload_bytes: int
    baseline: str
    limit: float


GATES = (
    Gate("node", 64, "go-proxy", 0.25),
    Gate("node", 4 * KIB, "go-proxy", 0.25),
    Gate("node", 600 * KIB, "go-proxy", 1.0),
    Gate("node", 600 * KIB, "raw-tcp", 1.8),
    Gate("node", 4 * MIB, "go-proxy", 1.0),
    Gate("node", 4 * MIB, "raw-tcp", 1.8),
    Gate("node-server", 64, "grpcio-node", 0.1),
    Gate("rest-rest", KIB, "go-http", 1.0),
    Gate("rest-numbers", 8000, "go-http", 1.0),
    Gate("wrapper-rest", 8000, "fastapi-node", 0.25),
    Gate("wrapper-grpc", 64, "grpcio-node", 0.25),
)


@dataclass(frozen=True)
class Target:
    """CPU per request of the executor that is aimed at, in microseconds: times depend on the machine, so not a gate."""

    scenario: str
    payload_bytes: int
    limit_us: float
    beyond: str = ""
    """A scenario whose cost is taken off first: what further nodes add."""
    nodes: int = 1
    """How many those are."""


TARGETS = (
    Target("node", 64, 15),
    Target("node", 4 * KIB, 20),
    Target("node", 600 * KIB, 1400),
    Target("node", 4 * MIB, 10_000),
    Target("chain3", 64, 10, "node", 2),
    Target("fan3", 64, 10, "node", 2),
    Target("quick", 4 * KIB, 25),
    Target("async", 4 * KIB, 25),
    Target("blocking", 4 * KIB, 45),
    Target("node-server", 64, 30),
    Target("rest-rest", KIB, 150),
    Target("rest-grpc", 8000, 200),
    Target("rest-numbers", 8000, 150),
    Target("wrapper-rest", 8000, 200),
    Target("wrapper-grpc", 64, 45),
)


@dataclass(frozen=True)
class Verdict:
    """A gate and where the executor stood."""

    gate: Gate
    ratio: float

    @property
    def kept(self) -> bool:
        """Whether the ratio is within the limit."""
        return self.ratio <= self.gate.limit

    def __str__(self) -> str:
        place = f"{self.gate.scenario} {show_size(self.gate.payload_bytes)}"
        return f"gate {_word(self.kept)}: {place}: {self.ratio:.2f} × {self.gate.baseline}, at most {self.gate.limit:g}"


@dataclass(frozen=True)
class Aim:
    """A target and where the executor stood."""

    target: Target
    cost_us: float

    @property
    def kept(self) -> bool:
        """Whether the cost is within the limit."""
        return self.cost_us <= self.target.limit_us

    def __str__(self) -> str:
        place = f"{self.target.scenario} {show_size(self.target.payload_bytes)}"
        each = " for each node beyond the first" if self.target.beyond else ""
        cost = f"{self.cost_us:.3g}" if self.cost_us < 100 else f"{self.cost_us:,.0f}"
        return f"target {_word(self.kept)}: {place}: {cost} µs{each}, at most {self.target.limit_us:,.0f}"


Costs = dict[tuple[str, int, str], float | None]


def verdicts(runs: Iterable[Run]) -> list[Verdict]:
    """The gates whose both sides were measured."""
    costs = _costs(runs)
    found = []
    for gate in GATES:
        ours = costs.get((gate.scenario, gate.payload_bytes, MILLRACE))
        theirs = costs.get((gate.scenario, gate.payload_bytes, gate.baseline))
        if ours is not None and theirs:
            found.append(Verdict(gate, ours / theirs))
    return found


def aims(runs: Iterable[Run]) -> list[Aim]:
    """The targets that were measured."""
    costs = _costs(runs)
    found = []
    for target in TARGETS:
        cost = costs.get((target.scenario, target.payload_bytes, MILLRACE))
        taken = costs.get((target.beyond, target.payload_bytes, MILLRACE)) if target.beyond else 0.0
        if cost is not None and taken is not None:
            found.append(Aim(target, (cost - taken) / target.nodes))
    return found


def lines(runs: Iterable[Run]) -> list[str]:
    """Gates and targets as text."""
    measured = list(runs)
    return [*map(str, verdicts(measured)), *map(str, aims(measured))]


def _costs(runs: Iterable[Run]) -> Costs:
    return {(run["scenario"], run["payload_bytes"], run["target"]): run["cpu_us_per_request"] for run in runs}


def _word(kept: bool) -> str:
    return "kept" if kept else "missed"
