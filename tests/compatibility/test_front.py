"""What REST clients and nodes of Seldon's executor count on, where both ends are looked at byte for byte.

One executor serves a model, another a chain of two; the node behind them answers what a test scripts.
"""

import gzip
import json
import socket
import uuid
from collections.abc import Iterator

import pytest
from support.clients import FEEDBACK, PREDICTIONS
from support.raw_node import Answer, RawNode, Seen
from support.serving import Served, graph, node

V01 = "/api/v0.1"
JSON = ("Content-Type", "application/json")
ODD = b'{ "name":"<m>", "versions":[], "x":1.50, "x":2e3, "y":"\xe2\x80\xa8&" }'
ESCAPED = b'{ "name":"\\u003cm\\u003e", "versions":[], "x":1.50, "x":2e3, "y":"\\u2028\\u0026" }'


def echo(seen: Seen) -> bytes:
    return seen.body


@pytest.fixture(scope="module")
def behind() -> Iterator[RawNode]:
    with RawNode(echo) as raw:
        yield raw


@pytest.fixture(scope="module")
def model(behind: RawNode) -> Iterator[Served]:
    with graph(node("m", "model"), endpoints={"m": behind.url}) as served:
        yield served


@pytest.fixture(scope="module")
def chain(behind: RawNode) -> Iterator[Served]:
    with graph(node("t", "transformer", node("m", "model")), endpoints=dict.fromkeys("tm", behind.url)) as served:
        yield served


@pytest.fixture
def raw(behind: RawNode) -> RawNode:
    behind.seen.clear()
    behind.script = echo
    return behind


# --- paths ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["v1.0", "v0.1"])
def test_both_versions_of_both_paths(raw: RawNode, model: Served, version: str) -> None:
    raw.script = {"/predict": b'{"strData":"p"}', "/send-feedback": b'{"strData":"f"}'}
    for path, asked in (("predictions", "/predict"), ("feedback", "/send-feedback")):
        raw.seen.clear()
        status, headers, body = model.rest.ask("POST", f"/api/{version}/{path}", b' {"a":1} ', [JSON])
        assert (status, body) == (200, raw.script[asked])
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert str(uuid.UUID(headers["Seldon-Puid"])) == headers["Seldon-Puid"]
        ((verb, at, _, sent),) = raw.seen
        assert (verb, at, sent) == ("POST", asked, b' {"a":1} ')
        assert raw.seen[0].header("seldon-puid") == headers["Seldon-Puid"]


@pytest.mark.parametrize("verb", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
def test_other_verbs_are_405_on_known_paths_and_below_the_versions(raw: RawNode, model: Served, verb: str) -> None:
    below = ["/api/v1.0/nothing", f"{V01}/nothing", "/api/v1.0/metadata/"]
    for path in [PREDICTIONS, FEEDBACK, f"{V01}/predictions", *below]:
        status, headers, body = model.rest.ask(verb, path)
        assert (status, body) == (405, b"")
        assert headers["X-Content-Type-Options"] is None
        assert headers["Access-Control-Allow-Origin"] is None
    assert model.rest.status("/nothing") == 404
    assert [model.rest.ask(other, "/api/v1.0/nothing")[0] for other in ("POST", "OPTIONS")] == [404, 404]
    assert raw.seen == []


@pytest.mark.parametrize(
    ("path", "verbs"),
    [
        ("/ready", None),  # those that take any verb have none registered
        ("/live", None),
        ("/api/v1.0/doc/", None),
        ("/api/v1.0/status", "GET,OPTIONS"),
        ("/api/v1.0/metadata/m", "GET,OPTIONS"),
        (PREDICTIONS, "OPTIONS,POST"),
    ],
)
def test_options_reaches_nobody(raw: RawNode, model: Served, path: str, verbs: str | None) -> None:
    model.call(ready(model, False))  # it would answer 503
    try:
        status, headers, body = model.rest.ask("OPTIONS", path)
    finally:
        model.call(ready(model, True))
    assert (status, body, headers["Access-Control-Allow-Origin"]) == (200, b"", "*")
    assert headers["Access-Control-Allow-Methods"] == verbs
    assert raw.seen == []


async def ready(served: Served, is_ready: bool) -> None:
    served.process.readiness.set(is_ready)


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("/api/v1.0//predictions?a=b", "/api/v1.0/predictions?a=b"),
        ("/api/v1.0/status/..", "/api/v1.0"),
        ("/api/v1.0/metadata/./m", "/api/v1.0/metadata/m"),
    ],
)
def test_unclean_paths_are_redirected(raw: RawNode, model: Served, path: str, clean: str) -> None:
    status, headers, _ = model.rest.ask("GET", path)
    assert (status, headers["Location"], raw.seen) == (301, clean, [])


