"""The REST front end to end over a loopback socket: paths, bodies, headers and errors."""

import asyncio
import json
from contextlib import closing

import pytest
from support.inference import MemoryInference
from support.prometheus import samples
from support.rest import RawReply, ask, exchange, head, served

from executor import counting, errors
from executor._native import budget
from executor.protocol import seldon
from executor.rest.answers import Site
from executor.rest.app import App
from executor.settings import ServeLimits
from executor.telemetry.families import Names
from executor.telemetry.store import Store
from executor.types import Encoding, Form, Method, Walk

BODY = b'{"data":{"ndarray":[[1,2]]}}'
JSON = "Content-Type: application/json"
PREDICT = "/api/v1.0/predictions"


@pytest.mark.parametrize("version", ["v1.0", "v0.1"])
def test_predictions_pass_text_on_and_answer(version: str) -> None:
    inference = MemoryInference()
    reply = exchange(head("POST", f"/api/{version}/predictions", JSON, body=BODY), inference)
    assert (reply.status, reply.body) == (200, BODY)
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["access-control-allow-origin"] == "*"
    assert "date" in reply.headers
    asked = inference.asked[0]
    assert (asked.walk, asked.method, asked.text) == (Walk.PREDICT, Method.PREDICT, BODY)
    assert (asked.encoding, asked.form) == (Encoding.SELDON_JSON, Form.MESSAGE)


def test_feedback_is_a_feedback_walk() -> None:
    inference = MemoryInference()
    reply = exchange(head("POST", "/api/v1.0/feedback", JSON, body=b'{"reward":1}'), inference)
    assert reply.status == 200
    asked = inference.asked[0]
    assert (asked.walk, asked.method, asked.form) == (Walk.FEEDBACK, Method.SEND_FEEDBACK, Form.FEEDBACK)


def test_puid_is_kept_or_made() -> None:
    inference = MemoryInference()
    given = exchange(head("POST", PREDICT, "Seldon-Puid: abc", "Seldon-Puid: second", body=BODY), inference)
    assert given.headers["seldon-puid"] == "abc"
    assert inference.asked[0].puid == "abc"
    made = exchange(head("POST", PREDICT, body=BODY), inference)
    assert len(made.headers["seldon-puid"]) == 36
    assert inference.asked[1].puid == made.headers["seldon-puid"]


def test_errors_carry_the_puid_too() -> None:
    reply = exchange(head("POST", PREDICT, body=BODY), MemoryInference(error=errors.RouteError("no such route")))
    assert reply.status == 500
    assert len(reply.headers["seldon-puid"]) == 36
    assert json.loads(reply.body) == {"status": {"code": 500, "info": "no such route", "status": "FAILURE"}}
    assert reply.headers["content-type"] == "application/json"


