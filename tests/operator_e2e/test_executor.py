"""Tests that `millrace executor` runs in a pod as operators start it, and is reached through a route."""

import json
import urllib.error
import urllib.request

from support import workloads as pods
from support.containers import predictor, unit
from support.gateway.running import Gateway
from support.kube.api import Object, eventually
from support.kube.cluster import Cluster
from support.node import Node

HTTP, GRPC = 8000, 5001
ANNOTATIONS = {"seldon.io/rest-timeout": "9000"}
RIGHTS = {
    "runAsUser": 8888, "runAsNonRoot": True, "readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
}  # fmt: skip


def executor() -> Object:
    """Its container."""
    graph = {**unit("m"), "implementation": "SIMPLE_MODEL"}
    ports = [{"name": "http", "containerPort": HTTP}, {"name": "grpc", "containerPort": GRPC}]
    return {
        "name": "seldon-container-engine",
        "image": "millrace/millrace:test",
        "args": ["executor", "--sdep", "shop", "--namespace", "n", "--predictor", "main", "--http_port", str(HTTP),
                 "--grpc_port", str(GRPC), "--protocol", "seldon", "--prometheus_path", "/prometheus"],
        "env": [{"name": "ENGINE_PREDICTOR", "value": predictor(graph)}],
        "ports": ports,
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "initialDelaySeconds": 5, "periodSeconds": 2},
        "livenessProbe": {"httpGet": {"path": "/live", "port": "http"}, "initialDelaySeconds": 20, "periodSeconds": 5},
        "securityContext": RIGHTS,
        "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"memory": "512Mi"}},
        "volumeMounts": [{"name": "seldon-podinfo", "mountPath": "/etc/podinfo"}],
    }  # fmt: skip


def deployment() -> Object:
    """One of two executors."""
    told = {"path": "annotations", "fieldRef": {"fieldPath": "metadata.annotations", "apiVersion": "v1"}}
    spec = {"containers": [executor()], "volumes": [{"name": "seldon-podinfo", "downwardAPI": {"items": [told]}}]}
    labels = {"app": "shop"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": {"seldon.io/rest-timeout": "9000"}},
                "spec": spec,
            },
        },
    }


def test_it_answers_through_a_route(cluster: Cluster, node: Node, gateway: Gateway, namespace: str) -> None:
    cut = {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}
    prefix = f"/seldon/{namespace}/shop/"
    route = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "shop"},
        "spec": {
            "parentRefs": [{"name": gateway.name, "namespace": gateway.namespace}],
            "rules": [{
                "matches": [{"path": {"type": "PathPrefix", "value": prefix}}],
                "backendRefs": [{"name": "shop", "port": 80}],
                "filters": [cut],
            }],
        },
    }  # fmt: skip
    pods.deploy(cluster, namespace, deployment(), pods.service("shop"), route)
    said = {"data": {"ndarray": [[1.0, 2.0]]}}
    asked = urllib.request.Request(
        f"{gateway.http}{prefix}api/v1.0/predictions", json.dumps(said).encode(), {"Content-Type": "application/json"}
    )
    eventually(lambda: _is_routed(asked))
    with urllib.request.urlopen(asked, timeout=10) as answer:
        assert json.load(answer)["data"] == said["data"]


def _is_routed(asked: urllib.request.Request) -> bool:
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        assert error.code in (404, 503), error.read()
        return False
