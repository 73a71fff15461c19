"""Tests the operator as it is installed: who leads, what it adopts, what it lets be, where its pods may run."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import pytest
import yaml
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from support.gateway.running import Gateway
from support.installed import NAME, NAMESPACE, Installed
from support.kube.api import Object, eventually
from support.kube.cluster import Cluster
from support.kubelet.setup import ROOT
from support.load import ASKED, Client
from support.shops import HEAD, sdep, told, wrong

from operator_lite.managed import MANAGER

CONTROLLER = "seldon.io/controller-id"
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}


def guide() -> list[list[str]]:
    """What docs/install.md says to kubectl to install the operator, and a first graph."""
    block = (ROOT / "docs" / "install.md").read_text().split("```\n")[1]
    return [shlex.split(line, comments=True)[1:] for line in block.splitlines()]


def label(cluster: Cluster, namespace: str, **labels: str | None) -> None:
    """Sets labels of a namespace."""
    cluster.api.patch(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": labels}})


def holder(cluster: Cluster) -> str:
    """The pod that leads."""
    found = cluster.api.get(f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{NAME}")
    return str(found["spec"]["holderIdentity"]).partition("_")[0]


def deployment(cluster: Cluster, namespace: str, name: str) -> Object:
    """One as it is."""
    return cluster.api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")


def test_what_the_guide_says_works(
    installed: Installed, cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    install, *first = guide()
    assert "deployment.apps/millrace-operator" in cluster.kubectl(*install, "--dry-run=server")
    for each in first:
        said = cluster.kubectl("-n", namespace, *each)
    assert said == "seldondeployment.machinelearning.seldon.io/echo condition met\n"


@pytest.mark.timeout(300)
def test_when_the_leader_is_killed_the_other_goes_on(installed: Installed, cluster: Cluster, namespace: str) -> None:
    installed.apply(namespace, told())
    installed.available(namespace, "shop")
    before = deployment(cluster, namespace, "shop-main-0-model")
    first = eventually(lambda: holder(cluster))
    cluster.kubectl("delete", "pod", first, "-n", NAMESPACE, "--force", "--grace-period=0")
    eventually(lambda: "MODLE" in installed.refused(namespace, wrong()), what="the other one's webhook answers")
    installed.apply(namespace, told("other"))
    second = eventually(lambda: holder(cluster) not in ("", first) and holder(cluster), 60, "another leads")
    installed.available(namespace, "other")
    assert second in {each["metadata"]["name"] for each in installed.pods(NAMESPACE)}
    after = deployment(cluster, namespace, "shop-main-0-model")
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    installed.rolled_out(NAMESPACE, NAME)


@pytest.mark.timeout(300)
def test_a_model_is_fetched_and_served_where_the_restricted_standard_holds(
    installed: Installed, cluster: Cluster, gateway: Gateway, namespace: str
) -> None:
    label(cluster, namespace, **RESTRICTED)
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    cluster.api.create(
        f"/api/v1/namespaces/{namespace}/persistentvolumeclaims", {"metadata": {"name": "models"}, "spec": claim}
    )
    bound = eventually(lambda: _bound(cluster, namespace, "models"), what="the claim is bound")
    folder = Path(cluster.api.get(f"/api/v1/persistentvolumes/{bound}")["spec"]["hostPath"]["path"], "iris")
    folder.mkdir(parents=True)
    measured, kinds = load_iris(return_X_y=True)
    joblib.dump(LogisticRegression(max_iter=1000).fit(measured, kinds), folder / "model.joblib")
    graph = {"name": "iris", "implementation": "SKLEARN_SERVER", "modelUri": "pvc://models/iris"}
    assert "Warning" not in installed.apply(namespace, sdep(graph))
    installed.available(namespace, "shop")
    client = Client(gateway, namespace, "shop")
    try:
        likely = client.asked({"data": {"ndarray": [[5.1, 3.5, 1.4, 0.2]]}})["data"]["ndarray"]
    finally:
        client.close()
    assert likely[0][0] > 0.9
    (pod,) = installed.pods(namespace)
    assert [each["state"]["terminated"]["reason"] for each in pod["status"]["initContainerStatuses"]] == ["Completed"]


def _bound(cluster: Cluster, namespace: str, name: str) -> str:
    found = cluster.api.get(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{name}")
    volume: str = found["spec"].get("volumeName", "")
    return volume


def test_what_a_router_learns_is_written_to_its_volume(
    installed: Installed, cluster: Cluster, gateway: Gateway, namespace: str
) -> None:
    found = told()
    predictor = found["spec"]["predictors"][0]
    other = {**predictor["componentSpecs"][0]["spec"]["containers"][0], "name": "other"}
    predictor["componentSpecs"][0]["spec"]["containers"].append(other)
    children = [{"name": name, "type": "MODEL"} for name in ("model", "other")]
    predictor["graph"] = {"name": "choice", "implementation": "UCB1", "children": children}
    installed.apply(namespace, found)
    installed.available(namespace, "shop")
    client = Client(gateway, namespace, "shop")
    try:
        answer = client.asked(ASKED)
        client.asked({"request": ASKED, "response": answer, "reward": 1.0}, "feedback")
    finally:
        client.close()
    assert answer["meta"]["routing"]["choice"] in (0, 1)
    bound = _bound(cluster, namespace, "shop-main-state")
    folder = Path(cluster.api.get(f"/api/v1/persistentvolumes/{bound}")["spec"]["hostPath"]["path"])
    assert (folder / "state.sqlite").stat().st_size > 0
    assert (folder / "state.sqlite").stat().st_uid == 8888


def test_what_scales_and_what_guards_find_their_pods(installed: Installed, cluster: Cluster, namespace: str) -> None:
    metric = {"type": "Resource", "resource": {"name": "cpu", "targetAverageUtilization": 50}}
    scaled: Object = {
        "hpaSpec": {"minReplicas": 2, "maxReplicas": 4, "metrics": [metric]},
        "pdbSpec": {"minAvailable": 1},
    }
    requests = {"resources": {"requests": {"cpu": "100m"}}}
    installed.apply(namespace, told(container=requests, **scaled))
    eventually(lambda: _scaled(cluster, namespace), 60, "there are two pods")
    installed.available(namespace, "shop")
    eventually(lambda: installed.column(namespace, "shop")[1:4] == ["Available", "2", "True"], 60)
    guard = eventually(lambda: _guarded(cluster, namespace), what="the budget counts its pods")
    assert (guard["desiredHealthy"], guard["disruptionsAllowed"]) == (1, 1)


def _scaled(cluster: Cluster, namespace: str) -> bool:
    path = f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers/shop-main-0-model"
    found = cluster.api.get(path)
    able = {each["type"]: each["status"] for each in found["status"].get("conditions") or []}
    return able.get("AbleToScale") == "True" and found["status"].get("desiredReplicas") == 2


def _guarded(cluster: Cluster, namespace: str) -> Object | None:
    path = f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets/shop-main-0-model"
    status: Object = cluster.api.get(path).get("status") or {}
    return status if status.get("currentHealthy") == 2 else None


def test_one_that_the_server_refuses_holds_up_no_other(installed: Installed, cluster: Cluster, namespace: str) -> None:
    installed.apply(namespace, told("bad", container={"imagePullPolicy": "Sometimes"}), told("good"))
    installed.available(namespace, "good")
    status = eventually(lambda: installed.sdep(namespace, "bad").get("status"))
    assert status["state"] == "Failed"
    assert 'Unsupported value: "Sometimes"' in status["description"]
    assert any(each.startswith("InternalError: Deployment bad-main-0-model") for each in cluster.events(namespace))
    installed.apply(namespace, told("bad"))
    installed.available(namespace, "bad")


# --- beside Seldon's operator


def owned(cluster: Cluster, namespace: str) -> Object:
    """What says that an object is the resource's."""
    owner = cluster.api.get(f"/apis/{HEAD['apiVersion']}/namespaces/{namespace}/seldondeployments/shop")["metadata"]
    return {**HEAD, "name": "shop", "uid": owner["uid"], "controller": True, "blockOwnerDeletion": True}


