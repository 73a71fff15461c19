"""Tests `executor.state_options`: where learned state is kept, and the command that shows it."""

from pathlib import Path

import pytest

from executor import cli, errors
from executor.commands import run
from executor.settings import RunSettings
from executor.state import Pulls, Reward
from executor.state.sqlite import SqliteStore


def settings(*arguments: str) -> RunSettings:
    parsed = cli._parser().parse_args(["run", "graph.yaml", *arguments])
    return run.settings_of(parsed, {})


def test_the_place_is_given(tmp_path: Path) -> None:
    assert settings().state is None
    assert settings("--state", "memory").state == "memory"
    assert settings("--state", "redis://h/1", "--workers", "2").state == "redis://h/1"
    there = settings("--state", f"{tmp_path}/s")
    assert there.state == f"{tmp_path}/s"
    assert RunSettings.from_json(there.to_json()) == there


def test_what_is_wrong_is_told() -> None:
    with pytest.raises(errors.RequestError, match="--state memory: several workers need a place that they share"):
        settings("--state", "memory", "--workers", "2")
    with pytest.raises(errors.RequestError, match="--state 'http://x': allowed are"):
        settings("--state", "http://x")


def test_show_prints_each_branch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = SqliteStore(str(tmp_path / "s"))
    store.add([Reward("d/p/r", "a", 0.5), Reward("d/p/r", "a", 1.0)], [Pulls("d/p/r", "b", 12)])
    store.close()
    assert cli.main(["state", str(tmp_path / "s")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "router  branch  pulls  rewards  mean reward",
        "d/p/r   a       0      2        0.75",
        "d/p/r   b       12     0        0",
    ]


def test_show_tells_what_it_cannot_open(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["state", str(tmp_path / "gone")]) == 1
    assert capsys.readouterr().err == f"millrace: state file {tmp_path}/gone: there is no such file\n"
    assert cli.main(["state", "memory"]) == 2
    assert "it is in the process that learns" in capsys.readouterr().err
