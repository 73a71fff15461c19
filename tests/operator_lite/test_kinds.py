"""Tests `kinds`."""

import pytest
from support.resources import made

from operator_lite import kinds
from operator_lite.kinds import CONFIG_MAP, LEASE, NAMESPACE, OWNED, RESOURCE


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (CONFIG_MAP.path("a", "b"), "/api/v1/namespaces/a/configmaps/b"),
        (CONFIG_MAP.path(), "/api/v1/configmaps"),
        (NAMESPACE.path("", "a"), "/api/v1/namespaces/a"),
        (LEASE.path("a"), "/apis/coordination.k8s.io/v1/namespaces/a/leases"),
        (
            RESOURCE.path("a", "b", "status"),
            "/apis/machinelearning.seldon.io/v1/namespaces/a/seldondeployments/b/status",
        ),
    ],
)
def test_paths(path: str, expected: str) -> None:
    assert path == expected


def test_which_a_cluster_may_lack() -> None:
    optional = [kind.name for kind in OWNED if kind.is_optional]
    assert optional == ["ScaledObject", "HTTPRoute", "GRPCRoute", "DestinationRule", "VirtualService"]
    assert not RESOURCE.is_optional


def test_all_that_is_made_is_known() -> None:
    assert {kinds.of(each) for each in made()} <= set(OWNED)
    assert kinds.key(made()[0]) == ("Service", "iris-main-model")
    assert kinds.controller(made()[0]) == {}