# --- what is proxied ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["v1.0", "v0.1"])
@pytest.mark.parametrize(("what", "asked"), [("metadata", "/metadata"), ("status", "/health/status")])
def test_a_node_is_asked_with_the_clients_headers_and_passed_on(
    raw: RawNode, model: Served, version: str, what: str, asked: str
) -> None:
    raw.script = {asked: (200, {"Content-Type": "application/x-own"}, ODD)}
    sent = {"authorization": "Bearer q", "x-tenant": "7", "seldon-puid": "p1", "x-hop": "1"}
    given = [*sent.items(), ("Connection", "X-Hop")]
    status, headers, body = model.rest.ask("GET", f"/api/{version}/{what}/m", None, given)
    assert (status, headers["Content-Type"], body) == (200, "application/x-own", ESCAPED)
    (seen,) = raw.seen
    assert (seen.verb, seen.path, seen.body) == ("GET", asked, b"")
    assert {name: seen.header(name) for name in sent} == {**sent, "x-hop": None}


@pytest.mark.parametrize("status", [201, 204, 404, 500])
@pytest.mark.parametrize("body", [b"", b"no <json>"])
def test_any_answer_but_200_is_passed_on_an_empty_one_too(
    raw: RawNode, model: Served, status: int, body: bytes
) -> None:
    body = b"" if status == 204 else body
    posts, gets = (PREDICTIONS, FEEDBACK), ("/api/v1.0/metadata/m", "/api/v1.0/status/m")
    raw.script = lambda seen: (status, {"Content-Type": "text/x"}, body)
    for path in (*posts, *gets):
        asked = ("POST", path, b"{}") if path in posts else ("GET", path)
        found, headers, said = model.rest.ask(*asked)
        assert (found, said) == (status, body.replace(b"<", b"\\u003c").replace(b">", b"\\u003e"))
        assert headers["Content-Type"] == ("text/x" if status != 204 else None)
        assert headers["Seldon-Puid"]


def test_metadata_of_the_graph_word_for_word(raw: RawNode, chain: Served) -> None:
    tensor = {"messagetype": "tensor", "schema": {"shape": [1, 5]}}
    said = {"versions": ["a<b"], "platform": "p", "name": "n", "inputs": [tensor], "custom": {"k": "v"}, "other": 1}
    raw.script = {"/metadata": json.dumps(said).encode()}
    status, headers, body = chain.rest.ask("GET", "/api/v1.0/metadata", None, [("Authorization", "me")])
    assert (status, headers["Content-Type"]) == (200, "application/json")
    inputs = b'"inputs":[{"messagetype":"tensor","schema":{"shape":[1,5]}}]'
    each = b'{"name":"n","platform":"p","versions":["a\\u003cb"],%b,"custom":{"k":"v"}}' % inputs
    ends = b'"graph%b,"graphoutputs":[]' % inputs[1:]
    assert body == b'{"name":"main","models":{"m":%b,"t":%b},%b}' % (each, each, ends)
    assert [seen.header("authorization") for seen in raw.seen] == ["me", "me"]


@pytest.mark.parametrize("said", [b"free text", b"[1]", b""])
def test_metadata_of_the_graph_fails_with_one_node(raw: RawNode, chain: Served, said: bytes) -> None:
    raw.script = {"/metadata": said}
    assert chain.rest.ask("GET", "/api/v1.0/metadata/m")[2] == said
    status, _, body = chain.rest.ask("GET", "/api/v1.0/metadata")
    told = json.loads(body)["status"]
    assert (status, told["code"], told["status"], list(told)) == (500, 500, "FAILURE", ["code", "info", "status"])
    raw.script = {"/metadata": (409, {"Content-Type": "text/x"}, b"own")}
    assert chain.rest.ask("GET", "/api/v1.0/metadata")[::2] == (409, b"own")


