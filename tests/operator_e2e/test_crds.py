"""Tests `envtest.crds`: resources of other projects are checked as their own clusters check them."""

import copy

import pytest
from support.kube.api import Object, Refused
from support.kube.cluster import Cluster

GOOD: dict[str, Object] = {
    "HTTPRoute": {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "good"},
        "spec": {
            "parentRefs": [{"name": "gateway"}],
            "rules": [
                {
                    "matches": [{"path": {"type": "PathPrefix", "value": "/seldon/shop/m/"}}],
                    "backendRefs": [{"name": name, "port": 8000, "weight": 50} for name in "ab"],
                    "filters": [{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "c", "port": 1}}}],
                }
            ],
        },
    },
    "GRPCRoute": {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GRPCRoute",
        "metadata": {"name": "good"},
        "spec": {"rules": [{"backendRefs": [{"name": "a", "port": 5001}]}]},
    },
    "ScaledObject": {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": "good"},
        "spec": {
            "scaleTargetRef": {"name": "web"},
            "minReplicaCount": 1,
            "triggers": [{"type": "cpu", "metricType": "Utilization", "metadata": {"value": "60"}}],
        },
    },
    "VirtualService": {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "good"},
        "spec": {"hosts": ["*"], "http": [{"route": [{"destination": {"host": "a"}, "weight": 100}]}]},
    },
    "DestinationRule": {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {"name": "good"},
        "spec": {"host": "a", "subsets": [{"name": "main", "labels": {"version": "main"}}]},
    },
}


def path_of(kind: str, namespace: str) -> str:
    """Where objects of a kind are."""
    return f"/apis/{GOOD[kind]['apiVersion']}/namespaces/{namespace}/{kind.lower()}s"


@pytest.mark.parametrize("kind", sorted(GOOD))
def test_a_good_object_is_accepted(kind: str, cluster: Cluster, namespace: str) -> None:
    made = cluster.api.create(path_of(kind, namespace), GOOD[kind])
    assert made["metadata"]["uid"]


@pytest.mark.parametrize(
    ("kind", "place", "value", "said"),
    [
        ("HTTPRoute", ("rules", 0, "backendRefs", 0, "weight"), -1, r"spec\.rules\[0\]\.backendRefs\[0\]\.weight"),
        ("HTTPRoute", ("rules", 0, "backendRefs", 0, "port"), None, "Must have port for Service reference"),
        ("HTTPRoute", ("rules", 0, "matches", 0, "path", "value"), "m", "must be an absolute path"),
        ("GRPCRoute", ("rules", 0, "backendRefs", 0, "name"), "", r"spec\.rules\[0\]\.backendRefs\[0\]\.name"),
        ("ScaledObject", ("triggers",), None, r"spec\.triggers: Required"),
        ("ScaledObject", ("minReplicaCount",), "one", r"spec\.minReplicaCount"),
        ("VirtualService", ("http", 0, "route", 0, "weight"), "all", r"spec\.http\[0\]\.route\[0\]\.weight"),
        ("DestinationRule", ("host",), None, r"spec\.host: Required"),
    ],
)
def test_a_bad_object_is_refused(
    kind: str, place: tuple[str | int, ...], value: object, said: str, cluster: Cluster, namespace: str
) -> None:
    bad = copy.deepcopy(GOOD[kind])
    at = bad["spec"]
    for step in place[:-1]:
        at = at[step]
    if value is None:
        del at[place[-1]]
    else:
        at[place[-1]] = value
    with pytest.raises(Refused, match=said) as refused:
        cluster.api.create(path_of(kind, namespace), bad)
    assert refused.value.code == 422
