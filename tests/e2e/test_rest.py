"""Graphs over REST, from the client's socket to a node's: what arrives there, byte for byte, and what comes back.

`rest.app`, `rest.connection`, `rest.client` and the flow together; nodes are raw HTTP servers that note what they get.
"""

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from support.clients import Connection
from support.serving import graph, node

from executor.settings import ServeLimits

PREDICT = "/api/v1.0/predictions"
ODD = b' {"meta" : {"tags":{"z":1e2,"a":1.50}},\n\t"data":{"ndarray":[[1.0,2E+3 , 0.10]],"names":["b","a"]},"x":1}\n'
Seen = list[tuple[str, dict[str, str], bytes]]
Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def rest_node(answer: Callable[[str, bytes], Answer], seen: Seen, *, keeps: bool = True) -> Iterator[str]:
    """A node of another make: the URL of it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1" if keeps else "HTTP/1.0"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            status, headers, reply = answer(self.path, body)
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def echo(path: str, body: bytes) -> Answer:
    return 200, {}, body


def ask(port: int, body: bytes, path: str = PREDICT, **headers: str) -> tuple[int, dict[str, str], bytes]:
    client = Connection("127.0.0.1", port, timeout=20)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        client.request("POST", path, body, {"Content-Type": "application/json", **named})
        reply = client.getresponse()
        return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()
    finally:
        client.close()


def rest(name: str, type: str, *children: Any) -> dict[str, Any]:
    return node(name, type, *children, endpoint={"type": "REST"})


def test_text_goes_through_a_chain_untouched() -> None:
    seen: Seen = []
    with rest_node(echo, seen) as url:
        root = rest("t", "transformer", rest("m", "model"))
        with graph(root, endpoints={"t": url, "m": url}) as served:
            for _ in range(2):
                status, headers, body = ask(served.port, ODD, Seldon_Puid="p-1", X_Tag="7", Connection="X-Tag")
                assert (status, body, headers["seldon-puid"]) == (200, ODD, "p-1")
    assert [(path, body) for path, _, body in seen] == [("/transform-input", ODD), ("/predict", ODD)] * 2
    told = seen[0][1]
    assert (told["seldon-puid"], told["content-type"]) == ("p-1", "application/json")
    assert "x-tag" not in told
    assert 0 < float(told["millrace-timeout"]) <= 60


def test_routing_is_spliced_into_the_text() -> None:
    seen: Seen = []

    def answer(path: str, body: bytes) -> Answer:
        return (200, {}, b"[1]") if path == "/route" else echo(path, body)

    with rest_node(answer, seen) as url:
        root = rest("r", "router", rest("a", "model"), rest("b", "model"))
        with graph(root, endpoints=dict.fromkeys("rab", url)) as served:
            status, _, body = ask(served.port, ODD)
    assert status == 200
    begin, routing, end = body.partition(b',"routing":{"r":1}')
    assert routing
    assert begin + end == ODD
    assert [path for path, _, _ in seen] == ["/route", "/predict"]
    assert all(sent == ODD for _, _, sent in seen)


def test_a_combiner_gets_a_bare_array_of_the_childrens_text() -> None:
    seen: Seen = []

    def answer(path: str, body: bytes) -> Answer:
        return 200, {}, body if path != "/aggregate" else b'{"strData":"joined"}'

    with rest_node(answer, seen) as url:
        root = rest("c", "combiner", rest("a", "model"), rest("b", "model"))
        with graph(root, endpoints=dict.fromkeys("cab", url)) as served:
            assert ask(served.port, ODD)[2] == b'{"strData":"joined"}'
    assert seen[-1][0] == "/aggregate"
    assert seen[-1][2] == b"[" + ODD + b"," + ODD + b"]"


MULTIPART = b'--b\r\nContent-Disposition: form-data; name="binData"; filename="x"\r\n\r\n\x00\xff\r\n--b--\r\n'


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (MULTIPART, {"Content-Type": "multipart/form-data; boundary=b"}),
        (b"json=%7B%22strData%22%3A%22a%22%7D", {"Content-Type": "application/x-www-form-urlencoded"}),
        (gzip.compress(ODD, mtime=0), {"Content-Encoding": "gzip"}),
        (b"free text", {"Content-Type": "text/plain"}),
    ],
)
def test_other_bodies_reach_rest_nodes_byte_for_byte(body: bytes, headers: dict[str, str]) -> None:
    seen: Seen = []
    reply = b'{"strData":"<ok>"}'
    with rest_node(lambda path, body: (200, {}, reply), seen) as url:
        root = rest("t", "transformer", rest("m", "model"))
        with graph(root, endpoints={"t": url, "m": url}) as served:
            status, told, answered = ask(served.port, body, **headers)
    assert (status, answered) == (200, b'{"strData":"\\u003cok\\u003e"}')
    assert told["content-type"] == "application/json"
    assert seen[0][2] == body
    for name, value in headers.items():
        assert seen[0][1][name.lower()] == value
    # The second node gets the first one's answer, which is JSON.
    assert (seen[1][2], seen[1][1]["content-type"]) == (reply, "application/json")
    assert "content-encoding" not in seen[1][1]


def test_multipart_is_parsed_for_a_component() -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="strData"\r\n\r\nhello\r\n--b--\r\n'
    with graph(node("m", "model", name="m"), {"m": "Said"}) as served:
        status, _, answered = ask(served.port, body, Content_Type="multipart/form-data; boundary=b")
    assert status == 200
    assert json.loads(answered)["strData"] == "m.predict(hello)"


def test_a_misspelt_member_is_named() -> None:
    with graph(node("m", "model", name="m"), {"m": "Said"}) as served:
        status, _, answered = ask(served.port, b'{"data":{"ndarry":[1]},"meat":{}}')
    assert status == 400
    info = json.loads(answered)["status"]["info"]
    assert "'data.ndarry' is not known, allowed are names, tensor, ndarray, tftensor" in info
    assert "'meat' is not known, allowed are status, meta, data" in info


@pytest.mark.parametrize("keeps", [True, False])
def test_a_nodes_refusal_passes_through(keeps: bool) -> None:
    seen: Seen = []

    def answer(path: str, body: bytes) -> Answer:
        return 409, {"Content-Type": "text/x"}, b"no & no"

    with rest_node(answer, seen, keeps=keeps) as url, graph(rest("m", "model"), endpoints={"m": url}) as served:
        for _ in range(3):
            status, headers, body = ask(served.port, ODD)
            assert (status, headers["content-type"], body) == (409, "text/x", b"no \\u0026 no")


def test_a_failing_route_is_told_in_our_words() -> None:
    seen: Seen = []

    def answer(path: str, body: bytes) -> Answer:
        return (503, {}, b"not now") if path == "/route" else echo(path, body)

    with rest_node(answer, seen) as url:
        with graph(rest("r", "router", rest("a", "model")), endpoints={"r": url, "a": url}) as served:
            status, _, body = ask(served.port, ODD)
    told = json.loads(body)["status"]
    assert (status, told["code"], told["status"]) == (503, 503, "FAILURE")
    assert "Internal service call from executor failed calling" in told["info"]
    assert "status code 503" in told["info"]


@pytest.mark.parametrize("given", [{}, {"Accept_Encoding": "br, gzip"}])
def test_compressed_answers_are_inflated_where_the_graph_reads_them(given: Any) -> None:
    seen: Seen = []

    def answer(path: str, body: bytes) -> Answer:
        return 200, {"Content-Encoding": "gzip"}, gzip.compress(b"[1]" if path == "/route" else body)

    joined = rest("c", "combiner", rest("r", "router", rest("k", "model"), rest("m", "model")), rest("n", "model"))
    with rest_node(answer, seen) as url, graph(joined, endpoints=dict.fromkeys("crkmn", url)) as served:
        status, headers, body = ask(served.port, ODD, **given)
    assert (status, json.loads(body)) == (200, [json.loads(ODD)] * 2)
    assert sorted(path for path, _, _ in seen) == ["/aggregate", "/predict", "/predict", "/route"]
    assert {told["accept-encoding"] for _, told, _ in seen} == {given.get("Accept_Encoding", "gzip")}
    assert "content-encoding" not in headers


def test_a_coding_that_is_not_known_goes_on_to_the_client_who_accepts_it() -> None:
    seen: Seen = []

    def answer(path: str, body: bytes) -> Answer:
        return (200, {}, b"[0]") if path == "/route" else (200, {"Content-Encoding": "br"}, b"<packed>")

    with rest_node(answer, seen) as url:
        with graph(rest("r", "router", rest("m", "model")), endpoints={"r": url, "m": url}) as served:
            status, headers, body = ask(served.port, ODD, Accept_Encoding="br")
        assert (status, headers["content-encoding"], body) == (200, "br", b"<packed>")
        with graph(rest("c", "combiner", rest("m", "model")), endpoints={"c": url, "m": url}) as served:
            status, _, body = ask(served.port, ODD, Accept_Encoding="br")
        assert (status, b"Data is not JSON" in body) == (500, True)
    assert {told["accept-encoding"] for _, told, _ in seen} == {"br"}


def test_time_runs_out_at_a_rest_node() -> None:
    seen: Seen = []
    release = threading.Event()

    def answer(path: str, body: bytes) -> Answer:
        release.wait(10)
        return echo(path, body)

    with rest_node(answer, seen) as url, graph(rest("m", "model"), endpoints={"m": url}) as served:
        status, _, body = ask(served.port, ODD, Millrace_Timeout="50ms")
        release.set()
    told = json.loads(body)["status"]
    assert (status, told["code"]) == (500, 500)
    assert "deadline" in told["info"].lower()
    assert 0 < float(seen[0][1]["millrace-timeout"]) <= 0.05


def test_large_bodies_go_both_ways() -> None:
    seen: Seen = []
    body = b'{"strData":"' + b"x" * 5_000_000 + b'"}'
    limits = ServeLimits(max_message_bytes=6_000_000)
    with rest_node(echo, seen) as url, graph(rest("m", "model"), endpoints={"m": url}, limits=limits) as served:
        assert ask(served.port, body)[2] == body
    assert len(seen) == 1
