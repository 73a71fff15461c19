"""Owns measuring one scenario with one payload: checked answers, then A B A B, then an open loop for each.

Must not print or store: it yields runs, and tells its progress to whoever asked for it.
"""

import contextlib
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from bench import copies, crosscheck, histogram, machine, payloads, processes, syscalls, targets
from bench.generator import Generator, Order, Outcome
from bench.payloads import Check
from bench.processes import HOST, BenchError
from bench.results import Run
from bench.scenarios import Scenario
from bench.stage import MILLRACE, Stage, Target
from bench.stage import stage as staged

PROBES, PROBES_LARGE = 24, 4
"""Answers looked at before anything is timed, one after another; fewer of large ones."""
LARGE = 256 << 10
FULL = 0.85
"""A core that was busy for this share of the time was the limit."""
LATE_US = 1000.0
"""When the generator itself sent later than this for one request in a hundred, its open loop is not to be trusted."""


@dataclass(frozen=True)
class Options:
    """How long and how often."""

    seconds: float = 1.0
    """One sample."""
    warm_s: float = 0.3
    repeats: int = 3
    """Samples of each contender, alternating."""
    open_s: float = 1.0
    """The open loop; 0: none."""
    share: float = 0.6
    """The open loop's rate, as a share of what the closed loop reached."""
    rate: float = 0.0
    """A rate instead of the share, per second."""
    closed: tuple[int, int] = (0, 0)
    """Connections and streams instead of the scenario's."""
    syscall_s: float = 0.3
    """A sample in which system calls are counted; 0: none."""
    curve: tuple[float, ...] = ()
    """Shares of capacity for a throughput-latency curve."""
    curve_s: float = 0.5
    copies: int = 0
    """Requests over which copied bytes are counted, by processes of their own; 0: not."""
    cross: bool = False
    """Whether h2load sends the same, as a check of our own generator."""


@dataclass
class Contender:
    """A target while it is measured."""

    target: Target
    order: Order
    exact: bool
    closed: list[tuple[Outcome, dict[str, float]]] = field(default_factory=list)
    open: Outcome | None = None
    open_rate: float = 0.0
    curve: list[dict[str, float]] = field(default_factory=list)
    syscalls: float | None = None
    instructions: float | None = None
    copied: float | None = None
    cross: dict[str, Any] | None = None

    @property
    def first(self) -> int:
        """Requests before a sample, untimed: they fill header tables and open TCP's windows."""
        return 2 * self.order.connections * self.order.streams

    @property
    def capacity(self) -> float:
        """Requests per second of the closed loop."""
        return statistics.median(outcome.answered / outcome.elapsed_s for outcome, _ in self.closed)


Tell = Callable[[str], None]
Skip = Callable[[str, str], None]


