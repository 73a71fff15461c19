"""Tests `reconcile` and `controller` when things go wrong on the way: the server fails, or lacks something."""

from typing import Any

import pytest
import yaml
from support.apiserver import ApiServer
from support.apistore import Refused
from support.cluster import DEPLOYMENT, SPEC, Cluster, kind_of, node_of_seldon, served, until
from support.operators import Running
from support.resources import ONE

from operator_lite import reconcile
from operator_lite.config import Config
from operator_lite.kinds import RESOURCE

ROUTE, HPA, SERVICE = kind_of("HTTPRoute"), kind_of("HorizontalPodAutoscaler"), kind_of("Service")
ROUTES = (ROUTE.api_version, ROUTE.plural)
NEW = yaml.safe_load(ONE.replace("model", "other"))
APART = {**SPEC, "annotations": {"seldon.io/engine-separate-pod": "true"}}
NODE = "/services/iris-main-model"


def writes(server: ApiServer) -> list[tuple[str, str]]:
    """The requests that change something."""
    return [each for each in server.requests if each[0] in ("post", "put", "patch", "delete")]


def test_a_steady_state_asks_for_nothing(server: ApiServer, fragile: Cluster, operator: Running) -> None:
    running = operator(fragile, resync_s=0.05)
    fragile.sdep("iris", SPEC)
    fragile.all_ready("iris")
    seen = running._metrics.looks.values
    until(lambda: len(running.queue) == 0)
    looks, before = sum(seen.values()), len(server.requests)
    until(lambda: sum(seen.values()) > looks + 3)
    assert server.requests[before:] == []


def test_one_that_cannot_be_applied_holds_up_no_other(server: ApiServer, fragile: Cluster, operator: Running) -> None:
    server.fail("patch", "/deployments/bad-main-0-model", 403, 'exceeded quota: "pods"')
    running = operator(fragile, workers=1)
    fragile.sdep("bad", SPEC)
    fragile.sdep("good", SPEC)
    fragile.all_ready("good")
    until(lambda: fragile.status("bad").get("state") == "Failed")
    assert "exceeded quota" in fragile.status("bad")["description"]
    assert fragile.names(ROUTE) == ["good"]
    until(lambda: fragile.reasons("bad").count("InternalError") == 1)
    assert running.queue.failing == 1
    server.heal()
    fragile.all_ready("bad")
    until(lambda: running.queue.failing == 0)


def test_where_all_is_being_deleted_nothing_is_made_and_nothing_wrong(
    server: ApiServer, fragile: Cluster, operator: Running
) -> None:
    server.fail("patch", "/services/", 403, "the namespace is being terminated", cause="NamespaceTerminating")
    running = operator(fragile)
    fragile.sdep("iris", SPEC)
    looks = running._metrics.looks.values
    until(lambda: looks)
    assert list(looks) == [("none",)]
    assert (fragile.reasons("iris"), fragile.status("iris"), fragile.names(DEPLOYMENT)) == ([], {}, [])
    assert running.queue.failing == 0


def test_a_fault_of_the_servers_is_tried_again(server: ApiServer, fragile: Cluster, operator: Running) -> None:
    server.fail("patch", "/services/", 500, "failed calling webhook", times=2)
    server.fail("put", "/status", 409, "the object has been modified", times=1)
    server.fail("post", "/events", 500, times=3)
    running = operator(fragile)
    fragile.sdep("iris", SPEC)
    fragile.all_ready("iris")
    until(lambda: running.queue.failing == 0)
    assert fragile.status("iris")["state"] == "Available"
    assert running._metrics.looks.values["failed",] >= 1


def test_what_cannot_be_replaced_keeps_serving(server: ApiServer, fragile: Cluster, operator: Running) -> None:
    operator(fragile)
    fragile.sdep("iris", SPEC)
    fragile.all_ready("iris")
    server.fail("patch", "/deployments/iris-main-0-other", 403, "no")
    fragile.sdep("iris", NEW)
    until(lambda: fragile.status("iris")["state"] == "Failed")
    assert fragile.names(DEPLOYMENT) == ["iris-main-0-model"]
    server.heal()
    server.fail("patch", "/httproutes/", 403, "no")
    extended = {**NEW, "annotations": {"seldon.io/istio-host": "example.org"}}
    fragile.sdep("iris", extended)
    fragile.make_ready("iris-main-0-other")
    until(lambda: "HTTPRoute iris: no" in fragile.status("iris")["description"])
    assert "iris-main-0-model" in fragile.names(DEPLOYMENT)
    server.heal()
    fragile.all_ready("iris")
    until(lambda: fragile.names(DEPLOYMENT) == ["iris-main-0-other"])


