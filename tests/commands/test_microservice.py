"""`millrace microservice` reads what the wrapper's command reads, and serves what it serves."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.clients import GrpcClient, RestClient
from support.processes import Program

from executor import cli, errors
from executor.commands import microservice
from executor.commands.microservice import notes, read_annotations, settings_of
from executor.settings import ListenSettings, NodeSettings


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


def test_options_without_effect_are_told() -> None:
    asked = parsed("M", "--tracing", "--max-requests", "5", "--access-log", "false")
    assert notes(asked, {"GUNICORN_KEEPALIVE": "7", "GUNICORN_MAX_REQUESTS_JITTER": "0"}) == [
        "--max-requests 5: accepted, without effect",
        "--keepalive 7: accepted, without effect",
        "--tracing 1: accepted, without effect",
    ]


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


@pytest.fixture(params=[1, 2])
def started(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Program]:
    """A class of the working directory being served, by one process or by two."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "MyModel.py").write_text(
        "import pathlib, time\n"
        "from seldon_core.user_model import SeldonComponent\n"
        "class MyModel(SeldonComponent):\n"
        "    def __init__(self, rate=1.0):\n        self.rate = rate\n"
        "    def predict(self, X, names, meta=None):\n        return X * self.rate\n"
        "    def custom_service(self):\n"
        f"        pathlib.Path({str(home / 'custom')!r}).open('a').write('served ')\n        time.sleep(60)\n"
    )
    monkeypatch.chdir(home)
    arguments = ("microservice", "MyModel", "--http-port", "0", "--grpc-port", "0", "--host", "127.0.0.1")
    given = json.dumps([{"name": "rate", "value": "2.5", "type": "FLOAT"}])
    # The tree under test comes first, as it does for the tests themselves.
    environment = {"PREDICTIVE_UNIT_PARAMETERS": given, "PYTHONPATH": str(Path(cli.__file__).parent.parent)}
    program = Program(tmp_path, (*arguments, "--workers", str(request.param), "--tracing"), environment)
    try:
        yield program.ready()
    finally:
        program.stop()
        program.show()


def test_it_serves_rest_and_grpc_and_the_classes_own_service(started: Program, tmp_path: Path) -> None:
    asked = {"data": {"ndarray": [[1.0, 2.0]]}}
    client = GrpcClient(started.grpc)
    with client.channel:
        for each in (client, RestClient(started.http_port)):
            assert each.predict(asked).said["data"]["ndarray"] == [[2.5, 5.0]]
    custom = tmp_path / "home" / "custom"
    started.wait_for(custom.exists)
    assert "--tracing 1: accepted, without effect" in started.err
    started.stop()
    assert started.process.returncode == 0
    assert custom.read_text() == "served "