# --- headers --------------------------------------------------------------------------------------------------


def test_which_headers_nodes_get(raw: RawNode, chain: Served) -> None:
    request = (
        b"POST /api/v1.0/predictions?q=1 HTTP/1.1\r\nHost: front\r\nUser-Agent: me/1\r\nCookie: a=b\r\n"
        b"X-Forwarded-For: 1.2.3.4\r\nX-Two: 1\r\nx-two: 2\r\nTE: trailers\r\nConnection: keep-alive, X-Hop\r\n"
        b"X-Hop: 1\r\nKeep-Alive: 5\r\nUpgrade-Insecure-Requests: 1\r\nAccept-Encoding: gzip\r\nX-Empty:\r\n"
        b"Content-Type: application/json\r\nSeldon-Puid: p-1\r\nSeldon-Puid: p-2\r\nContent-Length: 2\r\n\r\n{}"
    )
    with socket.create_connection(("127.0.0.1", chain.port)) as connection:
        connection.sendall(request)
        answer = connection.makefile("rb").readline()
    assert answer == b"HTTP/1.1 200 OK\r\n"
    assert raw.paths == ["/transform-input", "/predict"]
    for seen in raw.seen:
        assert [pair for pair in seen.headers if pair[0] != "host"] == [
            ("user-agent", "me/1"), ("cookie", "a=b"), ("x-forwarded-for", "1.2.3.4"), ("x-two", "1"), ("x-two", "2"),
            ("upgrade-insecure-requests", "1"), ("accept-encoding", "gzip"), ("x-empty", ""), ("seldon-puid", "p-1"),
            ("millrace-timeout", seen.header("millrace-timeout")), ("content-type", "application/json"),
            ("content-length", "2"),
        ]  # fmt: skip
        assert seen.header("host") == raw.url.removeprefix("http://")


@pytest.mark.parametrize("given", ["text/csv; charset=latin-1", "application/json; charset=utf-8", None])
@pytest.mark.parametrize("own", ["application/json", "text/plain"])  # the short way through the front, and the long one
def test_the_type_of_a_payload_is_its_senders(raw: RawNode, chain: Served, given: str | None, own: str) -> None:
    answered = {"Content-Type": given} if given else {}
    raw.script = lambda seen: (200, answered, b"1;2" if seen.path == "/predict" else b"3;4")
    status, headers, body = chain.rest.ask("POST", PREDICTIONS, b"{}", [("Content-Type", own)])
    assert (status, headers["Content-Type"], body) == (200, given or "application/json", b"1;2")
    kinds = [seen.header("content-type") for seen in raw.seen]
    assert kinds == [own, given or "application/json"]
    assert [seen.body for seen in raw.seen] == [b"{}", b"3;4"]


@pytest.mark.parametrize("own", ["application/json", "text/plain"])  # the short way through the front, and the long one
def test_an_answer_that_the_client_takes_compressed_goes_back_so(raw: RawNode, chain: Served, own: str) -> None:
    packed = {path: gzip.compress(path.encode() + b"<") for path in ("/transform-input", "/predict")}
    raw.script = lambda seen: (200, {"Content-Encoding": "gzip", "Content-Type": "text/x"}, packed[seen.path])
    given = [("Content-Type", own), ("Accept-Encoding", "gzip, br")]
    status, headers, body = chain.rest.ask("POST", PREDICTIONS, b"{}", given)
    assert (status, headers["Content-Encoding"], headers["Content-Type"]) == (200, "gzip", "text/x")
    assert body == packed["/predict"]  # not escaped either
    assert [seen.header("accept-encoding") for seen in raw.seen] == ["gzip, br"] * 2
    assert [raw.seen[1].header(name) for name in ("content-type", "content-encoding")] == ["text/x", "gzip"]
    assert raw.seen[1].body == packed["/transform-input"]


