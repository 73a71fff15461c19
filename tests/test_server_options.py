"""The options of prepackaged servers, and how processes of ours inherit them."""

import argparse
import os

import pytest

from executor import server_options


def exported(monkeypatch: pytest.MonkeyPatch, *arguments: str, **environment: str) -> dict[str, str]:
    """What is in the environment of this process then."""
    for name in ("MILLRACE_NO_PICKLE", "MILLRACE_CACHE"):
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)
    parser = argparse.ArgumentParser()
    server_options.add(parser)
    server_options.export(parser.parse_args(arguments), environment)
    return {name: value for name, value in os.environ.items() if name.startswith("MILLRACE_")}


def test_nothing_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert exported(monkeypatch) == {}


def test_options(monkeypatch: pytest.MonkeyPatch) -> None:
    found = exported(monkeypatch, "--no-pickle", "--model-cache", "/c", MILLRACE_CACHE="/d")
    assert found == {"MILLRACE_NO_PICKLE": "1", "MILLRACE_CACHE": "/c"}


def test_the_environment_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    found = exported(monkeypatch, MILLRACE_CACHE="/d", MILLRACE_NO_PICKLE="0")
    assert found == {"MILLRACE_CACHE": "/d", "MILLRACE_NO_PICKLE": "0"}
