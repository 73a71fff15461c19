"""Tests `controller` and `reconcile` together: what happens in a cluster while the operator runs.

They run on any API server; those that need it to fail are in test_reconcile.py.
"""

from typing import Any

import pytest
import yaml
from support import golden
from support.cluster import DEPLOYMENT, Cluster, kind_of, node_of_seldon, of_seldon, until
from support.operators import Running
from support.resources import ONE, container, variables

from operator_lite import kinds
from operator_lite.config import Config
from operator_lite.desired import KEPT

SERVICE, ROUTE, HPA, CLAIM = map(kind_of, ("Service", "HTTPRoute", "HorizontalPodAutoscaler", "PersistentVolumeClaim"))
SCALED, VIRTUAL = kind_of("ScaledObject"), kind_of("VirtualService")
OLD = "iris-main-0-model"


def spec(**changes: Any) -> dict[str, Any]:
    """A resource of one predictor, with some of the predictor's fields changed."""
    found: dict[str, Any] = yaml.safe_load(ONE)
    found["predictors"][0] |= changes
    return found


def graph(name: str, image: str = "m:1") -> dict[str, Any]:
    """Fields of a predictor whose one node has this name."""
    pods = [{"spec": {"containers": [{"name": name, "image": image}]}}]
    return {"componentSpecs": pods, "graph": {"name": name, "type": "MODEL"}}


def shared(*shares: int) -> dict[str, Any]:
    """A resource with as many predictors as shares: main, canary."""
    names = ("main", "canary")
    listed = [{**graph("model"), "name": name, "traffic": share} for name, share in zip(names, shares, strict=False)]
    return {"predictors": listed}


def weights(cluster: Cluster) -> dict[str, int]:
    """How the route shares out requests."""
    found = cluster.get(ROUTE, "iris")
    return {each["name"]: each["weight"] for each in found["spec"]["rules"][0]["backendRefs"]} if found else {}


def live(cluster: Cluster, kind: kinds.Kind, name: str) -> dict[str, Any]:
    """An object that is there."""
    found = cluster.get(kind, name)
    assert found is not None
    return found


def test_a_resource_becomes_objects_and_says_how_they_stand(cluster: Cluster, operator: Running) -> None:
    operator(cluster)
    cluster.sdep("iris", spec())
    until(lambda: cluster.status("iris").get("state") == "Creating")
    assert cluster.names(DEPLOYMENT) == [OLD]
    assert cluster.names(ROUTE) == []
    cluster.all_ready("iris")
    assert cluster.names(ROUTE) == ["iris"]
    ready = cluster.condition("iris", "Ready")
    assert (ready["status"], ready["observedGeneration"]) == ("True", 1)
    assert cluster.status("iris")["deploymentStatus"] == {OLD: {"replicas": 1, "availableReplicas": 1}}
    until(lambda: {"CreateDeployment", "CreateService", "CreateHTTPRoute"} <= set(cluster.reasons("iris")))
    assert not [each for each in cluster.reasons("iris") if each.startswith(("Update", "Delete"))]


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in golden.files()])
def test_to_apply_twice_changes_nothing(cluster: Cluster, path: Any) -> None:
    for each in golden.objects(path):
        each["metadata"]["namespace"] = cluster.namespace
        first = cluster.api.apply(each)
        if each["kind"] not in KEPT:  # those are applied once; a claim's version grows with each apply
            assert cluster.api.apply(each) == first


def test_another_graph_takes_over_when_it_is_ready(cluster: Cluster, operator: Running) -> None:
    operator(cluster)
    cluster.sdep("iris", spec())
    cluster.all_ready("iris")
    cluster.sdep("iris", spec(**graph("better")))
    until(lambda: len(cluster.names(DEPLOYMENT)) == 2 and cluster.status("iris")["state"] == "Creating")
    cluster.make_ready(OLD)
    assert OLD in cluster.names(DEPLOYMENT)
    cluster.make_ready("iris-main-0-better")
    until(lambda: cluster.names(DEPLOYMENT) == ["iris-main-0-better"])
    until(lambda: cluster.names(SERVICE) == ["iris-main", "iris-main-better"])
    until(lambda: cluster.status("iris")["state"] == "Available")
    assert cluster.reasons("iris").count("DeleteDeployment") == 1


