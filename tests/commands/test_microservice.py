"""`millrace microservice` reads what the wrapper's command reads, and serves what it serves."""

import argparse
import json
import socket
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.clients import GrpcClient, RestClient
from support.containers import free_port
from support.processes import Program

from executor import cli, errors
from executor.commands import microservice
from executor.commands.microservice import read_annotations, settings_of
from executor.settings import ListenSettings, NodeSettings
from executor.watching import Watch
from executor.wrapper import Wrapper


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    microservice.add(parser)
    return parser.parse_args(arguments)


def settings(*arguments: str, environment: dict[str, str] | None = None, file: Path = Path("/none")) -> NodeSettings:
    return settings_of(parsed(*arguments), environment or {}, file)


def test_defaults_are_the_wrappers() -> None:
    said = settings("MyModel")
    assert (said.component, said.type, said.name, said.parameters) == ("MyModel:MyModel", "MODEL", "", {})
    assert said.listen == ListenSettings("0.0.0.0", 5000, 9000)
    assert (said.workers, said.threads, said.metrics_port, said.log_level) == (1, 1, 6000, "info")
    assert (said.strict, said.imported, said.default_timeout_s) == (False, True, None)
    assert said.watch == Watch(scrapes_told=False, page=False)
    assert settings("MyModel", "--log-format", "json").watch.log_format == "json"


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (
            ["--http-port", "1", "--grpc-port=2", "--metrics-port", "3", "--workers", "4", "--threads", "5"],
            {"GUNICORN_WORKERS": "9", "PREDICTIVE_UNIT_HTTP_SERVICE_PORT": "9"},
        ),
        (
            [],
            {
                "PREDICTIVE_UNIT_HTTP_SERVICE_PORT": "1",
                "PREDICTIVE_UNIT_GRPC_SERVICE_PORT": "2",
                "PREDICTIVE_UNIT_METRICS_SERVICE_PORT": "3",
                "GUNICORN_WORKERS": "4",
                "GUNICORN_THREADS": "5",
            },
        ),
        (
            ["--grpc-workers", "4", "--grpc-threads", "5", "--http-port", "1"],
            {"PREDICTIVE_UNIT_GRPC_SERVICE_PORT": "2", "PREDICTIVE_UNIT_METRICS_SERVICE_PORT": "3"},
        ),
    ],
)
def test_ports_and_numbers(arguments: list[str], environment: dict[str, str]) -> None:
    said = settings("m.Model", *arguments, environment=environment)
    assert (said.listen.http_port, said.listen.grpc_port, said.metrics_port) == (1, 2, 3)
    assert (said.workers, said.threads) == (4, 5)


def test_which_servers_there_are() -> None:
    def ports(*arguments: str) -> tuple[Any, Any]:
        listen = settings("M", *arguments).listen
        return listen.http_port, listen.grpc_port

    assert ports("REST") == (9000, None)
    assert ports("GRPC") == (None, 5000)
    assert ports("--grpc-workers", "0") == (9000, None)


def test_parameters_are_typed() -> None:
    given = [
        {"name": "i", "value": "3", "type": "INT"},
        {"name": "f", "value": "0.5", "type": "FLOAT"},
        {"name": "d", "value": "1e3", "type": "DOUBLE"},
        {"name": "s", "value": "x", "type": "STRING"},
        {"name": "b", "value": "yes", "type": "BOOL"},
    ]
    wanted = {"i": 3, "f": 0.5, "d": 1000.0, "s": "x", "b": True}
    assert settings("M", environment={"PREDICTIVE_UNIT_PARAMETERS": json.dumps(given)}).parameters == wanted
    assert settings("M", "--parameters", json.dumps(given)).parameters == wanted


@pytest.mark.parametrize(
    ("value", "kind"), [("x", "INT"), ("1.5", "INT"), ("x", "FLOAT"), ("maybe", "BOOL"), ("1", "OTHER")]
)
def test_parameters_that_are_wrong(value: str, kind: str) -> None:
    given = json.dumps([{"name": "p", "value": value, "type": kind}])
    with pytest.raises(errors.RequestError, match="'p'") as caught:
        settings("M", "--parameters", given)
    assert caught.value.reason == "MICROSERVICE_BAD_PARAMETER"


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (["--http-port", "x"], {}, "--http-port: 'x' is not a whole number"),
        ([], {"PREDICTIVE_UNIT_GRPC_SERVICE_PORT": "70000"}, "PREDICTIVE_UNIT_GRPC_SERVICE_PORT: 70000 is no port"),
        (["--threads", "0"], {}, "--threads: '0' is not a whole number from 1 on"),
        ([], {"GUNICORN_WORKERS": "many"}, "GUNICORN_WORKERS: 'many'"),
        (["--log-level", "loud"], {}, "log level 'loud': allowed are DEBUG"),
    ],
)
def test_what_is_wrong_is_named(arguments: list[str], environment: dict[str, str], words: str) -> None:
    with pytest.raises(errors.RequestError) as caught:
        settings("M", *arguments, environment=environment)
    assert words in caught.value.message


