"""The command line: what arguments and `parameters` become, what users' mistakes look like, and `check` in whole."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from executor import __version__, cli, errors, parameters
from executor.settings import Address, ListenSettings, NodeSettings, RunSettings, Scheme

GRAPH = """\
apiVersion: machinelearning.seldon.io/v1
kind: SeldonDeployment
metadata: {name: demo}
spec:
  predictors:
  - name: p
    graph:
      name: r
      type: ROUTER
      children:
      - {name: a, type: MODEL}
      - {name: b, type: MODEL}
"""


def parsed(*arguments: str) -> Any:
    return cli._parser().parse_args(arguments)


def failure(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one message that wrong arguments lead to."""
    try:
        status = cli.main(arguments, {})
    except SystemExit as stop:
        status = int(stop.code or 0)
    told = capsys.readouterr()
    assert status == cli.USAGE_STATUS
    assert told.out == ""
    assert "Traceback" not in told.err
    return told.err


@pytest.fixture
def graph(tmp_path: Path) -> str:
    path = tmp_path / "graph.yaml"
    path.write_text(GRAPH)
    return str(path)


def test_run_settings() -> None:
    arguments = (
        "run", "g.yaml", "--component", "a=x.py:A", "--component", "b=pkg.mod:B", "--endpoint", "c=http://h:1/p",
        "--isolate", "a", "--document", "2", "--predictor", "p", "--grpc-port", "0", "--http-port", "81",
        "--host", "0.0.0.0", "--default-timeout", "500ms", "--no-routing-meta", "--max-message-bytes", "1000",
        "--threads", "3", "--log-level", "debug",
    )  # fmt: skip
    settings = cli.run_settings(parsed(*arguments), {})
    assert settings.components == {"a": "x.py:A", "b": "pkg.mod:B"}
    assert settings.endpoints == {"c": Address(Scheme.HTTP, "h", 1, "/p")}
    assert settings.isolate == {"a"}
    assert (settings.document, settings.predictor) == ("2", "p")
    assert settings.listen == ListenSettings("0.0.0.0", 0, 81)
    assert settings.limits.max_message_bytes == 1000
    assert (settings.default_timeout_s, settings.routing_meta, settings.threads) == (0.5, False, 3)
    assert settings.log_level == "debug"


def test_run_defaults_are_those_of_the_settings() -> None:
    assert cli.run_settings(parsed("run", "g.yaml"), {}) == RunSettings("g.yaml")
    assert RunSettings("g.yaml").listen == ListenSettings("127.0.0.1", 5001, 8000)


def test_node_settings() -> None:
    settings = cli.node_settings(parsed("node", "m.py:M"), {})
    assert settings == NodeSettings("m.py:M")
    assert settings.listen == ListenSettings("127.0.0.1", 5000, 9000)
    environment = {
        "PREDICTIVE_UNIT_GRPC_SERVICE_PORT": "7001",
        "PREDICTIVE_UNIT_HTTP_SERVICE_PORT": "7002",
        "PREDICTIVE_UNIT_PARAMETERS": '[{"name":"n","value":"1","type":"INT"}]',
        "PREDICTIVE_UNIT_ID": "m1",
    }
    settings = cli.node_settings(parsed("node", "m.py:M", "--type", "ROUTER", "--http-port", "0"), environment)
    assert (settings.type, settings.name, settings.parameters) == ("ROUTER", "m1", {"n": 1})
    assert settings.listen == ListenSettings("127.0.0.1", 7001, 0)


def test_a_node_on_a_unix_socket_takes_no_ports_unless_told() -> None:
    environment = {"PREDICTIVE_UNIT_GRPC_SERVICE_PORT": "7001"}
    settings = cli.node_settings(parsed("node", "m.py:M", "--uds", "/tmp/s"), environment)
    assert settings.listen == ListenSettings("127.0.0.1", None, None, "/tmp/s")
    settings = cli.node_settings(parsed("node", "m.py:M", "--uds", "/tmp/s", "--http-port", "0"), {})
    assert settings.listen == ListenSettings("127.0.0.1", None, 0, "/tmp/s")


