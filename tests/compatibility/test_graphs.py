"""What clients and nodes of Seldon's executor count on, and no other test shows: odd bodies, errors through routers."""

import contextlib
import gzip
import json
import threading
from collections.abc import Iterator, Mapping
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from compatibility import described
from google.protobuf import empty_pb2
from support import foreign, serving
from support.clients import FEEDBACK, PREDICTIONS, Refused
from support.containers import Container, predictor, unit
from support.processes import Programs
from support.raw_node import RawNode
from support.serving import Served, graph, node

from executor import app, manifest
from executor._pb import seldon_pb2, seldon_pb2_grpc
from executor.settings import RunSettings

X = {"strData": "x"}
Code = grpc.StatusCode
KINDS = pytest.mark.parametrize("start", [foreign.grpc_node, foreign.http_node])
DESCRIBED = Path(described.__file__)


# --- bodies that nobody looks at -------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"{", b"[1,2]", b'{"strData":"\xff"}', b" 7\n"])
def test_rest_nodes_are_sent_what_the_client_sent_and_their_answer_is_passed_on(body: bytes) -> None:
    with RawNode({"/predict": b"no JSON either <"}) as raw:
        with graph(node("m", "model"), endpoints={"m": raw.url}) as served:
            status, _, answer = served.rest.ask("POST", PREDICTIONS, body, [("Content-Type", "application/json")])
    assert (status, answer) == (200, b"no JSON either \\u003c")
    assert [(seen.path, seen.body) for seen in raw.seen] == [("/predict", body)]


@pytest.mark.parametrize("body", [b' {"reward" : 1.50,"truth":{"x":[1e0]} } ', b"{nope"])
def test_feedback_reaches_rest_nodes_as_it_was_sent(body: bytes) -> None:
    with RawNode({"/send-feedback": b"{}"}) as raw:
        root = node("a", "model", node("b", "transformer", node("c", "model")))
        with graph(root, endpoints=dict.fromkeys("abc", raw.url)) as served:
            status, _, answer = served.rest.ask("POST", FEEDBACK, body)
    assert (status, answer) == (200, b"{}")
    assert [(seen.path, seen.body) for seen in raw.seen] == [("/send-feedback", body)] * 2


@pytest.mark.parametrize("body", [b' {"reward" : 1.50,"truth":{"x":["<"]} } ', b"{nope"])
def test_a_root_that_takes_no_feedback_gives_it_back_over_rest(body: bytes) -> None:
    with RawNode({"/send-feedback": b"{}"}) as raw:
        with graph(node("t", "transformer", node("m", "model")), endpoints=dict.fromkeys("tm", raw.url)) as served:
            status, headers, answer = served.rest.ask("POST", FEEDBACK, body)
    assert (status, headers["Content-Type"], answer) == (200, "application/json", body.replace(b"<", b"\\u003c"))
    assert [seen.body for seen in raw.seen] == [body]


GIVEN = {"request": X, "reward": 0.5}


@contextlib.contextmanager
def root_without_feedback(below: Mapping[str, Any], **settings: Any) -> Iterator[tuple[Served, list[tuple[str, Any]]]]:
    """A transformer over `below`, all one node, and what that was asked."""
    told: list[tuple[str, Any]] = []

    def answer(method: str, said: Any, headers: dict[str, str]) -> Any:
        told.append((method, said))
        return {}

    with foreign.grpc_node(answer) as url:
        with graph(node("t", "transformer", below), endpoints=dict.fromkeys("tmn", url), **settings) as served:
            yield served, told


def test_a_root_that_takes_no_feedback_answers_nothing_over_grpc_when_all_others_were_told() -> None:
    with root_without_feedback(node("m", "model")) as (served, told):
        assert served.grpc.feedback(GIVEN).said == {}
        assert served.rest.feedback(GIVEN).said == GIVEN
    assert told == [("send_feedback", GIVEN)] * 2


def test_as_a_container_the_executor_has_no_answer_over_grpc_where_the_root_takes_no_feedback() -> None:
    with root_without_feedback(node("m", "model"), by_front=True) as (served, told):
        with pytest.raises(Refused, match="'t': takes no feedback, and so has no answer") as caught:
            served.grpc.feedback(GIVEN)
        assert caught.value.status is Code.INTERNAL
        assert told == [("send_feedback", GIVEN)]
        assert served.rest.feedback(GIVEN).said == GIVEN


def test_a_reward_that_was_learned_from_is_answered_all_the_same() -> None:
    learner = node("r", "", node("m", "model"), node("n", "model"), implementation="EPSILON_GREEDY")
    with root_without_feedback(learner, by_front=True, state="memory") as (served, _):
        assert served.grpc.feedback(GIVEN | {"response": {"meta": {"routing": {"r": 1}}}}).said == {}


@pytest.fixture(scope="module")
def joined() -> Iterator[tuple[RawNode, Served]]:
    """A combiner over two models, all one node."""
    root = node("c", "combiner", node("a", "model"), node("b", "model"))
    with RawNode({}) as raw, graph(root, endpoints=dict.fromkeys("cab", raw.url)) as served:
        yield raw, served


