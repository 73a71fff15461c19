"""Owns pods, deployments and services as tests of a cluster's node write them, and what they read back.

Must not assert anything.
"""

from typing import Any

from support.kube.api import Object, eventually
from support.kube.cluster import Cluster

HTTP, GRPC = 8000, 5001


def container(image: str, *arguments: str, **more: Any) -> Object:
    """A container called `c`."""
    return {"name": "c", "image": f"millrace/test-{image}", **({"args": list(arguments)} if arguments else {}), **more}


def make_pod(cluster: Cluster, namespace: str, name: str, *containers: Object, **spec: Any) -> None:
    """Makes a pod."""
    meta = {"name": name, "labels": {"app": name}, "annotations": {"told": "first"}}
    whole = {"containers": list(containers), "terminationGracePeriodSeconds": 5, **spec}
    cluster.api.create(f"/api/v1/namespaces/{namespace}/pods", {"metadata": meta, "spec": whole})


def pod(cluster: Cluster, namespace: str, name: str) -> Object:
    """What it is now."""
    return cluster.api.get(f"/api/v1/namespaces/{namespace}/pods/{name}")


def is_ready(found: Object) -> bool:
    """Whether a pod has the condition."""
    conditions = {each["type"]: each["status"] for each in found["status"].get("conditions", [])}
    return conditions.get("Ready") == "True"


def ready_pod(cluster: Cluster, namespace: str, name: str) -> Object:
    """What it is once it is ready."""
    found = eventually(lambda: is_ready(pod(cluster, namespace, name)) and pod(cluster, namespace, name), 60)
    assert isinstance(found, dict)
    return found


def succeeded(cluster: Cluster, namespace: str, name: str) -> None:
    """Waits until a pod that ends has done so well."""
    eventually(lambda: pod(cluster, namespace, name)["status"].get("phase") == "Succeeded", 60, f"{name} succeeds")


def answering(name: str, replicas: int = 1, **more: Any) -> Object:
    """A Deployment of servers that say this name."""
    env = [{"name": "NAME", "value": name}]
    probe = {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 2}
    ports = [{"name": "http", "containerPort": HTTP}, {"name": "grpc", "containerPort": GRPC}]
    hook = {"preStop": {"sleep": {"seconds": 1}}}
    one = container("answer:1", env=env, readinessProbe=probe, ports=ports, lifecycle=hook, **more)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [one]}},
        },
    }


def service(name: str, **spec: Any) -> Object:
    """A Service of such servers."""
    ports = [{"name": "http", "port": 80, "targetPort": "http"}, {"name": "grpc", "port": 81, "targetPort": "grpc"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": ports, **spec},
    }


def ready_endpoints(cluster: Cluster, namespace: str) -> int:
    """How many endpoints services have that are ready."""
    slices = cluster.api.items(f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices")
    return sum(each["conditions"]["ready"] for found in slices for each in found.get("endpoints") or [])


def deploy(cluster: Cluster, namespace: str, *objects: Object) -> None:
    """Applies objects in a namespace, and waits until the deployments among them are available."""
    cluster.apply(*({**each, "metadata": {**each["metadata"], "namespace": namespace}} for each in objects))
    for each in objects:
        if each["kind"] == "Deployment":
            name = f"deployment/{each['metadata']['name']}"
            cluster.kubectl("rollout", "status", "--timeout=60s", "-n", namespace, name)
