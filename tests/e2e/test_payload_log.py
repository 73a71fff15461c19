"""Payloads that nodes ask to have logged, received by a server of another make, through both fronts."""

import gzip
import json
import re
import ssl
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from support import serving
from support.certificates import Scene
from support.clients import Refused, RestClient
from support.containers import Container, free_port, predictor, unit
from support.foreign import grpc_node, http_node
from support.processes import Programs, poll
from support.raw_node import RawNode
from support.receiver import Receiver, hang, refuse, slow
from support.serving import COMPONENTS, Served, node

from executor._pb import seldon_pb2
from executor.settings import Deployment, PayloadLogSettings

X = {"strData": "x#1"}
ALL = {"mode": "all"}
FRONTS = pytest.mark.parametrize("front", ["rest", "grpc"])
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def names(root: Mapping[str, Any]) -> list[str]:
    return [root["name"], *(name for child in root["children"] for name in names(child))]


def logged(root: Mapping[str, Any], url: str, **settings: Any) -> Served:
    """A graph of components that say what they were asked, whose payloads go to `url` unless they say otherwise."""
    return serving.graph(
        root, dict.fromkeys(names(root), "Said"), payload_log=PayloadLogSettings(default_url=url, **settings)
    )


def leaf(name: str, **fields: Any) -> dict[str, Any]:
    return node(name, "model", name=name, **fields)


def strings(receiver: Receiver, kind: str) -> list[str]:
    """The texts of the payloads of a kind, JSON and protobuf alike."""
    found = []
    for each in receiver.received:
        if each.kind == kind:
            if each.headers["Content-Type"] == "application/json":
                found.append(json.loads(each.body)["strData"])
            else:
                found.append(seldon_pb2.SeldonMessage.FromString(each.body).strData)
    return found


# --- which payloads -------------------------------------------------------------------------------------------

SHAPES = {
    "leaf model": (leaf("n", logger=ALL), 1, 1),
    "leaf transformer": (node("n", "transformer", name="n", logger=ALL), 1, 1),
    "router": (node("n", "router", leaf("a"), leaf("b"), name="n", logger=ALL), 1, 1),
    "model with a child": (node("n", "model", leaf("a"), name="n", logger=ALL), 2, 2),
    "transformer with children": (node("n", "transformer", leaf("a"), leaf("b"), name="n", logger=ALL), 2, 2),
    "combiner": (node("n", "combiner", leaf("a"), leaf("b"), name="n", logger=ALL), 2, 2),
    "output transformer": (node("n", "output", leaf("a"), name="n", logger=ALL), 2, 2),
    "all methods": (
        node("n", "", leaf("a"), leaf("b"), name="n", logger=ALL,
             methods=["TRANSFORM_INPUT", "ROUTE", "AGGREGATE", "TRANSFORM_OUTPUT"]), 4, 4,
    ),
    "requests of a combiner": (node("n", "combiner", leaf("a"), name="n", logger={"mode": "request"}), 2, 0),
    "responses of a combiner": (node("n", "combiner", leaf("a"), name="n", logger={"mode": "response"}), 0, 2),
}  # fmt: skip


@FRONTS
@pytest.mark.parametrize("shape", SHAPES)
def test_each_node_logs_as_many_as_seldon_does(receiver: Receiver, front: str, shape: str) -> None:
    root, requests, responses = SHAPES[shape]
    with logged(root, receiver.url) as served:
        getattr(served, front).predict(X)
    # Stopping has sent all there is: neither fewer nor more.
    wanted = Counter({("n", "request"): requests, ("n", "response"): responses})
    assert receiver.kinds() == +wanted


@FRONTS
def test_what_goes_into_a_node_and_comes_out_is_what_is_logged(receiver: Receiver, front: str) -> None:
    root = node("c", "combiner", leaf("a", logger=ALL), leaf("b"), name="c", logger=ALL)
    with logged(node("t", "transformer", root, name="t"), receiver.url) as served:
        said = getattr(served, front).predict({"strData": "x"}).said["strData"]
    into = "t.transform_input(x)"
    # The combiner's request is what reached it, not its children's answers.
    assert sorted(strings(receiver, "request")) == [into] * 3
    assert Counter(strings(receiver, "response")) == {said: 2, f"a.predict({into})": 1}


