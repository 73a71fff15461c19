"""What clients of Seldon's wrapper count on, and no other test shows: types of bodies, CORS, the order of members."""

import json

import grpc
import pytest
from support import serving
from support.clients import Refused
from support.serving import Served

from executor.rest.answers import CORS_HEADERS


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


def test_members_of_an_answer_come_in_the_order_given(served: Served) -> None:
    body = b'{"meta":{"tags":{"z":1,"a":2}},"jsonData":{"y":1,"b":2}}'
    with served:
        _, _, answer = served.rest.ask("POST", "/predict", body, [("Content-Type", "application/json")])
    said = json.loads(answer)
    assert list(said["meta"]["tags"]) == ["z", "a"]
    assert list(said["jsonData"]) == ["y", "b"]


def test_a_body_without_a_type_is_json(served: Served) -> None:
    with served:
        status, _, answer = served.rest.ask("POST", "/predict", b'{"strData":"x"}')
    assert (status, json.loads(answer)["strData"]) == (200, "x")


@pytest.mark.parametrize("said", [{"data": {}}, {"data": {"names": ["a"]}}, {"meta": {"puid": "p"}}])
def test_a_message_without_a_payload_is_refused(served: Served, said: dict[str, dict[str, object]]) -> None:
    with served:
        with pytest.raises(Refused, match="the message has no data") as caught:
            served.rest.predict(said)
        assert (caught.value.status, caught.value.said["status"]["reason"]) == (400, "MICROSERVICE_BAD_DATA")
        with pytest.raises(Refused, match="the message has no data") as caught:
            served.grpc.predict(said)
        assert caught.value.status is grpc.StatusCode.INVALID_ARGUMENT
