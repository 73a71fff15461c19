"""What goes wrong, as clients see it: dead and slow nodes, failing components, wrong routes, garbage, bounds."""

import contextlib
import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import grpc
import pytest
from support import foreign, serving
from support.clients import PREDICTIONS, Client, GrpcClient, Refused
from support.processes import Programs, poll
from support.serving import COMPONENTS, Served, node

from executor.settings import ServeLimits

CLIENTS = pytest.mark.parametrize("client", ["grpc", "rest"])
KINDS = pytest.mark.parametrize("kind", ["process", "grpc", "rest"])
MODEL = node("m", "model")
Code = grpc.StatusCode


@contextlib.contextmanager
def one(kind: str, component: str, **parameters: Any) -> Iterator[Served]:
    """A graph of one node `m`, which is in this process, or reached over gRPC or REST."""
    with contextlib.ExitStack() as stack:
        if kind == "process":
            root = node("m", "model", **parameters)
            yield stack.enter_context(serving.graph(root, {"m": component}))
            return
        each = stack.enter_context(serving.component(component, **parameters))
        url = f"grpc://{each.target}" if kind == "grpc" else f"http://127.0.0.1:{each.port}"
        yield stack.enter_context(serving.graph(MODEL, endpoints={"m": url}))


def refused(client: Client, said: Any, **more: Any) -> Refused:
    """How a request is refused."""
    with pytest.raises(Refused) as caught:
        client.predict(said, **more)
    return caught.value


def seldon_form(error: Refused) -> str:
    """The text of a REST error, which must have the form of Seldon's executor."""
    assert error.said == {"status": {"code": error.status, "info": error.text, "status": "FAILURE"}}
    return error.text


# --- nodes that are gone --------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_a_dead_node_is_named(scheme: str) -> None:
    with Programs() as programs:
        program = programs.serve("node", f"{COMPONENTS}:Echo").ready()
        url = f"grpc://{program.grpc}" if scheme == "grpc" else f"http://127.0.0.1:{program.http_port}"
        with serving.graph(node("a", "transformer", MODEL), {"a": "Echo"}, {"m": url}) as served:
            for client in (served.grpc, served.rest):
                assert client.predict({"strData": "x"}).said["strData"] == "x"
            program.signal(signal.SIGKILL)
            program.ended()
            for _ in range(2):
                error = refused(served.grpc, {"strData": "x"})
                assert error.status is Code.UNAVAILABLE
                assert "'m'" in error.text
                error = refused(served.rest, {"strData": "x"})
                assert error.status == 500
                assert "'m'" in seldon_form(error)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_restart_of_a_node_under_load_fails_requests_only_while_it_is_down() -> None:
    ports = ["--grpc-port", str(free_port()), "--http-port", str(free_port())]
    arguments = ["node", f"{COMPONENTS}:Echo", *ports]
    with Programs() as programs:
        program = programs.start(*arguments).ready()
        nodes = {"m": f"grpc://{program.grpc}", "a": f"http://127.0.0.1:{program.http_port}"}
        with serving.graph(node("a", "model", MODEL), endpoints=nodes) as served, Load(served) as load:
            load.wait_for(lambda: load.good > 20)
            program.signal(signal.SIGKILL)
            program.ended()
            load.wait_for(lambda: load.bad > 20)
            programs.start(*arguments).ready()
            good = load.good
            load.wait_for(lambda: load.good > good + 50)
            bad, good = load.bad, load.good
            load.wait_for(lambda: load.good > good + 100)
            assert load.bad == bad
        assert load.statuses <= {Code.UNAVAILABLE, 500, 503}  # 503 says a node that is still loading


class Load:
    """Two clients that ask without a pause, one of each kind."""

    def __init__(self, served: Served) -> None:
        self.good = 0
        self.bad = 0
        self.statuses: set[Any] = set()
        self._over = False
        self._threads = [threading.Thread(target=self._ask, args=(each,)) for each in (served.grpc, served.rest)]

    def _ask(self, client: Client) -> None:
        while not self._over:
            try:
                client.predict({"strData": "x"})
                self.good += 1
            except Refused as error:
                self.statuses.add(error.status)
                self.bad += 1
                time.sleep(0.005)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        poll(condition, 20.0, f"good {self.good}, bad {self.bad}, {self.statuses}")
        assert all(each.is_alive() for each in self._threads)

    def __enter__(self) -> Self:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        for each in self._threads:
            each.join()