@pytest.mark.parametrize("answer", [b"no JSON", b"", b"{", b'{"a":1', b'{"a":1} x', b"[1}", b'"a', b"nul"])
def test_answers_that_are_not_json_cannot_be_combined(joined: tuple[RawNode, Served], answer: bytes) -> None:
    raw, served = joined
    raw.script = {"/predict": answer, "/aggregate": b"{}"}
    raw.seen.clear()
    with pytest.raises(Refused, match="'c': Data is not JSON: item 1 of the list") as caught:
        served.rest.predict(X)
    assert (caught.value.status, caught.value.said["status"]["code"]) == (500, 500)
    assert raw.paths == ["/predict", "/predict"]


@pytest.mark.parametrize("answer", [b"[1, 2]", b"null", b'"text"', b"-1.50", b' {"a" : [1e0]}\n'])
def test_any_json_can_be_combined(joined: tuple[RawNode, Served], answer: bytes) -> None:
    raw, served = joined
    raw.script = {"/predict": (200, {"Content-Type": "text/x"}, answer), "/aggregate": b"{}"}
    raw.seen.clear()
    parts = [("Content-Type", "multipart/form-data; boundary=b")]  # which only the models have to read
    for headers in ([("Content-Type", "application/json")], parts):
        assert served.rest.ask("POST", PREDICTIONS, b"--b--", headers)[::2] == (200, b"{}")
        assert raw.seen[-1].body == b"[" + answer + b"," + answer + b"]"
        assert raw.seen[-1].header("content-type") == "application/json"
    assert [seen.header("content-type") for seen in raw.seen[3:5]] == [parts[0][1]] * 2


@pytest.fixture(scope="module")
def parted() -> Iterator[tuple[RawNode, Served]]:
    """A router over two models, all one node."""
    root = node("r", "router", node("a", "model"), node("b", "model"))
    with RawNode({}) as raw, graph(root, endpoints=dict.fromkeys("rab", raw.url)) as served:
        yield raw, served


@pytest.mark.parametrize(
    "answer",
    [b"no JSON", b"", b"[1.0, 2]", b'"text"', b"{", b'{"meta":[1]}', b'{"meta":{"routing":7},"a":1}', b'{"a":1} x'],
)
def test_what_has_no_meta_passes_a_router_as_it_is(parted: tuple[RawNode, Served], answer: bytes) -> None:
    raw, served = parted
    raw.script = {"/predict": (200, {"Content-Type": "text/x"}, answer), "/route": b"[1]"}
    raw.seen.clear()
    for kind in ("application/json", "multipart/form-data; boundary=b"):
        status, headers, said = served.rest.ask("POST", PREDICTIONS, b"--b--", [("Content-Type", kind)])
        assert (status, headers["Content-Type"], said) == (200, "text/x", answer)
        assert [(seen.path, seen.body) for seen in raw.seen[-2:]] == [("/route", b"--b--"), ("/predict", b"--b--")]


def test_what_has_one_says_the_way_it_took(parted: tuple[RawNode, Served]) -> None:
    raw, served = parted
    raw.script = {"/predict": (200, {"Content-Type": "text/x"}, b'{"meta" : {} }'), "/route": b"[1]"}
    status, headers, said = served.rest.ask("POST", PREDICTIONS, b"{}")
    assert (status, headers["Content-Type"], said) == (200, "text/x", b'{"meta" : {"routing":{"r":1}} }')


ROUTED = b'{"response":{"meta":{"routing":{"r":1}}},"reward":1}'


@pytest.mark.parametrize(
    ("sent", "headers", "asked"),
    [
        (ROUTED, {"Content-Type": "application/json"}, "nr"),
        (ROUTED, {"Content-Type": "application/json; charset=utf-8"}, "nr"),
        (ROUTED, {"Content-Type": "text/plain"}, "nr"),
        (gzip.compress(ROUTED), {"Content-Type": "application/json", "Content-Encoding": "gzip"}, "abr"),
        (b"--b--", {"Content-Type": "multipart/form-data; boundary=b"}, "abr"),
        (b"no JSON", {"Content-Type": "application/json"}, "abr"),
    ],
)
def test_feedback_finds_its_branch_where_its_bytes_are_json(sent: bytes, headers: dict[str, str], asked: str) -> None:
    with contextlib.ExitStack() as stack:
        names = "rab" if asked == "abr" else "ran"
        nodes = {name: stack.enter_context(RawNode({"/send-feedback": b"{}"})) for name in names}
        children = [node(name, "model") for name in names[1:]]
        root = node("r", "router", *children)
        served = stack.enter_context(graph(root, endpoints={name: raw.url for name, raw in nodes.items()}))
        assert served.rest.ask("POST", "/api/v1.0/feedback", sent, list(headers.items()))[::2] == (200, b"{}")
        assert "".join(sorted(name for name, raw in nodes.items() if raw.seen)) == asked
        for raw in nodes.values():
            for seen in raw.seen:
                assert seen.body == sent
                assert {name: seen.header(name.lower()) for name in headers} == headers


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