@pytest.mark.parametrize("own", ["application/json", "text/plain"])  # the short way through the front, and the long one
def test_nodes_are_asked_for_gzip_where_the_client_names_no_coding(raw: RawNode, chain: Served, own: str) -> None:
    raw.script = lambda seen: (200, {"Content-Encoding": "gzip"}, gzip.compress(b'{"a":1}'))
    _, headers, body = chain.rest.ask("POST", PREDICTIONS, b"{}", [("Content-Type", own)])
    assert ("Content-Encoding" in headers, body) == (False, b'{"a":1}')
    assert raw.seen[1].body == b'{"a":1}'
    assert [seen.header("accept-encoding") for seen in raw.seen] == ["gzip", "gzip"]
    assert [seen.header("content-encoding") for seen in raw.seen] == [None, None]
    chain.rest.ask("GET", "/api/v1.0/status/m")
    assert raw.seen[-1].header("accept-encoding") == "gzip"
    _, headers, body = chain.rest.ask("POST", PREDICTIONS, b"{}", [("Accept-Encoding", "identity")])
    assert ("Content-Encoding" in headers, body) == (False, b'{"a":1}')  # whatever the node makes of it
    assert raw.seen[-1].header("accept-encoding") == "identity"


def test_a_coding_that_nobody_asked_for_is_an_error(raw: RawNode, model: Served) -> None:
    raw.script = lambda seen: (200, {"Content-Encoding": "zstd"}, b"??")
    status, headers, body = model.rest.ask("POST", PREDICTIONS, b"{}")
    assert (status, "Content-Encoding" in headers) == (500, False)
    assert "Content-Encoding 'zstd': allowed are gzip, deflate and identity" in json.loads(body)["status"]["info"]


@pytest.mark.parametrize("path", [PREDICTIONS, "/api/v1.0/status/m", "/api/v1.0/metadata/m"])
def test_a_refusal_in_a_coding_that_cannot_be_read_keeps_its_status(raw: RawNode, model: Served, path: str) -> None:
    raw.script = lambda seen: (409, {"Content-Encoding": "br"}, b"??")
    verb, sent = ("POST", b"{}") if path == PREDICTIONS else ("GET", None)
    status, headers, body = model.rest.ask(verb, path, sent, [("Accept-Encoding", "br")])
    assert (status, "Content-Encoding" in headers, body) == (409, False, b"??")


@pytest.mark.parametrize("path", ["/api/v1.0/status/m", "/api/v1.0/metadata/m"])
def test_what_a_node_says_of_itself_goes_on_in_the_clients_coding(raw: RawNode, model: Served, path: str) -> None:
    raw.script = lambda seen: (200, {"Content-Encoding": "br"}, b"??")
    status, headers, body = model.rest.ask("GET", path, None, [("Accept-Encoding", "br")])
    assert (status, headers["Content-Encoding"], body) == (200, "br", b"??")
    assert raw.seen[-1].header("accept-encoding") == "br"


@pytest.mark.parametrize("code", [303, 307])
def test_a_redirected_call_is_answered_in_the_clients_coding(raw: RawNode, model: Served, code: int) -> None:
    def script(seen: Seen) -> Answer:
        if seen.path == "/predict":
            return code, {"Location": "/there"}, b""
        return 200, {"Content-Encoding": "br"}, b"??"

    raw.script = script
    status, headers, body = model.rest.ask("POST", PREDICTIONS, b"{}", [("Accept-Encoding", "br")])
    assert (status, headers["Content-Encoding"], body) == (200, "br", b"??")


def test_a_body_without_a_type_reaches_nodes_without_one(raw: RawNode, model: Served) -> None:
    raw.script = lambda seen: b"{}"
    assert model.rest.ask("POST", PREDICTIONS, b"whatever")[0] == 200
    assert (raw.seen[-1].header("content-type"), raw.seen[-1].body) == (None, b"whatever")
    # Feedback is read on its way.
    assert model.rest.ask("POST", FEEDBACK, b'{"reward":1}')[0] == 200
    assert raw.seen[-1].header("content-type") == "application/json"


def test_an_error_of_a_node_is_inflated(raw: RawNode, chain: Served) -> None:
    raw.script = lambda seen: (409, {"Content-Encoding": "gzip"}, gzip.compress(b"no"))
    status, headers, body = chain.rest.ask("POST", PREDICTIONS, b"{}", [("Accept-Encoding", "gzip")])
    assert (status, "Content-Encoding" in headers, body) == (409, False, b"no")