class Cell:
    """One scenario with one payload, all its contenders running."""

    def __init__(self, scenario: Scenario, size: int, options: Options, generator: Generator, tell: Tell) -> None:
        self.scenario, self.size, self.options = scenario, size, options
        self._generator, self._tell = generator, tell
        self._contenders: list[Contender] = []
        self._nodes: list[int] = []
        self._checks: dict[str, Check] = {}

    def measure(self, names: Sequence[str], skip: Skip) -> list[Run]:
        """All of it. What cannot take part is told to `skip` with the reason."""
        with processes.Children() as children:
            stage = staged(self.scenario, children)
            self._admit(names, stage, skip)
            self._nodes = [pid for node in stage.nodes for pid in node.pids]
            self._closed()
            self._open()
            self._count()
            self._cross()
            self._copies(stage, skip)
            return [self._run(contender) for contender in self._contenders]

    # --- before the clock runs

    def _admit(self, names: Sequence[str], stage: Stage, skip: Skip) -> None:
        """Starts all, side by side, then looks at the answers of each."""
        started: list[Target] = []
        for name in names:
            self._tell(f"{name}: starting")
            with self._excused(name, skip):
                started.append(targets.start(name, stage))
        for target in started:
            self._tell(f"{target.name}: checking answers")
            with self._excused(target.name, skip):
                target.ready()
                self._checks[target.name] = (target.check or self.scenario.check)(self.size)
                order = self._probed(self._order(target), target.varies)
                self._contenders.append(Contender(target, order, bool(order.accepted) or order.protocol == "tcp"))

    @contextlib.contextmanager
    def _excused(self, name: str, skip: Skip) -> Iterator[None]:
        """A baseline that cannot take part is skipped; without the executor there is nothing to measure."""
        try:
            yield
        except BenchError as error:
            if name == MILLRACE:
                raise
            skip(name, str(error))

    def _order(self, target: Target) -> Order:
        connections, streams = self.scenario.shape(self.size)
        if self.options.closed != (0, 0):
            connections, streams = self.options.closed
        request = (target.request or self.scenario.request)(self.size)
        place = target.name, target.protocol, HOST, target.port, target.path
        return Order(*place, request, connections, streams, ca=target.ca)

    def _probed(self, order: Order, varies: bool) -> Order:
        """The order with the answers that were found right; where answers vary too much, a few are kept instead."""
        probe = Order(**{**vars(order), "connections": 1, "streams": 1, "keep": True})
        self._generator.open(probe)
        found: set[bytes] = set()
        for _ in range(PROBES if self.size < LARGE else PROBES_LARGE):
            outcome = self._generator.run(order.name, count=1, seconds=10)
            if outcome.errors:
                raise BenchError(f"{order.name} did not answer: {outcome.first_error}")
            found.update(outcome.samples)
        self._generator.close(order.name)
        if order.protocol == "tcp":
            return order
        for answer in found:
            self._verify(order.name, answer)
        if len(found) <= 8 and not varies:
            return Order(**{**vars(order), "accepted": tuple(found)})
        return Order(**{**vars(order), "keep": True})

    def _verify(self, name: str, answer: bytes) -> None:
        try:
            problem = self._checks[name](answer)
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        if problem:
            raise BenchError(f"{name} answers {problem}: {answer[:200]!r}")

    # --- samples

    def _load(self, contender: Contender, **how: Any) -> Outcome:
        """One sample, on connections of its own: servers may end those that wait for their turn."""
        name = contender.target.name
        self._generator.open(contender.order)
        first = self._generator.run(name, count=contender.first, seconds=30)
        outcome = self._generator.run(name, server=contender.target.server.pids, nodes=self._nodes, **how)
        for answer in outcome.samples:
            self._verify(name, answer)
        text = first.first_error if first.errors else outcome.first_error
        return replace(outcome, errors=outcome.errors + first.errors, first_error=text)

    def _closed(self) -> None:
        for contender in self._contenders:
            self._tell(f"{contender.target.name}: warming up")
            self._load(contender, seconds=self.options.warm_s)
        for number in range(self.options.repeats):
            for contender in self._contenders:
                self._tell(f"{contender.target.name}: closed loop, {number + 1} of {self.options.repeats}")
                before = machine.busy()
                outcome = self._load(contender, seconds=self.options.seconds)
                ours = outcome.server_s + outcome.node_s + outcome.load_s
                contender.closed.append((outcome, machine.disturbance(before, machine.busy(), ours)))
                if outcome.answered == 0:
                    raise BenchError(f"{contender.target.name} answered nothing: {outcome.first_error}")

    def _open(self) -> None:
        options = self.options
        for contender in self._contenders:
            contender.open_rate = options.rate or options.share * contender.capacity
            if options.open_s > 0:
                self._tell(f"{contender.target.name}: open loop at {contender.open_rate:,.0f}/s")
                contender.open = self._load(contender, seconds=options.open_s, rate=contender.open_rate)
            for share in options.curve:
                rate = share * contender.capacity
                self._tell(f"{contender.target.name}: open loop at {rate:,.0f}/s for the curve")
                contender.curve.append(_point(rate, self._load(contender, seconds=options.curve_s, rate=rate)))

    def _count(self) -> None:
        if self.options.syscall_s <= 0 or syscalls.unavailable():
            return
        for contender in self._contenders:
            self._tell(f"{contender.target.name}: counting system calls")
            load = partial(self._answered, contender)
            contender.syscalls, contender.instructions = syscalls.per_request(contender.target.server.pids, load)

    def _answered(self, contender: Contender) -> int:
        return contender.first + self._load(contender, seconds=self.options.syscall_s).answered

    def _cross(self) -> None:
        for contender in self._contenders if self.options.cross else ():
            if contender.order.protocol == "grpc":
                self._tell(f"{contender.target.name}: the same from h2load")
                count = max(100, round(contender.capacity * self.options.seconds))
                contender.cross = crosscheck.measure(contender.order, count, contender.target.server.pids)

    def _copies(self, stage: Stage, skip: Skip) -> None:
        dynamic = [each for each in self._contenders if each.target.name not in copies.UNSEEN]
        for contender in dynamic if self.options.copies else ():
            name = contender.target.name
            self._tell(f"{name}: counting copied bytes")
            with self._excused(name, skip):
                counter = copies.Counter(stage.children.folder)
                stage.env = counter.environment
                target = targets.start(name, stage)
                target.ready()
                order = self._order(target)
                self._generator.open(order)
                self._generator.run(name, count=max(1, self.options.copies // 4), seconds=60)
                before = counter.bytes
                answered = self._generator.run(name, count=self.options.copies, seconds=60).answered
                contender.copied = (counter.bytes - before) / answered if answered else None
                target.server.stop()
        stage.env = {}

    # --- what it comes to

    def _run(self, contender: Contender) -> Run:
        outcomes = [outcome for outcome, _ in contender.closed]
        costs = [1e6 * outcome.server_s / max(outcome.answered, 1) for outcome in outcomes]
        closed = histogram.merged(outcome.latency for outcome in outcomes)
        timed = contender.open if contender.open is not None and contender.open.answered else None
        latency = timed.latency if timed else closed
        everything = [*outcomes, *([contender.open] if contender.open else [])]
        return {
            "scenario": self.scenario.name,
            "payload_bytes": self.size,
            "target": contender.target.name,
            "cpu_us_per_request": rounded(statistics.median(costs)),
            "requests_per_s": rounded(contender.capacity),
            "p50_us": rounded(histogram.quantile_us(latency, 0.5)),
            "p99_us": rounded(histogram.quantile_us(latency, 0.99)),
            "p999_us": rounded(histogram.quantile_us(latency, 0.999)),
            "errors": sum(outcome.errors for outcome in everything),
            "first_error": next((outcome.first_error for outcome in everything if outcome.errors), ""),
            "cpu_spread": rounded((max(costs) - min(costs)) / statistics.median(costs)) if min(costs) > 0 else None,
            "node_cpu_us_per_request": rounded(_median(1e6 * each.node_s / each.answered for each in outcomes)),
            "load_cpu_us_per_request": rounded(_median(1e6 * each.load_s / each.answered for each in outcomes)),
            "server_cores": rounded(_median(each.server_s / each.elapsed_s for each in outcomes)),
            "limit": limit_of(outcomes),
            "syscalls_per_request": rounded(contender.syscalls),
            "instructions_per_request": rounded(contender.instructions),
            "copied_bytes_per_request": rounded(contender.copied),
            "peak_rss_bytes": processes.peak_rss_bytes(contender.target.server.pids),
            "answers": "every one compared" if contender.exact else "a sample decoded and checked",
            "protocol": contender.order.protocol,
            "connections": contender.order.connections,
            "streams": contender.order.streams,
            "latency": _latency_of(contender, timed),
            "closed_p50_us": rounded(histogram.quantile_us(closed, 0.5)),
            "closed_p99_us": rounded(histogram.quantile_us(closed, 0.99)),
            "percentiles": [[quantile, rounded(value)] for quantile, value in histogram.curve(latency)],
            "curve": contender.curve,
            **({"h2load": contender.cross} if contender.cross else {}),
            "samples": [_sample(outcome, around) for outcome, around in contender.closed],
        }


def limit_of(outcomes: Sequence[Outcome]) -> str:
    """What kept a closed loop from being faster, as far as CPU time tells."""
    server = _median(each.server_s / each.elapsed_s for each in outcomes)
    rest = _median((each.load_s + each.node_s) / each.elapsed_s for each in outcomes)
    if server is not None and server >= FULL:
        return "server"
    if rest is not None and rest >= FULL:
        return "generator and node: requests_per_s is a lower bound"
    return "waiting: neither core was full"


def _latency_of(contender: Contender, timed: Outcome | None) -> dict[str, Any]:
    if timed is None:
        return {"loop": "closed"}
    late = histogram.quantile_us(timed.lag, 0.99) or 0.0
    found = {
        "loop": "open",
        "rate": rounded(contender.open_rate),
        "answered_per_s": rounded(timed.answered / timed.elapsed_s),
        "generator_late_p99_us": rounded(late),
        "waited_for_room": timed.waited,
    }
    if late > LATE_US:
        found["caution"] = "the generator was late itself: its core was busy, so these latencies are its own in part"
    return found


def _point(rate: float, outcome: Outcome) -> dict[str, float]:
    found = {"rate": rate, "answered_per_s": outcome.answered / outcome.elapsed_s}
    for name, quantile in (("p50_us", 0.5), ("p99_us", 0.99)):
        found[name] = histogram.quantile_us(outcome.latency, quantile) or 0.0
    return {name: float(rounded(value) or 0.0) for name, value in found.items()}


def _sample(outcome: Outcome, around: dict[str, float]) -> dict[str, Any]:
    return {
        "answered": outcome.answered,
        "elapsed_s": rounded(outcome.elapsed_s),
        "cpu_us_per_request": rounded(1e6 * outcome.server_s / max(outcome.answered, 1)),
        "requests_per_s": rounded(outcome.answered / outcome.elapsed_s),
        **around,
    }


def _median(values: Any) -> float | None:
    found = list(values)
    return statistics.median(found) if found else None


def rounded(value: float | None) -> float | None:
    """As many digits as are worth storing."""
    return None if value is None else float(f"{value:.5g}")


def describe(scenario: Scenario, size: int) -> str:
    """A cell's name for progress and tables."""
    return f"{scenario.name} {payloads.show_size(size)}"