def test_routers_and_combiners_without_children_are_not_called_by_the_executor() -> None:
    with RawNode({"/predict": b' {"a":1.0}', "/send-feedback": b"{}"}) as raw, Programs() as programs:
        root = unit("m", "MODEL", unit("c", "COMBINER", rest=raw.url), unit("r", "ROUTER", rest=raw.url), rest=raw.url)
        container = Container(programs, environment={"ENGINE_PREDICTOR": predictor(root)}).ready()
        assert container.rest.ask("POST", PREDICTIONS, b"{}")[::2] == (200, b' {"a":1.0}')
        assert container.rest.ask("POST", FEEDBACK, b'{"reward":1}')[::2] == (200, b"{}")
    assert raw.paths == ["/predict", "/send-feedback", "/send-feedback"]  # the router's, then the model's


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
    assert (rest["name"], list(rest["models"])) == ("main", ["a", "b", "c", "t"])
    for said, goes_in, comes_out in ((rest, "graphinputs", "graphoutputs"), (rpc, "inputs", "outputs")):
        assert (said[goes_in], said[comes_out]) == ([described.TEXT], [described.TEXT])
        assert said["models"]["t"]["outputs"] == said["models"]["a"]["inputs"] == [described.JSON]
        (tensor,) = said["models"]["b"]["inputs"]
        assert (tensor["messagetype"], tensor["schema"]) == ("tensor", described.TENSOR["schema"])


OF_TYPE = [
    ("model", [], "own", "own"),
    ("transformer", [], "own", "own"),
    ("output", [], "own", "own"),
    ("model", ["m"], "own", "child"),
    ("transformer", ["m"], "own", "child"),
    ("output", ["m"], "child", "own"),
    ("combiner", ["m", "n"], "child", "own"),
    ("router", ["m", "n"], "child", "child"),
]


@pytest.mark.parametrize(("type", "children", "goes_in", "comes_out"), OF_TYPE)
def test_what_goes_in_and_comes_out_follows_the_first_children(
    type: str, children: list[str], goes_in: str, comes_out: str
) -> None:
    below = [node(name, "model", takes="json", gives="json") for name in children]
    root = node("r", type, *below, takes="text", gives="tensor")
    forms = {"own": (described.TEXT, described.TENSOR), "child": (described.JSON, described.JSON)}
    made = dict.fromkeys(["r", *children], f"{DESCRIBED}:Described")
    settings = RunSettings("graph", components=made, listen=serving.LISTEN)
    selected = manifest.load(serving.deployment(root), reached=[*made])
    with Served(lambda process: app.graph(process, settings, selected)) as served:
        rest, rpc = served.rest.graph_metadata(), served.grpc.graph_metadata()
    assert (rest["graphinputs"], rest["graphoutputs"]) == ([forms[goes_in][0]], [forms[comes_out][1]])
    assert (rpc["inputs"], rpc["outputs"]) == ([forms[goes_in][0]], [forms[comes_out][1]])
    assert list(rest["models"]) == sorted(made)


class Describing(seldon_pb2_grpc.ModelServicer):
    """A gRPC node that notes the metadata of each call; its own is `said`."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.said: Any = seldon_pb2.SeldonModelMetadata(name="own", versions=["v"], custom={"k": "v"})

    def Predict(self, request: Any, context: Any) -> Any:  # noqa: N802
        return request

    def SendFeedback(self, request: Any, context: Any) -> Any:  # noqa: N802
        return request.request

    def Metadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.seen.append(dict(context.invocation_metadata()))
        if self.said is None:
            context.abort(Code.ABORTED, "not now")
        return self.said


@contextlib.contextmanager
def describing() -> Iterator[tuple[Describing, str]]:
    server = grpc.server(futures.ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
    servicer = Describing()
    seldon_pb2_grpc.add_ModelServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield servicer, f"grpc://127.0.0.1:{port}"
    finally:
        server.stop(0).wait()


def test_grpc_nodes_are_asked_for_metadata_with_the_clients_own() -> None:
    with describing() as (servicer, url):
        root = node("t", "transformer", node("m", "model"))
        with graph(root, endpoints=dict.fromkeys("tm", url)) as served:
            stub, told = served.grpc.stub, [("authorization", "me"), ("seldon-puid", "p"), ("x-bin", b"\0\xff")]
            asked = seldon_pb2.SeldonModelMetadataRequest(name="m")
            assert stub.ModelMetadata(asked, metadata=told, timeout=20.0) == servicer.said
            whole = stub.GraphMetadata(empty_pb2.Empty(), metadata=told, timeout=20.0)
            assert (whole.name, whole.models["t"], whole.models["m"]) == ("main", servicer.said, servicer.said)
            assert len(servicer.seen) == 3
            for seen in servicer.seen:
                assert {name: seen[name] for name, _ in told} == dict(told)
            servicer.said = None
            for call in (stub.ModelMetadata, stub.GraphMetadata):
                with pytest.raises(grpc.RpcError) as caught:
                    call(asked if call is stub.ModelMetadata else empty_pb2.Empty(), timeout=20.0)
                error: Any = caught.value
                assert (error.code(), error.details()) == (Code.ABORTED, "not now")
