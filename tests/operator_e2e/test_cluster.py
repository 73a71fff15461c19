"""Tests `support.kube.cluster`: the API server, its controllers and its rules are real ones."""

import pytest
import yaml
from support.kube.api import Api, Object, Refused, eventually
from support.kube.cluster import Cluster

DEPLOYMENT: Object = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "nodeSelector": {"absent": "true"},
                "containers": [{"name": "web", "image": "web:1", "ports": [{"containerPort": 8000}]}],
            },
        },
    },
}


def deployed(cluster: Cluster, namespace: str) -> str:
    """Makes the Deployment. The path of its namespace's pods."""
    cluster.api.create(f"/apis/apps/v1/namespaces/{namespace}/deployments", DEPLOYMENT)
    return f"/api/v1/namespaces/{namespace}/pods"


def test_a_deployment_gets_a_replica_set_and_pods(cluster: Cluster, namespace: str) -> None:
    pods = deployed(cluster, namespace)
    found = eventually(lambda: len(cluster.api.items(pods)) == 2 and cluster.api.items(pods))
    sets = cluster.api.items(f"/apis/apps/v1/namespaces/{namespace}/replicasets")
    assert [each["metadata"]["name"] for each in sets] == [found[0]["metadata"]["ownerReferences"][0]["name"]]
    assert sets[0]["metadata"]["ownerReferences"][0]["name"] == "web"


def test_what_an_owner_leaves_behind_is_collected(cluster: Cluster, namespace: str) -> None:
    pods = deployed(cluster, namespace)
    owner = cluster.api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/web")["metadata"]
    owned = {"name": "c", "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web",
                                               "uid": owner["uid"]}]}  # fmt: skip
    cluster.api.create(f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": owned})
    eventually(lambda: len(cluster.api.items(pods)) == 2)
    cluster.api.delete(f"/apis/apps/v1/namespaces/{namespace}/deployments/web")
    eventually(lambda: not cluster.api.items(pods))
    eventually(lambda: cluster.api.find(f"/api/v1/namespaces/{namespace}/configmaps/c") is None)
    assert cluster.api.items(f"/apis/apps/v1/namespaces/{namespace}/replicasets") == []


def test_no_node_can_take_what_selects_another(cluster: Cluster, namespace: str) -> None:
    pods = deployed(cluster, namespace)

    def reasons() -> set[str]:
        conditions = [each for pod in cluster.api.items(pods) for each in pod["status"].get("conditions", [])]
        return {each.get("reason", "") for each in conditions if each["type"] == "PodScheduled"}

    assert eventually(lambda: "Unschedulable" in reasons())


def test_an_account_may_do_what_its_role_says(cluster: Cluster, namespace: str) -> None:
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}]
    meta = {"name": "reader", "namespace": namespace}
    cluster.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": meta, "rules": rules},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": meta,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
            "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": namespace}],
        },
    )  # fmt: skip
    with Api(cluster.account(namespace, "reader")) as reader:
        found = eventually(lambda: allowed(reader, f"/api/v1/namespaces/{namespace}/configmaps"))
        with pytest.raises(Refused, match=f'"system:serviceaccount:{namespace}:reader" cannot list resource "secrets"'):
            reader.items(f"/api/v1/namespaces/{namespace}/secrets")
    assert [each["metadata"]["name"] for each in found] == ["kube-root-ca.crt"]


def allowed(api: Api, path: str) -> list[Object]:
    """The objects of a list, once the role is known."""
    try:
        return api.items(path)
    except Refused:
        return []


def test_a_restricted_namespace_refuses_what_its_label_says(cluster: Cluster) -> None:
    name = cluster.namespace("restricted", **{"pod-security.kubernetes.io/enforce": "restricted"})
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "web:1"}]}}
    with pytest.raises(Refused, match="violates PodSecurity") as refused:
        cluster.api.create(f"/api/v1/namespaces/{name}/pods", pod)
    cluster.api.delete(f"/api/v1/namespaces/{name}")
    assert refused.value.code == 403


def test_kubectl_is_the_clusters_own(cluster: Cluster) -> None:
    versions = yaml.safe_load(cluster.kubectl("version", "-o", "yaml"))
    assert versions["clientVersion"]["gitVersion"] == versions["serverVersion"]["gitVersion"]
    assert versions["serverVersion"]["major"] == "1"


def test_watching_tells_of_changes(cluster: Cluster, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    version = cluster.api.get(path)["metadata"]["resourceVersion"]
    cluster.api.create(path, {"metadata": {"name": "seen"}, "data": {"a": "1"}})
    cluster.api.patch(f"{path}/seen", {"data": {"a": "2"}})
    events = cluster.api.watch(path, version)
    first, second = next(events), next(events)
    events.close()
    assert (first["type"], first["object"]["data"]) == ("ADDED", {"a": "1"})
    assert (second["type"], second["object"]["data"]) == ("MODIFIED", {"a": "2"})