def test_headers_travel_but_not_those_of_the_hop_or_the_message() -> None:
    inference = MemoryInference()
    request = head(
        "POST", PREDICT, "Authorization: Bearer x", "X-B3-TraceId: 1", "User-Agent: u", "X-Hop: 1",
        "Connection: keep-alive, X-Hop", "TE: trailers", "Accept-Encoding: gzip", JSON, body=BODY,
    )  # fmt: skip
    exchange(request, inference)
    assert inference.asked[0].headers == [
        ("authorization", "Bearer x"), ("x-b3-traceid", "1"), ("user-agent", "u"), ("accept-encoding", "gzip"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("header", "seconds"), [("2.5", 2.5), ("500ms", 0.5), ("3s", 3.0), ("2m", 120.0), ("1h", 3600.0)]
)
def test_timeout_header(header: str, seconds: float) -> None:
    inference = MemoryInference()
    exchange(head("POST", PREDICT, f"Millrace-Timeout: {header}", body=BODY), inference, default_timeout_s=60.0)
    assert inference.asked[0].timeout_s == seconds


@pytest.mark.parametrize("kind", [JSON, f"{JSON}; charset=utf-8"])  # the short way, and the long one
def test_without_memory_for_a_body_the_client_is_to_come_again(kind: str) -> None:
    memory = budget.Budget(2000, 1000)
    asked = head("POST", PREDICT, kind, body=BODY)
    with memory.hold() as held:
        assert held.add(1100)
        reply = exchange(asked, budget=memory)
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        assert "no memory for this request now" in json.loads(reply.body)["status"]["info"]
    assert exchange(asked, budget=memory).body == BODY
    assert memory.used == 0


@pytest.mark.parametrize("header", ["0", "-1", "soon", "1e400", "nan", "5 minutes", ""])
def test_bad_timeout_header(header: str) -> None:
    reply = exchange(head("POST", PREDICT, f"Millrace-Timeout: {header}", body=BODY))
    assert reply.status == 400
    assert "Millrace-Timeout" in json.loads(reply.body)["status"]["info"]
    assert "500ms" in json.loads(reply.body)["status"]["info"]


def test_default_timeout_and_deadline() -> None:
    inference = MemoryInference(delay_s=5)
    reply = exchange(head("POST", PREDICT, body=BODY), inference, default_timeout_s=0.05)
    assert reply.status == 500
    info = f"too late ({seldon.LATE})"
    assert json.loads(reply.body)["status"] == {"code": 500, "info": info, "status": "FAILURE"}


def test_node_body_and_status_pass_through() -> None:
    error = errors.NodeError("x", http_status=409, body=b"<busy>", body_type="text/plain; charset=utf-8")
    reply = exchange(head("POST", PREDICT, body=BODY), MemoryInference(error=error))
    assert (reply.status, reply.body) == (409, b"\\u003cbusy\\u003e")
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("status", [201, 204])
def test_odd_success_of_a_node_passes_through(status: int) -> None:
    error = errors.NodeError("x", http_status=status, body=b"made" if status == 201 else None)
    reply = exchange(head("POST", PREDICT, body=BODY), MemoryInference(error=error))
    assert (reply.status, reply.body) == (status, b"made" if status == 201 else b"")


def test_impossible_status_becomes_502() -> None:
    reply = exchange(head("POST", PREDICT, body=BODY), MemoryInference(error=errors.NodeError("x", http_status=999)))
    assert reply.status == 502


def test_unexpected_failure_is_an_internal_error(caplog: pytest.LogCaptureFixture) -> None:
    reply = exchange(head("POST", PREDICT, body=BODY), MemoryInference(error=ZeroDivisionError("oops")))
    assert reply.status == 500
    assert json.loads(reply.body)["status"]["info"] == "internal error: ZeroDivisionError: oops"
    assert "ZeroDivisionError" in caplog.text


def test_escapes_html_everywhere() -> None:
    reply = exchange(head("POST", PREDICT, body='{"strData":"<a>&\u2028\u2029é"}'.encode()))
    assert reply.body == b'{"strData":"\\u003ca\\u003e\\u0026\\u2028\\u2029\xc3\xa9"}'
    assert json.loads(reply.body) == {"strData": "<a>&\u2028\u2029é"}


def test_probes_take_any_verb() -> None:
    for verb in ("GET", "POST", "PUT", "HEAD"):
        assert exchange(head(verb, "/live")).status == 200
    assert exchange(head("GET", "/ready")).status == 200
    for path in ("/ready", "/api/v1.0/status", "/api/v1.0/health/status"):
        reply = exchange(head("GET", path), MemoryInference(ready=False))
        assert (reply.status, reply.body) == (503, b"")


def test_metadata_and_status() -> None:
    assert json.loads(exchange(head("GET", "/api/v1.0/metadata")).body)["name"] == "p"
    assert exchange(head("GET", "/api/v1.0/metadata/")).status == 405
    for version in ("v1.0", "v0.1"):
        answer = exchange(head("GET", f"/api/{version}/metadata/m1"))
        assert json.loads(answer.body) == {"name": "m1", "versions": ["v1"]}
        assert exchange(head("GET", f"/api/{version}/status/m1")).body == b'{"strData":"healthy"}'
    missing = exchange(head("GET", "/api/v1.0/metadata/missing"))
    assert missing.status == 500
    assert json.loads(missing.body)["status"]["info"] == "Failed to find model missing"
    broken = exchange(head("GET", "/api/v1.0/status/broken"))
    assert (broken.status, broken.body) == (418, b"down")


def test_options_is_answered_without_the_graph() -> None:
    inference = MemoryInference()
    reply = exchange(head("OPTIONS", PREDICT), inference)
    assert (reply.status, reply.body, inference.asked) == (200, b"", [])
    assert reply.headers["access-control-allow-methods"] == "OPTIONS,POST"
    assert "Authorization" in reply.headers["access-control-allow-headers"]
    assert exchange(head("OPTIONS", "/api/v1.0/metadata")).headers["access-control-allow-methods"] == "GET,OPTIONS"


def test_unknown_paths_and_verbs() -> None:
    wrong = exchange(head("GET", PREDICT))
    assert (wrong.status, wrong.body, wrong.headers["allow"]) == (405, b"", "OPTIONS, POST")
    assert "x-content-type-options" not in wrong.headers
    assert exchange(head("GET", "/api/v1.0/nothing")).status == 405
    unknown = exchange(head("POST", "/nothing", body=BODY))
    assert unknown.status == 404
    assert "/nothing" in json.loads(unknown.body)["status"]["info"]


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/api//v1.0/predictions", "/api/v1.0/predictions"),
        ("//evil.example/x", "/evil.example/x"),
        ("/a/../live?x=1", "/live?x=1"),
        ("/a%0d%0ab//c", "/a%0D%0Ab/c"),
    ],
)
def test_unclean_paths_redirect(path: str, location: str) -> None:
    reply = exchange(head("POST", path, body=BODY))
    assert (reply.status, reply.headers["location"]) == (301, location)