@FRONTS
def test_a_route_of_none_has_no_response(receiver: Receiver, front: str) -> None:
    with logged(node("r", "router", leaf("a", logger=ALL), name="r", logger=ALL), receiver.url) as served:
        getattr(served, front).predict({"strData": "x#-2"})
    assert receiver.kinds() == {("r", "request"): 1}


@FRONTS
def test_a_failed_call_has_no_response(receiver: Receiver, front: str) -> None:
    root = node("a", "model", node("b", "model", logger=ALL), logger=ALL)
    log = PayloadLogSettings(default_url=receiver.url)
    with serving.graph(root, {"a": "Echo", "b": "Moody"}, payload_log=log) as served:
        with pytest.raises(Refused):
            getattr(served, front).predict({"strData": "fail"})
    assert receiver.kinds() == {("a", "request"): 2, ("a", "response"): 1, ("b", "request"): 1}


@FRONTS
def test_feedback_is_logged_where_responses_are(receiver: Receiver, front: str) -> None:
    taken = leaf("b", logger={"mode": "response"})
    root = node("r", "router", leaf("a", logger=ALL), taken, name="r", logger={"mode": "request"})
    root = node("t", "transformer", root, name="t", logger=ALL)
    feedback = {"request": X, "response": {"meta": {"routing": {"r": 1}}, "strData": "y"}, "reward": 0.5}
    with logged(root, receiver.url) as served:
        getattr(served, front).feedback(feedback, [("seldon-puid", "p-1")])
    # A node that takes no feedback logs it all the same, as in Seldon.
    assert receiver.kinds() == {("b", "feedback"): 1, ("t", "feedback"): 1}
    for event in receiver.received:
        assert event.headers["Ce-Type"] == "io.seldon.serving.feedback"
        assert event.headers["Ce-Requestid"] == "p-1"
        if front == "rest":
            assert json.loads(event.body) == feedback
        else:
            assert json_format.MessageToDict(seldon_pb2.Feedback.FromString(event.body))["reward"] == 0.5


def test_payloads_are_in_the_encoding_of_the_node(receiver: Receiver) -> None:
    with (
        http_node(lambda *_: {"strData": "from a"}) as rest,
        grpc_node(lambda *_: {"strData": "from b"}) as grpc_url,
        serving.graph(
            node("a", "model", node("b", "model", logger=ALL)), {}, {"a": rest, "b": grpc_url},
            payload_log=PayloadLogSettings(default_url=receiver.url),
        ) as served,
    ):  # fmt: skip
        assert served.rest.predict(X).said == {"strData": "from b"}
        served.grpc.predict(X)
    assert {each.headers["Content-Type"] for each in receiver.received} == {"application/protobuf"}
    assert strings(receiver, "request") == ["from a"] * 2
    assert strings(receiver, "response") == ["from b"] * 2


# --- how events look ------------------------------------------------------------------------------------------


@FRONTS
def test_an_event_has_exactly_these_headers(receiver: Receiver, front: str) -> None:
    log = PayloadLogSettings(default_url="http://nowhere.invalid", source="http://pod-1:8000/")
    root = leaf("m", logger={"mode": "request", "url": f"{receiver.url}log/to?x=1"})
    told = Deployment("churn", "shop", "main")
    before = time.time()
    with serving.graph(root, {"m": "Said"}, payload_log=log, deployment=told) as served:
        puid = getattr(served, front).predict(X).puid
    (event,) = receiver.received
    assert event.path == "/log/to?x=1"
    headers = dict(event.headers)
    assert UUID.fullmatch(headers.pop("Ce-Id"))
    assert before - 1 < _seconds(headers.pop("Ce-Time")) < time.time() + 1
    body = {"rest": json.dumps(X).encode(), "grpc": seldon_pb2.SeldonMessage(strData=X["strData"]).SerializeToString()}
    assert headers == {
        "Ce-Specversion": "1.0",
        "Ce-Source": "http://pod-1:8000/",
        "Ce-Type": "io.seldon.serving.inference.request",
        "Ce-Requestid": puid,
        "Ce-Modelid": "m",
        "Ce-Inferenceservicename": "churn",
        "Ce-Namespace": "shop",
        "Ce-Endpoint": "main",
        "Ce-Protocol": "seldon",
        "Content-Type": {"rest": "application/json", "grpc": "application/protobuf"}[front],
        "Content-Length": str(len(event.body)),
        "Host": receiver.url.split("/")[2],
    }
    assert event.body == body[front]


def _seconds(text: str) -> float:
    assert text.endswith("Z")
    return datetime.fromisoformat(text).timestamp()


