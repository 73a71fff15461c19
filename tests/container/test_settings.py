"""What flags, environment and annotations of the executor's container mean together."""

import base64
import json
import re
from pathlib import Path

import pytest
from support.containers import IDENTITY, annotated, predictor, unit

from executor import cli, cpus, errors, manifest
from executor.container import settings
from executor.container.settings import Asked
from executor.settings import (
    CorsSettings,
    Deployment,
    ListenSettings,
    NodeChecks,
    NodeTimeouts,
    PayloadLogSettings,
    Prepackaged,
    RunSettings,
    TlsSettings,
)

PREDICTOR = predictor(unit("m"))


def asked(*arguments: str, **environment: str) -> Asked:
    parsed = cli._parser().parse_args(["executor", *IDENTITY, *arguments])
    return settings.read(parsed, {"ENGINE_PREDICTOR": PREDICTOR, "GOMAXPROCS": "1", **environment})


def test_where_prepackaged_servers_run() -> None:
    assert asked().settings.prepackaged is Prepackaged.REMOTE
    assert asked("--prepackaged", "in-process").settings.prepackaged is Prepackaged.IN_PROCESS


def test_as_the_operator_starts_it() -> None:
    told = asked(
        "--http_port", "8000", "--grpc_port", "5001", "--protocol", "seldon", "--transport", "rest",
        "--prometheus_path", "/prometheus", "--server_type", "rpc", "--log_work_buffer_size", "77",
        "--log_write_timeout_ms", "88", "--full_health_checks=true",
        REQUEST_LOGGER_DEFAULT_ENDPOINT="http://broker", POD_NAME="pod-1",
    )  # fmt: skip
    assert told.notes == ()
    assert told.text is not None
    assert json.loads(told.text)["graph"]["name"] == "m"
    made = told.settings
    assert made.listen == ListenSettings("*", 5001, 8000)
    assert made.deployment == Deployment("churn", "shop", "main")
    assert made.payload_log == PayloadLogSettings("http://broker", "http://pod-1:8000/", 10, 77, 88)
    assert (made.alone, made.by_front, made.node_checks) == (True, True, NodeChecks.FULL)
    assert (made.manifest, made.prometheus_path, made.default_timeout_s) == ("ENGINE_PREDICTOR", "/prometheus", None)
    assert (made.log_level, made.workers, made.routing_meta, made.routing_visited) == ("info", 1, True, False)
    assert (made.limits.drain_timeout_s, made.limits.idle_timeout_s, made.shutdown_delay_s) == (15.0, 65.0, 0.0)
    assert RunSettings.from_json(made.to_json()) == made


def test_a_file_goes_before_the_environment() -> None:
    told = asked("--file", "graph.yaml", ENGINE_PREDICTOR="")
    assert told.text is None
    assert (told.settings.manifest, told.settings.alone, told.settings.predictor) == ("graph.yaml", False, "main")


def test_the_hostname() -> None:
    for arguments, environment, host in (
        (("--hostname", "h"), {"POD_NAME": "pod"}, "h"), ((), {"POD_NAME": "pod"}, "pod"), ((), {}, "localhost"),
    ):  # fmt: skip
        log = asked(*arguments, **environment).settings.payload_log
        assert log is not None
        assert log.source == f"http://{host}:8080/"


def test_certificates_of_the_environment() -> None:
    made = asked(SELDON_CERT_MOUNT_PATH="/cert/").settings
    assert made.tls == TlsSettings("/cert/tls.crt", "/cert/tls.key")
    assert made.payload_log is not None
    assert made.payload_log.source.startswith("https://")


def test_annotations(tmp_path: Path) -> None:
    path = annotated(
        tmp_path / "a", 'seldon.io/rest-timeout="1500"', 'seldon.io/grpc-timeout="x"', "bad",
        'seldon.io/grpc-max-message-size="268435456"',
    )  # fmt: skip
    told = asked("--annotations", path)
    assert told.settings.node_timeouts == NodeTimeouts(1.5, None)
    assert told.settings.grpc_max_message_bytes == told.settings.limits.max_message_bytes == 256 << 20
    assert [note.partition(":")[2][:7] if note.startswith(path) else note[:10] for note in told.notes] == [
        " line 3", "annotation",
    ]  # fmt: skip
    missing = asked("--annotations", "/nowhere/a")
    assert missing.notes == ("/nowhere/a: no annotations are read: No such file or directory",)
    assert asked().notes == ()


