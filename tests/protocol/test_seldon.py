"""Seldon's protocol as data: tables against the published service definitions, error bodies, graph metadata."""

import json
from typing import Any

import pytest

from executor import errors
from executor._pb import seldon_pb2
from executor.graph.spec import Node, NodeType
from executor.protocol import seldon
from executor.protocol.table import Action
from executor.status import Status
from executor.types import Form, Method, Walk

FORMS = {"SeldonMessage": Form.MESSAGE, "SeldonMessageList": Form.LIST, "Feedback": Form.FEEDBACK}


def published() -> dict[str, str]:
    """Every `:path` of `seldon.protos` with the name of its request message."""
    services = seldon_pb2.DESCRIPTOR.services_by_name.values()
    return {
        f"/{service.full_name}/{method.name}": method.input_type.name
        for service in services
        for method in service.methods
    }


def test_a_node_serves_every_published_rpc() -> None:
    assert set(seldon.NODE_RPCS) == set(published())


def test_the_executor_serves_the_seldon_service() -> None:
    assert set(seldon.EXECUTOR_RPCS) == {path for path in published() if path.startswith("/seldon.protos.Seldon/")}


@pytest.mark.parametrize("table", [seldon.EXECUTOR_RPCS, seldon.NODE_RPCS])
def test_request_forms_are_those_of_the_definitions(table: Any) -> None:
    requests = published()
    for path, rpc in table.items():
        assert rpc.path == path
        if rpc.action is Action.RUN:
            assert rpc.form == FORMS[requests[path]]
        else:
            assert requests[path] not in FORMS


def test_walks() -> None:
    assert seldon.EXECUTOR_RPCS["/seldon.protos.Seldon/Predict"].walk is Walk.PREDICT
    assert seldon.EXECUTOR_RPCS["/seldon.protos.Seldon/SendFeedback"].walk is Walk.FEEDBACK
    assert {rpc.walk for rpc in seldon.NODE_RPCS.values()} == {Walk.CALL}


def test_calls_to_nodes_are_served_by_nodes() -> None:
    assert set(seldon.NODE_GRPC_PATHS) == set(seldon.NODE_REST_PATHS) == set(Method)
    rest = {route.path: route for route in seldon.NODE_REST.routes}
    for method in Method:
        assert seldon.NODE_RPCS[seldon.NODE_GRPC_PATHS[method]].method is method
        assert rest[seldon.NODE_REST_PATHS[method]].method is method
        assert rest[seldon.NODE_REST_PATHS[method]].form == seldon.form_of(method)
    assert seldon.NODE_GRPC_PATHS[Method.SEND_FEEDBACK] == "/seldon.protos.Model/SendFeedback"
    assert seldon.NODE_RPCS[seldon.NODE_GRPC_METADATA_PATH].action is Action.MODEL_METADATA


def test_paths_are_unique() -> None:
    for table in (seldon.EXECUTOR_REST, seldon.NODE_REST):
        paths = [route.path for route in table.routes]
        assert len(paths) == len(set(paths))


def test_error_bodies() -> None:
    error = errors.RouteError('router "r" answered 7; allowed are -2 to 1 é\ud800')
    body = json.loads(seldon.error_body(error))
    assert body == {
        "status": {"code": 500, "info": 'router "r" answered 7; allowed are -2 to 1 é?', "status": "FAILURE"}
    }
    assert json.loads(seldon.node_error_body(errors.DecodeError("no JSON", 3))) == {
        "status": {"code": -1, "info": "no JSON (at byte 3)", "reason": "MICROSERVICE_BAD_DATA", "status": 1}
    }


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.DeadlineError("late"), 500),
        (errors.RequestError("Failed to find model x", status=Status.UNKNOWN), 500),
        (errors.NodeError("x", http_status=404, status=Status.NOT_FOUND, body=b"{}"), 404),
        (errors.LimitError("big", http_status=413), 413),
        (errors.DecodeError("bad"), 400),
    ],
)
def test_executor_status(error: errors.Error, status: int) -> None:
    assert seldon.error_status(error) == status
    assert json.loads(seldon.error_body(error))["status"]["code"] == status


def model(name: str) -> dict[str, Any]:
    return {"name": name, "inputs": [f"{name} in"], "outputs": [f"{name} out"], "custom": {}, "versions": []}


def node(name: str, kind: NodeType, *children: Node) -> Node:
    return Node(name, type=kind, children=children)


M = NodeType.MODEL
GRAPHS = [
    (node("a", M), "a in", "a out"),
    (node("a", NodeType.COMBINER), "a in", "a out"),
    (node("a", M, node("b", M)), "a in", "b out"),
    (node("t", NodeType.TRANSFORMER, node("b", M, node("c", M))), "t in", "c out"),
    (node("o", NodeType.OUTPUT_TRANSFORMER, node("b", M)), "b in", "o out"),
    (node("c", NodeType.COMBINER, node("x", M), node("y", M)), "x in", "c out"),
    (node("r", NodeType.ROUTER, node("x", M), node("y", M)), "x in", "x out"),
    (node("u", NodeType.UNKNOWN_TYPE, node("x", M), node("y", M)), "x in", "x out"),
]


@pytest.mark.parametrize(("root", "enters", "leaves"), GRAPHS)
def test_graph_metadata_edges(root: Node, enters: str, leaves: str) -> None:
    models = {each.name: model(each.name) for each in root.walk()}
    graph = seldon.graph_metadata("p", root, models)
    assert list(graph) == ["name", "models", "graphinputs", "graphoutputs"]
    assert (graph["graphinputs"], graph["graphoutputs"]) == ([enters], [leaves])
    assert list(graph["models"]) == sorted(each.name for each in root.walk())
    assert list(graph["models"][root.name]) == ["name", "inputs", "outputs"]


def test_graph_metadata_with_a_builtin() -> None:
    root = Node("ab", implementation="RANDOM_ABTEST", children=(Node("x", type=M), Node("y", type=M)))
    graph = seldon.graph_metadata("p", root, {"x": model("x"), "y": model("y")})
    assert list(graph["models"]) == ["x", "y"]
    assert graph["graphinputs"] == ["x in"]
    assert seldon.graph_metadata("p", Node("s", implementation="SIMPLE_MODEL"), {})["graphinputs"] == []


def test_lateness_is_told_in_the_words_that_clients_look_for() -> None:
    late = errors.DeadlineError("node 'm': no answer within 1 ms")
    assert json.loads(seldon.error_body(late))["status"] == {
        "code": 500,
        "info": "node 'm': no answer within 1 ms (Client.Timeout exceeded while awaiting headers)",
        "status": "FAILURE",
    }
