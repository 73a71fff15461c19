"""What clients and nodes of Seldon's executor count on, and no other test shows: odd bodies, errors through routers."""

import http.server
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import grpc
import pytest
from compatibility import described
from support import foreign, serving
from support.clients import FEEDBACK, PREDICTIONS, Refused
from support.serving import Served, graph, node

from executor import app, manifest
from executor.settings import RunSettings

X = {"strData": "x"}
Code = grpc.StatusCode
KINDS = pytest.mark.parametrize("start", [foreign.grpc_node, foreign.http_node])
DESCRIBED = Path(described.__file__)


class RawNode:
    """A REST node that notes the bytes which it gets, and answers others."""

    def __init__(self, answers: dict[str, bytes]) -> None:
        self.seen: list[tuple[str, bytes]] = []
        self._answers = answers
        node = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                node.seen.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(node._answers[self.path])

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"


# --- bodies that nobody looks at -------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"{", b"[1,2]", b'{"strData":"\xff"}', b" 7\n"])
def test_rest_nodes_are_sent_what_the_client_sent_and_their_answer_is_passed_on(body: bytes) -> None:
    with RawNode({"/predict": b"no JSON either <"}) as raw:
        with graph(node("m", "model"), endpoints={"m": raw.url}) as served:
            status, _, answer = served.rest.ask("POST", PREDICTIONS, body, [("Content-Type", "application/json")])
    assert (status, answer) == (200, b"no JSON either \\u003c")
    assert raw.seen == [("/predict", body)]


@pytest.mark.parametrize("body", [b' {"reward" : 1.50,"truth":{"x":[1e0]} } ', b"{nope"])
def test_feedback_reaches_rest_nodes_as_it_was_sent(body: bytes) -> None:
    with RawNode({"/send-feedback": b"{}"}) as raw:
        root = node("a", "model", node("b", "transformer", node("c", "model")))
        with graph(root, endpoints=dict.fromkeys("abc", raw.url)) as served:
            status, _, answer = served.rest.ask("POST", FEEDBACK, body)
    assert (status, answer) == (200, b"{}")
    assert raw.seen == [("/send-feedback", body)] * 2


def test_answers_that_are_not_json_cannot_be_combined() -> None:
    with RawNode({"/predict": b"no JSON", "/aggregate": b"{}"}) as raw:
        root = node("c", "combiner", node("a", "model"), node("b", "model"))
        with graph(root, endpoints=dict.fromkeys("cab", raw.url)) as served:
            with pytest.raises(Refused, match="'c': an item of the list is no JSON object") as caught:
                served.rest.predict(X)
    assert (caught.value.status, caught.value.said["status"]["code"]) == (500, 500)
    assert [path for path, _ in raw.seen] == ["/predict", "/predict"]


# --- errors ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failing", ["route", "predict"])
def test_errors_of_grpc_nodes_come_through_routers_as_they_are(failing: str) -> None:
    def answer(method: str, content: Any, headers: Any) -> Any:
        if method == failing:
            return Code.FAILED_PRECONDITION, f"{method}: not now, ä"
        return {"data": {"ndarray": [1]}} if method == "route" else X

    root = node("r", "router", node("a", "model"), node("b", "model", node("c", "model")))
    with foreign.grpc_node(answer) as url, graph(root, endpoints=dict.fromkeys("rabc", url)) as served:
        with pytest.raises(Refused) as caught:
            served.grpc.predict(X)
        assert (caught.value.status, caught.value.text) == (Code.FAILED_PRECONDITION, f"{failing}: not now, ä")
        # Feedback asks neither: the next request is served.
        assert served.grpc.feedback({"request": X, "response": {"meta": {"routing": {"r": 0}}}}).said == X


