"""Owns the tests of `bench.guard` and `bench.guard_drive`: what is counted and what fails."""

import subprocess
import sys
from pathlib import Path

from bench import guard, guard_drive


def profile(folder: Path, number: int, name: str, total: int) -> None:
    """A profile as callgrind writes it."""
    text = f"# callgrind format\ndesc: Trigger: Client Request: {name}\nevents: Ir\ntotals: {total}\n"
    (folder / f"profile.{number}").write_text(text)


def test_profiles_are_found_by_the_name_of_their_stretch(tmp_path: Path) -> None:
    profile(tmp_path, 1, "echo 1", 1000)
    profile(tmp_path, 2, "echo 2", 1900)
    (tmp_path / "profile").write_text("desc: Trigger: Program termination\ntotals: 5\n")
    assert guard.parts(tmp_path) == {"echo 1": 1000, "echo 2": 1900}


def test_a_request_costs_what_n_more_of_them_do() -> None:
    assert guard.per_request({"echo 1": 1000, "echo 2": 1900, "node 1": 7}, 100) == {"echo": 9.0}


def test_only_a_rise_beyond_the_limit_fails() -> None:
    old = {"echo": 100.0, "node": 200.0, "gone": 1.0}
    assert guard.risen(old, {"echo": 105.0, "node": 210.5, "new": 9.0}, 5) == ["node"]
    assert guard.risen({}, {"new": 1.0}, 5) == []


def test_the_table_names_what_is_new() -> None:
    text = guard.render({"echo": 100.0}, {"echo": 103.0, "node": 7.0}, "HEAD^")
    assert "+3.00%" in text
    assert text.splitlines()[-1].split() == ["node", "-", "7", "new"]


def test_each_scenario_answers_all_that_is_sent() -> None:
    command = [sys.executable, "-m", "bench.guard_drive", "--count", "32"]
    done = subprocess.run(command, cwd=guard.ROOT, capture_output=True, text=True, timeout=100)
    assert done.stdout.split("\n")[:-1] == [f"{name} done" for name in guard_drive.NAMES], done.stderr


def test_recorded_requests_go_on_where_the_last_ended() -> None:
    recorded = guard_drive.Recorded("/p", b"abc")
    first, second = recorded.requests(1), recorded.requests(1)
    assert len(second) < len(first)  # the header table has the names by then
    assert first[5:9] == (1).to_bytes(4, "big")
    assert second[5:9] == (3).to_bytes(4, "big")
