"""What the environment says of traces: OpenTelemetry's variables, Seldon's, and what is wrong with them."""

from typing import Any

import pytest

from executor._native import propagation
from executor.telemetry.trace_settings import GRPC, HTTP, TraceSettings, read

ON = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317"}


def settings(environment: dict[str, str]) -> TraceSettings:
    found, notes = read(environment)
    assert found is not None
    assert notes == []
    return found


@pytest.mark.parametrize(
    "environment",
    [
        {}, {"OTEL_SERVICE_NAME": "x"}, {**ON, "OTEL_SDK_DISABLED": "true"}, {**ON, "OTEL_TRACES_EXPORTER": "none"},
        {"TRACING": "0", "JAEGER_AGENT_HOST": "jaeger"}, {"JAEGER_AGENT_HOST": "jaeger", "JAEGER_DISABLED": "true"},
        {"TRACING": ""},
    ],
)  # fmt: skip
def test_nothing_is_traced(environment: dict[str, str]) -> None:
    assert read(environment) == (None, [])


@pytest.mark.parametrize(
    ("environment", "protocol", "url"),
    [
        (ON, GRPC, "http://collector:4317"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, HTTP, "http://collector:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c/base/"}, HTTP, "https://c:443/base/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:1/own?k=v"}, HTTP, "http://c:1/own?k=v"),
        ({**ON, "OTEL_EXPORTER_OTLP_PROTOCOL": HTTP}, HTTP, "http://collector:4317/v1/traces"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c/", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": GRPC},
            GRPC,
            "https://c:4317",
        ),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "c:4317", "OTEL_EXPORTER_OTLP_INSECURE": "true"}, GRPC, "http://c:4317"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "c:4317"}, GRPC, "https://c:4317"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://[::1]:4317"}, GRPC, "http://[::1]:4317"),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, HTTP, "http://localhost:4318/v1/traces"),
        ({"TRACING": "1"}, GRPC, "http://localhost:4317"),
        ({"JAEGER_AGENT_HOST": "jaeger", "JAEGER_AGENT_PORT": "6831"}, GRPC, "http://jaeger:4317"),
        ({"JAEGER_ENDPOINT": "http://jaeger:14268/api/traces"}, GRPC, "http://jaeger:4317"),
        ({"JAEGER_ENDPOINT": "http://[broken"}, GRPC, "http://localhost:4317"),
        ({"TRACING": "1", "JAEGER_AGENT_HOST": "jaeger", **ON}, GRPC, "http://collector:4317"),
    ],
)
def test_where_spans_go(environment: dict[str, str], protocol: str, url: str) -> None:
    found = settings(environment)
    assert (found.protocol, found.url) == (protocol, url)


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, (True, 1.0, 0.0)),
        ({"OTEL_TRACES_SAMPLER": "always_on"}, (False, 1.0, 0.0)),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, (False, 0.0, 0.0)),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.25"}, (False, 0.25, 0.0)),
        ({"OTEL_TRACES_SAMPLER": "parentbased_always_off"}, (True, 0.0, 0.0)),
        ({"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "1e-2"}, (True, 0.01, 0.0)),
        ({"TRACING": "1", "JAEGER_SAMPLER_TYPE": "const", "JAEGER_SAMPLER_PARAM": "0"}, (True, 0.0, 0.0)),
        ({"TRACING": "1", "JAEGER_SAMPLER_TYPE": "probabilistic", "JAEGER_SAMPLER_PARAM": "0.5"}, (True, 0.5, 0.0)),
        ({"TRACING": "1", "JAEGER_SAMPLER_TYPE": "ratelimiting", "JAEGER_SAMPLER_PARAM": "2"}, (True, 0.0, 2.0)),
        ({"TRACING": "1", "JAEGER_SAMPLER_TYPE": "const", "OTEL_TRACES_SAMPLER": "always_off"}, (False, 0.0, 0.0)),
    ],
)
def test_which_requests(environment: dict[str, str], wanted: tuple[bool, float, float]) -> None:
    found = settings({**ON, **environment})
    assert (found.parents, found.ratio, found.rate) == wanted


@pytest.mark.parametrize(
    ("environment", "forms"),
    [
        ({}, (propagation.W3C,)),
        ({"TRACING": "1"}, (propagation.W3C, propagation.JAEGER)),
        ({"TRACING": "1", "JAEGER_TRACE_PROPAGATION_TYPE": "b3"}, (propagation.W3C, propagation.B3_MULTI)),
        ({"OTEL_PROPAGATORS": "b3, tracecontext,b3,baggage"}, (propagation.B3, propagation.W3C)),
        ({"OTEL_PROPAGATORS": "none"}, ()),
        ({"OTEL_PROPAGATORS": "b3multi,jaeger"}, (propagation.B3_MULTI, propagation.JAEGER)),
    ],
)
def test_which_headers(environment: dict[str, str], forms: tuple[int, ...]) -> None:
    assert settings({**ON, **environment}).forms == forms