def test_cloud_events_are_answered_as_such() -> None:
    site = Site("iris", "models")
    event = head("POST", PREDICT, "Ce-Specversion: 1.0", "Ce-Id: 7", "Seldon-Puid: abc", JSON, body=BODY)
    inference = MemoryInference()
    reply = exchange(event, inference, site=site)
    told = {name: value for name, value in reply.headers.items() if name.startswith("ce-")}
    assert told == {
        "ce-id": "abc",
        "ce-specversion": "0.3",
        "ce-path": PREDICT,
        "ce-type": "seldon.iris.models.response",
        "ce-source": "seldon.iris",
    }
    assert inference.asked[0].headers == [("ce-specversion", "1.0"), ("ce-id", "7")]
    plain = exchange(head("POST", PREDICT, "Ce-Id: 7", JSON, body=BODY), site=site)
    assert not [name for name in plain.headers if name.startswith("ce-")]


def test_cors_as_it_is_set() -> None:
    site = Site(cors_origins="https://a.example", cors_headers="X-One, X-Two")
    for verb in ("OPTIONS", "POST"):
        reply = exchange(head(verb, PREDICT, body=BODY), site=site)
        assert reply.headers["access-control-allow-origin"] == "https://a.example"
        assert reply.headers["access-control-allow-headers"] == "X-One, X-Two"
        assert reply.headers["access-control-allow-methods"] == "OPTIONS,POST"


def test_the_document_and_its_page() -> None:
    site = Site("iris", "models")
    for version in ("v1.0", "v0.1"):
        told = exchange(head("GET", f"/api/{version}/doc/seldon.json"), site=site)
        assert told.headers["content-type"] == "application/json"
        assert "/seldon/models/iris/api/v1.0/predictions" in json.loads(told.body)["paths"]
        page = exchange(head("GET", f"/api/{version}/doc/"), site=site)
        assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        moved = exchange(head("GET", f"/api/{version}/doc/index.html"), site=site)
        assert (moved.status, moved.headers["location"]) == (301, "./")
        assert exchange(head("GET", f"/api/{version}/doc/nothing"), site=site).status == 404
        assert exchange(head("GET", f"/api/{version}/doc"), site=site).status == 405
    assert "/predict" in json.loads(exchange(head("GET", "/seldon.json"), node=True).body)["paths"]