def test_a_new_predictor_gets_requests_when_it_is_ready(cluster: Cluster, operator: Running) -> None:
    operator(cluster)
    cluster.sdep("iris", shared(100))
    cluster.all_ready("iris")
    cluster.sdep("iris", shared(80, 20))
    until(lambda: cluster.status("iris")["state"] == "Creating")
    assert weights(cluster) == {"iris-main": 100}
    cluster.all_ready("iris")
    assert weights(cluster) == {"iris-main": 80, "iris-canary": 20}
    cluster.sdep("iris", shared(100))
    until(lambda: cluster.names(DEPLOYMENT) == [OLD])
    assert weights(cluster) == {"iris-main": 100}


def test_a_predictor_that_broke_is_relieved_at_once(cluster: Cluster, operator: Running) -> None:
    operator(cluster)
    cluster.sdep("iris", shared(80, 20))
    cluster.all_ready("iris")
    broken = live(cluster, DEPLOYMENT, "iris-canary-0-model")
    cluster.api.replace({**broken, "status": {**broken["status"], "availableReplicas": 0}}, "status")
    until(lambda: cluster.status("iris")["state"] == "Creating")
    cluster.sdep("iris", shared(100, 0))
    until(lambda: weights(cluster) == {"iris-main": 100, "iris-canary": 0})
    cluster.sdep("iris", shared(50, 50))
    until(lambda: cluster.condition("iris", "Ready")["observedGeneration"] == 3)
    assert weights(cluster) == {"iris-main": 100, "iris-canary": 0}


def test_another_way_in_takes_over_when_a_gateway_has_accepted_it(cluster: Cluster, operator: Running) -> None:
    running = operator(cluster, Config(image="millrace:test", traffic="istio"))
    cluster.sdep("iris", shared(80, 20))
    cluster.all_ready("iris")
    running.use(Config(image="millrace:test"))
    until(lambda: cluster.names(ROUTE) == ["iris"])
    cluster.sdep("iris", shared(100))
    cluster.all_ready("iris")
    assert cluster.names(VIRTUAL) == ["iris"]
    assert cluster.names(DEPLOYMENT) == ["iris-canary-0-model", OLD]
    accept(cluster)
    until(lambda: cluster.names(VIRTUAL) == [] and cluster.names(DEPLOYMENT) == [OLD])
    assert cluster.names(ROUTE) == ["iris"]


def accept(cluster: Cluster) -> None:
    """Says of the route what the controller of a Gateway would."""
    found = live(cluster, ROUTE, "iris")
    condition = {"type": "Accepted", "status": "True", "reason": "Accepted", "message": "",
                 "lastTransitionTime": "2026-01-01T00:00:00Z"}  # fmt: skip
    parent = {"parentRef": found["spec"]["parentRefs"][0], "controllerName": "example.org/gateway"}
    said = {"parents": [{**parent, "conditions": [condition]}]}
    cluster.api.replace({**found, "status": said}, "status", manager="gateway")


def test_who_scales_takes_the_number_of_pods_as_it_is(cluster: Cluster, operator: Running) -> None:
    operator(cluster)
    cluster.sdep("iris", spec(replicas=3))
    cluster.all_ready("iris")
    assert live(cluster, DEPLOYMENT, OLD)["spec"]["replicas"] == 3
    scaled = spec(replicas=3)
    scaled["predictors"][0]["componentSpecs"][0]["hpaSpec"] = {"minReplicas": 2, "maxReplicas": 9}
    cluster.sdep("iris", scaled)
    until(lambda: cluster.names(HPA) == [OLD])
    until(lambda: cluster.condition("iris", "HpasReady").get("reason") == "AllGood")
    found = live(cluster, DEPLOYMENT, OLD)
    assert found["spec"]["replicas"] == 3
    cluster.api.replace({**found, "spec": {**found["spec"], "replicas": 5}}, manager="autoscaler")
    cluster.sdep("iris", {**scaled, "annotations": {"a": "b"}})
    until(lambda: live(cluster, DEPLOYMENT, OLD)["metadata"].get("annotations", {}).get("a") == "b")
    assert live(cluster, DEPLOYMENT, OLD)["spec"]["replicas"] == 5
    cluster.sdep("iris", spec(replicas=2))
    until(lambda: live(cluster, DEPLOYMENT, OLD)["spec"]["replicas"] == 2 and cluster.names(HPA) == [])