def test_parameters() -> None:
    assert parameters.parse('{"a": 1, "b": 0.5, "c": "x", "d": true}') == {"a": 1, "b": 0.5, "c": "x", "d": True}
    listed = [
        {"name": "i", "value": "3", "type": "INT"},
        {"name": "f", "value": "0.5", "type": "FLOAT"},
        {"name": "d", "value": 1, "type": "DOUBLE"},
        {"name": "s", "value": 7, "type": "STRING"},
        {"name": "b", "value": "True", "type": "BOOL"},
        {"name": "n", "value": False, "type": "BOOL"},
    ]
    assert parameters.parse(json.dumps(listed)) == {"i": 3, "f": 0.5, "d": 1.0, "s": "7", "b": True, "n": False}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("1", "must be an object"),
        ('{"a": [1]}', "'a' must be a number"),
        ('[{"name": "a"}]', 'must have "name", "value" and "type"'),
        ('[{"name": "a", "value": "x", "type": "INT"}]', "'a' is 'x', which is not an INT"),
        ('[{"name": "a", "value": "x", "type": "FLOAT"}]', "'a' is 'x', which is not a FLOAT"),
        ('[{"name": "a", "value": "x", "type": "BOOL"}]', "'a' is 'x', which is not BOOL"),
        ('[{"name": "a", "value": "x", "type": "INTEGER"}]', "type 'INTEGER'; allowed are INT"),
    ],
)
def test_wrong_parameters(text: str, said: str) -> None:
    with pytest.raises(errors.RequestError) as caught:
        parameters.parse(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "required: COMMAND"),
        (["jump"], "invalid choice: 'jump'"),
        (["run"], "required: MANIFEST"),
        (["run", "g", "--component", "a"], "--component a: write it as --component NODE=path.py:Class"),
        (["run", "g", "--component", "a=x.py:A", "--component", "a=y.py:A"], "node 'a' is given twice"),
        (["run", "g", "--component", "a=x.py:A", "--endpoint", "a=grpc://h:1"], "both a --component and an --endpoint"),
        (["run", "g", "--endpoint", "a=h:1"], "--endpoint a: 'h:1': no scheme; allowed are grpc://"),
        (["run", "g", "--isolate", "a"], "--isolate a: only nodes with a --component"),
        (["run", "g", "--grpc-port", "99999"], "port '99999' is not a number from 0"),
        (["run", "g", "--default-timeout", "soon"], "timeout 'soon': allowed is a positive number"),
        (["run", "g", "--threads", "0"], "'0' is not a whole number above 0"),
        (["node", "m.py:M", "--type", "MODLE"], "invalid choice: 'MODLE'"),
        (["call", "localhost:1"], "--data --file"),
        (["call", "http://localhost:1", "--data", "1"], "without http://"),
        (["call", "localhost", "--data", "1"], "the port is missing"),
        (["call", "localhost:1", "--data", "{"], "--data: not JSON"),
        (["call", "localhost:1", "--file", "/nowhere/x.json"], "No such file"),
        (["check", "/nowhere/x.yaml"], "No such file"),
    ],
)
def test_mistakes_get_a_clear_message(capsys: pytest.CaptureFixture[str], arguments: Sequence[str], said: str) -> None:
    assert said in failure(capsys, *arguments)


def test_bad_port_in_the_environment(capsys: pytest.CaptureFixture[str]) -> None:
    status = cli.main(["node", "m.py:M"], {"PREDICTIVE_UNIT_HTTP_SERVICE_PORT": "http"})
    assert status == cli.USAGE_STATUS
    assert "PREDICTIVE_UNIT_HTTP_SERVICE_PORT: port 'http'" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["", "run", "check", "node", "call"])
def test_help_has_examples(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main([*([command] if command else []), "--help"])
    told = capsys.readouterr().out
    assert stop.value.code == 0
    assert "examples:" in told
    assert f"millrace {command}" in told


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"millrace {__version__}\n"


def test_check_draws_the_graph(capsys: pytest.CaptureFixture[str], graph: str) -> None:
    assert cli.main(["check", graph, "--local"], {}) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "demo/p"
    assert [line.split()[0] for line in told[1:2]] == ["r"]
    assert any("├─ a" in line for line in told)
    assert told[-1] == f"{graph}: ok, 1 graph, by the local rules"
    assert cli.main(["check", graph, "--predictor", "p", "--component", "r=x.py:R", "--endpoint", "a=grpc://h:1",
                     "--endpoint", "b=grpc://h:2"], {}) == 0  # fmt: skip
    assert "demo/p" in capsys.readouterr().out


def test_check_tells_every_problem(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(GRAPH.replace("ROUTER", "ROUTR").replace("name: b, type: MODEL", "name: b, typ: MODEL"))
    told = failure(capsys, "check", str(path), "--local")
    assert told.startswith("millrace: ")
    assert "ROUTR" in told
    assert "typ" in told
    assert told.count("line ") >= 2


def test_check_with_a_node_left_over(capsys: pytest.CaptureFixture[str], graph: str) -> None:
    told = failure(capsys, "check", graph, "--component", "r=x.py:R", "--component", "a=x.py:A")
    assert "b" in told


def test_closed_output_is_no_traceback(graph: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "executor", "check", graph, "--local"],
        stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
    )  # fmt: skip
    os.close(writer)
    assert done.stderr == ""
    assert done.returncode == 1