def test_a_service_that_is_half_taken_over_keeps_its_address(
    server: ApiServer, fragile: Cluster, operator: Running
) -> None:
    made = node_of_seldon(fragile, APART)
    patches: list[str] = []

    def the_second(verb: str, path: str) -> Refused | None:
        if verb != "patch" or NODE not in path:
            return None
        patches.append(path)
        return Refused(500, "InternalError", "no") if len(patches) == 2 else None

    server.faults.append(the_second)
    operator(fragile)
    fragile.sdep("iris", APART)
    fragile.all_ready("iris")
    assert len(patches) > 2
    found = fragile.get(SERVICE, "iris-main-model") or {}
    assert found["metadata"]["uid"] == made["metadata"]["uid"]
    assert found["spec"]["clusterIP"] == made["spec"]["clusterIP"]
    assert not [each for each in writes(server) if each[0] == "delete"]


@pytest.mark.parametrize("verb", ["patch", "delete"])
def test_a_change_of_two_steps_is_finished_when_it_stops(
    server: ApiServer, fragile: Cluster, operator: Running, verb: str
) -> None:
    made = node_of_seldon(fragile, APART)
    running = operator(fragile)
    if verb == "delete":
        fragile.sdep("iris", SPEC)
        fragile.all_ready("iris")

    def stopped(which: str, path: str) -> None:
        if which == verb and NODE in path:
            running._stop.set()

    server.faults.append(stopped)
    fragile.sdep("iris", APART)
    until(running._stop.is_set)
    running.stop()
    found = fragile.get(SERVICE, "iris-main-model") or {}
    assert found["spec"]["clusterIP"] == (made["spec"]["clusterIP"] if verb == "patch" else "None")
    assert [each["manager"] for each in found["metadata"]["managedFields"]] == ["millrace-operator"]
    assert {each["appProtocol"] for each in found["spec"]["ports"]} == {"http", "kubernetes.io/h2c"}


def test_what_cannot_be_deleted_holds_up_nothing_else(server: ApiServer, fragile: Cluster, operator: Running) -> None:
    running = operator(fragile)
    scaled = yaml.safe_load(ONE)
    scaled["predictors"][0]["componentSpecs"][0]["hpaSpec"] = {"maxReplicas": 2}
    fragile.sdep("iris", scaled)
    fragile.all_ready("iris")
    server.fail("delete", "/horizontalpodautoscalers/", 403, "it is guarded")
    fragile.sdep("iris", NEW)
    fragile.all_ready("iris")
    until(lambda: fragile.names(DEPLOYMENT) == ["iris-main-0-other"])
    assert fragile.names(HPA) == ["iris-main-0-model"]
    until(lambda: running.queue.failing == 1 and "InternalError" in fragile.reasons("iris"))
    server.heal()
    until(lambda: fragile.names(HPA) == [] and running.queue.failing == 0)


def test_kinds_that_a_cluster_lacks_are_a_condition(operator: Running, tmp_path: Any) -> None:
    server = served(without=("HTTPRoute", "GRPCRoute", "ScaledObject", "VirtualService", "DestinationRule"))
    try:
        fragile = Cluster(server.kubeconfig(tmp_path / "kubeconfig"))
        running = operator(fragile)
        fragile.sdep("iris", SPEC)
        fragile.all_ready("iris")
        said = fragile.condition("iris", "RoutesReady")
        assert (said["status"], said["reason"]) == ("False", "NotInstalled")
        assert "gateway.networking.k8s.io/v1" in said["message"]
        assert running.queue.failing == 0
        server.store.install(ROUTES)
        until(lambda: fragile.names(ROUTE) == ["iris"])
        server.store.uninstall(ROUTES)
        until(lambda: fragile.condition("iris", "RoutesReady")["reason"] == "NotInstalled")
    finally:
        for each in (running,):
            each.stop()
        server.stop()


