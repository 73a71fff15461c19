"""Tests what `support.node` brings along: kube-proxy's addresses of services, and their names."""

import json
import urllib.request
from collections import Counter

from support import workloads as pods
from support.kube.cluster import Cluster
from support.node import Node


def asked(node: Node, cluster: Cluster, namespace: str, url: str, count: int = 1) -> list[str]:
    """Who answers a pod that asks so often."""
    code = (
        "import json, urllib.request\n"
        f"for _ in range({count}):\n"
        f"    with urllib.request.urlopen('{url}', timeout=10) as answer: print(json.load(answer)['name'])\n"
    )
    name = f"client-{len(cluster.api.items(f'/api/v1/namespaces/{namespace}/pods'))}"
    pods.make_pod(cluster, namespace, name, pods.container("python:1", code), restartPolicy="OnFailure")
    pods.succeeded(cluster, namespace, name)
    lines = [line for line in node.log(namespace, name, "c").splitlines() if line.isalpha()]
    return lines[-count:]


def test_a_service_is_reached_by_name_from_a_pod(cluster: Cluster, node: Node, namespace: str) -> None:
    pods.deploy(cluster, namespace, pods.answering("web", replicas=2), pods.service("web"))
    assert asked(node, cluster, namespace, "http://web", 20) == ["web"] * 20
    assert asked(node, cluster, namespace, f"http://web.{namespace}.svc.cluster.local:80/x") == ["web"]


def test_a_service_is_reached_by_its_address_from_here(cluster: Cluster, node: Node, namespace: str) -> None:
    pods.deploy(cluster, namespace, pods.answering("web", replicas=2), pods.service("web"))
    address = cluster.api.get(f"/api/v1/namespaces/{namespace}/services/web")["spec"]["clusterIP"]
    found: Counter[str] = Counter()
    for _ in range(10):
        with urllib.request.urlopen(f"http://{address}/", timeout=10) as answer:
            found[json.load(answer)["name"]] += 1
    assert found == {"web": 10}


def test_a_pod_reaches_itself_through_its_service(cluster: Cluster, node: Node, namespace: str) -> None:
    pods.deploy(cluster, namespace, pods.answering("web"), pods.service("web"))
    path = f"/api/v1/namespaces/{namespace}/pods"
    name = cluster.api.items(path)[0]["metadata"]["name"]
    code = "import urllib.request as u; print(u.urlopen('http://web/self', timeout=5).status)"
    one = pods.container("python:1", code)
    pods.make_pod(cluster, namespace, "other", one, restartPolicy="OnFailure")
    pods.succeeded(cluster, namespace, "other")
    assert "/self" in node.log(namespace, name, "c")


def test_a_headless_service_names_each_endpoint(cluster: Cluster, node: Node, namespace: str) -> None:
    pods.deploy(cluster, namespace, pods.answering("web", replicas=3), pods.service("web", clusterIP="None"))
    code = "import socket; print(sorted({a[4][0] for a in socket.getaddrinfo('web', 80)}))"
    pods.make_pod(cluster, namespace, "client", pods.container("python:1", code), restartPolicy="OnFailure")
    pods.succeeded(cluster, namespace, "client")
    found = cluster.api.items(f"/api/v1/namespaces/{namespace}/pods", labelSelector="app=web")
    assert node.log(namespace, "client", "c") == f"{sorted(each['status']['podIP'] for each in found)}\n"


def test_a_name_that_is_not_there_is_refused_at_once(cluster: Cluster, node: Node, namespace: str) -> None:
    code = (
        "import socket\n"
        "for name in ('nothing', 'example.org'):\n"
        "    try: print(socket.getaddrinfo(name, 80))\n"
        "    except socket.gaierror as error: print(error.errno == socket.EAI_NONAME)\n"
    )
    pods.make_pod(cluster, namespace, "client", pods.container("python:1", code), restartPolicy="OnFailure")
    pods.succeeded(cluster, namespace, "client")
    assert node.log(namespace, "client", "c") == "True\nTrue\n"


def test_a_rolling_update_fails_no_request(cluster: Cluster, node: Node, namespace: str) -> None:
    deployment = pods.answering("web", replicas=2)
    pods.deploy(cluster, namespace, deployment, pods.service("web"))
    address = cluster.api.get(f"/api/v1/namespaces/{namespace}/services/web")["spec"]["clusterIP"]
    deployment["spec"]["template"]["metadata"]["annotations"] = {"changed": "yes"}
    cluster.apply({**deployment, "metadata": {"name": "web", "namespace": namespace}})
    count = 0
    rollout = f"/apis/apps/v1/namespaces/{namespace}/deployments/web"
    while (
        cluster.api.get(rollout)["status"].get("updatedReplicas") != 2
        or len(cluster.api.items(f"/api/v1/namespaces/{namespace}/pods")) != 2
    ):
        with urllib.request.urlopen(f"http://{address}/", timeout=10) as answer:
            assert answer.status == 200
        count += 1
    assert count > 20
