"""Tests `support.gateway`: requests go where HTTPRoutes and GRPCRoutes say, in the shares that they say."""

import http.client
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import grpc
import pytest
from support import workloads as pods
from support.gateway.running import Gateway
from support.kube.api import Object, eventually
from support.kube.cluster import Cluster
from support.node import Node

GROUP = "/apis/gateway.networking.k8s.io/v1"


def route(gateway: Gateway, kind: str, *rules: Object, name: str = "route", **spec: Any) -> Object:
    """A route of our gateway."""
    parents = [{"name": gateway.name, "namespace": gateway.namespace}]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {"parentRefs": parents, "rules": list(rules), **spec},
    }


def backend(name: str, weight: int = 1, port: int = 80) -> Object:
    """A reference to a service."""
    return {"name": name, "port": port, "weight": weight}


def path_rule(prefix: str, *backends: Object, **more: Any) -> Object:
    """A rule for a prefix, which is cut off."""
    cut = {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}
    filters = [cut, *more.pop("filters", [])]
    return {
        "matches": [{"path": {"type": "PathPrefix", "value": prefix}}],
        "backendRefs": list(backends),
        "filters": filters,
        **more,
    }


def get(gateway: Gateway, path: str, **headers: str) -> tuple[int, Object]:
    """Status and content of an answer."""
    connection = http.client.HTTPConnection(urlsplit(gateway.http).netloc, timeout=10)
    try:
        connection.request("POST", path, "asked", headers)
        answer = connection.getresponse()
        said = answer.read()
        return answer.status, json.loads(said) if answer.status == 200 else {}
    finally:
        connection.close()


def accepted(cluster: Cluster, namespace: str, kind: str, name: str = "route") -> Object:
    """The conditions of a route, once there are some for its generation."""

    def conditions() -> Object | None:
        found = cluster.api.get(f"{GROUP}/namespaces/{namespace}/{kind}/{name}")
        for parent in found.get("status", {}).get("parents", []):
            if all(each["observedGeneration"] == found["metadata"]["generation"] for each in parent["conditions"]):
                return {each["type"]: each for each in parent["conditions"]}
        return None

    answer = eventually(conditions)
    assert isinstance(answer, dict)
    return answer


def enacted(cluster: Cluster, gateway: Gateway, namespace: str, path: str) -> None:
    """Waits until the route is told that it is accepted, which is after nginx has it, and there are endpoints."""
    accepted(cluster, namespace, "httproutes")
    eventually(lambda: get(gateway, path)[0] == 200)


@pytest.fixture
def two(cluster: Cluster, node: Node, namespace: str) -> Iterator[str]:
    """A namespace with the services `old` (two pods) and `new` (one)."""
    parts = [pods.answering("old", 2), pods.service("old"), pods.answering("new"), pods.service("new")]
    pods.deploy(cluster, namespace, *parts)
    eventually(lambda: pods.ready_endpoints(cluster, namespace) == 3)
    yield namespace
    for kind in ("httproutes", "grpcroutes"):
        for each in cluster.api.items(f"{GROUP}/namespaces/{namespace}/{kind}"):
            cluster.api.delete(f"{GROUP}/namespaces/{namespace}/{kind}/{each['metadata']['name']}")


def test_weights_are_enacted_exactly(cluster: Cluster, gateway: Gateway, two: str) -> None:
    pods.deploy(cluster, two, route(gateway, "HTTPRoute", path_rule("/w", backend("old", 80), backend("new", 20))))
    enacted(cluster, gateway, two, "/w/")
    found = Counter(get(gateway, "/w/some?a=b")[1]["name"] for _ in range(200))
    assert found == {"old": 160, "new": 40}
    assert accepted(cluster, two, "httproutes")["Accepted"]["status"] == "True"


def test_a_prefix_is_cut_and_headers_are_set(cluster: Cluster, gateway: Gateway, two: str) -> None:
    change = {"set": [{"name": "seldon", "value": "m"}], "remove": ["secret"]}
    rule = path_rule("/p", backend("old"), filters=[{"type": "RequestHeaderModifier", "requestHeaderModifier": change}])
    pods.deploy(cluster, two, route(gateway, "HTTPRoute", rule))
    enacted(cluster, gateway, two, "/p")
    told = get(gateway, "/p/a%20b/c?d=e", secret="1")[1]
    assert (told["path"], told["body"]) == ("/a%20b/c?d=e", "asked")
    assert told["headers"]["seldon"] == "m"
    assert "secret" not in told["headers"]
    assert get(gateway, "/pp")[0] == 404


