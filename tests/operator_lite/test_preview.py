"""Tests `preview`: what `--dry-run` prints, and that it changes nothing."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from support.apiserver import ApiServer
from support.cluster import DEPLOYMENT, SPEC, Cluster, node_of_seldon, of_seldon, served
from support.operators import Running
from support.resources import CONFIG, ONE

from operator_lite import preview
from operator_lite.config import Config
from operator_lite.preview import Preview


def shown(cluster: Cluster, config: Config = CONFIG, namespace: str | None = None) -> list[str]:
    where = cluster.namespace if namespace is None else namespace
    return list(Preview(cluster.api, config, where).lines())


def titles(lines: list[str], cluster: Cluster) -> list[str]:
    return [each.replace(cluster.namespace, "NS") for each in lines if each.startswith("#")]


def test_of_a_new_resource_everything(cluster: Cluster) -> None:
    assert shown(cluster) == ["# 0 resources, 0 would change, 0 problems"]
    cluster.sdep("iris", SPEC)
    lines = shown(cluster)
    assert titles(lines, cluster) == [
        "# NS/iris: changes",
        "## Service iris-main-model: would be made",
        "## Service iris-main: would be made",
        "## Deployment iris-main-0-model: would be made",
        "## HTTPRoute iris: would be made",
        "# 1 resources, 1 would change, 0 problems",
    ]
    assert "+kind: Deployment" in lines


def test_of_one_that_runs_what_differs(cluster: Cluster, operator: Running) -> None:
    running = operator(cluster)
    cluster.sdep("iris", SPEC)
    cluster.all_ready("iris")
    running.stop()
    assert titles(shown(cluster), cluster)[0] == "# NS/iris: nothing would change"
    scaled = yaml.safe_load(ONE)
    scaled["predictors"][0] |= {"replicas": 3, "name": "main"}
    scaled["predictors"][0]["componentSpecs"][0]["spec"]["containers"][0]["image"] = "model:2"
    scaled["predictors"][0]["annotations"] = {"seldon.io/ambassador-id": "x"}
    cluster.sdep("iris", scaled)
    lines = shown(cluster)
    assert "## Deployment iris-main-0-model: would be changed; its pods would be replaced" in lines
    assert "-  replicas: 1" in lines
    assert "+  replicas: 3" in lines
    assert any(each.endswith("image: model:2") for each in lines)
    assert "# annotation seldon.io/ambassador-id is ignored: routes are made for the Gateway API or Istio" in lines


def test_of_one_with_another_graph_what_goes(cluster: Cluster, operator: Running) -> None:
    running = operator(cluster)
    cluster.sdep("iris", SPEC)
    cluster.all_ready("iris")
    running.stop()
    cluster.sdep("iris", {**yaml.safe_load(ONE.replace("model", "other")),
                          "annotations": {"seldon.io/headless-svc": "true"}})  # fmt: skip
    found = titles(shown(cluster), cluster)
    assert "## Deployment iris-main-0-model: would be deleted" in found
    assert "## Service iris-main-model: would be deleted" in found
    assert "## Deployment iris-main-0-other: would be made" in found
    assert "## Service iris-main: would be deleted and made anew: its address cannot be taken away afterwards" in found


def test_of_another_way_in_when_it_goes(cluster: Cluster, operator: Running) -> None:
    running = operator(cluster, Config(image="millrace:test", traffic="istio"))
    cluster.sdep("iris", SPEC)
    cluster.all_ready("iris")
    running.stop()
    found = titles(shown(cluster), cluster)
    assert "## VirtualService iris: would be deleted when requests get in as is wanted" in found
    found = titles(shown(cluster, Config(image="millrace:test", traffic="none")), cluster)
    assert "## VirtualService iris: would be deleted" in found


def test_of_seldons_operator_what_would_be_taken_over(cluster: Cluster) -> None:
    of_seldon(cluster)
    assert titles(shown(cluster), cluster)[0].endswith("is left to the operator that its seldon.io/controller-id names")
    cluster.sdep("iris", SPEC)
    before = cluster.api.get(*_deployment(cluster))
    lines = shown(cluster)
    title = "## Deployment iris-main-0-model: would be taken over and changed; its pods would be replaced"
    assert title in lines
    assert any(each.startswith("-") and "OF_SELDON" in each for each in lines)
    assert not any(each.startswith(("-  replicas", "+  replicas")) for each in lines)
    assert cluster.api.get(*_deployment(cluster)) == before


def test_of_services_of_seldons_operator_that_they_keep_their_address(cluster: Cluster) -> None:
    apart = {**SPEC, "annotations": {"seldon.io/engine-separate-pod": "true"}}
    node_of_seldon(cluster, apart)
    cluster.sdep("iris", apart)
    lines = shown(cluster)
    assert "## Service iris-main-model: would be taken over and changed" in lines
    assert "+  clusterIP: None" not in lines


def test_what_would_not_be_done_is_a_problem(cluster: Cluster) -> None:
    cluster.put({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "iris-main"},
                 "spec": {"selector": {"a": "b"}, "ports": [{"port": 80}]}})  # fmt: skip
    cluster.sdep("iris", SPEC)
    cluster.sdep("wrong", {"predictors": []})
    lines = shown(cluster)
    assert any(each.startswith("## Service iris-main: would be left alone: there is one") for each in lines)
    assert any("wrong: is refused: spec.predictors: the graph has no predictors" in each for each in lines)
    assert lines[-1] == "# 2 resources, 1 would change, 2 problems"


def test_what_the_server_refuses_is_one_too(server: ApiServer, fragile: Cluster) -> None:
    server.fail("get", "/services/iris-main", 403, "services is forbidden")
    fragile.sdep("iris", SPEC)
    lines = shown(fragile, namespace="")
    assert "## Service iris-main: services is forbidden" in lines
    assert lines[-1] == "# 1 resources, 1 would change, 2 problems"


def test_kinds_that_the_cluster_lacks(tmp_path: Path) -> None:
    server = served(without=("HTTPRoute",))
    try:
        fragile = Cluster(server.kubeconfig(tmp_path / "kubeconfig"))
        fragile.sdep("iris", SPEC)
        said = "## HTTPRoute iris: would not be made: the cluster has no HTTPRoute (gateway.networking.k8s.io/v1)"
        assert said in shown(fragile)
    finally:
        server.stop()


def test_nothing_is_changed(server: ApiServer, fragile: Cluster) -> None:
    of_seldon(fragile)
    fragile.sdep("iris", SPEC)
    version = server.store.version
    before = len(server.requests)
    assert len(shown(fragile)) > 10
    assert server.store.version == version
    assert {each[0] for each in server.requests[before:]} == {"get", "put"}


def test_what_says_the_same_in_another_order_is_no_difference() -> None:
    one = {"metadata": {}, "spec": {"env": [{"name": "B"}, {"name": "A"}], "args": ["b", "a"]}}
    other = {"metadata": {}, "spec": {"env": [{"name": "A"}, {"name": "B"}], "args": ["b", "a"]}}
    assert preview.text(one) == preview.text(other)
    assert preview.text({**other, "spec": {"args": ["a", "b"]}}) != preview.text(
        {**other, "spec": {"args": ["b", "a"]}}
    )


@pytest.mark.parametrize(
    ("value", "said"), [("eyJuYW1lIjoibWFpbiJ9", "  value:\n      name: main\n"), ("oh", "  value: oh\n")]
)
def test_the_predictor_of_an_executor_can_be_read(value: str, said: str) -> None:
    found = {"metadata": {}, "spec": {"env": [{"name": "ENGINE_PREDICTOR", "value": value}]}}
    assert said in preview.text(found)


def _deployment(cluster: Cluster) -> Any:
    return DEPLOYMENT, cluster.namespace, "iris-main-0-model"
