"""How the flags of Seldon's executor are spelled and read."""

import argparse

import pytest
from support.commands import failure

from executor import cli
from executor.container import flags

IDENTITY = ("--sdep", "churn", "--namespace", "shop", "--predictor", "main")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("-http_port", "--http_port"),
        ("--http_port=1", "--http_port=1"),
        ("-http-port=1", "--http_port=1"),
        ("--default-timeout", "--default-timeout"),
        ("-workers=2", "--workers=2"),
        ("-h", "-h"),
        ("-1", "-1"),
        ("--", "--"),
        ("-", "-"),
        ("shop", "shop"),
        ("a-b=c", "a-b=c"),
    ],
)
def test_spelling(written: str, read: str) -> None:
    assert flags.spelled(written) == read


def test_every_flag_of_seldon_is_taken_however_it_is_spelled() -> None:
    given = {
        "server_type": "rpc", "http_port": "8000", "grpc_port": "5001", "protocol": "seldon", "transport": "grpc",
        "file": "g.yaml", "config": "c", "hostname": "h", "graceful_timeout": "1m30s", "shutdown_delay": "0",
        "logger_workers": "3", "log_work_buffer_size": "7", "log_write_timeout_ms": "-1", "prometheus_path": "/p",
        "kafka_broker": "b", "kafka_input_topic": "i", "kafka_output_topic": "o", "kafka_full_graph": "true",
        "kafka_workers": "4", "kafka_auto_commit": "f", "log_kafka_broker": "", "log_kafka_topic": "t",
        "full_health_checks": "True", "debug": "0", "log_level": "WARN",
        "sdep": "s", "namespace": "n", "predictor": "p",
    }  # fmt: skip
    assert given.keys() == flags.NAMES
    joined = [f"--{name}={value}" for name, value in given.items()]
    apart = [word for name, value in given.items() for word in (f"-{name}", value)]
    read = [vars(cli._parser().parse_args(["executor", *words])) for words in (joined, apart)]
    assert read[0] == read[1]
    assert (read[0]["graceful_timeout"], read[0]["shutdown_delay"]) == (90.0, 0.0)
    assert (read[0]["full_health_checks"], read[0]["debug"], read[0]["log_write_timeout_ms"]) == (True, False, -1)


def test_defaults_are_seldons() -> None:
    read = cli._parser().parse_args(["executor", *IDENTITY])
    assert (read.http_port, read.grpc_port, read.server_type, read.protocol) == (8080, 5000, "rpc", "seldon")
    assert (read.graceful_timeout, read.shutdown_delay, read.prometheus_path) == (15.0, 0.0, "/metrics")
    assert (read.logger_workers, read.log_work_buffer_size, read.log_write_timeout_ms) == (10, 10_000, 2000)
    assert (read.full_health_checks, read.debug, read.log_level) == (False, None, None)


@pytest.mark.parametrize("text", ["1", "t", "T", "true", "TRUE", "True", "0", "f", "F", "false", "FALSE", "False"])
def test_booleans(text: str) -> None:
    assert flags.boolean(text) is (text.lower() in ("1", "t", "true"))
    for other in (f" {text}", f"{text}x", "yes", "tRUE", ""):
        with pytest.raises(argparse.ArgumentTypeError, match="is not a boolean"):
            flags.boolean(other)


def test_a_boolean_may_stand_alone() -> None:
    read = cli._parser().parse_args(["executor", "--debug", *IDENTITY, "-full_health_checks"])
    assert (read.debug, read.full_health_checks) == (True, True)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0.0), ("15s", 15.0), ("1h2m3s", 3723.0), ("1.5s", 1.5), (".5s", 0.5), ("500ms", 0.5), ("+2s", 2.0),
     ("10us", 1e-5), ("10µs", 1e-5), ("5ns", 5e-9)],
)  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    assert flags.duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "15", "s", "-1s", "1s2", "1 s", "soon", "1d"])
def test_wrong_durations(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="write it like 15s, 500ms or 1m30s"):
        flags.duration(text)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--http_port", "x"], "--http_port: port 'x' is not a number from 0"),
        (["--grpc_port=70000"], "--grpc_port: port '70000' is not a number from 0"),
        (["-graceful_timeout", "15"], "--graceful_timeout: '15' is not a duration"),
        (["--shutdown_delay=-1s"], "--shutdown_delay: '-1s' is not a duration of 0 or more"),
        (["--server_type", "http"], "--server_type: invalid choice: 'http'"),
        (["--protocol", "v3"], "--protocol: invalid choice: 'v3'"),
        (["--transport", "udp"], "--transport: invalid choice: 'udp'"),
        (["--full_health_checks=yes"], "--full_health_checks: 'yes' is not a boolean; allowed are 1, t, T, true"),
        (["--debug=maybe"], "--debug: 'maybe' is not a boolean"),
        (["--kafka_full_graph=maybe"], "--kafka_full_graph: 'maybe' is not a boolean"),
        (["--kafka_auto_commit=maybe"], "--kafka_auto_commit: 'maybe' is not a boolean"),
        (["--kafka_workers", "many"], "--kafka_workers: 'many' is not a whole number"),
        (["--logger_workers", "0"], "--logger_workers: '0' is not a whole number above 0"),
        (["--log_work_buffer_size", "-5"], "--log_work_buffer_size: '-5' is not a whole number above 0"),
        (["--log_write_timeout_ms", "1.5"], "--log_write_timeout_ms: '1.5' is not a whole number"),
        (["--sdep="], "--sdep: must not be empty"),
        (["--workers", "none"], "--workers: 'none' is neither auto nor a whole number"),
        (["--default-timeout", "soon"], "--default-timeout: timeout 'soon'"),
        (["--nonsense", "1"], "unknown option --nonsense\n"),
    ],
)
def test_wrong_flags_are_named(capsys: pytest.CaptureFixture[str], given: list[str], said: str) -> None:
    assert said in failure(capsys, "executor", *IDENTITY, *given)


@pytest.mark.parametrize("missing", ["--sdep", "--namespace", "--predictor"])
def test_who_it_is_must_be_said(capsys: pytest.CaptureFixture[str], missing: str) -> None:
    place = IDENTITY.index(missing)
    given = [*IDENTITY[:place], *IDENTITY[place + 2 :]]
    assert f"the following arguments are required: {missing}" in failure(capsys, "executor", *given)