@pytest.mark.parametrize("long", [65, 257, 4096, 30_000])
@pytest.mark.parametrize("own", ["application/json", "text/plain"])  # the short way through the front, and the long one
def test_a_long_puid_is_kept(raw: RawNode, model: Served, long: int, own: str) -> None:
    for puid in ("p" * long, "é" * long):
        status, headers, _ = model.rest.ask("POST", PREDICTIONS, b"{}", [("Seldon-Puid", puid), ("Content-Type", own)])
        assert (status, headers["Seldon-Puid"], raw.seen[-1].header("seldon-puid")) == (200, puid, puid)
    assert model.grpc.predict({"strData": "x"}, [("seldon-puid", "p" * long)]).puid == "p" * long
    assert raw.seen[-1].header("seldon-puid") == "p" * long


@pytest.mark.parametrize("path", [PREDICTIONS, FEEDBACK, "/api/v1.0/metadata/m"])
def test_a_cloud_event_is_answered_as_one(raw: RawNode, model: Served, path: str) -> None:
    raw.script = lambda seen: b"{}"
    verb, body = ("GET", None) if "metadata" in path else ("POST", b"{}")
    given = [("Ce-Specversion", "1.0"), ("Ce-Id", "mine"), ("Seldon-Puid", "p")]
    _, headers, _ = model.rest.ask(verb, path, body, given)
    assert {name.lower(): value for name, value in headers.items() if name.lower().startswith("ce-")} == {
        "ce-id": "p", "ce-specversion": "0.3", "ce-path": path, "ce-type": "seldon.demo.default.response",
        "ce-source": "seldon.demo",
    }  # fmt: skip
    assert raw.seen[-1].header("ce-id") == "mine"
    _, headers, _ = model.rest.ask(verb, path, body, given[1:])
    assert not [name for name in headers if name.lower().startswith("ce-")]


# --- bodies ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "escaped"),
    [
        (b'{"strData":"<div>&amp;"}', b'{"strData":"\\u003cdiv\\u003e\\u0026amp;"}'),
        (b'{"a":"\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa\xc3\xa9"}', b'{"a":"\\u2028\\u2029\xe2\x80\xaa\xc3\xa9"}'),
        (b'<>&"\\u003c \xff', b'\\u003c\\u003e\\u0026"\\u003c \xff'),
        (b'{"n":[1.0,1e400,-0,0.1000]}', b'{"n":[1.0,1e400,-0,0.1000]}'),
    ],
)
def test_html_is_escaped_anywhere_and_nothing_else_is_touched(
    raw: RawNode, model: Served, said: bytes, escaped: bytes
) -> None:
    for status in (200, 500):
        raw.script = lambda seen, status=status: (status, {}, said)  # type: ignore[misc]
        assert model.rest.ask("POST", PREDICTIONS, b"{}")[::2] == (status, escaped)
        assert model.rest.ask("POST", FEEDBACK, b"{}")[::2] == (status, escaped)


@pytest.mark.parametrize("way", ["chunked", "expect", "1.0", "absolute"])
def test_ways_to_send_a_body(raw: RawNode, model: Served, way: str) -> None:
    line = b"POST /api/v1.0/predictions HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
    sized = b"Content-Length: 7\r\n"
    sent = {
        "chunked": line + b"Transfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n",
        "expect": line + sized + b"Expect: 100-continue\r\n\r\n{\"a\":1}",
        "1.0": b"POST /api/v1.0/predictions HTTP/1.0\r\n" + sized + b"\r\n{\"a\":1}",
        "absolute": line.replace(b" /", b" http://other/", 1) + sized + b"\r\n{\"a\":1}",
    }  # fmt: skip
    with socket.create_connection(("127.0.0.1", model.port)) as connection:
        connection.sendall(sent[way])
        answer = connection.makefile("rb").read()
    assert answer.endswith(b'\r\n\r\n{"a":1}')
    assert b" 200 OK\r\n" in answer
    assert raw.seen[-1].body == b'{"a":1}'
    assert raw.seen[-1].header("expect") is None