def test_the_way_in_that_works_stays_where_the_one_that_is_wanted_is_not_installed(
    operator: Running, tmp_path: Any
) -> None:
    server = served(without=("HTTPRoute", "GRPCRoute"))
    try:
        fragile = Cluster(server.kubeconfig(tmp_path / "kubeconfig"))
        running = operator(fragile, Config(image="millrace:test", traffic="istio"))
        fragile.sdep("iris", SPEC)
        fragile.all_ready("iris")
        running.use(Config(image="millrace:test"))
        until(lambda: fragile.condition("iris", "RoutesReady")["reason"] == "NotInstalled")
        until(lambda: "AnotherWayInKept" in fragile.reasons("iris"))
        fragile.sdep("iris", NEW)
        fragile.all_ready("iris")
        until(lambda: fragile.names(DEPLOYMENT) == ["iris-main-0-other"])
        assert fragile.names(kind_of("VirtualService")) == ["iris"]
        assert fragile.names(kind_of("DestinationRule")) == ["iris-main"]
        running.use(Config(image="millrace:test", traffic="none"))
        until(lambda: fragile.names(kind_of("VirtualService")) == [])
    finally:
        running.stop()
        server.stop()


def test_kinds_that_it_may_not_read_are_told(server: ApiServer, fragile: Cluster, operator: Running) -> None:
    server.fail("get", "/httproutes", 403, "httproutes is forbidden")
    operator(fragile)
    fragile.sdep("iris", SPEC)
    until(lambda: fragile.names(DEPLOYMENT))
    fragile.make_ready("iris-main-0-model")
    until(lambda: "httproutes is forbidden" in fragile.status("iris")["description"])
    assert fragile.names(DEPLOYMENT) == ["iris-main-0-model"]


def test_nothing_is_touched_while_it_is_not_known_whose_it_is(
    server: ApiServer, fragile: Cluster, operator: Running
) -> None:
    labels = {"seldon.io/controller-id": "somebody"}
    fragile.api.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": fragile.namespace, "labels": labels}}, "kubectl"
    )
    running = operator(fragile, namespace="")
    until(lambda: running.is_ready)
    refused = Refused(403, "Forbidden", "namespaces is forbidden")
    server.faults.append(lambda verb, path: refused if path == "/api/v1/namespaces" else None)
    server.cut()
    until(lambda: not running.is_ready)
    fragile.sdep("iris", SPEC)
    until(lambda: running.queue.failing == 1)
    assert fragile.names(DEPLOYMENT) == []
    assert fragile.status("iris") == {}
    server.heal()
    until(lambda: running.is_ready and running.queue.failing == 0)
    assert fragile.names(DEPLOYMENT) == []


def test_watches_that_are_cut_go_on(server: ApiServer, fragile: Cluster, operator: Running) -> None:
    running = operator(fragile)
    fragile.sdep("iris", SPEC)
    fragile.all_ready("iris")
    lists = dict(running._lists())
    assert server.cut(server.watches) > 0
    fragile.sdep("iris", {**SPEC, "replicas": 2})
    until(lambda: fragile.get(DEPLOYMENT, "iris-main-0-model")["spec"]["replicas"] == 2)  # type: ignore[index]
    assert running._lists() == lists


def test_a_server_that_starts_anew_is_found_again(server: ApiServer, fragile: Cluster, operator: Running) -> None:
    running = operator(fragile)
    fragile.sdep("iris", SPEC)
    fragile.all_ready("iris")
    server.stop()
    server.start()
    fragile.sdep("iris", {**SPEC, "replicas": 2})
    fragile.all_ready("iris")
    until(lambda: fragile.status("iris")["replicas"] == 2)
    assert running.is_alive


def test_a_watch_that_is_too_far_behind_lists_anew(server: ApiServer, fragile: Cluster, operator: Running) -> None:
    running = operator(fragile)
    fragile.sdep("iris", SPEC)
    gone = fragile.sdep("gone", SPEC)
    fragile.all_ready("iris")
    fragile.all_ready("gone")
    lists = dict(running._lists())
    server.stop()
    with server.store.changed:
        server.store.delete((RESOURCE.api_version, RESOURCE.plural), (fragile.namespace, "gone"))
        server.store.forget_log()
    server.start()
    until(lambda: running.resource((fragile.namespace, "gone")) is None)
    fragile.sdep("iris", {**SPEC, "replicas": 2})
    until(lambda: fragile.get(DEPLOYMENT, "iris-main-0-model")["spec"]["replicas"] == 2)  # type: ignore[index]
    assert running._lists()["SeldonDeployment",] > lists["SeldonDeployment",]
    until(lambda: running.children(gone["metadata"]["uid"], fragile.namespace) == [])


