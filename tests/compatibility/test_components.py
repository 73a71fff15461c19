"""What clients of Seldon's wrapper count on, and no other test shows: types of bodies, CORS, the order of members."""

import json

import grpc
import pytest
from support import serving
from support.clients import Refused
from support.serving import Served

from executor.rest.answers import CORS_HEADERS

TYPE = ("Content-Type", "application/json")


@pytest.fixture
def served() -> Served:
    return serving.component("Echo")


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "application/json; charset=utf-16", "x"])
def test_a_body_of_another_type_is_bad_data(served: Served, kind: str) -> None:
    with served:
        status, _, body = served.rest.ask("POST", "/predict", b'{"strData":"x"}', [("Content-Type", kind)])
        assert served.rest.ask("POST", "/predict", b'{"strData":"x"}', [("Content-Type", "application/json")])[0] == 200
    said = json.loads(body)["status"]
    assert (status, said["code"], said["reason"], said["status"]) == (400, -1, "MICROSERVICE_BAD_DATA", 1)
    assert kind in said["info"]


def test_a_component_may_ask_for_the_status_of_another_type() -> None:
    with serving.component("Moody") as served, pytest.raises(Refused, match="not now") as caught:
        served.rest.predict({"strData": "refuse 415"})
    assert caught.value.status == 415


def test_pages_of_other_origins_may_ask_a_node(served: Served) -> None:
    with served:
        for verb, path in (("OPTIONS", "/predict"), ("GET", "/health/ping"), ("GET", "/metadata")):
            status, headers, _ = served.rest.ask(verb, path, None, [("Origin", "https://a.example")])
            assert (status, headers["Access-Control-Allow-Origin"]) == (200, "*")
            assert headers["Access-Control-Allow-Headers"] == CORS_HEADERS


@pytest.mark.parametrize(
    ("verb", "path", "body", "kind"),
    [
        ("GET", "/predict?json=%7B%22strData%22%3A%22a%20b%22%7D", None, ""),
        ("GET", "/transform-input?json=%7B%22strData%22%3A%22a%20b%22%7D", None, ""),
        ("POST", "/predict", b"json=%7B%22strData%22%3A%22a+b%22%7D", "application/x-www-form-urlencoded"),
        (
            "POST",
            "/api/v1.0/predictions",
            b'--b\r\nContent-Disposition: form-data; name="strData"\r\n\r\na b\r\n--b--\r\n',
            "multipart/form-data; boundary=b",
        ),
    ],
)
def test_json_comes_in_a_query_a_form_or_parts(
    served: Served, verb: str, path: str, body: bytes | None, kind: str
) -> None:
    with served:
        status, _, answer = served.rest.ask(verb, path, body, [("Content-Type", kind)] if kind else [])
    assert (status, json.loads(answer)["strData"]) == (200, "a b")


def test_members_of_an_answer_come_in_the_order_of_their_names(served: Served) -> None:
    with served:
        for said, told in (
            (b'{"meta":{"tags":{"z":1,"a":2},"puid":"p"},"jsonData":{"y":1,"b":{"d":1,"c":2}}}',
             b'{"jsonData":{"b":{"c":2,"d":1},"y":1},"meta":{"puid":"p","tags":{"a":2,"z":1}}}'),
            (b'{"strData":"x"}', b'{"meta":{},"strData":"x"}'),
            (b'{"data":{"ndarray":[[1]],"names":["a"]}}', b'{"data":{"names":["t:0"],"ndarray":[[1]]},"meta":{}}'),
        ):  # fmt: skip
            assert served.rest.ask("POST", "/predict", said, [TYPE])[2] == told


def test_a_body_without_a_type_is_bad_data(served: Served) -> None:
    with served:
        status, _, answer = served.rest.ask("POST", "/predict", b'{"strData":"x"}')
    said = json.loads(answer)["status"]
    assert (status, said["reason"]) == (400, "MICROSERVICE_BAD_DATA")
    assert said["info"].startswith("Can't find JSON in data")


@pytest.mark.parametrize("place", ["ndarray", "tensor"])
def test_nan_goes_in_and_out_as_pythons_json_has_it(served: Served, place: str) -> None:
    numbers = b"[NaN,Infinity,-Infinity,1.0]"
    said = b'{"ndarray":%b}' % numbers if place == "ndarray" else b'{"tensor":{"shape":[4],"values":%b}}' % numbers
    with served:
        status, _, body = served.rest.ask("POST", "/predict", b'{"data":%b}' % said, [TYPE])
    assert (status, numbers in body) == (200, True)


def test_nan_may_stand_anywhere_in_json_data(served: Served) -> None:
    with served:
        _, _, body = served.rest.ask("POST", "/predict", b'{"jsonData":{"a":[NaN]},"meta":{"tags":{"t":NaN}}}', [TYPE])
    assert body == b'{"jsonData":{"a":[NaN]},"meta":{"tags":{"t":NaN}}}'


QUERY = "?json=%7B%22strData%22%3A%22asked%22%7D"