def test_kinds_levels_and_switches() -> None:
    assert settings("M", "--service-type", "OUTLIER_DETECTOR").type == "MODEL"
    assert settings("M", environment={"SERVICE_TYPE": "ROUTER"}).type == "ROUTER"
    assert settings("M", "--single-threaded", "1", "--threads", "4").threads == 1
    assert settings("M", "--debug").log_level == "debug"
    assert settings("M", environment={"SELDON_LOG_LEVEL": "WARNING"}).log_level == "warning"
    assert settings("M", environment={"PREDICTIVE_UNIT_ID": "me"}).name == "me"


def test_options_of_gunicorn() -> None:
    said = settings("M")
    assert said.limits.idle_timeout_s == 2
    assert said.wrapper == Wrapper()
    assert (said.watch.access_log, said.watch.scrapes_told) == (False, False)
    asked = ["--keepalive", "7", "--max-requests", "50", "--max-requests-jitter", "5", "--access-log"]
    variables = {
        "GUNICORN_KEEPALIVE": "7", "GUNICORN_MAX_REQUESTS": "50", "GUNICORN_MAX_REQUESTS_JITTER": "5",
        "GUNICORN_ACCESS_LOG": "true",
    }  # fmt: skip
    for said in (settings("M", *asked), settings("M", environment=variables)):
        assert said.limits.idle_timeout_s == 7
        assert (said.wrapper, said.watch.access_log) == (Wrapper(max_requests=50, max_requests_jitter=5), True)
    assert settings("M", "--access-log", "false").watch.access_log is False
    assert settings("M", environment={"FILTER_METRICS_ACCESS_LOGS": "false"}).watch.scrapes_told
    assert settings("M", "--debug").watch.scrapes_told


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({"FLASK_JSON_AS_ASCII": "0"}, Wrapper(json_as_ascii=False)),
        ({"FLASK_JSON_AS_ASCII": ""}, Wrapper(json_as_ascii=False)),
        ({"FLASK_DEBUG": "maybe"}, Wrapper()),
        ({"PAYLOAD_PASSTHROUGH": "true"}, Wrapper(json_as_ascii=False)),
        ({"FLASK_JSON_SORT_KEYS": "false"}, Wrapper(json_sorted=False)),
        ({"FLASK_JSONIFY_PRETTYPRINT_REGULAR": "True"}, Wrapper(json_pretty=True)),
        ({"FLASK_DEBUG": "1"}, Wrapper(json_pretty=True)),
        ({"FLASK_ENV": "development"}, Wrapper(json_pretty=True)),
        ({"FLASK_DEBUG": "0", "FLASK_ENV": "production"}, Wrapper()),
        ({"FLASK_DEBUG": "1", "FLASK_JSONIFY_PRETTYPRINT_REGULAR": "0"}, Wrapper()),
    ],
)
def test_variables_of_flask(environment: dict[str, str], wanted: Wrapper) -> None:
    said = settings("M", environment=environment)
    assert said.wrapper == wanted
    assert NodeSettings.from_json(said.to_json()) == said


def test_annotations(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "annotations"
    file.write_text('a="b=c"\nseldon.io/rest-timeout="2500"\nnonsense\n\nseldon.io/grpc-max-message-size="1000"\n')
    said = settings("M", file=file)
    assert (said.default_timeout_s, said.limits.max_message_bytes) == (2.0, 1000)
    assert "line 3 is passed over" in caplog.text
    file.write_text('seldon.io/rest-timeout="20"\n')
    assert settings("M", file=file).default_timeout_s == 1.0
    file.write_text('seldon.io/rest-timeout="soon"\n')
    with pytest.raises(errors.RequestError, match=r"annotation seldon\.io/rest-timeout: 'soon'"):
        read_annotations(file)


def test_unknown_options_end_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["microservice", "M", "--nonsense"])
    assert caught.value.code == 2
    assert "--nonsense" in capsys.readouterr().err


