"""The command line as a whole: what users' mistakes look like, help, version. Each command has tests of its own."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.commands import GRAPH, failure

from executor import __version__, cli


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "g", "--http-prot", "1"], "unknown option --http-prot (did you mean --http-port?)"),
        (["run", "g", "--grpc-por=1"], "unknown option --grpc-por (did you mean --grpc-port?)"),
        (["run", "g", "--zzz"], "unknown option --zzz\n(`millrace run --help`"),
        (["check", "g", "h"], "unexpected argument 'h'\n(`millrace check --help`"),
        (["--zzz", "run", "g"], "unknown option --zzz\n(`millrace --help`"),
        (["jump"], "invalid choice: 'jump'"),
        (["run"], "required: MANIFEST"),
        (["run", "g", "--component", "a"], "--component a: write it as --component NODE=path.py:Class"),
        (["run", "g", "--component", "a=x.py:A", "--component", "a=y.py:A"], "node 'a' is given twice"),
        (["run", "g", "--component", "a=x.py:A", "--endpoint", "a=grpc://h:1"], "both a --component and an --endpoint"),
        (["run", "g", "--endpoint", "a=h:1"], "--endpoint a: 'h:1': no scheme; allowed are grpc://"),
        (["run", "g", "--isolate", "a"], "--isolate a: only nodes with a --component"),
        (["run", "g", "--grpc-port", "99999"], "port '99999' is not a number from 0"),
        (["run", "g", "--default-timeout", "soon"], "timeout 'soon': allowed is a positive number"),
        (["run", "g", "--node-timeout", "0"], "timeout '0': allowed is a positive number"),
        (["run", "g", "--threads", "0"], "'0' is not a whole number above 0"),
        (["node", "m.py:M", "--type", "MODLE"], "invalid choice: 'MODLE'"),
        (["call", "localhost:1"], "--data --file"),
        (["call", "http://localhost:1", "--data", "1"], "without http://"),
        (["call", "localhost", "--data", "1"], "the port is missing"),
        (["call", "localhost:1", "--data", "{"], "--data: not JSON"),
        (["call", "localhost:1", "--file", "/nowhere/x.json"], "No such file"),
        (["call", "localhost:1", "--data", "1", "--cert", "x"], "--cert: needs --key as well"),
        (["check", "/nowhere/x.yaml"], "No such file"),
    ],
)
def test_mistakes_get_a_clear_message(capsys: pytest.CaptureFixture[str], arguments: Sequence[str], said: str) -> None:
    assert said in failure(capsys, *arguments)


@pytest.mark.parametrize("command", ["", "run", "check", "node", "call", "fetch", "executor"])
def test_help_has_examples(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main([*([command] if command else []), "--help"])
    told = capsys.readouterr().out
    assert stop.value.code == 0
    assert "examples:" in told
    assert f"millrace {command}" in told


def test_without_a_command_the_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    told = capsys.readouterr().out
    assert "examples:" in told
    assert "worker" not in told


def test_workers_are_not_for_users(capsys: pytest.CaptureFixture[str]) -> None:
    assert "worker" not in failure(capsys, "jump")
    done = subprocess.run(
        [sys.executable, "-m", "executor", "worker"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "millrace: worker: `millrace run --workers N` starts these; there is no parent here\n"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"millrace {__version__}\n"


def test_closed_output_is_no_traceback(tmp_path: Path) -> None:
    graph = tmp_path / "graph.yaml"
    graph.write_text(GRAPH)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "executor", "check", str(graph), "--local"],
        stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
    )  # fmt: skip
    os.close(writer)
    assert done.stderr == ""
    assert done.returncode == 1
