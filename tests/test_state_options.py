"""Tests `executor.state_options`: where learned state is kept."""

from pathlib import Path

import pytest

from executor import cli, errors
from executor.commands import run
from executor.settings import RunSettings


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
