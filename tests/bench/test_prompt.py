"""Owns the tests of `bench.prompt` and `bench.prompt_probe`: what ended how, behind real processes; never how fast."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import prompt, table
from bench.processes import BenchError
from bench.scenarios import SCENARIOS

ROOT = Path(__file__).resolve().parents[2]


def test_deadlines_are_answered_and_reach_the_node(tmp_path: Path) -> None:
    stored = tmp_path / "result.json"
    command = [sys.executable, "-m", "bench", "run", "deadline", "cancel", "--against", "--repeats", "1"]
    done = subprocess.run(
        [*command, "--json", str(stored)], cwd=ROOT, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr
    deadline, cancel = json.loads(stored.read_text())["runs"]
    assert deadline["ends"] == {"DEADLINE_EXCEEDED": prompt.COUNT}
    assert deadline["reset_at_node"] == prompt.COUNT
    assert cancel["ends"] == {"reset": prompt.COUNT}
    for run in (deadline, cancel):
        assert run["cpu_us_per_request"] is None
        assert 0 < run["p50_us"] <= run["p99_us"]
    assert "until its answer DEADLINE_EXCEEDED" in done.stdout


def outcome(**ends: int) -> dict[str, Any]:
    """What the process tells of a few requests."""
    return {"late": [[700, sum(ends.values())]], "kinds": ends, "resets": sum(ends.values())}


@pytest.mark.parametrize(("target", "errors"), [("millrace", 3), ("go-proxy", 0)])
def test_only_baselines_may_reset_instead_of_answering(target: str, errors: int) -> None:
    run = prompt.run_of(SCENARIOS["deadline"], 64, target, [outcome(DEADLINE_EXCEEDED=7, reset=3)])
    assert (run["errors"], run["asked"]) == (errors, 10)
    assert table.ends_line(run) == f"deadline {target}: 3 of 10 ended by a reset, without an answer"


def test_an_end_that_is_none_of_both_is_an_error() -> None:
    run = prompt.run_of(
        SCENARIOS["deadline"], 64, "go-proxy", [{**outcome(DEADLINE_EXCEEDED=1), "kinds": {"status 2": 1}}]
    )
    assert run["errors"] == 1
    assert "status 2" in run["first_error"]


def test_a_baseline_that_is_not_there_is_skipped_and_the_executor_is_not() -> None:
    scenario = SCENARIOS["deadline"]
    skipped: list[tuple[str, str]] = []
    found = prompt.measure(scenario, 64, 0, ["nobody"], lambda name, why: skipped.append((name, why)), print)
    assert found == []
    assert skipped[0][0] == "nobody"
    broken = type(scenario)(**{**vars(scenario), "graph": {"name": "m", "type": "NOTHING"}})
    with pytest.raises(BenchError, match="millrace ended"):
        prompt.measure(broken, 64, 0, ["millrace"], lambda name, why: None, print)
