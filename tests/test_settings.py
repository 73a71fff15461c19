"""How targets and endpoint URLs are read, and what is said of wrong ones."""

import dataclasses

import pytest

from executor import errors
from executor.settings import (
    Address,
    CorsSettings,
    Deployment,
    ListenSettings,
    NodeChecks,
    NodeSettings,
    NodeTimeouts,
    PayloadLogSettings,
    Prepackaged,
    RunSettings,
    Scheme,
    ServeLimits,
    TlsSettings,
    parse_target,
    parse_url,
)

URLS = [
    ("grpc://node:5000", Address(Scheme.GRPC, "node", 5000), "node:5000"),
    ("grpc://127.0.0.1:1", Address(Scheme.GRPC, "127.0.0.1", 1), "127.0.0.1:1"),
    ("grpc://[::1]:65535", Address(Scheme.GRPC, "::1", 65535), "[::1]:65535"),
    ("http://node:9000", Address(Scheme.HTTP, "node", 9000), "node:9000"),
    ("http://node:9000/", Address(Scheme.HTTP, "node", 9000), "node:9000"),
    ("http://node:9000/a/b/", Address(Scheme.HTTP, "node", 9000, "/a/b"), "node:9000"),
    ("grpcs://node:5000", Address(Scheme.GRPCS, "node", 5000), "node:5000"),
    ("https://node:9000/a", Address(Scheme.HTTPS, "node", 9000, "/a"), "node:9000"),
    ("unix:/tmp/x", Address(Scheme.UNIX, path="/tmp/x"), "unix:/tmp/x"),
    ("unix:///tmp/x", Address(Scheme.UNIX, path="/tmp/x"), "unix:/tmp/x"),
]


@pytest.mark.parametrize(("url", "address", "target"), URLS)
def test_urls(url: str, address: Address, target: str) -> None:
    parsed = parse_url(url)
    assert parsed == address
    assert parsed.target == target
    assert parse_url(str(parsed)) == parsed


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("node:5000", "no scheme; allowed are grpc://HOST:PORT, unix:/PATH"),
        ("grpcs://node:1/x", "a gRPC endpoint has no path"),
        ("ftp://node:1", "unknown scheme 'ftp'"),
        ("grpc://node", "the port is missing; write node:PORT"),
        ("grpc://node:", "the port is missing; write node:PORT"),
        ("grpc://node:70000", "port 70000 is not between 1 and 65535"),
        ("grpc://node:0", "port 0 is not between"),
        ("grpc://node:5000/x", "a gRPC endpoint has no path"),
        ("grpc://user@node:5000", "is not HOST:PORT"),
        ("grpc://::1:5000", "is not HOST:PORT"),
        ("http://node:9000/x?y", "a query or fragment is not allowed"),
        ("http://:9000", "is not HOST:PORT"),
        ("unix:relative", "unix:/ABSOLUTE/PATH"),
        ("unix:", "unix:/ABSOLUTE/PATH"),
    ],
)
def test_wrong_urls_say_what_is_allowed(url: str, said: str) -> None:
    with pytest.raises(errors.RequestError) as caught:
        parse_url(url, "--endpoint m:")
    assert caught.value.message.startswith(f"--endpoint m: {url!r}")
    assert said in caught.value.message


def test_targets() -> None:
    assert parse_target("localhost:5001") == Address(Scheme.GRPC, "localhost", 5001)
    assert parse_target("unix:/tmp/x").target == "unix:/tmp/x"
    with pytest.raises(errors.RequestError, match="write HOST:PORT or unix:/PATH, without grpc://"):
        parse_target("grpc://localhost:5001")
    with pytest.raises(errors.RequestError, match="the port is missing"):
        parse_target("localhost")


def test_settings_are_frozen_and_have_bounds() -> None:
    settings = RunSettings("graph.yaml")
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.manifest = "other"  # type: ignore[misc]
    assert settings.default_timeout_s == 60.0
    found = [getattr(ServeLimits(), field.name) for field in dataclasses.fields(ServeLimits)]
    assert all(bound is None or bound > 0 for bound in found)


def test_run_settings_survive_json() -> None:
    settings = RunSettings(
        "graph.yaml",
        components={"m": "model.py:Model"},
        endpoints={"n": parse_url("http://[::1]:80/x"), "u": parse_url("unix:/tmp/s")},
        isolate=frozenset({"m"}),
        document="two",
        listen=ListenSettings("0.0.0.0", None, 1, "/tmp/s"),
        limits=ServeLimits(max_message_bytes=7),
        default_timeout_s=None,
        workers=3,
        tls=TlsSettings("c", "k"),
        node_timeouts=NodeTimeouts(1.5, None, 2.0),
        node_checks=NodeChecks.FULL,
        prepackaged=Prepackaged.IN_PROCESS,
        cors=CorsSettings("https://a"),
        deployment=Deployment("churn", "shop", "main"),
        payload_log=PayloadLogSettings("http://broker", "http://pod:8000/", 1, 2, 3),
        grpc_max_message_bytes=5,
    )
    assert RunSettings.from_json(settings.to_json()) == settings
    assert RunSettings.from_json(RunSettings("g").to_json()) == RunSettings("g")


def test_settings_of_a_node_go_to_other_processes() -> None:
    said = NodeSettings(
        "model.py:Model",
        name="m",
        parameters={"rate": 0.5, "on": True},
        listen=ListenSettings("127.0.0.1", 0, None, "/tmp/m.sock"),
        limits=ServeLimits(max_message_bytes=7),
        tls=TlsSettings("cert", "key"),
        strict=False,
        workers=2,
        metrics_port=6000,
    )
    assert NodeSettings.from_json(said.to_json()) == said
    assert NodeSettings.from_json(NodeSettings("m:M").to_json()) == NodeSettings("m:M")