@pytest.mark.parametrize(
    ("arguments", "environment", "level", "note"),
    [
        ((), {}, "info", ""),
        (("--log_level", "WARNING"), {"SELDON_LOG_LEVEL": "ERROR"}, "warning", ""),
        ((), {"SELDON_LOG_LEVEL": "ERROR"}, "error", ""),
        ((), {"SELDON_LOG_LEVEL": "warn"}, "info", ""),  # Seldon knows WARNING alone, and takes the rest for INFO
        ((), {"SELDON_LOG_LEVEL": "FATAL"}, "critical", ""),
        (("--log_level", "LOUD"), {}, "info", "--log_level 'LOUD' is unknown, and INFO is used; known are DEBUG"),
        ((), {"SELDON_LOG_LEVEL": "LOUD"}, "info", "SELDON_LOG_LEVEL 'LOUD' is unknown"),
        (("--debug",), {}, "debug", ""),
        ((), {"SELDON_DEBUG": "1"}, "debug", ""),
        (("--debug=false",), {"SELDON_DEBUG": "1"}, "info", ""),
        ((), {"SELDON_DEBUG": "maybe"}, "info", "SELDON_DEBUG: 'maybe' is not a boolean"),
    ],
)
def test_log_levels(arguments: tuple[str, ...], environment: dict[str, str], level: str, note: str) -> None:
    told = asked(*arguments, **environment)
    assert told.settings.log_level == level
    assert "\n".join(told.notes).startswith(note)
    assert bool(told.notes) == bool(note)


def test_cors_and_routing() -> None:
    made = asked(
        "--no-routing-meta", CORS_ALLOWED_ORIGINS="https://a", SELDON_ENABLE_ROUTING_INJECTION="false"
    ).settings
    assert made.cors == CorsSettings(origins="https://a")
    assert (made.routing_meta, made.routing_visited) == (False, True)
    assert asked(CORS_ALLOWED_HEADERS="X").settings.cors == CorsSettings(headers="X")


def test_workers() -> None:
    assert asked(GOMAXPROCS="3").settings.workers == 3
    assert asked("--workers", "2", GOMAXPROCS="3").settings.workers == 2
    told = asked(GOMAXPROCS="many")
    assert told.notes == ("GOMAXPROCS 'many' is no whole number from 1 to 256; it is ignored",)
    assert told.settings.workers == cpus.container_workers("", [])


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (("--server_type", "kafka"), {}, "--server_type kafka: Kafka mode is not supported; allowed: rpc"),
        (("--protocol", "tensorflow"), {}, "--protocol tensorflow is not supported; allowed: seldon"),
        (("--protocol", "v2"), {}, "--protocol v2 is not supported"),
        (("--protocol", "kfserving"), {}, "--protocol kfserving is not supported"),
        (("--log_kafka_broker", "b:1"), {}, "--log_kafka_broker b:1: payloads cannot be logged to Kafka"),
        ((), {"LOGGER_KAFKA_BROKER": "b:1"}, "LOGGER_KAFKA_BROKER b:1: payloads cannot be logged to Kafka"),
        ((), {"CORS_ALLOWED_ORIGINS": "a\nb"}, "CORS_ALLOWED_ORIGINS 'a\\nb': a header's value is printable ASCII"),
        ((), {"CORS_ALLOWED_HEADERS": "é"}, "CORS_ALLOWED_HEADERS 'é': a header's value is printable ASCII"),
        (("--tls-cert", "c"), {}, "--tls-cert: needs --tls-key as well"),
        ((), {"ENGINE_PREDICTOR": ""}, "ENGINE_PREDICTOR is empty"),
        ((), {"ENGINE_PREDICTOR": " \n"}, "ENGINE_PREDICTOR is empty"),
        ((), {"ENGINE_PREDICTOR": "{}"}, "ENGINE_PREDICTOR is not base64"),
        ((), {"ENGINE_PREDICTOR": "abc"}, "ENGINE_PREDICTOR is not base64"),
        ((), {"ENGINE_PREDICTOR": "eyI="}, "ENGINE_PREDICTOR: what its base64 holds is not JSON"),
        ((), {"ENGINE_PREDICTOR": "//4="}, "ENGINE_PREDICTOR: what its base64 holds is not JSON"),
    ],
)
def test_what_is_refused(arguments: tuple[str, ...], environment: dict[str, str], said: str) -> None:
    with pytest.raises(errors.RequestError, match=re.escape(said)):
        asked(*arguments, **environment)


def test_without_a_graph() -> None:
    parsed = cli._parser().parse_args(["executor", *IDENTITY])
    with pytest.raises(errors.RequestError, match="ENGINE_PREDICTOR is not set, and there is no --file"):
        settings.read(parsed, {})


def test_a_predictor_as_go_writes_it() -> None:
    value = predictor(unit("m", grpc="grpc://127.0.0.1:1"), labels={"a": "\U0001f600<"})
    text = settings.predictor(base64.encodebytes(base64.b64decode(value)).decode())  # in lines
    built = manifest.load_predictor(text, reached=[], lenient=True)
    assert (built.name, built.graph.name, built.labels) == ("main", "m", {"a": "\U0001f600<"})


def test_unknown_fields_of_a_predictor_are_passed_over_and_told(caplog: pytest.LogCaptureFixture) -> None:
    graph = unit("m", rest="http://127.0.0.1:1") | {"novelty": {"a": 1}}
    text = settings.predictor(predictor(graph, another=1))
    built = manifest.load_predictor(text, reached=[], lenient=True, source="ENGINE_PREDICTOR")
    assert built.graph.endpoint.http_port == 1
    (told,) = caplog.messages
    assert told == "ENGINE_PREDICTOR: unknown fields are passed over: graph.novelty, another"
    with pytest.raises(errors.ManifestError, match="unknown field"):
        manifest.load_predictor(text, reached=[])
