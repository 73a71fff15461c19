"""Tests a SeldonDeployment's whole life in a cluster, from `kubectl apply` to nothing left, with real requests."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from support.gateway.running import Gateway
from support.installed import Installed
from support.kube.api import Object, eventually
from support.kube.cluster import Cluster
from support.load import Client, Load

ENGINE = "seldon-container-engine"
GONE_S = 90.0
"""Pods go when requests, and what hears of services, had their time: up to half a minute, one after the other."""


def predictor(name: str, *steps: str, version: str = "1", **more: Any) -> Object:
    """A predictor with a chain of such nodes, all in one pod; the last is the model."""
    env = [{"name": "VERSION", "value": version}]
    pod = {"containers": [{"name": step, "image": "millrace/test-told:1", "env": env} for step in steps]}
    graph: Object = {"name": steps[-1], "type": "MODEL"}
    for step in reversed(steps[:-1]):
        graph = {"name": step, "implementation": "SIMPLE_MODEL", "children": [graph]}
        pod["containers"] = [each for each in pod["containers"] if each["name"] != step]
    return {"name": name, "componentSpecs": [{"spec": pod}], "graph": graph, **more}


def sdep(*predictors: Object, **spec: Any) -> Object:
    """The resource."""
    head = {"apiVersion": "machinelearning.seldon.io/v1", "kind": "SeldonDeployment", "metadata": {"name": "shop"}}
    return {**head, "spec": {"predictors": list(predictors), **spec}}


@pytest.fixture
def client(gateway: Gateway, namespace: str) -> Iterator[Client]:
    """Asks the graph."""
    found = Client(gateway, namespace, "shop")
    yield found
    found.close()


@pytest.mark.timeout(600)
def test_a_whole_life(installed: Installed, namespace: str, client: Client) -> None:
    born(installed, namespace, client)
    scaled(installed, namespace)
    with Load(client) as load:
        renewed(installed, namespace)
        changed(installed, namespace)
    assert load.failures == []
    assert {f"{way} main {version}" for way in ("rest", "grpc") for version in "123"} == set(load.answers)
    with Load(client) as load:
        shared(installed, namespace, client)
        rolled_back(installed, namespace, client)
    assert load.failures == []
    assert set(load.answers) == {f"{way} {who}" for way in ("rest", "grpc") for who in ("main 3", "canary 4")}
    died(installed, namespace)


def born(installed: Installed, namespace: str, client: Client) -> None:
    """From `kubectl apply` to predictions."""
    assert installed.apply(namespace, sdep(predictor("main", "model"))) == (
        "seldondeployment.machinelearning.seldon.io/shop created\n"
    )
    eventually(lambda: installed.sdep(namespace, "shop").get("status"))
    name, state, _, ready, _ = installed.column(namespace, "shop")
    assert (name, state, ready) == ("shop", "Creating", "Unknown")
    status = installed.available(namespace, "shop")
    assert status["address"]["url"] == f"http://shop-main.{namespace}.svc.cluster.local:8000/api/v1.0/predictions"
    name, state, replicas, ready, age = installed.column(namespace, "shop")
    assert (name, state, replicas, ready) == ("shop", "Available", "1", "True")
    assert age[:-1].isdecimal()
    assert (client.rest(), client.grpc()) == ("main 1", "main 1")
    (pod,) = installed.pods(namespace)
    assert [each["name"] for each in pod["spec"]["containers"]] == ["model", ENGINE]


def scaled(installed: Installed, namespace: str) -> None:
    """By `kubectl scale`, there and back."""
    for count in ("2", "3", "2"):
        installed.cluster.kubectl("scale", "sdep/shop", "-n", namespace, f"--replicas={count}")
        installed.available(namespace, "shop")
        assert installed.column(namespace, "shop")[1:4] == ["Available", count, "True"]
    ready = eventually(lambda: len(installed.pods(namespace)) == 2, GONE_S, "the third pod goes")
    assert ready


def renewed(installed: Installed, namespace: str) -> None:
    """The same containers with another version: the Deployment stays, its pods are replaced one by one."""
    before = installed.pods(namespace)
    installed.apply(namespace, sdep(predictor("main", "model", version="2"), replicas=2))
    installed.available(namespace, "shop")
    gone = {each["metadata"]["name"] for each in before}
    eventually(lambda: not gone & {each["metadata"]["name"] for each in installed.pods(namespace)}, GONE_S)


def changed(installed: Installed, namespace: str) -> None:
    """Another graph: its pods come beside the old ones, which go when the new ones serve."""
    installed.apply(namespace, sdep(predictor("main", "first", "better", version="3"), replicas=2))
    eventually(lambda: len(installed.left(namespace)) and _deployments(installed, namespace) == 2)
    assert installed.column(namespace, "shop")[1] == "Creating"
    installed.available(namespace, "shop")
    eventually(lambda: _deployments(installed, namespace) == 1, GONE_S, "the old Deployment goes")
    eventually(lambda: len(installed.pods(namespace)) == 2, GONE_S)


def shared(installed: Installed, namespace: str, client: Client) -> None:
    """A canary gets its share of requests, when it is ready and no sooner."""
    main = predictor("main", "first", "better", version="3", traffic=80)
    canary = predictor("canary", "model", version="4", traffic=20)
    installed.apply(namespace, sdep(main, canary, replicas=2))
    while installed.column(namespace, "shop")[1] != "Available":
        assert {client.rest(), client.grpc()} <= {"main 3", "canary 4"}
    installed.available(namespace, "shop")
    for ask in (client.rest, client.grpc):
        found = Counter(ask() for _ in range(200))
        assert found.keys() == {"main 3", "canary 4"}
        # Requests of the load take their turns too, so it may be one or two more or less.
        assert abs(found["canary 4"] - 40) <= 12, found


def rolled_back(installed: Installed, namespace: str, client: Client) -> None:
    """Without the canary all is as before."""
    installed.apply(namespace, sdep(predictor("main", "first", "better", version="3"), replicas=2))
    eventually(lambda: _deployments(installed, namespace) == 1, GONE_S, "the canary goes")
    installed.available(namespace, "shop")
    assert {client.rest() for _ in range(20)} | {client.grpc() for _ in range(20)} == {"main 3"}
    eventually(lambda: len(installed.pods(namespace)) == 2, GONE_S)


def died(installed: Installed, namespace: str) -> None:
    """By `kubectl delete`; nothing is left."""
    installed.cluster.kubectl("delete", "sdep/shop", "-n", namespace)
    eventually(lambda: installed.left(namespace) == [], GONE_S, "all goes")


def _deployments(installed: Installed, namespace: str) -> int:
    return sum(each.startswith("deployment.apps/") for each in installed.left(namespace))


def test_what_is_wrong_is_refused_when_it_is_applied(installed: Installed, namespace: str, cluster: Cluster) -> None:
    wrong = sdep(predictor("main", "model", traffic=7))
    wrong["spec"]["predictors"][0]["graph"]["type"] = "MODLE"
    said = installed.refused(namespace, wrong)
    assert 'spec.predictors[0].graph.type: "MODLE" is not allowed (did you mean "MODEL"?); allowed: MODEL, ' in said
    assert "traffic" in said
    assert cluster.kubectl("get", "sdep", "-n", namespace, "-o", "name") == ""


def test_what_has_no_effect_is_warned_of(installed: Installed, namespace: str, cluster: Cluster) -> None:
    found = sdep(predictor("main", "model"), annotations={"seldon.io/ambassador-id": "x"})
    arguments = ("apply", "--dry-run=server", "-n", namespace, "-f", "-")
    done = cluster.try_kubectl(*arguments, said=json.dumps(found))
    assert done.stderr == (
        "Warning: annotation seldon.io/ambassador-id is ignored: routes are made for the Gateway API or Istio\n"
    )
    assert "created (server dry run)" in done.stdout
