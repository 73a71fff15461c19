"""The events that payloads are logged as."""

import gzip
import re
from dataclasses import replace

import pytest

from executor._native import message as messages
from executor.settings import Deployment
from executor.telemetry.cloudevents import Event, Kind, Origin
from executor.types import CODED, Encoding, Form

SHOP = Deployment("churn", "shop", "main")


def event(
    puid: str = "p", node: str = "m", encoding: Encoding = Encoding.SELDON_JSON, time_s: float = 1.5, data: bytes = b"x"
) -> Event:
    origin = Origin(node, "http://x", source="http://here/", deployment=SHOP)
    return Event(origin, Kind.RESPONSE, puid, messages.Message(data, int(encoding)), time_s)


def test_attributes() -> None:
    headers = event("p-1").headers()
    assert [name for name, _ in headers] == [
        "Ce-Id", "Ce-Specversion", "Ce-Time", "Ce-Type", "Ce-Requestid", "Ce-Source", "Ce-Modelid",
        "Ce-Inferenceservicename", "Ce-Namespace", "Ce-Endpoint", "Ce-Protocol", "Content-Type",
    ]  # fmt: skip
    told = dict(headers)
    assert told["Ce-Time"] == "1970-01-01T00:00:01.500000Z"
    assert told["Ce-Type"] == "io.seldon.serving.inference.response"
    assert told["Ce-Requestid"] == "p-1"


def test_every_event_has_an_id_of_its_own() -> None:
    one = event()
    assert dict(one.headers())["Ce-Id"] != dict(one.headers())["Ce-Id"]


@pytest.mark.parametrize(
    ("encoding", "told"),
    [(Encoding.SELDON_JSON, "application/json"), (Encoding.SELDON_PROTO, "application/protobuf")],
)
def test_the_type_is_that_of_the_payload(encoding: Encoding, told: str) -> None:
    assert dict(event(encoding=encoding).headers())["Content-Type"] == told


@pytest.mark.parametrize(
    ("form", "kind", "told"),
    [
        (Form.MESSAGE, "text/csv; header=present", "text/csv; header=present"),
        (Form.FOREIGN, "text/csv", "text/csv"),
        (Form.FOREIGN, None, "application/octet-stream"),
        (Form.MESSAGE, "text/\u00e9", "application/octet-stream"),
        (Form.MESSAGE, "a\r\nCe-Id: x", "application/octet-stream"),
    ],
)
def test_the_type_that_came_with_it_goes_before(form: Form, kind: str | None, told: str) -> None:
    message = messages.Message(b"x", Encoding.SELDON_JSON, form, kind)
    assert dict(replace(event(), message=message).headers())["Content-Type"] == told


@pytest.mark.parametrize(
    ("puid", "told"),
    [
        ("00000000-0000-4000-8000-000000000000",) * 2,
        ("plain!#$&'()*+,/:;<=>?@[]^`{|}~-._",) * 2,
        ('a b"c%d', "a%20b%22c%25d"),
        ("a\r\nCe-Id: x", "a%0D%0ACe-Id:%20x"),
        ("é\u2028\x7f", "%C3%A9%E2%80%A8%7F"),
    ],
)
def test_values_are_what_a_header_can_carry(puid: str, told: str) -> None:
    assert dict(event(puid).headers())["Ce-Requestid"] == told
    for name, value in event(puid, node=puid).headers():
        assert re.fullmatch(r"[\x21-\x7e]+", value), name


def test_data_is_the_payload_where_it_lies() -> None:
    data = b"some bytes"
    (part,) = event(data=data).data()
    assert part == data
    assert part.readonly
    assert event(data=b"").data() in ([], [memoryview(b"")])


@pytest.mark.parametrize("whole", [True, False])
def test_a_compressed_payload_is_logged_as_what_it_says(whole: bool) -> None:
    packed = gzip.compress(b'{"a":1}')
    sent = packed if whole else packed[:-9]
    message = messages.Message(sent, int(Encoding.SELDON_JSON), Form.MESSAGE, f"application/json{CODED}gzip")
    made = replace(event(), message=message)
    assert b"".join(made.data()) == (b'{"a":1}' if whole else sent)  # one that is broken goes as it came
    assert dict(made.headers())["Content-Type"] == "application/json"