def of_seldon(cluster: Cluster, namespace: str, selector: dict[str, str]) -> Object:
    """The Deployment of a resource, as Seldon's operator made it: the node, and Seldon's own executor."""
    labels = {"seldon-deployment-id": "shop", "seldon-app-svc-model": "shop-main-model", "seldon-app": "shop-main",
              "app": "shop-main-0-model", "version": "main"}  # fmt: skip
    ports = [{"name": "http", "containerPort": 9000}, {"name": "grpc", "containerPort": 9500}]
    env = [{"name": "VERSION", "value": "0"}, {"name": "PREDICTOR_ID", "value": "main"}]
    node = {"name": "model", "image": "millrace/test-told:1", "env": env, "ports": ports}
    executor = {"name": "seldon-container-engine", "image": "millrace/test-http:1"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [node, executor]}}
    spec = {"replicas": 2, "selector": {"matchLabels": selector}, "template": template}
    meta = {"name": "shop-main-0-model", "labels": labels, "ownerReferences": [owned(cluster, namespace)]}
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments?fieldManager=manager"
    return cluster.api.create(path, {"metadata": meta, "spec": spec})


def dry_run(cluster: Cluster, namespace: str) -> subprocess.CompletedProcess[str]:
    """What `millrace operator --dry-run` says of a namespace."""
    command = [sys.executable, "-P", "-m", "executor", "operator", "--dry-run", "--namespace", namespace]
    options = ["--kubeconfig", str(cluster.kubeconfig), "--operator-namespace", NAMESPACE]
    return subprocess.run([*command, *options], capture_output=True, text=True, timeout=60, cwd=ROOT)


