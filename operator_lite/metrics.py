"""Owns the operator's numbers, and their text for Prometheus. Must not know what is counted, nor serve the text."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
Labels = tuple[str, ...]


@dataclass
class Counter:
    """Something that is counted, by the values of its labels."""

    name: str
    help: str
    labels: Labels = ()
    values: dict[Labels, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, *labels: str) -> None:
        """One more."""
        with self.lock:
            self.values[labels] = self.values.get(labels, 0) + 1

    def lines(self) -> Iterable[str]:
        """Its text."""
        yield from _head(self.name, self.help, "counter")
        with self.lock:
            found = sorted(self.values.items())
        for labels, value in found:
            yield f"{self.name}{_labelled(self.labels, labels)} {value:g}"


@dataclass
class Gauge:
    """Something that is measured when it is asked for, by the values of its labels."""

    name: str
    help: str
    read: Callable[[], dict[Labels, float]]
    labels: Labels = ()

    def lines(self) -> Iterable[str]:
        """Its text."""
        yield from _head(self.name, self.help, "gauge")
        for labels, value in sorted(self.read().items()):
            yield f"{self.name}{_labelled(self.labels, labels)} {value:g}"


@dataclass
class Histogram:
    """Seconds that something takes."""

    name: str
    help: str
    counts: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))
    total: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, seconds: float) -> None:
        """One more."""
        with self.lock:
            self.counts[sum(seconds > bound for bound in SECONDS)] += 1
            self.total += seconds

    def lines(self) -> Iterable[str]:
        """Its text."""
        yield from _head(self.name, self.help, "histogram")
        with self.lock:
            counts, total = list(self.counts), self.total
        for index, bound in enumerate((*map(str, SECONDS), "+Inf")):
            yield f'{self.name}_bucket{{le="{bound}"}} {sum(counts[: index + 1])}'
        yield f"{self.name}_sum {total:g}"
        yield f"{self.name}_count {sum(counts)}"


class Metrics:
    """All of them."""

    def __init__(self) -> None:
        self.requests = Counter(
            "millrace_operator_api_requests_total", "Requests to the API server; code 0: none came back.",
            ("verb", "code"),
        )  # fmt: skip
        self.looks = Counter("millrace_operator_reconciles_total", "Looks at resources.", ("result",))
        self.seconds = Histogram("millrace_operator_reconcile_seconds", "Seconds that a look takes.")
        self._gauges: list[Gauge] = []

    def gauge(
        self, name: str, explained: str, read: Callable[[], dict[Labels, float]], labels: Labels = ()
    ) -> None:  # fmt: skip
        """One more thing that is measured when it is asked for."""
        self._gauges.append(Gauge(f"millrace_operator_{name}", explained, read, labels))

    def text(self) -> str:
        """All, in Prometheus' form."""
        parts: tuple[Counter | Histogram | Gauge, ...] = (self.requests, self.looks, self.seconds, *self._gauges)
        return "".join(f"{line}\n" for part in parts for line in part.lines())


def _head(name: str, explained: str, kind: str) -> Iterable[str]:
    yield f"# HELP {name} {explained}"
    yield f"# TYPE {name} {kind}"


def _labelled(names: Labels, values: Labels) -> str:
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True))
    return f"{{{pairs}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