def test_what_keda_says_counts(cluster: Cluster, operator: Running) -> None:
    operator(cluster, Config(image="millrace:test", keda=True))
    scaled = spec(replicas=3)
    trigger = {"type": "cpu", "metricType": "Utilization", "metadata": {"value": "60"}}
    scaled["predictors"][0]["componentSpecs"][0]["kedaSpec"] = {"maxReplicaCount": 9, "triggers": [trigger]}
    cluster.sdep("iris", scaled)
    found = until(lambda: cluster.get(SCALED, OLD))
    assert found["spec"]["scaleTargetRef"]["name"] == OLD
    cluster.make_ready(OLD)
    until(lambda: cluster.condition("iris", "KedaReady").get("reason") == "Pending")
    refused = {"type": "Ready", "status": "False", "reason": "ScaledObjectCheckFailed", "message": "no such target"}
    tell(cluster, refused)
    until(lambda: cluster.status("iris")["state"] == "Failed")
    assert "no such target" in cluster.status("iris")["description"]
    tell(cluster, {**refused, "status": "True"})
    cluster.all_ready("iris")
    cluster.sdep("iris", spec(replicas=3))
    until(lambda: cluster.names(SCALED) == [])


def tell(cluster: Cluster, condition: dict[str, Any]) -> None:
    """Says of the ScaledObject what KEDA would."""
    found = live(cluster, SCALED, OLD)
    cluster.api.replace({**found, "status": {"conditions": [condition]}}, "status", manager="keda")


def test_a_service_whose_address_must_change_is_made_anew(cluster: Cluster, operator: Running) -> None:
    operator(cluster)
    cluster.sdep("iris", spec())
    cluster.all_ready("iris")
    before = live(cluster, SERVICE, "iris-main")
    cluster.sdep("iris", {**spec(), "annotations": {"seldon.io/headless-svc": "true"}})
    until(lambda: (cluster.get(SERVICE, "iris-main") or before)["spec"]["clusterIP"] == "None")
    assert live(cluster, SERVICE, "iris-main")["metadata"]["uid"] != before["metadata"]["uid"]


def test_so_is_a_deployment_of_ours_whose_selector_must(cluster: Cluster, operator: Running) -> None:
    operator(cluster)
    cluster.sdep("iris", spec())
    cluster.all_ready("iris")
    before = live(cluster, DEPLOYMENT, OLD)
    cluster.sdep("iris", {**spec(), "annotations": {"seldon.io/engine-separate-pod": "true"}})
    until(lambda: (cluster.get(DEPLOYMENT, OLD) or before)["metadata"]["uid"] != before["metadata"]["uid"])
    cluster.all_ready("iris")
    assert cluster.names(DEPLOYMENT) == [OLD, "iris-main-svc-orch"]


def test_what_somebody_else_changes_is_set_right(cluster: Cluster, operator: Running) -> None:
    operator(cluster)
    cluster.sdep("iris", spec())
    cluster.all_ready("iris")
    found = live(cluster, SERVICE, "iris-main")
    cluster.api.replace({**found, "spec": {**found["spec"], "selector": {"app": "other"}}}, manager="someone")
    until(lambda: live(cluster, SERVICE, "iris-main")["spec"]["selector"].get("seldon-app") == "iris-main")
    found = live(cluster, SERVICE, "iris-main-model")
    cluster.api.delete(found)
    until(lambda: cluster.get(SERVICE, "iris-main-model") is not None)


def test_deployments_of_seldons_operator_are_taken_over_as_they_are(cluster: Cluster, operator: Running) -> None:
    made = of_seldon(cluster)
    operator(cluster, Config(image="millrace:test"))
    cluster.sdep("iris", spec())
    until(lambda: cluster.status("iris").get("state"))
    found = live(cluster, DEPLOYMENT, OLD)
    assert found["metadata"]["uid"] == made["metadata"]["uid"]
    assert found["spec"]["replicas"] == 4
    names = [each["name"] for each in found["spec"]["template"]["spec"]["containers"]]
    assert sorted(names) == ["model", "seldon-container-engine"]
    assert "OF_SELDON" not in variables(container(found, "model"))
    assert {each["manager"] for each in found["metadata"]["managedFields"]} == {
        "millrace-operator",
        "millrace-handover",
    }


def test_services_of_seldons_operator_keep_their_address(cluster: Cluster, operator: Running) -> None:
    apart = {**spec(), "annotations": {"seldon.io/engine-separate-pod": "true"}}
    made = node_of_seldon(cluster, apart)
    operator(cluster)
    cluster.sdep("iris", apart)
    cluster.all_ready("iris")
    cluster.sdep("iris", {**apart, "replicas": 2})
    cluster.all_ready("iris")
    found = live(cluster, SERVICE, "iris-main-model")
    assert found["metadata"]["uid"] == made["metadata"]["uid"]
    assert found["spec"]["clusterIP"] == made["spec"]["clusterIP"]
    assert {each["manager"] for each in found["metadata"]["managedFields"]} == {"millrace-operator"}
    cluster.api.delete(found)
    until(lambda: (cluster.get(SERVICE, "iris-main-model") or found)["spec"]["clusterIP"] == "None")


