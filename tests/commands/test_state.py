"""Tests `millrace state`: what routers have learned, shown."""

from pathlib import Path

import pytest

from executor import cli
from executor.state import Pulls, Reward
from executor.state.sqlite import SqliteStore


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
