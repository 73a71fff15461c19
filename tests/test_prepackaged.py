"""Which nodes of a plan become prepackaged servers of this process."""

from typing import Any

import pytest
from support.graphs import node, plan

from executor.graph.spec import Endpoint, Parameter
from executor.prepackaged import placed
from executor.settings import Prepackaged, RunSettings, parse_url

ADDRESS = Endpoint("localhost", 9000)


def server(name: str = "m", implementation: str = "SKLEARN_SERVER", uri: str = "s3://b/iris", **fields: Any) -> Any:
    return node(name, "model", implementation=implementation, model_uri=uri, **fields)


def components(root: Any, prepackaged: Prepackaged = Prepackaged.UNREACHED, **settings: Any) -> Any:
    return placed(plan(root), RunSettings("g", prepackaged=prepackaged, **settings))[1].components


def test_a_server_with_a_model_is_a_component_that_is_told_where_it_is() -> None:
    method = Parameter("method", "predict", "STRING", "predict")
    old = Parameter("model_uri", "/old", "STRING", "/old")
    root = node("t", "transformer", node("m", implementation="SKLEARN_SERVER", model_uri="s3://b/iris"))
    made, settings = placed(plan(root), RunSettings("g", components={"t": "t.py:T"}))
    assert settings.components == {"t": "t.py:T", "m": "SKLEARN_SERVER"}
    assert made.nodes[1].arguments == {"model_uri": "s3://b/iris"}
    assert made.nodes[0].arguments == {}
    alone = plan(server())
    (first,) = alone.nodes
    from dataclasses import replace

    given = replace(alone, nodes=(replace(first, parameters=(method, old)),))
    assert placed(given, RunSettings("g"))[0].root.arguments == {"method": "predict", "model_uri": "s3://b/iris"}


@pytest.mark.parametrize("implementation", ["", "TENSORFLOW_SERVER", "MY_SERVER"])
def test_others_are_left_alone(implementation: str) -> None:
    before, settings = plan(server(implementation=implementation)), RunSettings("g")
    after, same = placed(before, settings)
    assert after is before
    assert same is settings


def test_without_a_model_there_is_nothing_to_serve() -> None:
    assert components(server(uri="")) == {}


def test_what_the_user_says_goes_first() -> None:
    assert components(server(), components={"m": "m.py:M"}) == {"m": "m.py:M"}
    assert components(server(), endpoints={"m": parse_url("grpc://h:1")}) == {}


def test_an_address_in_the_manifest() -> None:
    root = server(endpoint=ADDRESS)
    assert components(root) == {}
    assert components(root, Prepackaged.REMOTE) == {}
    assert components(server(), Prepackaged.REMOTE) == {}
    assert components(root, Prepackaged.IN_PROCESS) == {"m": "SKLEARN_SERVER"}
    made, _ = placed(plan(root), RunSettings("g", prepackaged=Prepackaged.IN_PROCESS))
    assert not made.root.endpoint.reachable


def test_a_server_that_is_named_as_a_component() -> None:
    made, settings = placed(plan(server(implementation="")), RunSettings("g", components={"m": "ONNX_SERVER"}))
    assert settings.components == {"m": "ONNX_SERVER"}
    assert made.root.arguments == {"model_uri": "s3://b/iris"}
    made, _ = placed(plan(server(implementation="", uri="")), RunSettings("g", components={"m": "ONNX_SERVER"}))
    assert made.root.arguments == {}
