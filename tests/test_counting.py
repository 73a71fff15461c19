"""Which series the requests and calls of a graph are counted in."""

import time
from collections.abc import Iterator

import pytest
from support.graphs import node, plan

from executor import counting, errors
from executor.counting import Counting
from executor.graph.spec import Deployment, Predictor, Transport
from executor.protocol import seldon
from executor.protocol.table import Action
from executor.telemetry.families import Names
from executor.telemetry.store import Store

NAMES = Names("dep", "main", "v1")


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store()
    yield made
    made.close()


def counted(store: Store) -> list[str]:
    """The series that have counted something, without their bounds."""
    lines = store.text()[1].decode().splitlines()
    return [
        line.replace("_count{", "{") for line in lines if "requests_seconds_count{" in line and not line.endswith(" 0")
    ]


def test_names_are_the_deployments_and_predictors() -> None:
    graph = node("m")
    by_annotation = Predictor("main", graph, annotations={"version": "a"}, labels={"version": "b"})
    assert counting.names_of(Deployment("dep", (by_annotation,)), by_annotation) == Names("dep", "main", "a")
    by_label = Predictor("main", graph, labels={"version": "b"})
    assert counting.names_of(Deployment("dep", (by_label,)), by_label).version == ""


def test_grpc_requests_are_counted_by_method_and_code(store: Store) -> None:
    made = Counting(store, NAMES).rpcs(seldon.EXECUTOR_RPCS)
    assert {*made} == {*seldon.EXECUTOR_RPCS, "/grpc.health.v1.Health/Check"}
    for code in (0, 4):
        made["/seldon.protos.Seldon/Predict"].since(code, time.monotonic())
    of = 'deployment_name="dep",predictor_name="main",predictor_version="v1",service="/seldon.protos.Seldon/Predict"'
    name = "seldon_api_executor_server_requests_seconds"
    assert counted(store) == [
        f'{name}{{{of},method="unary",code="DeadlineExceeded"}} 1',
        f'{name}{{{of},method="unary",code="OK"}} 1',
    ]


def test_rest_requests_are_counted_by_what_is_asked(store: Store) -> None:
    made = Counting(store, NAMES).rest(seldon.EXECUTOR_REST)
    assert made["POST"]["/api/v1.0/predictions"] is made["POST"]["/api/v0.1/predictions"]
    assert "/ready" not in made["GET"]
    made["POST"]["/api/v1.0/predictions"].since(200, time.monotonic())
    made["POST"]["/api/v1.0/feedback"].since(500, time.monotonic())
    made["GET"]["/api/v1.0/metadata/{name}"].since(404, time.monotonic())
    made["GET"]["/api/v1.0/status/{name}"].since(200, time.monotonic())
    assert [line[line.index("service") : -3] for line in counted(store)] == [
        'service="feedback",method="post",code="500"',
        'service="metadata",method="get",code="404"',
        'service="predictions",method="post",code="200"',
        'service="status",method="get",code="200"',
    ]


def test_a_node_alone_is_not_taken_for_a_graph(store: Store) -> None:
    made = Counting(store, None, {})
    made.rest(seldon.NODE_REST)["POST"]["/predict"].since(200, time.monotonic())
    made.rpcs(seldon.NODE_RPCS)["/seldon.protos.Model/Predict"].since(0, time.monotonic())
    assert counted(store) == [
        'millrace_node_requests_seconds{service="/predict",method="post",code="200"} 1',
        'millrace_node_requests_seconds{service="/seldon.protos.Model/Predict",method="unary",code="OK"} 1',
    ]


def test_each_node_has_its_own_series(store: Store) -> None:
    graph = plan(node("t", "transformer", node("m")))
    assert len(Counting(store, NAMES).nodes(graph, [Transport.REST, None])) == 2
    text = store.text()[1].decode()
    assert 'millrace_node_calls_in_flight{model_name="t"} 0' in text
    for reason in ("transcoded", "aligned", "shared", "contiguous", "inflated", "bytes"):
        assert f'millrace_payload_copies_total{{model_name="m",reason="{reason}"}} 0' in text
        assert f'millrace_payload_copied_bytes_total{{model_name="m",reason="{reason}"}} 0' in text


@pytest.mark.parametrize("path", ["metrics", "/ready", "/{name}", ""])
def test_paths_that_cannot_be(path: str) -> None:
    with pytest.raises(errors.RequestError, match="a path that begins with / and is not taken yet"):
        counting.scraped(seldon.EXECUTOR_REST, path)


def test_metrics_get_a_path() -> None:
    assert counting.scraped(seldon.EXECUTOR_REST, None) is seldon.EXECUTOR_REST
    for table, verbs in ((seldon.EXECUTOR_REST, set[str]()), (seldon.NODE_REST, {"GET"})):
        route = counting.scraped(table, "/prometheus").routes[-1]
        assert (route.path, {*route.verbs}, route.action) == ("/prometheus", verbs, Action.METRICS)


def test_a_component_is_known_by_its_graph_or_its_environment(store: Store) -> None:
    entry = [{"key": "seen", "type": "GAUGE", "value": 1}]
    Counting(store, NAMES).recorder("m", "image:1").record("predict", entry)
    environment = {"SELDON_DEPLOYMENT_ID": "other", "PREDICTIVE_UNIT_IMAGE": "its:2"}
    Counting(store, None, environment).recorder("m").record("predict", entry)
    found = [line for line in store.text()[1].decode().splitlines() if line.startswith("seen{")]
    assert ['deployment_name="dep"' in line and 'image_version="1"' in line for line in found] == [True, False]
    assert 'deployment_name="other"' in found[1]
    assert 'image_version="2"' in found[1]
