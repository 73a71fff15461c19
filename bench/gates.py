"""Owns the ratios that the executor has to keep, against baselines of the same run. Must not measure.

A ratio within one run is what a noisy machine leaves of a comparison; absolute times are targets only.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from bench.payloads import show_size
from bench.results import Run
from bench.targets import MILLRACE

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


def verdicts(runs: Iterable[Run]) -> list[Verdict]:
    """The gates whose both sides were measured."""
    costs = {(run["scenario"], run["payload_bytes"], run["target"]): run["cpu_us_per_request"] for run in runs}
    found = []
    for gate in GATES:
        ours = costs.get((gate.scenario, gate.payload_bytes, MILLRACE))
        theirs = costs.get((gate.scenario, gate.payload_bytes, gate.baseline))
        if ours is not None and theirs:
            found.append(Verdict(gate, ours / theirs))
    return found


def lines(runs: Iterable[Run]) -> list[str]:
    """The verdicts as text."""
    return [
        f"gate {'kept' if each.kept else 'missed'}: {each.gate.scenario} {show_size(each.gate.payload_bytes)}: "
        f"{each.ratio:.2f} × {each.gate.baseline}, at most {each.gate.limit:g}"
        for each in verdicts(runs)
    ]
