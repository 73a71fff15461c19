"""Reading bodies: bounds while they come in, content codings and types."""

import asyncio
import gzip
import json
import zlib
from typing import Any

import pytest
from support.inference import MemoryInference
from support.rest import exchange, head

from executor import errors
from executor._native import budget
from executor.rest import body
from executor.rest.headers import Head
from executor.settings import ServeLimits
from executor.types import Form

BODY = b'{"data":{"ndarray":[[1,2]]}}'
JSON = "Content-Type: application/json"
PREDICT = "/api/v1.0/predictions"
FORM = "application/x-www-form-urlencoded"


def receive(*events: dict[str, Any]) -> body.Receive:
    left = list(events)

    async def next_event() -> dict[str, Any]:
        return left.pop(0)

    return next_event


def part(data: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": data, "more_body": more}


GONE = {"type": "http.disconnect"}


def test_reads_parts_up_to_the_bound() -> None:
    whole = asyncio.run(body.read(receive(part(b"ab"), part(b""), part(b"cd", False)), Head([]), 4))
    assert whole == b"abcd"


def test_stops_reading_over_the_bound() -> None:
    events = receive(part(b"abc"), part(b"de"), part(b"never read"))
    with pytest.raises(errors.LimitError, match="request body is larger than the 4 bytes allowed") as caught:
        asyncio.run(body.read(events, Head([]), 4))
    assert caught.value.http_status == 413
    assert asyncio.run(events())["body"] == b"never read"  # type: ignore[arg-type]


def test_a_declared_length_is_refused_unread() -> None:
    with pytest.raises(errors.LimitError, match="request body of 5 bytes"):
        asyncio.run(body.read(receive(), Head([(b"content-length", b"5")]), 4))


@pytest.mark.parametrize("told", [True, False], ids=["length told", "in chunks"])
def test_body_is_charged_to_the_memory_for_messages(told: bool) -> None:
    memory = budget.Budget(1000, 500)
    head = Head([(b"content-length", b"300")] if told else [])
    with memory.hold() as held:
        asyncio.run(body.read(receive(part(b"x" * 200), part(b"x" * 100, False)), head, 1000, held))
        assert memory.used == 300
        with memory.hold() as other, pytest.raises(body.NoMemoryError) as caught:
            asyncio.run(body.read(receive(part(b"x" * 200), part(b"x" * 100, False)), head, 1000, other))
        assert caught.value.http_status == 503
        assert memory.used == 300
    assert memory.used == 0


@pytest.mark.parametrize("events", [(GONE,), (part(b"a"), GONE)])
def test_disconnect_while_reading(events: tuple[dict[str, Any], ...]) -> None:
    with pytest.raises(body.Disconnected):
        asyncio.run(body.read(receive(*events), Head([]), 100))


@pytest.mark.parametrize("events", [[part(b"x" * 8)] * 3, [part(b"x", False)], [part(b"x"), GONE]])
def test_discard_is_bounded(events: list[dict[str, Any]]) -> None:
    asyncio.run(body.discard(receive(*events), 20))


def test_inflate() -> None:
    assert body.inflate(b"x", "identity", 1) == b"x"
    assert body.inflate(gzip.compress(b"x" * 100), "gzip", 100) == b"x" * 100
    with pytest.raises(errors.LimitError):
        body.inflate(gzip.compress(b"x" * 101), "x-gzip", 100)


def test_forms() -> None:
    assert body.form_json(b"a=1&json=%5B1%5D", FORM) == b"[1]"
    assert body.form_json(b'json="%C3%A9"', FORM) == '"é"'.encode()
    for form in (b"", b"a=1", b"json=&a=1", b"myjson=1", b"&".join([b"a=1"] * 2000)):
        with pytest.raises(errors.RequestError, match="Can't find JSON in data"):
            body.form_json(form, FORM)


@pytest.mark.parametrize(
    ("query", "content_type", "sent", "wanted"),
    [
        (b"json=%7B%7D", "application/json", b"[1]", b"{}"),
        (b"json=%7B%7D", None, b"", b"{}"),
        (b"myjson=1", "application/json", b"[1]", None),
        (b"json=", "application/json", b"[1]", None),
        (b"", None, b"", None),
        (b"json=1", "multipart/form-data; boundary=x", b"", None),
        (b"json=1", FORM, b"json=2", None),
        (b"json=1", FORM, b"other=2", b"1"),
    ],
)
def test_where_the_query_counts(query: bytes, content_type: str | None, sent: bytes, wanted: bytes | None) -> None:
    said = [] if content_type is None else [(b"content-type", content_type.encode())]
    assert body.query_json(query, Head(said), sent) == wanted


def test_a_form_that_is_none_is_told_its_content_type() -> None:
    told = "Can't find JSON in data: Content-Type 'application/x-www-form-urlencoded', no field json=; allowed is"
    with pytest.raises(errors.RequestError, match=told):
        body.json_text(b'{"strData": "x"}', Head([(b"content-type", b"application/x-www-form-urlencoded")]), 100)


# --- on the wire


@pytest.mark.parametrize(
    "headers",
    [
        ("Content-Type: multipart/form-data; boundary=x",),
        ("Content-Type: application/x-www-form-urlencoded",),
        ("Content-Type: text/plain",),
        ("Content-Type: application/json; charset=utf-8",),
        ("Content-Type: application/json", "Content-Encoding: gzip"),
        ("Content-Encoding: br",),
    ],
)
def test_bodies_that_are_not_plain_json_go_to_rest_nodes_as_they_are(headers: tuple[str, ...]) -> None:
    inference = MemoryInference(takes_foreign=True)
    sent = b"--x\r\nwhatever \xff\x00"
    reply = exchange(head("POST", PREDICT, "Authorization: a", *headers, body=sent), inference)
    assert (reply.status, reply.body) == (200, sent)
    asked = inference.asked[0]
    assert (asked.text, asked.form) == (sent, Form.FOREIGN)
    told = [(name.lower(), value) for name, _, value in (header.lower().partition(": ") for header in headers)]
    assert asked.headers == [("authorization", "a"), *told]
    assert {name: reply.headers[name] for name, _ in told} == dict(told)


@pytest.mark.parametrize("foreign", [False, True])
def test_feedback_is_read_whatever_its_form_unless_nodes_take_it_as_it_is(foreign: bool) -> None:
    inference = MemoryInference(takes_foreign=foreign)
    packed = gzip.compress(b'{"reward":1}')
    reply = exchange(head("POST", "/api/v1.0/feedback", "Content-Encoding: gzip", body=packed), inference)
    read = (200, packed, Form.FOREIGN) if foreign else (200, b'{"reward":1}', Form.FEEDBACK)
    assert (reply.status, inference.asked[0].text, inference.asked[0].form) == read


def test_multipart_is_parsed_for_other_nodes() -> None:
    inference = MemoryInference()
    sent = b'--b\r\nContent-Disposition: form-data; name="data"\r\n\r\n{"ndarray": [[1]]}\r\n--b--\r\n'
    reply = exchange(head("POST", PREDICT, "Content-Type: multipart/form-data; Boundary=b", body=sent), inference)
    assert (reply.status, inference.asked[0].text) == (200, b'{"data":{"ndarray": [[1]]}}')
    assert inference.asked[0].form == Form.MESSAGE


def test_gzip_request_is_inflated_once() -> None:
    inference = MemoryInference()
    reply = exchange(head("POST", PREDICT, "Content-Encoding: gzip", JSON, body=gzip.compress(BODY)), inference)
    assert reply.body == BODY
    assert inference.asked[0].headers == []
    assert exchange(head("POST", PREDICT, "Content-Encoding: deflate", body=zlib.compress(BODY))).body == BODY


@pytest.mark.parametrize(
    ("coding", "body", "status"),
    [
        ("gzip", b"not gzip", 400),
        ("gzip", gzip.compress(BODY, mtime=0)[:-9], 400),
        ("gzip", gzip.compress(BODY, mtime=0) + b"tail", 400),
        ("gzip", gzip.compress(b"0" * 300_000, mtime=0), 413),
        ("br", BODY, 415),
    ],
)
def test_bad_content_coding(coding: str, body: bytes, status: int) -> None:
    reply = exchange(
        head("POST", PREDICT, f"Content-Encoding: {coding}", body=body), limits=ServeLimits(max_message_bytes=100_000)
    )
    assert reply.status == status
    assert json.loads(reply.body)["status"]["code"] == status


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON; Charset=UTF-8",
        "application/vnd.x+json",
        "",
        'application/json; charset="utf-8"',
    ],
)
def test_json_types(content_type: str) -> None:
    assert exchange(head("POST", PREDICT, f"Content-Type: {content_type}", body=BODY)).body == BODY


@pytest.mark.parametrize(
    "content_type", ["text/plain", "multipart/mixed; boundary=x", "application/json; charset=utf-16"]
)
def test_other_types_are_refused_with_what_is_allowed(content_type: str) -> None:
    reply = exchange(head("POST", PREDICT, f"Content-Type: {content_type}", body=BODY))
    assert reply.status == 415
    assert content_type in json.loads(reply.body)["status"]["info"]


def test_form_with_json_field() -> None:
    form = "Content-Type: application/x-www-form-urlencoded"
    reply = exchange(head("POST", PREDICT, form, body=b"json=%7B%22strData%22%3A%22a+b%22%7D&x=1"))
    assert reply.body == b'{"strData":"a b"}'
    refused = exchange(head("POST", PREDICT, form, body=BODY))
    assert refused.status == 400
    assert "application/json" in json.loads(refused.body)["status"]["info"]
