"""Tests `executor.graph.spec`."""

import dataclasses

import pytest

from executor.graph.spec import Endpoint, Node, NodeType, Predictor, Transport


def test_walk_is_depth_first_parents_first() -> None:
    tree = Node("a", children=(Node("b", children=(Node("c"),)), Node("d")))
    assert [node.name for node in tree.walk()] == ["a", "b", "c", "d"]


def test_specs_are_frozen() -> None:
    node = Node("a", NodeType.MODEL)
    with pytest.raises(dataclasses.FrozenInstanceError):
        node.name = "b"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("endpoint", "rest", "grpc", "reachable"),
    [
        (Endpoint(), 0, 0, False),
        (Endpoint(type=Transport.REST), 0, 0, False),
        (Endpoint("host"), 0, 0, False),
        (Endpoint(port=9000), 9000, 9000, False),
        (Endpoint("host", 9000), 9000, 9000, True),
        (Endpoint("host", 9000, http_port=1, grpc_port=2), 1, 2, True),
        (Endpoint("host", grpc_port=2), 0, 2, True),
    ],
)
def test_endpoint_ports(endpoint: Endpoint, rest: int, grpc: int, reachable: bool) -> None:
    assert endpoint.port_for(Transport.REST) == rest
    assert endpoint.port_for(Transport.GRPC) == grpc
    assert endpoint.reachable is reachable


def test_mappings_are_not_shared_between_predictors() -> None:
    one, other = Predictor("p", Node("a")), Predictor("q", Node("a"))
    assert one.annotations == {}
    assert one.annotations is not other.annotations