def test_the_closest_match_wins(cluster: Cluster, gateway: Gateway, two: str) -> None:
    header = {"matches": [{"headers": [{"name": "Which", "value": "new"}]}], "backendRefs": [backend("new")]}
    rules = [path_rule("/m", backend("old")), path_rule("/m/n", backend("new")), header]
    pods.deploy(cluster, two, route(gateway, "HTTPRoute", *rules))
    enacted(cluster, gateway, two, "/m")
    assert get(gateway, "/m/x")[1]["name"] == "old"
    assert get(gateway, "/m/n/x")[1]["name"] == "new"
    assert get(gateway, "/other", Which="new")[1]["name"] == "new"
    assert get(gateway, "/other")[0] == 404


def test_a_mirror_gets_a_copy_of_each_request(cluster: Cluster, node: Node, gateway: Gateway, two: str) -> None:
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "new", "port": 80}}}
    pods.deploy(cluster, two, route(gateway, "HTTPRoute", path_rule("/mirrored", backend("old"), filters=[mirror])))
    enacted(cluster, gateway, two, "/mirrored")
    assert {get(gateway, f"/mirrored/{number}")[1]["name"] for number in range(10)} == {"old"}
    copies = cluster.api.items(f"/api/v1/namespaces/{two}/pods", labelSelector="app=new")[0]["metadata"]["name"]
    eventually(lambda: {f"/{number}" for number in range(10)} <= set(node.log(two, copies, "c").split()))


def test_grpc_goes_by_headers_and_weights(cluster: Cluster, node: Node, gateway: Gateway, two: str) -> None:
    matches = [{"headers": [{"name": "seldon", "value": "m"}], "method": {"service": "shop.Prices"}}]
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "new", "port": 81}, "percent": 100}}
    backends = [backend("old", 75, 81), backend("new", 25, 81)]
    rule = {"matches": matches, "backendRefs": backends}
    copied = {"matches": [{"method": {"service": "copied.Service"}}], "backendRefs": backends[:1], "filters": [mirror]}
    pods.deploy(cluster, two, route(gateway, "GRPCRoute", rule, copied))
    assert accepted(cluster, two, "grpcroutes")["ResolvedRefs"]["status"] == "True"
    with grpc.insecure_channel(gateway.grpc) as channel:
        ask = channel.unary_unary("/shop.Prices/Get")
        found = Counter(ask(b"x", metadata=(("seldon", "m"),), timeout=10).decode() for _ in range(80))
        with pytest.raises(grpc.RpcError) as refused:
            ask(b"x", timeout=10)
        copy = channel.unary_unary("/copied.Service/Method")(b"x", timeout=10)
    assert found == {"old /shop.Prices/Get x": 60, "new /shop.Prices/Get x": 20}
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert copy == b"old /copied.Service/Method x"
    name = cluster.api.items(f"/api/v1/namespaces/{two}/pods", labelSelector="app=new")[0]["metadata"]["name"]
    assert eventually(lambda: "/copied.Service/Method" in node.log(two, name, "c"))


def test_changes_of_weights_and_pods_fail_no_request(cluster: Cluster, gateway: Gateway, two: str) -> None:
    pods.deploy(cluster, two, route(gateway, "HTTPRoute", path_rule("/c", backend("old", 100), backend("new", 0))))
    enacted(cluster, gateway, two, "/c")
    found: Counter[str] = Counter()

    def ask(wanted: str) -> bool:
        status, told = get(gateway, "/c")
        assert status == 200
        found[told["name"]] += 1
        return bool(told["name"] == wanted)

    pods.deploy(cluster, two, route(gateway, "HTTPRoute", path_rule("/c", backend("old", 0), backend("new", 100))))
    eventually(lambda: ask("new"))
    cluster.kubectl("scale", "deployment/old", "--replicas=0", "-n", two)
    pods.deploy(cluster, two, route(gateway, "HTTPRoute", path_rule("/c", backend("new", 50), backend("old", 50))))
    assert accepted(cluster, two, "httproutes")["Accepted"]["status"] == "True"
    for _ in range(50):
        ask("new")
    assert found["new"] >= 50


def test_a_route_to_nothing_is_told_so(cluster: Cluster, gateway: Gateway, two: str) -> None:
    pods.deploy(cluster, two, route(gateway, "HTTPRoute", path_rule("/n", backend("absent"))))
    told = accepted(cluster, two, "httproutes")["ResolvedRefs"]
    assert (told["status"], told["reason"]) == ("False", "BackendNotFound")
    assert f"Service {two}/absent" in told["message"]


def test_what_the_gateway_cannot_do_is_refused(cluster: Cluster, gateway: Gateway, two: str) -> None:
    away = {"type": "RequestRedirect", "requestRedirect": {"statusCode": 301}}
    pods.deploy(cluster, two, route(gateway, "HTTPRoute", {"filters": [away]}))
    told = accepted(cluster, two, "httproutes")["Accepted"]
    assert (told["status"], told["reason"]) == ("False", "UnsupportedValue")