def versions(installed: Installed, namespace: str) -> set[tuple[str, str]]:
    """What there is in a namespace, and of which version."""
    found = installed.cluster.kubectl(
        "get", "sdep,deployments,services,httproutes", "-n", namespace, "-o", "json"
    )  # fmt: skip
    return {(each["metadata"]["uid"], each["metadata"]["resourceVersion"]) for each in json.loads(found)["items"]}


@pytest.mark.timeout(300)
def test_what_seldons_operator_made_is_taken_over_as_it_is(
    installed: Installed, cluster: Cluster, gateway: Gateway, namespace: str
) -> None:
    theirs = told()
    theirs["metadata"]["labels"] = {CONTROLLER: "seldon"}
    installed.apply(namespace, theirs)
    chosen = {"seldon-deployment-id": "shop", "seldon-app-svc-model": "shop-main-model", "seldon-app": "shop-main"}
    made = of_seldon(cluster, namespace, chosen)
    installed.rolled_out(namespace, "shop-main-0-model")
    assert dry_run(cluster, namespace).stdout.endswith("# 1 resources, 0 would change, 0 problems\n")
    assert "status" not in installed.sdep(namespace, "shop")
    cluster.kubectl("label", "sdep/shop", "-n", namespace, f"{CONTROLLER}-")
    installed.available(namespace, "shop")
    found = deployment(cluster, namespace, "shop-main-0-model")
    assert found["metadata"]["uid"] == made["metadata"]["uid"]
    assert found["spec"]["replicas"] == 2
    client = Client(gateway, namespace, "shop")
    try:
        assert client.rest() == client.grpc() == "main 1"
    finally:
        client.close()
    again = dry_run(cluster, namespace)
    assert again.stdout.splitlines()[0] == f"# {namespace}/shop: nothing would change", again.stdout


def test_what_a_dry_run_shows_of_them_and_that_it_changes_nothing(
    installed: Installed, cluster: Cluster, namespace: str
) -> None:
    label(cluster, namespace, **{CONTROLLER: "nobody"})
    installed.apply(namespace, told())
    chosen = {"seldon-deployment-id": "shop", "seldon-app-svc-model": "shop-main-model", "seldon-app": "shop-main"}
    of_seldon(cluster, namespace, chosen)
    installed.rolled_out(namespace, "shop-main-0-model")
    eventually(lambda: deployment(cluster, namespace, "shop-main-0-model")["status"].get("availableReplicas") == 2)
    before = versions(installed, namespace)
    said = dry_run(cluster, namespace)
    assert said.returncode == 0, said.stderr
    lines = said.stdout.splitlines()
    title = "## Deployment shop-main-0-model: would be taken over and changed; its pods would be replaced"
    assert title in lines
    assert "## Service shop-main: would be made" in lines
    assert [each for each in lines if each.startswith("-") and each.endswith("image: millrace/test-http:1")]
    assert not any(each.startswith(("-  replicas", "+  replicas")) or "/revision" in each for each in lines)
    assert versions(installed, namespace) == before


