"""Owns measuring how promptly deadlines and cancels act: contenders in front of a node that never answers.

Must not load anybody: one client, few requests, since it is the delay that is asked for.
"""

import base64
from collections.abc import Sequence
from typing import Any

from bench import histogram, machine, processes, targets
from bench.processes import BenchError
from bench.results import Run
from bench.runner import Skip, Tell, rounded
from bench.scenarios import Scenario
from bench.stage import MILLRACE, Target
from bench.stage import stage as staged
from bench.worker import Worker

COUNT, WARM = 150, 5
TIMEOUT_MS = 25
RIGHT = {"deadline": ("DEADLINE_EXCEEDED", "reset"), "cancel": ("reset",)}
"""How a request may end. Not the executor's at its deadline: it owes an answer."""


def measure(scenario: Scenario, size: int, repeats: int, names: Sequence[str], skip: Skip, tell: Tell) -> list[Run]:
    """One run for each contender. Raises BenchError when the executor cannot be measured."""
    with processes.Children() as children:
        stage = staged(scenario, children)
        with Worker("bench.prompt_probe", machine.cores()[1], str(stage.grpc_port)) as probe:
            started: list[Target] = []
            found: dict[str, list[dict[str, Any]]] = {}
            for name in names:
                tell(f"{name}: starting")
                try:
                    target = targets.start(name, stage)
                    target.ready()
                    _ask(probe, scenario, size, target, WARM)
                except BenchError as error:
                    if name == MILLRACE:
                        raise
                    skip(name, str(error))
                    continue
                started.append(target)
            for number in range(repeats):
                for target in started:
                    tell(f"{target.name}: {scenario.asks}s, {number + 1} of {repeats}")
                    outcome = _ask(probe, scenario, size, target, COUNT)
                    found.setdefault(target.name, []).append(outcome)
            return [run_of(scenario, size, name, outcomes) for name, outcomes in found.items()]


def _ask(probe: Worker, scenario: Scenario, size: int, target: Target, count: int) -> dict[str, Any]:
    request = base64.b64encode(scenario.request(size)).decode()
    order = {"do": scenario.asks, "name": target.name, "port": target.port, "path": target.path, "request": request}
    found: dict[str, Any] = probe.ask({**order, "count": count, "timeout_ms": TIMEOUT_MS})
    return found


def run_of(scenario: Scenario, size: int, name: str, outcomes: Sequence[dict[str, Any]]) -> Run:
    """What the outcomes of one contender come to."""
    late = histogram.merged([[(index, number) for index, number in each["late"]] for each in outcomes])
    ends: dict[str, int] = {}
    for outcome in outcomes:
        for kind, number in outcome["kinds"].items():
            ends[kind] = ends.get(kind, 0) + number
    asked = sum(ends.values())
    right = RIGHT[scenario.asks][:1] if name == MILLRACE else RIGHT[scenario.asks]
    wrong = asked - sum(ends.get(kind, 0) for kind in right)
    return {
        "scenario": scenario.name,
        "payload_bytes": size,
        "target": name,
        "cpu_us_per_request": None,
        "requests_per_s": None,
        "p50_us": rounded(histogram.quantile_us(late, 0.5)),
        "p99_us": rounded(histogram.quantile_us(late, 0.99)),
        "p999_us": rounded(histogram.quantile_us(late, 0.999)),
        "errors": wrong,
        "first_error": f"requests ended: {ends}" if wrong else "",
        "asks": scenario.asks,
        "ends": ends,
        "asked": asked,
        "reset_at_node": sum(outcome["resets"] for outcome in outcomes),
        "percentiles": [[quantile, rounded(value)] for quantile, value in histogram.curve(late)],
    }


def ends_of(run: Run) -> str:
    """How its requests ended, in words."""
    return ", ".join(f"{number} {kind}" for kind, number in run["ends"].items())