def test_a_deployment_whose_selector_does_not_allow_it_is_reported(cluster: Cluster, operator: Running) -> None:
    made = of_seldon(cluster)
    cluster.api.delete(made)
    made["spec"]["selector"] = {"matchLabels": {"seldon-app": "iris-main"}}
    made["metadata"] = {key: made["metadata"][key] for key in ("name", "namespace", "labels", "ownerReferences")}
    until(lambda: cluster.get(DEPLOYMENT, OLD) is None)
    made = cluster.api.create(made, manager="manager")
    operator(cluster)
    cluster.sdep("iris", spec())
    until(lambda: cluster.status("iris").get("state") == "Failed")
    assert "selector cannot change" in cluster.condition("iris", "DeploymentsReady")["message"]
    assert live(cluster, DEPLOYMENT, OLD)["metadata"]["uid"] == made["metadata"]["uid"]
    until(lambda: "InternalError" in cluster.reasons("iris"))


def test_what_is_somebody_elses_is_left_alone(cluster: Cluster, operator: Running) -> None:
    ports = [{"name": "http", "port": 80, "protocol": "TCP"}]
    head = {"apiVersion": "v1", "kind": "Service"}
    cluster.put({**head, "metadata": {"name": "iris-main"}, "spec": {"selector": {"a": "b"}, "ports": ports}})
    operator(cluster)
    cluster.sdep("iris", spec())
    until(lambda: cluster.status("iris").get("state") == "Failed")
    assert "nobody's" in cluster.condition("iris", "ServicesReady")["message"]
    assert live(cluster, SERVICE, "iris-main")["spec"]["selector"] == {"a": "b"}
    assert cluster.names(DEPLOYMENT) == [OLD]


def test_one_that_is_wrong_says_so_and_keeps_what_runs(cluster: Cluster, operator: Running) -> None:
    operator(cluster)
    cluster.sdep("iris", spec())
    cluster.all_ready("iris")
    cluster.sdep("iris", spec(**graph("model"), traffic=7))
    cluster.sdep("other", spec())
    until(lambda: cluster.status("iris")["state"] == "Failed")
    assert "traffic" in cluster.status("iris")["description"]
    assert OLD in cluster.names(DEPLOYMENT)
    cluster.all_ready("other")
    cluster.sdep("iris", spec())
    until(lambda: cluster.status("iris")["state"] == "Available")
    assert cluster.reasons("iris").count("Refused") == 1


def test_resources_of_other_operators_are_theirs(cluster: Cluster, operator: Running) -> None:
    operator(cluster, Config(image="millrace:test", controller_id="ours"))
    cluster.sdep("theirs", spec())
    cluster.sdep("mine", spec(), labels={"seldon.io/controller-id": "ours"})
    cluster.all_ready("mine")
    assert cluster.names(DEPLOYMENT) == ["mine-main-0-model"]
    assert cluster.status("theirs") == {}


def test_one_operator_for_all_namespaces_but_those_of_others(cluster: Cluster, operator: Running) -> None:
    other = Cluster(cluster.kubeconfig)
    head = {"apiVersion": "v1", "kind": "Namespace"}
    labelled = {"name": other.namespace, "labels": {"seldon.io/controller-id": "somebody"}}
    cluster.api.apply({**head, "metadata": labelled}, "kubectl")
    operator(cluster, namespace="")
    other.sdep("iris", spec())
    cluster.sdep("iris", spec())
    cluster.all_ready("iris")
    assert other.names(DEPLOYMENT) == []
    cluster.api.apply({**head, "metadata": {"name": other.namespace}}, "kubectl")
    other.all_ready("iris")


def test_what_routers_learned_stays_and_is_not_touched(cluster: Cluster, operator: Running) -> None:
    learns = spec(**graph("model"))
    learns["predictors"][0]["graph"] = {"name": "r", "implementation": "UCB1", "children": [{"name": "model"}]}
    operator(cluster)
    cluster.sdep("iris", learns)
    cluster.all_ready("iris")
    version = live(cluster, CLAIM, "iris-main-state")["metadata"]["resourceVersion"]
    cluster.sdep("iris", spec())
    cluster.all_ready("iris")
    assert live(cluster, CLAIM, "iris-main-state")["metadata"]["resourceVersion"] == version


def test_with_the_resource_everything_goes(cluster: Cluster, operator: Running) -> None:
    operator(cluster)
    found = cluster.sdep("iris", spec())
    cluster.all_ready("iris")
    cluster.api.delete(found)
    until(lambda: not any(cluster.names(kind) for kind in (DEPLOYMENT, SERVICE, ROUTE)))