# --- time -----------------------------------------------------------------------------------------------------


@KINDS
def test_deadline_of_the_client_ends_the_call_of_the_node(kind: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with one(kind, "Patient", log=str(log)) as served:
        error = refused(served.grpc, {"strData": "x"}, timeout_s=0.5)
        assert error.status is Code.DEADLINE_EXCEEDED
        poll(lambda: log.read_text() == "begun\ncancelled\n")
        error = refused(served.rest, {"strData": "x"}, timeout_s=0.5)
        # A REST node is told the same deadline: its own word may be there first, and is passed on.
        assert error.status in ((500, 504) if kind == "rest" else (500,))
        text = seldon_form(error) if error.status == 500 else error.text
        assert "0.5" in text or "deadline" in text
        poll(lambda: log.read_text() == "begun\ncancelled\n" * 2)


@CLIENTS
def test_default_timeout_holds_where_the_client_gives_none(client: str, tmp_path: Path) -> None:
    root = node("m", "model", log=str(tmp_path / "log"))
    with serving.graph(root, {"m": "Patient"}, default_timeout_s=0.2) as served:
        if client == "grpc":
            with pytest.raises(grpc.RpcError) as caught:
                served.grpc.start({"strData": "x"}, timeout_s=None).result()
            status: Any = caught.value
            assert status.code() is Code.DEADLINE_EXCEEDED
        else:
            status, _, body = served.rest.ask("POST", PREDICTIONS, b'{"strData":"x"}')
            assert status == 500
            assert "deadline" in json.loads(body)["status"]["info"]
        poll(lambda: (tmp_path / "log").read_text() == "begun\ncancelled\n")


@KINDS
@CLIENTS
def test_client_that_hangs_up_cancels_the_call_of_the_node(kind: str, client: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.touch()
    with one(kind, "Patient", log=str(log)) as served:
        if client == "grpc":
            call = served.grpc.start({"strData": "x"})
            poll(lambda: log.read_text() == "begun\n")
            call.cancel()
        else:
            with socket.create_connection(("127.0.0.1", served.port)) as connection:
                body = b'{"strData":"x"}'
                connection.sendall(b"POST %s HTTP/1.1\r\nHost: h\r\n%s\r\nContent-Length: %d\r\n\r\n%s" % (
                    PREDICTIONS.encode(), b"Content-Type: application/json", len(body), body
                ))  # fmt: skip
                poll(lambda: log.read_text() == "begun\n")
        poll(lambda: log.read_text() == "begun\ncancelled\n")


# --- what nodes answer ----------------------------------------------------------------------------------------


@KINDS
def test_exception_of_a_component(kind: str) -> None:
    with one(kind, "Moody") as served:
        error = refused(served.grpc, {"strData": "fail"})
        assert error.status is Code.INTERNAL
        words = "out of mood" if kind == "rest" else "ValueError: out of mood"  # a node alone says no more over REST
        assert words in error.text
        error = refused(served.rest, {"strData": "fail"})
        assert (error.status, words in error.text) == (500, True)
        assert "Traceback" not in str(error.said)


@KINDS
@pytest.mark.parametrize(
    ("http", "code"), [(404, Code.NOT_FOUND), (429, Code.RESOURCE_EXHAUSTED), (503, Code.UNAVAILABLE)]
)
def test_status_that_a_component_asks_for_is_honoured(kind: str, http: int, code: grpc.StatusCode) -> None:
    with one(kind, "Moody") as served:
        error = refused(served.grpc, {"strData": f"refuse {http}"})
        assert error.status is code
        assert "not now" in error.text
        error = refused(served.rest, {"strData": f"refuse {http}"})
        assert error.status == http
        assert error.text == "not now"


@pytest.mark.parametrize(("status", "code"), [(418, Code.INVALID_ARGUMENT), (500, Code.INTERNAL), (201, Code.UNKNOWN)])
def test_what_a_rest_node_answers_but_200_is_passed_on(status: int, code: grpc.StatusCode) -> None:
    body = b' {"my": ["own", "error"]}'
    with foreign.http_node(lambda *_: (status, body)) as url, serving.graph(MODEL, endpoints={"m": url}) as served:
        found, headers, text = served.rest.ask("POST", PREDICTIONS, b'{"strData":"x"}')
        assert (found, text) == (status, body)
        assert headers["Content-Type"] == "application/json"
        error = refused(served.grpc, {"strData": "x"})
        assert error.status is code
        assert f"/predict status code {status}" in error.text


@CLIENTS
def test_status_of_a_grpc_node_is_passed_on(client: str) -> None:
    answer = (Code.FAILED_PRECONDITION, "nicht bereit: ä")
    with foreign.grpc_node(lambda *_: answer) as url, serving.graph(MODEL, endpoints={"m": url}) as served:
        error = refused(getattr(served, client), {"strData": "x"})
        assert "nicht bereit: ä" in error.text
        assert error.status == (Code.FAILED_PRECONDITION if client == "grpc" else 400)


def routes() -> list[Any]:
    """What a router may answer, and which child that means."""
    table = {"dtype": "DT_INT32", "tensorShape": {"dim": [{"size": "1"}]}, "intVal": [1]}
    return [
        ({"data": {"ndarray": [[1]]}}, 1),
        ({"data": {"ndarray": [0, 4]}}, 0),
        ({"data": {"ndarray": [[1, 2], [3, 4]]}}, 1),
        ({"data": {"tensor": {"shape": [1], "values": [1.9]}}}, 1),
        ({"data": {"ndarray": [-0.9]}}, 0),
        ({"data": {"ndarray": [[-1.9], [0]]}}, -1),
        ({"data": {"tftensor": table}}, 1),
        ({"strData": "1"}, -1),
        ({"jsonData": [1]}, -1),
        ({}, -1),
        ({"status": {"code": 200}, "meta": {"tags": {"a": 1}}}, -1),
        ({"data": {"ndarray": [-2]}}, -2),
        ({"data": {"ndarray": [2]}}, "route 2 does not exist"),
        ({"data": {"ndarray": [-3]}}, "route -3 does not exist"),
        ({"data": {"ndarray": []}}, "r"),
        ({"data": {"ndarray": ["a"]}}, "r"),
        ({"data": {"ndarray": [[]]}}, "r"),
        ({"data": {"tensor": {"shape": [0], "values": []}}}, "empty"),
        ({"data": {"tensor": {"shape": [1], "values": ["NaN"]}}}, "NaN"),
        ({"data": {"tensor": {"shape": [1], "values": [1e30]}}}, "does not exist"),
        ({"data": {"tftensor": {"dtype": "DT_INT64", "int64Val": ["1"]}}}, "int_val"),
    ]


BARE: list[Any] = [([1], 1), ([0, 1], 0), ([-1], -1), ([-2, 7], -2), ([], "r"), ([5], "route 5 does not exist")]
BARE += [([1.5], "whole number"), (["1"], "r"), ([True], "r"), ({"x": 1}, "unknown field"), (1, "r"), (None, "r")]
FORMS = [("grpc", *case) for case in routes()] + [("http", *case) for case in routes() + BARE]
Routed = tuple[Served, list[Any]]


@pytest.fixture(scope="module")
def routed() -> Iterator[dict[str, Routed]]:
    """A graph for each kind of router, and what the router answers."""
    root = node("r", "router", node("m0", "model", name="m0"), node("m1", "model", name="m1"))
    found: dict[str, Routed] = {}
    with contextlib.ExitStack() as stack:
        for scheme, start in (("grpc", foreign.grpc_node), ("http", foreign.http_node)):
            said: list[Any] = []
            url = stack.enter_context(start(lambda *_, said=said: said[-1]))
            served = stack.enter_context(serving.graph(root, {"m0": "Said", "m1": "Said"}, {"r": url}))
            found[scheme] = (served, said)
        yield found


@pytest.mark.parametrize(("scheme", "answer", "meaning"), FORMS)
def test_forms_of_a_route(routed: dict[str, Routed], scheme: str, answer: Any, meaning: int | str) -> None:
    served, router = routed[scheme]
    router.append(answer)
    said = {1: "m1.predict(x)", 0: "m0.predict(x)", -1: "m0.predict(x)", -2: "x"}
    for client in (served.grpc, served.rest):
        if isinstance(meaning, int):
            reply = client.predict({"strData": "x"}).said
            assert reply == {"strData": said[meaning], "meta": {"routing": {"r": meaning}}}
        else:
            error = refused(client, {"strData": "x"})
            assert error.status in (Code.INTERNAL, 500)
            assert "'r'" in error.text
            assert meaning in error.text
            assert "does not exist" not in meaning or "0 to 1" in error.text


@CLIENTS
@pytest.mark.parametrize("route", [2, -3])
def test_feedback_on_a_route_that_does_not_exist(client: str, route: int) -> None:
    root = node("s", "", node("a", "model"), node("b", "model"), implementation="SIMPLE_ROUTER")
    with serving.graph(root, {"a": "Echo", "b": "Echo"}) as served:
        given = {"response": {"meta": {"routing": {"s": route}}}, "reward": 1}
        with pytest.raises(Refused, match=f"'s': response.meta.routing is {route}; allowed are .* 0 to 1") as caught:
            getattr(served, client).feedback(given)
    assert caught.value.status in (Code.INVALID_ARGUMENT, 400)


# --- garbage and bounds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["process", "grpc"])
@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", b'{"data":{"ndarray":[[1,}}', b'{"strData":"\xff"}', b'{"what":1}']
)
def test_garbage_in_json_is_the_callers_fault(kind: str, body: bytes) -> None:
    with one(kind, "Echo") as served:
        status, headers, text = served.rest.ask("POST", PREDICTIONS, body)
        assert (status, headers["Content-Type"]) == (400, "application/json")
        said = json.loads(text)["status"]
        assert (said["code"], said["status"]) == (400, "FAILURE")
        assert served.rest.predict({"strData": "x"}).said["strData"] == "x"


@KINDS
def test_garbage_in_protobuf_is_the_callers_fault(kind: str) -> None:
    with one(kind, "Echo") as served:
        call = served.grpc.channel.unary_unary("/seldon.protos.Seldon/Predict")
        with pytest.raises(grpc.RpcError) as caught:
            call(b"\x1a\xff\xff\x01garbage", timeout=20.0)
        error: Any = caught.value
        assert error.code() is Code.INVALID_ARGUMENT
        assert "at byte" in error.details()
        assert served.grpc.predict({"strData": "x"}).said["strData"] == "x"


SMALL = ServeLimits(max_message_bytes=2000)
LARGE = {"strData": "x" * 3000}


def test_requests_over_the_limit() -> None:
    with serving.graph(MODEL, {"m": "Echo"}, limits=SMALL) as served:
        assert refused(served.grpc, LARGE).status is Code.RESOURCE_EXHAUSTED
        error = refused(served.rest, LARGE)
        assert error.status == 413
        assert "2000" in seldon_form(error)
        for client in (served.grpc, served.rest):
            assert client.predict({"strData": "x"}).said["strData"] == "x"


@pytest.mark.parametrize("start", [foreign.grpc_node, foreign.http_node])
def test_answers_of_nodes_over_the_limit(start: Any) -> None:
    with start(lambda *_: LARGE) as url, serving.graph(MODEL, endpoints={"m": url}, limits=SMALL) as served:
        for client in (served.grpc, served.rest):
            error = refused(client, {"strData": "x"})
            assert error.status in (Code.RESOURCE_EXHAUSTED, 429)
            assert "2000" in error.text


def test_a_full_queue_refuses_at_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.touch()
    with serving.graph(node("m", "model", log=str(log)), {"m": "Patient"}) as served:
        others = [GrpcClient(served.target) for _ in range(2)]
        calls = [client.start({"strData": "x"}) for client in others for _ in range(512)]
        poll(lambda: log.read_text().count("begun") == 1024)
        error = refused(served.grpc, {"strData": "x"})
        assert error.status is Code.RESOURCE_EXHAUSTED
        assert "'m'" in error.text
        assert refused(served.rest, {"strData": "x"}).status == 429
        for call in calls:
            call.cancel()
        poll(lambda: log.read_text().count("cancelled") == 1024)
        for client in others:
            client.channel.close()


def test_unknown_names_and_paths() -> None:
    with one("process", "Echo") as served:
        error: Any
        with pytest.raises(grpc.RpcError) as caught:
            served.grpc.model_metadata("nobody")
        error = caught.value
        assert (error.code(), error.details()) == (Code.UNKNOWN, "Failed to find model nobody")
        with pytest.raises(Refused, match="Failed to find model nobody") as refusal:
            served.rest.get("/api/v1.0/metadata/nobody")
        assert refusal.value.status == 500
        with pytest.raises(grpc.RpcError) as caught:
            served.grpc.channel.unary_unary("/seldon.protos.Model/Predict")(b"", timeout=20.0)
        error = caught.value
        assert error.code() is Code.UNIMPLEMENTED
        assert [served.rest.status(path) for path in ("/nowhere", "/api/v1.0/nowhere", PREDICTIONS)] == [404, 405, 405]