@pytest.mark.parametrize(
    ("kind", "body", "told"),
    [
        (None, b"", "asked"),
        ("application/json", b'{"strData":"sent"}', "asked"),
        ("text/plain", b"text", "asked"),
        ("application/x-www-form-urlencoded", b'json={"strData":"form"}', "form"),
    ],
)
def test_json_in_the_query_of_a_post_goes_before_the_body(
    served: Served, kind: str | None, body: bytes, told: str
) -> None:
    with served:
        headers = [("Content-Type", kind)] if kind else []
        status, _, answer = served.rest.ask("POST", f"/predict{QUERY}", body, headers)
    assert (status, json.loads(answer)["strData"]) == (200, told)


@pytest.mark.parametrize(
    ("path", "status"),
    [("/health/ping", 200), ("/health/status", 200), ("/metadata", 200), ("/seldon.json", 200),
     (f"/predict{QUERY}", 200), ("/predict", 400), ("/api/v1.0/predictions", 500), ("/nowhere", 500)],
)  # fmt: skip
def test_head_is_answered_as_get_without_the_body(served: Served, path: str, status: int) -> None:
    with served:
        answer = served.rest.ask("HEAD", path)
        told = served.rest.ask("GET", path)
    assert (answer[0], answer[2], told[0]) == (status, b"", status)
    assert answer[1]["Content-Type"] == told[1]["Content-Type"]
    if status != 500:
        assert answer[1]["Content-Length"] == str(len(told[2]))


@pytest.mark.parametrize("path", ["/predict", "/api/v1.0/predictions", "/health/ping", "/nowhere"])
def test_a_preflight_is_answered_on_every_path(served: Served, path: str) -> None:
    wanted = [("Origin", "https://a.example"), ("Access-Control-Request-Method", "POST")]
    wanted.append(("Access-Control-Request-Headers", "x-a, content-type"))
    with served:
        status, headers, body = served.rest.ask("OPTIONS", path, None, wanted)
    assert (status, body, headers["Access-Control-Allow-Origin"]) == (200, b"", "*")
    assert headers["Access-Control-Allow-Headers"] == "x-a, content-type"
    assert headers["Access-Control-Allow-Methods"] == "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"


@pytest.mark.parametrize(
    ("verb", "path", "sent"), [("GET", "/nowhere", None), ("PUT", "/predict", b"{}"), ("POST", "/predict", b"{")]
)
def test_pages_of_other_origins_may_read_errors(served: Served, verb: str, path: str, sent: bytes | None) -> None:
    with served:
        status, headers, _ = served.rest.ask(verb, path, sent, [TYPE, ("Origin", "https://a.example")])
    assert (status, headers["Access-Control-Allow-Origin"]) == (400 if sent == b"{" else 500, "*")


def test_an_exceptions_text_is_all_that_a_node_says(caplog: pytest.LogCaptureFixture) -> None:
    with serving.component("Moody") as moody:
        status, _, answer = moody.rest.ask("POST", "/predict", b'{"strData":"fail"}', [TYPE])
    told = {"code": -1, "info": "out of mood", "reason": "MICROSERVICE_INTERNAL_ERROR", "status": 1}
    assert (status, json.loads(answer)["status"]) == (500, told)
    assert any("predict raised ValueError" in message for message in caplog.messages)


FED = b'{"request":{"data":{"names":["a","b"],"ndarray":[[1,2]]},"meta":{"puid":"u"}},"reward":1}'


def test_feedback_goes_through_protobuf() -> None:
    with serving.component("Fed") as served:
        _, _, body = served.rest.ask("POST", "/send-feedback", FED, [TYPE])
    assert body == (
        b'{"data":{"ndarray":[1.0,2.0]},"meta":{"metrics":[{"key":"k","value":1.0},'
        b'{"key":"g","type":"GAUGE","value":2.0}],"puid":"u","tags":{"n":[1.0,true]}}}'
    )


@pytest.mark.parametrize("said", [FED[:-1] + b',"zz":1}', b'{"request":{"unknown":1}}', b'{"reward":"much"}', b"[]"])
def test_feedback_that_is_none_is_bad_data(said: bytes) -> None:
    with serving.component("Fed") as served:
        status, _, body = served.rest.ask("POST", "/send-feedback", said, [TYPE])
    assert (status, json.loads(body)["status"]["reason"]) == (400, "MICROSERVICE_BAD_DATA")


@pytest.mark.parametrize("said", [{}, {"meta": {"puid": "p"}}])
def test_a_message_without_a_payload_is_refused(served: Served, said: dict[str, dict[str, object]]) -> None:
    with served:
        with pytest.raises(Refused, match="the message has no data") as caught:
            served.rest.predict(said)
        assert (caught.value.status, caught.value.said["status"]["reason"]) == (400, "MICROSERVICE_BAD_DATA")
        with pytest.raises(Refused, match="the message has no data") as caught:
            served.grpc.predict(said)
        assert caught.value.status is grpc.StatusCode.INVALID_ARGUMENT
