"""Owns which cells a profile measures, and how long. Must not measure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bench.runner import Options
from bench.scenarios import KIB, SCENARIOS, Scenario
from bench.stage import MILLRACE

QUICK = Options(seconds=0.4, warm_s=0.15, repeats=2, open_s=0.4, syscall_s=0.2, curve_s=0.4)
FULL = Options(copies=400, seconds=2.0, warm_s=0.5, repeats=5, open_s=5.0, syscall_s=0.5, curve_s=2.0)
QUICK_CURVE = (0.2, 0.5, 0.8)
FULL_CURVE = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
CURVED = (("node", 4096),)
"""Cells with a throughput-latency curve."""
COUNTED = ("echo", "node", "latency", "chain3", "fan3", "router2", "tls", "node-server", "rest-rest", "rest-numbers",
           "wrapper-rest", "wrapper-grpc")  # fmt: skip
"""Scenarios whose system calls the quick profile counts: those of gates and targets."""
SLOW: dict[str, tuple[tuple[str, int], ...]] = {
    "aio-proxy": (("node", 64), ("node", 600 * KIB)),
    "aio-numpy": (("node", 64), ("node", 600 * KIB)),
    "seldon-wrapper": (),
}
"""Contenders that only take time, and where the quick profile has them nevertheless."""


@dataclass(frozen=True)
class Cell:
    """What is measured together."""

    scenario: Scenario
    size: int
    targets: tuple[str, ...]
    options: Options


def quick() -> Iterator[Cell]:
    """Under three minutes."""
    for scenario in SCENARIOS.values():
        for size in scenario.quick_sizes:
            names = (MILLRACE, *(name for name in scenario.against if _is_quick(name, scenario, size)))
            options = QUICK if scenario.name in COUNTED else replace(QUICK, syscall_s=0.0)
            yield Cell(scenario, size, names, _options(scenario, size, options, QUICK_CURVE))


def _is_quick(name: str, scenario: Scenario, size: int) -> bool:
    return bool(scenario.asks) or name not in SLOW or (scenario.name, size) in SLOW[name]


def full() -> Iterator[Cell]:
    """Everything."""
    for scenario in SCENARIOS.values():
        for size in scenario.sizes:
            yield Cell(scenario, size, (MILLRACE, *scenario.against), _options(scenario, size, FULL, FULL_CURVE))


def chosen(
    names: Sequence[str], against: Sequence[str] | None, sizes: Sequence[int], options: Options
) -> Iterator[Cell]:
    """What a command line asks for; without sizes each scenario's first, without targets its own baselines."""
    for name in names:
        scenario = SCENARIOS[name]
        for size in sizes or scenario.sizes[:1]:
            others = scenario.against if against is None else tuple(against)
            yield Cell(scenario, size, (MILLRACE, *others), _options(scenario, size, options, ()))


def _options(scenario: Scenario, size: int, options: Options, curve: tuple[float, ...]) -> Options:
    if scenario.load == (1, 1) and options.rate == 0:
        return replace(options, open_s=0.0)  # one at a time is a closed loop by its nature
    return replace(options, curve=curve) if (scenario.name, size) in CURVED else options
