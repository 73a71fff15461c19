"""Tests `gateway`: hosts, Gateways, and who gets which share."""

from dataclasses import replace
from typing import Any

import pytest
from support.resources import CONFIG, ONE, made, of_kind

HOST, GATEWAY = "seldon.io/istio-host", "seldon.io/istio-gateway"


def route(spec: str = ONE, **annotations: str) -> dict[str, Any]:
    named = {f"seldon.io/istio-{name}": value for name, value in annotations.items()}
    (found,) = of_kind(made(spec, annotations=named), "HTTPRoute").values()
    spec_made: dict[str, Any] = found["spec"]
    return spec_made


def predictors(*said: str) -> str:
    model = "graph: {name: m, implementation: SIMPLE_MODEL}"
    return "predictors:\n" + "".join(f"- {{name: p{index}, {each}, {model}}}\n" for index, each in enumerate(said))


@pytest.mark.parametrize(
    ("annotation", "hosts"),
    [("a.example", ["a.example"]), ("a.example, b.example", ["a.example", "b.example"]), ("*", None), ("a, *", None)],
)
def test_hosts(annotation: str, hosts: list[str] | None) -> None:
    assert route(host=annotation).get("hostnames") == hosts


@pytest.mark.parametrize(("annotation", "parent"), [("net/front", ("net", "front")), ("front", (None, "front"))])
def test_the_gateway_of_an_annotation(annotation: str, parent: tuple[str | None, str]) -> None:
    (found,) = route(gateway=annotation)["parentRefs"]
    assert (found.get("namespace"), found["name"]) == parent


def test_shares_and_copies() -> None:
    spec = route(predictors("traffic: 70", "traffic: 30", "shadow: true"))
    for rule, port in zip(spec["rules"], (8000, 5001), strict=True):
        shares = [(each["name"], each["port"], each["weight"]) for each in rule["backendRefs"]]
        assert shares == [("iris-p0", port, 70), ("iris-p1", port, 30)]
        (mirror,) = [each for each in rule["filters"] if each["type"] == "RequestMirror"]
        assert mirror["requestMirror"] == {
            "backendRef": {"group": "", "kind": "Service", "name": "iris-p2", "port": port}
        }


def test_one_predictor_gets_everything() -> None:
    assert [each["weight"] for each in route(predictors("traffic: 0", "shadow: true"))["rules"][0]["backendRefs"]] == [
        100
    ]


def test_a_listener_for_grpc_gets_a_route_of_its_own_kind() -> None:
    objects = made(ONE, replace(CONFIG, gateway_grpc_listener="grpc"))
    (rest,), (grpc,) = (of_kind(objects, kind).values() for kind in ("HTTPRoute", "GRPCRoute"))
    assert len(rest["spec"]["rules"]) == len(grpc["spec"]["rules"]) == 1
    assert grpc["spec"]["parentRefs"][0]["sectionName"] == "grpc"


def test_or_there_are_no_routes_at_all() -> None:
    kinds = {each["kind"] for each in made(ONE, replace(CONFIG, traffic="none"))}
    assert kinds == {"Service", "Deployment"}