def test_an_empty_body_is_still_asked() -> None:
    inference = MemoryInference()
    assert exchange(head("POST", PREDICT, JSON), inference).status == 200
    assert [asked.text for asked in inference.asked] == [b""]


def test_head_gets_no_body() -> None:
    assert exchange(head("HEAD", "/live")).status == 200
    assert exchange(head("HEAD", PREDICT)).status == 405
    assert exchange(head("GET", "/api/v0.1/status")).status == 405


@pytest.mark.parametrize("chunked", [False, True])
def test_body_over_the_limit(chunked: bool) -> None:
    size = 300_000
    request = head("POST", PREDICT, JSON, body=b"x" * size)
    if chunked:
        request = head("POST", PREDICT, JSON, "Transfer-Encoding: chunked").replace(b"Content-Length: 0\r\n", b"")
        request += b"%x\r\n" % size + b"x" * size + b"\r\n0\r\n\r\n"
    reply = exchange(request, limits=ServeLimits(max_message_bytes=1000))
    assert (reply.status, reply.headers["connection"]) == (413, "close")
    assert "1000 bytes allowed" in json.loads(reply.body)["status"]["info"]


def test_body_in_many_pieces() -> None:
    async def run() -> RawReply:
        async with served(App(MemoryInference(), seldon.EXECUTOR_REST)) as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            request = head("POST", PREDICT, JSON, body=BODY)
            for start in range(0, len(request), 7):
                writer.write(request[start : start + 7])
                await asyncio.sleep(0)
            length = int((await reader.readuntil(b"\r\n\r\n")).lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            writer.close()
            return RawReply(200, {}, body)

    assert asyncio.run(run()).body == BODY


NODE_CALLS = [
    ("/predict", Method.PREDICT, Form.MESSAGE),
    ("/transform-input", Method.TRANSFORM_INPUT, Form.MESSAGE),
    ("/transform-output", Method.TRANSFORM_OUTPUT, Form.MESSAGE),
    ("/route", Method.ROUTE, Form.MESSAGE),
    ("/aggregate", Method.AGGREGATE, Form.LIST),
    ("/send-feedback", Method.SEND_FEEDBACK, Form.FEEDBACK),
    ("/api/v1.0/predictions", Method.PREDICT, Form.MESSAGE),
    ("/api/v0.1/feedback", Method.SEND_FEEDBACK, Form.FEEDBACK),
]


@pytest.mark.parametrize(("path", "method", "form"), NODE_CALLS)
def test_node_calls(path: str, method: Method, form: Form) -> None:
    inference = MemoryInference()
    reply = exchange(head("POST", path, JSON, body=BODY), inference, node=True)
    assert (reply.status, reply.body) == (200, BODY)
    assert "seldon-puid" not in reply.headers
    asked = inference.asked[0]
    assert (asked.walk, asked.method, asked.form, asked.puid) == (Walk.CALL, method, form, None)


def test_node_takes_json_from_the_query() -> None:
    inference = MemoryInference()
    exchange(head("GET", "/predict?json=%7B%22strData%22%3A%22a%22%7D"), inference, node=True)
    assert inference.asked[0].text == b'{"strData":"a"}'
    refused = exchange(head("GET", "/predict"), node=True)
    assert refused.status == 400
    assert json.loads(refused.body)["status"]["reason"] == "MICROSERVICE_BAD_DATA"


def test_node_health_and_metadata() -> None:
    assert exchange(head("GET", "/health/ping"), node=True).body == b"pong"
    assert exchange(head("GET", "/health/status"), node=True).body == b'{"strData":"healthy"}'
    assert json.loads(exchange(head("GET", "/metadata"), node=True).body)["name"] == "classifier"


def test_node_error_body() -> None:
    error = errors.ComponentError("it broke")
    reply = exchange(head("POST", "/predict", JSON, body=BODY), MemoryInference(error=error), node=True)
    assert reply.status == 500
    assert json.loads(reply.body) == {
        "status": {"code": -1, "info": "it broke", "reason": "MICROSERVICE_INTERNAL_ERROR", "status": 1}
    }


def test_node_answers_unknown_paths_with_500() -> None:
    for request in (head("GET", "/nothing"), head("PUT", "/predict")):
        reply = exchange(request, node=True)
        assert reply.status == 500
        assert json.loads(reply.body)["status"]["reason"] == "MICROSERVICE_INTERNAL_ERROR"


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (b'{"status":{"code":400,"status":"FAILURE"}}', 400),
        (b'{"status":{"code":0}}', 200),
        (b'{"status":{}}', 200),
        (b'{"strData":"status"}', 200),
        (b'["status"', 200),
    ],
)
def test_node_status_in_the_answer_becomes_the_http_status(reply: bytes, status: int) -> None:
    answered = exchange(head("POST", "/predict", JSON, body=BODY), MemoryInference(reply=reply), node=True)
    assert (answered.status, answered.body) == (status, reply)
    assert exchange(head("POST", "/route", JSON, body=BODY), MemoryInference(reply=reply), node=True).status == 200