def test_who_sends() -> None:
    attributes = {"OTEL_RESOURCE_ATTRIBUTES": "service.name=from%20attributes,a=b%2Cc"}
    found = settings({**ON, **attributes})
    assert found.resource("default") | {"service.instance.id": ""} == {
        "service.name": "from attributes", "service.version": found.resource("")["service.version"],
        "service.instance.id": "", "telemetry.sdk.name": "millrace", "telemetry.sdk.language": "python",
        "telemetry.sdk.version": found.resource("")["telemetry.sdk.version"], "a": "b,c",
    }  # fmt: skip
    assert settings({**ON, **attributes, "OTEL_SERVICE_NAME": "own"}).resource("default")["service.name"] == "own"
    jaeger = {"TRACING": "1", "JAEGER_SERVICE_NAME": "theirs", "JAEGER_TAGS": "k=v"}
    told = settings(jaeger).resource("default")
    assert (told["service.name"], told["k"]) == ("theirs", "v")
    assert settings(ON).resource("default")["service.name"] == "default"


def test_the_rest_of_the_variables() -> None:
    found = settings({
        "OTEL_EXPORTER_OTLP_ENDPOINT": "https://c:4318",
        "OTEL_EXPORTER_OTLP_HEADERS": "Api-Key=a%3Db, x=y",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "5000", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "2500",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip", "OTEL_EXPORTER_OTLP_CERTIFICATE": "/ca.pem",
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "/c.pem", "OTEL_EXPORTER_OTLP_CLIENT_KEY": "/k.pem",
        "OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_BSP_EXPORT_TIMEOUT": "200", "OTEL_BSP_MAX_QUEUE_SIZE": "30",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "40",
    })  # fmt: skip
    assert found.headers == (("api-key", "a=b"), ("x", "y"))
    assert (found.timeout_s, found.gzip, found.ca, found.cert, found.key) == (2.5, True, "/ca.pem", "/c.pem", "/k.pem")
    assert (found.delay_s, found.export_s, found.queue_max, found.batch_max) == (0.1, 0.2, 30, 30)


@pytest.mark.parametrize(
    ("name", "value", "note"),
    [
        ("OTEL_TRACES_SAMPLER", "sometimes", "allowed are always_on"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote", "allowed are"),
        ("OTEL_PROPAGATORS", "tracecontext,xray", "'xray'"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "allowed are grpc"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon", "allowed are numbers from 1"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "-1", "allowed are numbers from 1"),
        ("OTEL_BSP_SCHEDULE_DELAY", "nan", "allowed are numbers from 1"),
        ("OTEL_BSP_SCHEDULE_DELAY", "inf", "allowed are numbers from 1"),
        ("OTEL_BSP_SCHEDULE_DELAY", "1e300", "allowed are numbers from 1 to 86400000; 5000 is used"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "2.5", "2048 is used"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "9" * 30, "allowed are numbers from 1 to 1000000; 2048 is used"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "9" * 30, "512 is used"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "'zstd'"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", "over grpc"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "broken", "not key=value"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a b=c", "cannot be sent"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=%0d%0ab", "cannot be sent"),
        ("OTEL_RESOURCE_ATTRIBUTES", "=x", "not key=value"),
        ("OTEL_TRACES_EXPORTER", "zipkin", "'zipkin'"),
    ],
)
def test_what_cannot_be_used_is_told_and_defaults_hold(name: str, value: str, note: str) -> None:
    found, notes = read({**ON, name: value})
    assert len(notes) == 1
    assert note in notes[0]
    plain: Any = settings(ON)
    assert found == plain


def test_what_is_wrong_with_seldon_s() -> None:
    _, notes = read({"TRACING": "1", "JAEGER_SAMPLER_TYPE": "often"})
    assert "const 1 is used" in notes[0]
    found, notes = read({"TRACING": "1", "JAEGER_SAMPLER_TYPE": "remote"})
    assert found is not None
    assert (found.ratio, "nobody is asked" in notes[0]) == (0.001, True)
    _, notes = read({"TRACING": "1", "JAEGER_SAMPLER_TYPE": "probabilistic", "JAEGER_SAMPLER_PARAM": "7"})
    assert "from 0 to 1" in notes[0]


@pytest.mark.parametrize("url", ["ftp://c", "http://", "http://c:99999", "http://[::1", "//"])
def test_a_url_that_is_none_traces_nothing(url: str) -> None:
    found, notes = read({"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_PROTOCOL": GRPC})
    assert found is None
    assert "nothing is traced" in notes[0]