@KINDS
def test_the_error_of_a_branch_is_the_answer_while_another_branch_hangs(start: Any) -> None:
    hung, gate = threading.Event(), threading.Event()

    def hang(*_: Any) -> Any:
        hung.set()
        gate.wait(20)
        return X

    def fail(*_: Any) -> Any:
        assert hung.wait(20)
        return (Code.DATA_LOSS, "lost") if start is foreign.grpc_node else (409, b'{"own":"body"}')

    root = node("c", "combiner", node("a", "model"), node("b", "model"), name="c")
    with start(hang) as a, start(fail) as b:
        with graph(root, {"c": "Said"}, {"a": a, "b": b}) as served:
            status, _, body = served.rest.ask("POST", PREDICTIONS, b'{"strData":"x"}')
            assert not gate.is_set()
            if start is foreign.http_node:
                assert (status, body) == (409, b'{"own":"body"}')
            else:
                assert (status, json.loads(body)["status"]["info"]) == (500, "lost")
            hung.clear()
            with pytest.raises(Refused) as caught:
                served.grpc.predict(X)
            assert caught.value.status is (Code.DATA_LOSS if start is foreign.grpc_node else Code.ABORTED)
            gate.set()


# --- walks -----------------------------------------------------------------------------------------------------


@KINDS
def test_methods_take_part_beside_the_type(start: Any) -> None:
    calls: list[str] = []

    def answer(method: str, content: Any, headers: Any) -> Any:
        calls.append(method)
        return X

    child = node("b", "", methods=["TRANSFORM_OUTPUT", "SEND_FEEDBACK"])
    root = node("a", "model", child, methods=["TRANSFORM_INPUT"])
    with start(answer) as url, graph(root, endpoints=dict.fromkeys("ab", url)) as served:
        for client in (served.grpc, served.rest):
            calls.clear()
            assert client.predict(X).said == X
            assert client.feedback({"request": X, "reward": 1.0}).said == X
            assert calls == ["transform_input", "transform_output", "send_feedback", "send_feedback"]


@KINDS
def test_first_requests_that_come_at_once_are_all_answered(start: Any) -> None:
    root = node("t", "transformer", node("c", "combiner", node("a", "model"), node("b", "model"), name="c"))
    with start(lambda *_: X) as url, graph(root, {"c": "Said"}, dict.fromkeys("tab", url)) as served:
        assert_all_are_answered(served)


def assert_all_are_answered(served: Served) -> None:
    """Nobody has asked this graph before: each thread brings connections of its own, and so does each node."""
    threads = 24
    barrier = threading.Barrier(threads)

    def ask(index: int) -> Any:
        barrier.wait(20)
        return (served.rest, served.grpc)[index % 2].predict(X).said["strData"]

    with ThreadPoolExecutor(threads) as pool:
        assert list(pool.map(ask, range(threads))) == ["c.aggregate([x,x])"] * threads


# --- metadata --------------------------------------------------------------------------------------------------


def test_metadata_of_a_graph_has_what_goes_in_and_what_comes_out_in_every_form() -> None:
    forms = {"t": ("text", "json"), "c": ("tensor", "text"), "a": ("json", "tensor"), "b": ("tensor", "tensor")}

    def at(name: str, type: str, *children: Any) -> dict[str, Any]:
        return node(name, type, *children, takes=forms[name][0], gives=forms[name][1])

    root = at("t", "transformer", at("c", "combiner", at("a", "model"), at("b", "model")))
    settings = RunSettings("graph", components=dict.fromkeys(forms, f"{DESCRIBED}:Described"), listen=serving.LISTEN)
    selected = manifest.load(serving.deployment(root), reached=[*forms])
    with Served(lambda process: app.graph(process, settings, selected)) as served:
        rest, rpc = served.rest.graph_metadata(), served.grpc.graph_metadata()
    assert list(rest) == ["name", "models", "graphinputs", "graphoutputs"]
    assert (rest["name"], list(rest["models"])) == ("main", ["t", "c", "a", "b"])
    for said, goes_in, comes_out in ((rest, "graphinputs", "graphoutputs"), (rpc, "inputs", "outputs")):
        assert (said[goes_in], said[comes_out]) == ([described.TEXT], [described.TEXT])
        assert said["models"]["t"]["outputs"] == said["models"]["a"]["inputs"] == [described.JSON]
        (tensor,) = said["models"]["b"]["inputs"]
        assert (tensor["messagetype"], tensor["schema"]) == ("tensor", described.TENSOR["schema"])