CLASS = """\
import pathlib, time
from seldon_core.user_model import SeldonComponent
class MyModel(SeldonComponent):
    def __init__(self, rate=1.0):
        self.rate = rate
    def predict(self, X, names, meta=None):
        return X * self.rate
    def custom_service(self):
        pathlib.Path({custom!r}).open("a").write("served ")
        time.sleep(60)
"""
RATE = json.dumps([{"name": "rate", "value": "2.5", "type": "FLOAT"}])
OPTIONS = {
    "--http-port": "0", "--grpc-port": "0", "--metrics-port": "0", "--parameters": RATE, "--service-type": "MODEL",
    "--workers": "1", "--threads": "2", "--grpc-workers": "1", "--grpc-threads": "2", "--max-requests": "5",
    "--max-requests-jitter": "1", "--keepalive": "3", "--single-threaded": "0", "--access-log": "true",
    "--tracing": "1", "--log-level": "INFO", "--pidfile": "{home}/pid", "--persistence": "0",
}  # fmt: skip
"""All that `seldon-core-microservice` has, but for --debug."""
OPERATORS = {
    "PREDICTIVE_UNIT_HTTP_SERVICE_PORT": "{http}", "MLSERVER_HTTP_PORT": "{http}", "PREDICTIVE_UNIT_PARAMETERS": RATE,
    "PREDICTIVE_UNIT_GRPC_SERVICE_PORT": "{grpc}", "MLSERVER_GRPC_PORT": "{grpc}", "PREDICTIVE_UNIT_SERVICE_PORT": "1",
    "MLSERVER_MODEL_URI": "/mnt/models", "PREDICTIVE_UNIT_ID": "classifier", "MLSERVER_MODEL_NAME": "classifier",
    "PREDICTIVE_UNIT_IMAGE": "shop/classifier:1.2", "PREDICTOR_ID": "main", "PREDICTOR_LABELS": '{{"version": "v2"}}',
    "SELDON_DEPLOYMENT_ID": "churn", "SELDON_EXECUTOR_ENABLED": "true", "MLSERVER_METRICS_PORT": "6000",
    "PREDICTIVE_UNIT_METRICS_SERVICE_PORT": "6000", "PREDICTIVE_UNIT_METRICS_ENDPOINT": "/prometheus",
    "MLSERVER_METRICS_ENDPOINT": "/prometheus", "GUNICORN_WORKERS": "2", "TRACING": "1", "SERVICE_TYPE": "MODEL",
}  # fmt: skip
"""What Seldon's operator puts into a node's container, and s2i's image beside it."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a class."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "MyModel.py").write_text(CLASS.format(custom=str(home / "custom")))
    monkeypatch.chdir(home)
    return home


def check(program: Program, http_port: int, grpc_port: str, path: dict[str, str]) -> None:
    """It serves REST and gRPC and the class's own service, until it is stopped."""
    asked = {"data": {"ndarray": [[1.0, 2.0]]}}
    client = GrpcClient(grpc_port)
    with client.channel:
        for each in (client, RestClient(http_port)):
            said = each.predict(asked).said
            assert said["data"]["ndarray"] == [[2.5, 5.0]]
            assert said.get("meta", {}).get("requestPath", {}) == path
    custom = Path("custom")
    program.wait_for(custom.exists)
    assert "traces go to http://localhost:4317 over grpc" in program.err
    program.stop()
    assert program.process.returncode == 0
    assert custom.read_text() == "served "


# The tree under test comes first, as it does for the tests themselves.
TREE = {"PYTHONPATH": str(Path(cli.__file__).parent.parent)}


def test_it_takes_every_option_and_serves(home: Path, tmp_path: Path) -> None:
    given = [word.format(home=home) if name == "--pidfile" else word for name, word in OPTIONS.items()]
    options = [each for pair in zip(OPTIONS, given, strict=True) for each in pair]
    program = Program(tmp_path, ("microservice", "MyModel", "--host", "127.0.0.1", *options), TREE)
    try:
        program.ready()
        assert (home / "pid").read_text() == f"{program.process.pid}\n"
        check(program, program.http_port, program.grpc, {})
    finally:
        program.stop()
        program.show()


def test_it_serves_by_the_variables_of_a_nodes_container(home: Path, tmp_path: Path) -> None:
    ports = {"http": free_port(), "grpc": free_port()}
    environment = {name: value.format(**ports) if "{" in value[:2] and name != "PREDICTIVE_UNIT_PARAMETERS" else value
                   for name, value in OPERATORS.items()}  # fmt: skip
    program = Program(tmp_path, ("microservice", "MyModel"), {**environment, **TREE})
    try:
        program.ready()
        check(program, ports["http"], f"127.0.0.1:{ports['grpc']}", {"classifier": "shop/classifier:1.2"})
    finally:
        program.stop()
        program.show()


SLOW = """
import os, time

class Slow:
    def load(self):
        while not os.path.exists("gate"):
            time.sleep(0.005)

    def predict(self, X, names=None, meta=None):
        return X
"""


def test_requests_wait_until_the_class_is_loaded(home: Path, tmp_path: Path) -> None:
    (home / "Slow.py").write_text(SLOW)
    body = b'{"data":{"ndarray":[[1.0]]}}'
    asked = b"POST /predict HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
    for workers in ("1", "2"):
        (home / "gate").unlink(missing_ok=True)
        port = free_port()
        ports = ("--http-port", str(port), "--grpc-port", "0", "--metrics-port", "0")
        program = Program(tmp_path, ("microservice", "Slow", *ports, "--workers", workers), TREE)
        try:
            made: list[socket.socket] = []
            program.wait_for(partial(_connected, port, made))
            with made[0] as early:
                early.settimeout(0.3)
                early.sendall(asked % (len(body), body))
                with pytest.raises(TimeoutError):
                    early.recv(1)
                (home / "gate").touch()
                early.settimeout(30)
                assert early.recv(1000).startswith(b"HTTP/1.1 200 ")
        finally:
            program.stop()
            program.show()


def _connected(port: int, made: list[socket.socket]) -> bool:
    try:
        made.append(socket.create_connection(("127.0.0.1", port)))
    except ConnectionRefusedError:
        return False
    return True
