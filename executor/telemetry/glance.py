"""Owns what can be seen at a glance of what is counted: totals and quantiles of requests, nodes and branches.

Must not count, nor know a graph: a name is a name here.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from executor._native import stats
from executor.telemetry import families
from executor.telemetry.families import Family

QUANTILES = (0.5, 0.99)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")
_NOT_ASKED = ("metadata", "status", "/grpc.health")
"""How services begin that no request of the graph is of."""

Labels = dict[str, str]
Key = tuple[int, bytes]

READ = tuple(
    f"{name}{{".encode()
    for name in (
        *(families.NODE_CRITICAL.name, families.SERVER.name, families.SERVER_SUMMARY.name, families.CLIENT.name),
        *(families.CLIENT_SUMMARY.name, families.NODE_SERVER.name, families.NODE_SERVER_SUMMARY.name),
        *(families.NODE_IN_FLIGHT.name, families.NODE_QUEUE.name, families.NODE_CONNECTIONS.name),
        *(families.PULLS.name, families.REWARDS.name, families.REWARD_MEAN.name, families.CHANCE.name),
        *(families.IN_FLIGHT.name, families.WORKERS.name, families.CONNECTIONS.name),
    )
)
"""How the keys of all series begin that are looked at."""


@dataclass(slots=True)
class Times:
    """How many there were and how long they took, in seconds."""

    count: int = 0
    errors: int = 0
    seconds: float = 0.0
    counts: list[int] = field(default_factory=list)
    """Of a sketch of the last minutes."""

    def told(self) -> dict[str, Any]:
        """For a reader."""
        p50, p99 = quantiles(self.counts)
        return {"count": self.count, "errors": self.errors, "seconds": self.seconds, "p50": p50, "p99": p99}


@dataclass(slots=True)
class Node:
    """What is known of a node."""

    times: Times = field(default_factory=Times)
    """Of its calls, feedback aside, where they are timed."""
    calls: int = 0
    """All, feedback with them, timed or not."""
    in_flight: float = 0.0
    connections: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """By their state."""
    branches: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))
    """By name: pulls, rewards, mean and chance."""


class Glance:
    """All that, of the series of a whole group as `stats.Region.read` answers them."""

    def __init__(self, series: Mapping[Key, Any]) -> None:
        self.requests = Times()
        self.nodes: dict[str, Node] = defaultdict(Node)
        self.critical = critical_seconds(series)
        """By node; empty where nobody counts it."""
        self.in_flight = self._sum(series, families.IN_FLIGHT)
        self.workers = int(self._sum(series, families.WORKERS))
        self.connections = int(self._sum(series, families.CONNECTIONS))
        self._read_requests(series)
        self._read_nodes(series)
        self._read_branches(series)

    def _read_requests(self, series: Mapping[Key, Any]) -> None:
        for times, summary in ((families.SERVER, families.SERVER_SUMMARY),
                               (families.NODE_SERVER, families.NODE_SERVER_SUMMARY)):  # fmt: skip
            for labels, value in _of(series, stats.HISTOGRAM, times.name):
                if not labels["service"].startswith(_NOT_ASKED):
                    _add_histogram(self.requests, labels["code"], value)
            for labels, value in _of(series, stats.SKETCH, summary.name):
                if not labels["service"].startswith(_NOT_ASKED) and not _is_feedback(labels):
                    _add_sketch(self.requests, value)

    def _read_nodes(self, series: Mapping[Key, Any]) -> None:
        for labels, value in _of(series, stats.HISTOGRAM, families.CLIENT.name):
            if not _is_feedback(labels):
                _add_histogram(self.nodes[labels["model_name"]].times, labels["code"], value)
        for labels, value in _of(series, stats.SKETCH, families.CLIENT_SUMMARY.name):
            if not _is_feedback(labels):
                _add_sketch(self.nodes[labels["model_name"]].times, value)
        for labels, value in _of(series, stats.HISTOGRAM, families.NODE_QUEUE.name):
            self.nodes[labels["model_name"]].calls += sum(value[1])
        for labels, value in _of(series, stats.GAUGE, families.NODE_IN_FLIGHT.name):
            self.nodes[labels["model_name"]].in_flight += value
        for labels, value in _of(series, stats.GAUGE, families.NODE_CONNECTIONS.name):
            self.nodes[labels["model_name"]].connections[labels["state"]] += int(value)

    def _read_branches(self, series: Mapping[Key, Any]) -> None:
        for what, kind, family in (
            ("pulls", stats.COUNTER, families.PULLS), ("rewards", stats.COUNTER, families.REWARDS),
            ("mean", stats.GAUGE, families.REWARD_MEAN), ("chance", stats.GAUGE, families.CHANCE),
        ):  # fmt: skip
            for labels, value in _of(series, kind, family.name):
                self.nodes[labels["model_name"]].branches[labels["branch"]][what] = value

    @staticmethod
    def _sum(series: Mapping[Key, Any], family: Family) -> float:
        return float(sum(value for _, value in _of(series, stats.GAUGE, family.name)))


def critical_seconds(series: Mapping[Key, Any]) -> dict[str, float]:
    """Seconds of requests that each node alone accounts for; empty where nobody counts them."""
    found: dict[str, float] = defaultdict(float)
    for labels, value in _of(series, stats.COUNTER, families.NODE_CRITICAL.name):
        found[labels["model_name"]] += value
    return dict(found)


def quantiles(counts: Iterable[int]) -> tuple[float | None, float | None]:
    """The median and the 99th of 100 of a sketch's counts; None where nothing was seen."""
    found = stats.quantiles(list(counts), QUANTILES)
    p50, p99 = (None if math.isnan(found[each]) else found[each] for each in QUANTILES)
    return p50, p99


def _of(series: Mapping[Key, Any], kind: int, name: str) -> Iterator[tuple[Labels, Any]]:
    """The series of one family: labels and value."""
    start = f"{name}{{".encode()
    for (number, key), value in series.items():
        if number == kind and key.startswith(start):
            yield _labels(key[len(start) :].decode("utf-8", "replace")), value


def _labels(text: str) -> Labels:
    return {name: _ESCAPED.sub(_unescaped, value) for name, value in _LABEL.findall(text)}


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match[1] == "n" else match[1]


def _is_feedback(labels: Labels) -> bool:
    return labels["service"].lower().endswith("feedback")


def _add_histogram(times: Times, code: str, value: Any) -> None:
    _, counts, seconds = value
    times.count += sum(counts)
    times.seconds += seconds
    if not (code in ("OK", "Canceled") or (code.isdigit() and int(code) < 400)):
        times.errors += sum(counts)


def _add_sketch(times: Times, value: Any) -> None:
    counts = value[0]
    times.counts = [a + b for a, b in zip(times.counts, counts, strict=True)] if times.counts else list(counts)