def test_compressed_payloads_are_logged_as_they_were_before(receiver: Receiver) -> None:
    with logged(leaf("m", logger={"mode": "request"}), receiver.url) as served:
        body = gzip.compress(json.dumps(X).encode())
        served.rest.ask("POST", "/api/v1.0/predictions", body, [("Content-Encoding", "gzip")])
    assert json.loads(receiver.received[0].body) == X


def test_payloads_of_rest_nodes_are_of_the_type_they_came_with(receiver: Receiver) -> None:
    settings = PayloadLogSettings(default_url=receiver.url)
    with RawNode(lambda seen: (200, {"Content-Type": "text/csv"}, b"1;2")) as raw:
        root = node("m", "model", logger=ALL)
        with serving.graph(root, endpoints={"m": raw.url}, payload_log=settings) as served:
            served.rest.ask("POST", "/api/v1.0/predictions", b"a=b", [("Content-Type", "application/x-own")])
            served.rest.ask("POST", "/api/v1.0/predictions", b"{}")
    found = {each.body: each.headers["Content-Type"] for each in receiver.received}
    assert found == {b"a=b": "application/x-own", b"1;2": "text/csv", b"{}": "application/json"}


def test_a_puid_is_no_way_to_write_headers(receiver: Receiver) -> None:
    with logged(leaf("m", logger={"mode": "request"}), receiver.url) as served:
        served.rest.predict(X, [("Seldon-Puid", 'a b"%é')])
    assert receiver.received[0].headers["Ce-Requestid"] == "a%20b%22%25%C3%A9"


@FRONTS
@pytest.mark.parametrize(
    ("said", "count"), [("true", 0), ("TRUE", 0), ("On", 0), ("1", 0), ("yes", 2), ("", 2), ("0", 2), ("true ish", 2)]
)
def test_seldon_skip_logging(receiver: Receiver, front: str, said: str, count: int) -> None:
    with logged(leaf("m", logger=ALL), receiver.url) as served:
        getattr(served, front).predict(X, [("seldon-skip-logging", said)])
    assert len(receiver.received) == count


def test_one_of_several_skip_headers_is_enough(receiver: Receiver) -> None:
    with logged(leaf("m", logger=ALL), receiver.url) as served:
        served.grpc.predict(X, [("seldon-skip-logging", "no"), ("seldon-skip-logging", "on")])
    assert receiver.received == []


# --- receivers that misbehave ---------------------------------------------------------------------------------


def lost(served: Served) -> int:
    log = served.process.payloads.log
    assert log is not None
    return log.lost


def test_a_receiver_that_is_down_fails_no_request(caplog: pytest.LogCaptureFixture) -> None:
    with logged(leaf("m", logger=ALL), f"http://127.0.0.1:{free_port()}") as served:
        for _ in range(20):
            assert served.rest.predict(X).said["strData"] == "m.predict(x#1)"
        poll(lambda: lost(served) == 40)
    told = [each.message for each in caplog.records if "payloads not logged" in each.message]
    assert 1 <= len(told) <= 2  # the first, and the rest at the end
    assert "Connection refused" in told[0]


def test_a_receiver_that_refuses_loses_payloads_and_no_request(caplog: pytest.LogCaptureFixture) -> None:
    with Receiver(refuse) as receiver, logged(leaf("m", logger=ALL), receiver.url) as served:
        served.grpc.predict(X)
        poll(lambda: lost(served) == 2)
        assert len(receiver.received) == 2  # not sent again
    assert "answered 503" in caplog.text


def test_a_receiver_that_hangs_holds_up_nobody_and_the_queue_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    with Receiver(hang) as receiver:
        with logged(leaf("m", logger=ALL), receiver.url, workers=2, queue_max=5, write_timeout_ms=0) as served:
            for _ in range(30):
                assert served.rest.predict(X).said["strData"] == "m.predict(x#1)"
            log = served.process.payloads.log
            assert log is not None
            poll(lambda: lost(served) == 60 - 2 - 5)
            assert log.waiting == 5
        assert receiver.open_most == 2
        assert (log.lost, log.sent, log.waiting) == (60, 0, 0)
    assert "the queue of 5 is full" in caplog.text
    assert "5: the process ended 3 s after its last request" in caplog.text


