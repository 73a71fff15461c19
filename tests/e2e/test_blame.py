"""Who is told to be at fault: the caller, or a node; and what the log says of nodes that fail."""

from typing import Any

import grpc
import pytest
from support import foreign, serving
from support.clients import PREDICTIONS, Client, Refused
from support.containers import free_port
from support.serving import node

CLIENTS = pytest.mark.parametrize("client", ["grpc", "rest"])
MODEL = node("m", "model")
Code = grpc.StatusCode


def refused(client: Client, said: Any, **more: Any) -> Refused:
    """How a request is refused."""
    with pytest.raises(Refused) as caught:
        client.predict(said, **more)
    return caught.value


CHAIN = node("a", "model", node("b", "model"))
JOINED = node("c", "combiner", node("a", "model"), node("b", "model"))
AFTER = node("c", "output", node("a", "model"))
NO_ARRAY = "no array, its lists differ in length or depth"


@pytest.mark.parametrize(
    ("root", "components", "told"),
    [
        (CHAIN, {"a": "Ragged", "b": "Echo"}, "node 'b': predict cannot be given the answer of 'a': "),
        (
            JOINED,
            {"a": "Echo", "b": "Ragged", "c": "First"},
            "node 'c': aggregate cannot be given the answer of 'a' or",
        ),
        (AFTER, {"a": "Ragged", "c": "First"}, "node 'c': transform_output cannot be given the answer of 'a': "),
    ],
)
def test_an_answer_that_the_next_node_cannot_read_is_no_fault_of_the_caller(
    root: Any, components: dict[str, str], told: str
) -> None:
    said = {"data": {"ndarray": [[1.0, 2.0]]}}
    with serving.graph(root, components) as served:
        by_grpc, by_rest = refused(served.grpc, said), refused(served.rest, said)
    assert (by_grpc.status, by_rest.status) == (Code.INTERNAL, 500)
    for text in (by_grpc.text, by_rest.text):
        assert told in text
        assert NO_ARRAY in text


@CLIENTS
def test_what_the_caller_sent_is_its_fault_at_every_node_that_gets_it(client: str) -> None:
    said = {"data": {"ndarray": [[1.0, 2.0], [3.0]]}}
    root = node("r", "router", node("m", "model"), implementation="SIMPLE_ROUTER")
    with serving.graph(root, {"m": "Echo"}) as served:
        error = refused(getattr(served, client), said)
    assert error.status in (Code.INVALID_ARGUMENT, 400)
    assert NO_ARRAY in error.text


def test_broken_json_of_a_node_is_no_fault_of_the_caller() -> None:
    with foreign.http_node(lambda *_: (200, b'{"data": {"ndarray": [[1,}')) as rest, serving.component("Echo") as echo:
        nodes = {"a": rest, "b": f"grpc://{echo.target}"}
        for root in (CHAIN, node("c", "combiner", CHAIN["children"][0], node("a", "model"))):
            with serving.graph(root, {"c": "First"} if root["name"] == "c" else {}, nodes) as served:
                assert refused(served.rest, {"data": {"ndarray": [[1.0]]}}).status == 500
                assert refused(served.grpc, {"data": {"ndarray": [[1.0]]}}).status is Code.INTERNAL
        with serving.graph(CHAIN, {"a": "Echo"}, {"b": nodes["b"]}) as served:
            status, _, _ = served.rest.ask("POST", PREDICTIONS, b'{"data": {"ndarray": [[1,}', [])
            assert status == 400


@CLIENTS
@pytest.mark.parametrize("kind", ["Quitting", "QuickQuitting", "AsyncQuitting", "RawQuitting", "TagQuitting"])
def test_a_component_that_would_end_the_process_fails_one_request(
    client: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    method = {"RawQuitting": "predict_raw", "TagQuitting": "tags"}.get(kind, "predict")
    with serving.graph(MODEL, {"m": kind}) as served:
        for _ in range(2):
            error = refused(getattr(served, client), {"data": {"ndarray": [[1.0]]}}, headers=[("seldon-puid", "p7")])
            assert error.status in (Code.INTERNAL, 500)
            assert error.text == f"node 'm': {method} raised SystemExit: enough"
    assert [each.getMessage() for each in caplog.records if each.levelname == "ERROR"] == [
        f"node m: {method} raised SystemExit" + (" (request p7)" if kind != "TagQuitting" else "")
    ] * 2


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_a_node_that_is_not_there_is_logged_once(scheme: str, caplog: pytest.LogCaptureFixture) -> None:
    url = f"{scheme}://127.0.0.1:{free_port()}"
    with caplog.at_level("INFO"), serving.graph(MODEL, endpoints={"m": url}) as served:
        for _ in range(3):
            refused(served.grpc, {"strData": "x"})
            refused(served.rest, {"strData": "x"})
    of_requests = "millrace.requests"  # which has a line for each that failed
    (told,) = [each for each in caplog.records if "'m'" in each.getMessage() and each.name != of_requests]
    assert told.levelname == "WARNING"
    assert "Connection refused" in told.getMessage() or "Connect call failed" in told.getMessage()