def test_an_operator_that_starts_anew_changes_nothing(server: ApiServer, fragile: Cluster, operator: Running) -> None:
    first = operator(fragile)
    fragile.sdep("iris", SPEC)
    fragile.all_ready("iris")
    first.stop()
    before = server.store.version
    second = operator(fragile)
    until(lambda: sum(second._metrics.looks.values.values()) > 0 and len(second.queue) == 0)
    assert server.store.version == before
    assert not [each for each in writes(server) if each[0] == "delete"]


def test_old_pods_go_when_routes_had_time_to_be_heard_of(
    server: ApiServer, fragile: Cluster, operator: Running
) -> None:
    operator(fragile, settle_s=3600.0)
    fragile.sdep("iris", SPEC)
    fragile.all_ready("iris")
    fragile.sdep("iris", NEW)
    fragile.all_ready("iris")
    until(lambda: fragile.status("iris")["deploymentStatus"].keys() == {"iris-main-0-other"})
    assert "iris-main-0-model" in fragile.names(DEPLOYMENT)
    assert not [each for each in writes(server) if each[0] == "delete"]


def test_executors_are_gone_before_nodes_go(server: ApiServer, fragile: Cluster, operator: Running) -> None:
    pods = [{"spec": {"containers": [{"name": name, "image": "m:1"}]}} for name in ("first", "second")]
    graph = {"name": "first", "type": "TRANSFORMER", "children": [{"name": "second"}]}
    operator(fragile)
    fragile.sdep("iris", {"predictors": [{"name": "main", "componentSpecs": pods, "graph": graph}]})
    fragile.all_ready("iris")
    engine = fragile.get(DEPLOYMENT, "iris-main-0-first")
    assert engine is not None
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": engine["metadata"]["name"],
                 "uid": engine["metadata"]["uid"]}  # fmt: skip
    server.store.install(("v1", "pods"))
    pod = {"name": "p", "namespace": fragile.namespace, "ownerReferences": [reference], "finalizers": ["kubelet"]}
    fragile.api.create({"apiVersion": "v1", "kind": "Pod", "metadata": pod})
    fragile.sdep("iris", SPEC)
    until(lambda: len(fragile.names(DEPLOYMENT)) == 3)
    fragile.all_ready("iris")
    until(lambda: (fragile.get(DEPLOYMENT, "iris-main-0-first") or {})["metadata"].get("deletionTimestamp"))
    fragile.sdep("iris", {**SPEC, "annotations": {"look": "again"}})
    until(lambda: fragile.condition("iris", "Ready")["observedGeneration"] == 3)
    assert "iris-main-1-second" in fragile.names(DEPLOYMENT)
    with server.store.changed:
        place = (fragile.namespace, "p")
        server.store.get(("v1", "pods"), place)["metadata"].pop("finalizers")
        server.store.delete(("v1", "pods"), place)
    fragile.all_ready("iris")
    until(lambda: fragile.names(DEPLOYMENT) == ["iris-main-0-model"])


def test_a_look_that_breaks_is_one_resources_alone(
    fragile: Cluster, operator: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = reconcile.Reconciler._bring

    def breaks(self: reconcile.Reconciler, found: Any, *more: Any) -> reconcile.Result:
        if found["metadata"]["name"] == "odd":
            raise ZeroDivisionError("nobody thought of this")
        return real(self, found, *more)

    monkeypatch.setattr(reconcile.Reconciler, "_bring", breaks)
    running = operator(fragile, workers=1)
    fragile.sdep("odd", SPEC)
    fragile.sdep("iris", SPEC)
    fragile.all_ready("iris")
    assert running.is_alive
    assert "nobody thought of this" in caplog.text
    assert running.queue.failing == 1


def test_it_stops_while_the_server_is_away(server: ApiServer, fragile: Cluster, operator: Running) -> None:
    running = operator(fragile)
    fragile.sdep("iris", SPEC)
    fragile.all_ready("iris")
    server.stop()
    running.stop()
    assert not any(each.is_alive() for each in running._threads)
    server.start()