def test_what_waits_when_the_process_ends_is_sent() -> None:
    with Receiver(slow(0.2)) as receiver:
        with logged(leaf("m", logger=ALL), receiver.url, workers=4) as served:
            for _ in range(10):
                served.grpc.predict(X)
        assert len(receiver.received) == 20


# --- as programs ----------------------------------------------------------------------------------------------


def test_the_container_logs_to_the_default_url(receiver: Receiver, programs: Programs) -> None:
    with http_node(lambda *_: {"data": {"ndarray": [[0]]}}) as rest, grpc_node(lambda *_: {"strData": "y"}) as grpc_url:
        child = unit("m", rest=rest, grpc=grpc_url)
        graph = unit("r", "ROUTER", child, rest=rest, grpc=grpc_url) | {"logger": ALL}
        told = {"ENGINE_PREDICTOR": predictor(graph), "REQUEST_LOGGER_DEFAULT_ENDPOINT": receiver.url}
        container = Container(programs, "--hostname", "pod-1", environment=told).ready()
        container.rest.predict(X)
        assert receiver.wait_for(2)
        container.program.process.terminate()
        assert container.program.ended() == 0
    assert receiver.kinds() == {("r", "request"): 1, ("r", "response"): 1}
    headers = receiver.received[0].headers
    assert headers["Ce-Source"] == f"http://pod-1:{container.http_port}/"
    assert (headers["Ce-Inferenceservicename"], headers["Ce-Namespace"], headers["Ce-Endpoint"]) == (
        "churn", "shop", "main",
    )  # fmt: skip


def test_run_logs_what_the_manifest_says_with_every_worker(
    receiver: Receiver, programs: Programs, tmp_path: Path
) -> None:
    path = tmp_path / "graph.json"
    path.write_text(serving.deployment(node("n", "model", leaf("m", logger=ALL), name="n"), "demo"))
    program = programs.serve(
        "run", str(path), "--component", f"n={COMPONENTS}:Said", "--component", f"m={COMPONENTS}:Said",
        "--workers", "2", "--payload-log-url", receiver.url,
    )  # fmt: skip
    program.ready()
    for _ in range(6):
        RestClient(program.http_port).predict(X)
    program.process.terminate()
    assert program.ended() == 0
    assert receiver.kinds() == {("m", "request"): 6, ("m", "response"): 6}
    headers = receiver.received[0].headers
    assert (headers["Ce-Inferenceservicename"], headers["Ce-Namespace"], headers["Ce-Endpoint"]) == (
        "demo", "default", "main",
    )  # fmt: skip


def test_a_reload_changes_what_is_logged(receiver: Receiver, programs: Programs, tmp_path: Path) -> None:
    path = tmp_path / "graph.json"
    path.write_text(serving.deployment(leaf("m")))
    program = programs.serve(
        "run", str(path), "--component", f"m={COMPONENTS}:Said", "--payload-log-url", receiver.url,
    )  # fmt: skip
    client = RestClient(program.ready().http_port)
    client.predict(X)
    path.write_text(serving.deployment(leaf("m", logger=ALL)))
    program.wait_for(lambda: client.predict(X) and receiver.received)
    before = len(receiver.received)
    path.write_text(serving.deployment(leaf("m", logger={"mode": "all", "url": "ftp://x"})))
    program.wait_for(lambda: "logger.url 'ftp://x'" in program.err)
    client.predict(X)
    receiver.wait_for(before + 2)


def test_without_a_url_it_says_so_and_serves(caplog: pytest.LogCaptureFixture) -> None:
    with serving.graph(leaf("m", logger=ALL), {"m": "Said"}) as served:
        assert served.rest.predict(X).said["strData"] == "m.predict(x#1)"
        assert served.process.payloads.log is None
    assert "node 'm': its payloads are not logged: neither its logger nor a default names a URL" in caplog.text


def test_a_receiver_behind_tls_is_trusted_as_nodes_are(programs: Programs, tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(scene.server.cert, scene.server.key)
    path = tmp_path / "graph.json"
    with Receiver(ssl=context) as receiver:
        path.write_text(serving.deployment(leaf("m", logger={"mode": "all", "url": receiver.url})))
        arguments = (str(path), "--component", f"m={COMPONENTS}:Said")
        for more, told, count in (((), "TLS failed", 0), (("--node-ca", scene.ca), "", 2)):
            program = programs.serve("run", *arguments, *more).ready()
            RestClient(program.http_port).predict(X)
            program.process.terminate()
            assert program.ended() == 0
            assert told in program.err
            assert len(receiver.received) == count