def test_a_service_that_others_have_the_address_of_keeps_it(
    installed: Installed, cluster: Cluster, namespace: str
) -> None:
    theirs = told()
    theirs["metadata"]["labels"] = {CONTROLLER: "seldon"}
    theirs["spec"]["annotations"] = {"seldon.io/engine-separate-pod": "true"}  # so that ours would have no address
    installed.apply(namespace, theirs)
    path = f"/api/v1/namespaces/{namespace}/services"
    labels = {"seldon-deployment-id": "shop", "seldon-app-svc": "shop-main-model"}
    meta = {"name": "shop-main-model", "labels": labels, "ownerReferences": [owned(cluster, namespace)]}
    spec = {"selector": {"seldon-app-svc-model": "shop-main-model"}, "ports": [{"name": "http", "port": 9000}]}
    made = cluster.api.create(f"{path}?fieldManager=manager", {"metadata": meta, "spec": spec})
    cluster.kubectl("label", "sdep/shop", "-n", namespace, f"{CONTROLLER}-")

    def ours() -> Object | None:
        found: Object = cluster.api.get(f"{path}/shop-main-model")
        return found if [each["manager"] for each in found["metadata"]["managedFields"]] == [MANAGER] else None

    found = eventually(ours)
    assert (found["metadata"]["uid"], found["spec"]["clusterIP"]) == (
        made["metadata"]["uid"],
        made["spec"]["clusterIP"],
    )
    assert len(found["spec"]["ports"]) == 2
    installed.available(namespace, "shop")
    again = ours()
    assert again is not None
    assert again["metadata"]["resourceVersion"] == found["metadata"]["resourceVersion"]


def test_one_whose_selector_forbids_it_is_reported(installed: Installed, cluster: Cluster, namespace: str) -> None:
    theirs = told()
    theirs["metadata"]["labels"] = {CONTROLLER: "seldon"}
    installed.apply(namespace, theirs)
    made = of_seldon(cluster, namespace, {"seldon-app": "shop-main"})
    cluster.kubectl("label", "sdep/shop", "-n", namespace, f"{CONTROLLER}-")
    status = eventually(lambda: installed.sdep(namespace, "shop").get("status"))
    assert status["state"] == "Failed"
    assert "its selector cannot change" in status["description"]
    assert deployment(cluster, namespace, "shop-main-0-model")["metadata"]["uid"] == made["metadata"]["uid"]


@pytest.mark.timeout(300)
def test_a_namespace_may_have_an_operator_of_its_own(
    installed: Installed, cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    label(cluster, namespace, **{CONTROLLER: "its-own", **RESTRICTED})
    folder = tmp_path / "manifests"
    subprocess.run(["cp", "-r", str(ROOT / "operator_lite" / "manifests"), str(folder)], check=True)
    path = folder / "namespaced" / "kustomization.yaml"
    path.write_text(path.read_text().replace("namespace: millrace\n", f"namespace: {namespace}\n"))
    config = folder / "base" / "config.yaml"
    settings = yaml.safe_load(config.read_text())
    settings["data"] = {"TRAFFIC": "none"}
    config.write_text(yaml.safe_dump(settings))
    cluster.kubectl("apply", "--validate=strict", "-k", str(path.parent))
    try:
        installed.rolled_out(namespace, NAME)
        installed.apply(namespace, sdep({"name": "echo", "implementation": "SIMPLE_MODEL"}, "echo"))
        cluster.kubectl("wait", "sdep/echo", "-n", namespace, "--for=condition=Ready", "--timeout=80s")
        assert "MODLE" in installed.refused(namespace, wrong())
    finally:
        cluster.kubectl("delete", "-k", str(path.parent), "--wait=false")


def test_the_operator_asks_for_nothing_that_it_may_not_do(installed: Installed, node: Any, namespace: str) -> None:
    installed.apply(namespace, told())
    installed.available(namespace, "shop")
    logs = node.logs(NAMESPACE)
    assert "INFO" in logs
    assert [line for line in logs.splitlines() if "forbidden" in line or "Traceback" in line] == []
