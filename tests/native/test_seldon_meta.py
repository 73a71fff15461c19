"""Owns tests of Meta, Metric and Status as dicts: both ways, against google.protobuf, and what is refused."""

from typing import Any

import numpy
import pytest
from support import wire

from executor import errors
from executor._native import buffer, message, seldon
from executor._pb import seldon_pb2 as pb

FULL = {
    "puid": "id",
    "tags": {"number": 1.5, "text": "ü", "nothing": None, "yes": True, "list": [1.0, []], "map": {"a": {}}},
    "routing": {"a": -1, "b": 2**31 - 1},
    "requestPath": {"a": "image:1"},
    "metrics": [
        {"key": "c", "type": "COUNTER", "value": 1.0},
        {"key": "t", "type": "TIMER", "value": 0.1, "tags": {"x": "y"}},
    ],
}


def test_all_of_meta_goes_both_ways() -> None:
    built = seldon.build("", meta=FULL)
    assert seldon.open(built).meta == FULL
    theirs = pb.SeldonMessage.FromString(bytes(built)).meta
    assert theirs.puid == "id"
    assert wire.plain(theirs.tags["map"]) == {"a": {}}
    assert dict(theirs.routing) == FULL["routing"]
    assert [(metric.key, metric.type, dict(metric.tags)) for metric in theirs.metrics] == [
        ("c", pb.Metric.COUNTER, {}),
        ("t", pb.Metric.TIMER, {"x": "y"}),
    ]


def test_the_order_of_entries_is_kept() -> None:
    tags = dict.fromkeys("zaymb", 1.0)
    assert list(seldon.open(seldon.build("", meta={"tags": tags})).meta["tags"]) == list("zaymb")


def test_a_float_reads_as_the_shortest_number_that_is_the_same() -> None:
    for value in (0.1, 1 / 3, 1e-30, 3.4e38, float("inf"), -2.5):
        theirs = pb.SeldonMessage(meta=pb.Meta(metrics=[pb.Metric(value=value)])).SerializeToString()
        found = seldon.open(message.Message(theirs)).meta["metrics"][0]["value"]
        assert numpy.float32(found) == numpy.float32(value)
        assert len(repr(found)) <= len(repr(float(numpy.float32(value))))


def test_numbers_that_have_no_name_stay_numbers() -> None:
    data = wire.nested(2, wire.nested(5, wire.number(2, 7))) + wire.nested(1, wire.number(4, 9))
    parts = seldon.open(message.Message(data))
    assert parts.meta["metrics"] == [{"key": "", "type": 7, "value": 0.0}]
    assert parts.status == {"code": 0, "info": "", "reason": "", "status": 9}
    again = seldon.open(seldon.build("", meta=parts.meta, status=parts.status))
    assert (again.meta, again.status) == (parts.meta, parts.status)


def test_an_empty_meta_is_there_and_empty() -> None:
    assert seldon.open(seldon.build("", meta={})).has_meta
    assert bytes(seldon.build("", meta={})) == b"\x12\x00"
    assert not seldon.open(seldon.build("")).has_meta
    assert seldon.open(seldon.build("")).meta == {}
    assert seldon.open(seldon.build("", status={})).status == {"code": 0, "info": "", "reason": "", "status": "SUCCESS"}


@pytest.mark.parametrize(
    ("meta", "text"),
    [
        ({"puuid": "x"}, "meta: key 'puuid' does not exist; allowed are puid, tags, routing, requestPath, metrics"),
        ({"puid": 1}, "meta.puid: int given"),
        ({"tags": [1]}, "meta.tags: list given"),
        ({"tags": {1: 2}}, "a key of meta.tags: int given"),
        ({"tags": {"a": object()}}, "object cannot be sent as a value"),
        ({"tags": {"a": b"x"}}, "bytes cannot be sent as a value"),
        ({"routing": {"a": 2**31}}, "meta.routing: 2147483648 given"),
        ({"routing": {"a": "x"}}, "meta.routing: 'x' given"),
        ({"routing": ["a"]}, "meta.routing: list given"),
        ({"requestPath": {"a": 1}}, "meta.requestPath: int given"),
        ({"metrics": {"key": "a"}}, "meta.metrics: dict given"),
        ({"metrics": ["a"]}, "meta.metrics: str given"),
        ({"metrics": [{"kind": "a"}]}, "key 'kind' does not exist; allowed are key, type, value, tags"),
        ({"metrics": [{"type": "METER"}]}, "'METER' does not exist; allowed are COUNTER, GAUGE, TIMER"),
        ({"metrics": [{"value": "x"}]}, "value 'x' is no number"),
        ("meta", "meta: str given"),
    ],
)
def test_a_meta_that_cannot_be_sent_says_why(meta: Any, text: str) -> None:
    before = buffer.live_buffers()
    with pytest.raises(errors.EncodeError, match=text):
        seldon.build("strData", "x", meta=meta)
    assert buffer.live_buffers() == before


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ({"message": "x"}, "allowed are code, info, reason, status"),
        ({"code": 1.5}, "status.code: 1.5 given"),
        ({"info": 1}, "status.info: int given"),
        ({"status": "OK"}, "'OK' does not exist; allowed are SUCCESS, FAILURE"),
    ],
)
def test_a_status_that_cannot_be_sent_says_why(status: dict[str, Any], text: str) -> None:
    with pytest.raises(errors.EncodeError, match=text):
        seldon.build("", status=status)


def test_text_that_is_no_utf8_is_refused_with_its_place() -> None:
    data = wire.nested(2, wire.nested(1, b"ab\xff"))
    parts = seldon.open(message.Message(data))
    with pytest.raises(errors.DecodeError, match="not UTF-8") as caught:
        _ = parts.meta
    assert caught.value.offset == 6


def test_broken_meta_is_refused_when_it_is_read() -> None:
    for content in (wire.nested(5, b"\x08"), wire.nested(2, b"\x12\x09"), b"\x0c"):
        parts = seldon.open(message.Message(wire.nested(2, content)))
        with pytest.raises(errors.DecodeError):
            _ = parts.meta
    with pytest.raises(errors.DecodeError):
        _ = seldon.open(message.Message(wire.nested(1, b"\x08"))).status