def test_readiness_tells_more_to_those_who_ask() -> None:
    inference, query = MemoryInference(), "?a=b&verbose"
    reply = exchange(head("GET", f"/ready{query}"), inference)
    assert (reply.status, json.loads(reply.body)) == (200, {"ready": True, "nodes": []})
    inference.ready = False
    assert exchange(head("GET", f"/ready{query}"), inference).status == 503
    assert exchange(head("GET", "/ready?other"), inference).body == b""


def test_metrics_are_told_where_they_are_asked_for() -> None:
    asked = []

    async def scrape(accept: str) -> tuple[str, bytes]:
        asked.append(accept)
        return "text/x", b"up 1\n"

    async def run() -> list[RawReply]:
        app = App(MemoryInference(), counting.scraped(seldon.EXECUTOR_REST, "/m"), scrape=scrape)
        async with served(app) as (_, port):
            return [await ask(port, head(verb, "/m", "Accept: a", "Accept: b")) for verb in ("GET", "POST", "OPTIONS")]

    *told, options = asyncio.run(run())
    assert {(got.status, got.headers["content-type"], got.body) for got in told} == {(200, "text/x", b"up 1\n")}
    assert (options.status, options.body, asked) == (200, b"", ["a, b"] * 2)


def test_requests_are_counted_by_verb_and_path() -> None:
    long, refused = "x" * 200_000, list[str]()

    async def run(meters: counting.RestMeters) -> None:
        app = App(MemoryInference(), seldon.EXECUTOR_REST, limits=ServeLimits(max_message_bytes=2000))
        app.count(meters)
        app.on_refused = refused.append
        async with served(app) as (_, port):
            await ask(port, head("POST", PREDICT, JSON, body=BODY))
            await ask(port, head("POST", PREDICT, "Content-Type: application/json; charset=utf-8", body=BODY))
            await ask(port, head("POST", PREDICT, JSON, "Millrace-Timeout: never", body=BODY))
            await ask(port, head("POST", PREDICT, JSON, body=f'{{"strData":"{long}"}}'.encode()))

    with closing(Store()) as store:
        asyncio.run(run(counting.Counting(store, Names("dep")).rest(seldon.EXECUTOR_REST)))
        text, name = store.text()[1].decode(), "seldon_api_executor_server_requests_seconds_count"
    assert [samples(text, name, method="post", code=code) for code in ("200", "400", "413")] == [[2], [1], [1]]
    assert refused == ["message"]
