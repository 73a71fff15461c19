"""Tests `explainer`: when there is one, how many pods it has, and on which port."""

import pytest
from support.resources import ONE, container, made, of_kind


def explained(explainer: str, more: str = "") -> dict[str, dict[str, object]]:
    return of_kind(made(f"{ONE}  explainer: {explainer}\n{more}"), "Deployment")


@pytest.mark.parametrize("explainer", ["{}", "{type: ''}", "{modelUri: 'gs://m'}"])
def test_without_a_type_there_is_none(explainer: str) -> None:
    assert list(explained(explainer)) == ["iris-main-0-model"]


@pytest.mark.parametrize(
    ("explainer", "more", "replicas"),
    [
        ("{type: ALE}", "", 1),
        ("{type: ALE, replicas: 2}", "  replicas: 4\n", 2),
        ("{type: ALE, replicas: 2}", "  replicas: 0\n", 0),
        ("{type: ALE, replicas: 2}", "replicas: 0\n", 0),
        ("{type: ALE, replicas: 2}", "  replicas: 1\nreplicas: 0\n", 2),
    ],
)
def test_how_many_pods(explainer: str, more: str, replicas: int) -> None:
    found = explained(explainer, more)["iris-main-explainer"]
    assert found["spec"]["replicas"] == replicas  # type: ignore[index]


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        ("[{name: own, containerPort: 8}]", [("own", 8), ("http", 9000)]),
        ("[{containerPort: 9000}]", [("http", 9000)]),
        ("[{name: own, containerPort: 9000}]", [("own", 9000), ("http", 9001)]),
    ],
)
def test_its_probes_find_their_port(ports: str, expected: list[tuple[str, int]]) -> None:
    found = container(
        explained(f"{{type: ALE, containerSpec: {{ports: {ports}}}}}")["iris-main-explainer"], "iris-main-explainer"
    )
    assert [(each["name"], each["containerPort"]) for each in found["ports"]] == expected
    assert found["readinessProbe"]["tcpSocket"] == {"port": "http"}
    assert f"--http_port={dict(expected)['http']}" in found["args"]


@pytest.mark.parametrize(
    ("explainer", "port"),
    [
        ("{type: ALE}", 9000),
        ("{type: ALE, endpoint: {service_port: 7}}", 7),
        ("{type: ALE, endpoint: {service_port: 7}, containerSpec: {ports: [{name: http, containerPort: 8}]}}", 8),
    ],
)
def test_the_port(explainer: str, port: int) -> None:
    found = container(explained(explainer)["iris-main-explainer"], "iris-main-explainer")
    assert f"--http_port={port}" in found["args"]
    assert found["ports"][0]["containerPort"] == port
