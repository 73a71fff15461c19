"""Owns the tests of `bench.guard` and `bench.guard_drive`: what is counted and what fails."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import guard, guard_drive
from bench.processes import BenchError


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


def test_of_several_counts_the_least_holds() -> None:
    assert guard.least({"echo": 100.0, "node": 7.0}, {"echo": 90.0, "node": 8.0}) == {"echo": 90.0, "node": 7.0}
    assert guard.least({"echo": 100.0}, {}) == {"echo": 100.0}


def test_a_share_of_requests_is_mixed_of_none_and_all() -> None:
    assert guard.mix({"echo": 100.0, "node": 7.0}, {"echo": 300.0}, 0.01) == {"echo": 102.0}


def counts(*of_one: float) -> guard.Counts:
    """What is counted of one scenario, time after time."""
    given = iter(of_one)
    return lambda: {"node": next(given)}


def test_a_rise_is_counted_again_before_it_is_believed() -> None:
    assert guard.compared(counts(100), counts(104), 5) == ({"node": 100}, {"node": 104})
    assert guard.compared(counts(100, 100), counts(113, 101), 5) == ({"node": 100}, {"node": 101})
    assert guard.compared(counts(100, 101, 99), counts(113, 112, 114), 5) == ({"node": 99}, {"node": 112})


def test_a_commit_that_cannot_be_counted_is_not_counted_again() -> None:
    assert guard.compared(dict, counts(113), 5) == ({}, {"node": 113})


def test_the_table_names_what_is_new() -> None:
    text = guard.render({"echo": 100.0}, {"echo": 103.0, "node": 7.0}, "HEAD^")
    assert "+3.00%" in text
    assert text.splitlines()[-1].split() == ["node", "-", "7", "new"]


@pytest.mark.parametrize("more", [[], ["--bare"], ["--traced", "0.5"]], ids=["with metrics", "without", "traced"])
def test_each_scenario_answers_all_that_is_sent(more: list[str]) -> None:
    command = [sys.executable, "-m", "bench.guard_drive", "--count", "32", *more]
    done = subprocess.run(command, cwd=guard.ROOT, capture_output=True, text=True, timeout=100)
    assert done.stdout.split("\n")[:-1] == [f"{name} done" for name in guard_drive.NAMES], done.stderr


def test_recorded_requests_go_on_where_the_last_ended() -> None:
    recorded = guard_drive.Recorded("/p", b"abc")
    first, second = recorded.requests(1), recorded.requests(1)
    assert len(second) < len(first)  # the header table has the names by then
    assert first[5:9] == (1).to_bytes(4, "big")
    assert second[5:9] == (3).to_bytes(4, "big")


def tree(folder: Path, files: dict[str, str]) -> Path:
    """A tree with these files."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_only_what_serves_requests_tells_trees_apart(tmp_path: Path) -> None:
    one = tree(tmp_path / "one", {"executor/a.py": "1", "README.md": "x", "tests/t.py": "1"})
    same = tree(tmp_path / "same", {"executor/a.py": "1", "README.md": "y", "tests/t.py": "2"})
    python = tree(tmp_path / "python", {"executor/a.py": "2", "README.md": "x"})
    native = tree(tmp_path / "native", {"executor/a.py": "1", "_native/a.pyx": "1"})
    assert guard.content(one) == guard.content(same)
    assert len({guard.content(each) for each in (one, python, native)}) == 3


def test_a_folder_becomes_a_tree_and_what_is_the_same_keeps_its_time(tmp_path: Path) -> None:
    folder = tree(
        tmp_path / "folder", {"_native/a.pyx": "1", "_native/b.pyx": "1", "_native/gone.pyx": "", "build/o": ""}
    )
    before = (folder / "_native/a.pyx").stat().st_mtime_ns
    guard.update(folder, tree(tmp_path / "tree", {"_native/a.pyx": "1", "_native/b.pyx": "2", "executor/c.py": "3"}))
    assert {name: path.read_text() for name, path in guard.files(folder, guard.SHIPPED).items()} == {
        "_native/a.pyx": "1",
        "_native/b.pyx": "2",
        "executor/c.py": "3",
    }
    assert (folder / "_native/a.pyx").stat().st_mtime_ns == before
    assert (folder / "build/o").exists()


def test_without_a_parent_there_is_nothing_to_compare_with(capsys: pytest.CaptureFixture[str]) -> None:
    assert guard.run("no-such-commit", 5) == 0
    assert "there is no no-such-commit here" in capsys.readouterr().out


def test_a_tree_that_does_not_build_is_an_error_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLRACE_BENCH_CACHE", str(tmp_path / "cache"))
    broken = tree(tmp_path / "tree", {"pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = 'nothing'\n"})
    with pytest.raises(BenchError, match=r"(?s)it does not build: .*No module named .nothing"):
        guard.installed(broken)


def test_the_cache_keeps_the_packages_that_were_used_last(tmp_path: Path) -> None:
    for number in range(guard.KEPT + 2):
        os.utime(tree(tmp_path / f"tree-{number}", {"done": ""}) / "done", (number, number))
    tree(tmp_path / "tree-begun", {"executor/a.py": "1"})
    guard.forget(tmp_path)
    left = {f"tree-{number}" for number in range(2, guard.KEPT + 2)}
    assert {path.name for path in tmp_path.iterdir()} == left | {"tree-begun"}


def test_the_verdict_names_what_rose() -> None:
    assert guard.verdict([], 5) == "guard: kept: no scenario rose by more than 5 %"
    assert guard.verdict(["node", "echo"], 2.5) == "guard: FAILED: node, echo rose by more than 2.5 %"
    assert guard.verdict([], 5, "with metrics") == "guard: kept: no scenario rose by more than 5 % with metrics"
    assert guard.verdict(["echo"], 5, "with metrics").endswith("rose by more than 5 % with metrics")
