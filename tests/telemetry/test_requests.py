"""How requests are worded in the log."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import logged
from support.logged import Logged

from executor._native import journal
from executor.status import Status
from executor.telemetry import requests


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Logged]:
    with logged.to_file(tmp_path / "log", "info", "json") as found:
        yield found


def line(what: int, code: int, *, http: bool = False, node: bytes = b"m", text: bytes = b"why", count: int = 7) -> Any:
    return (what, http, code, 0.5, 0.0123456, count, 9, b"/path", b"id-1", node, text)


def test_a_failure_names_request_node_and_reason(told: Logged) -> None:
    requests.take([line(journal.FAILED, Status.UNAVAILABLE)], 0)
    (said,) = told.said
    assert said["logger"] == "millrace.requests"
    assert (said["level"], said["message"]) == ("warning", "request failed: why")
    assert {key: said[key] for key in ("protocol", "code", "node", "puid", "path", "reason", "duration_ms")} == {
        "protocol": "grpc", "code": "UNAVAILABLE", "node": "m", "puid": "id-1", "path": "/path", "reason": "why",
        "duration_ms": 12.346,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("code", "http", "level"),
    [
        (Status.INVALID_ARGUMENT, False, "info"),
        (Status.INTERNAL, False, "warning"),
        (404, True, "info"),
        (500, True, "warning"),
        (99, False, "warning"),
    ],
)
def test_what_the_client_has_to_put_right_is_no_warning(told: Logged, code: int, http: bool, level: str) -> None:
    requests.take([line(journal.FAILED, code, http=http)], 0)
    assert [each["level"] for each in told.said] == [level]


def test_failures_that_were_only_counted(told: Logged) -> None:
    requests.take(
        [
            line(journal.MORE, Status.UNAVAILABLE, count=1234),
            line(journal.MORE, 500, http=True, node=b"", count=2),
            line(journal.MORE, -1, node=b"", count=3),
        ],
        0,
    )
    assert [each["message"] for each in told.said] == [
        "and 1234 more requests failed with UNAVAILABLE at node 'm'",
        "and 2 more requests failed with 500",
        "and 3 more requests failed of other kinds",
    ]
    assert [each["count"] for each in told.said] == [1234, 2, 3]


def test_the_access_log(told: Logged) -> None:
    logging.getLogger().setLevel("ERROR")
    requests.take([line(journal.SERVED, Status.OK), line(journal.SERVED, 200, http=True)], 0)
    first, second = told.said
    assert first.pop("timestamp") <= second.pop("timestamp")
    assert {**first, "pid": 0} == {
        "level": "info", "logger": "millrace.access", "message": "request", "pid": 0, "protocol": "grpc",
        "path": "/path", "code": "OK", "puid": "id-1", "duration_ms": 12.346, "bytes_in": 7, "bytes_out": 9,
    }  # fmt: skip
    assert (second["protocol"], second["code"]) == ("rest", 200)


def test_lines_that_found_no_room_are_told_of(told: Logged) -> None:
    requests.take([], 12)
    assert [each["message"] for each in told.said] == [
        "12 lines on requests were dropped: there was no room for so many at once"
    ]


def test_texts_of_others_end_no_line(told: Logged) -> None:
    bad = b"a\nb\x1b[2J\xff"
    requests.take([(journal.FAILED, True, 500, 0.0, 0.0, 0, 0, bad, bad, bad, bad)], 0)
    (said,) = told.said
    for key in ("path", "puid", "node", "reason"):
        assert said[key] == "a\\x0ab\\x1b[2J\ufffd"


def test_what_is_below_the_level_is_not_said(told: Logged) -> None:
    logging.getLogger().setLevel("ERROR")
    requests.take([line(journal.FAILED, Status.UNAVAILABLE), line(journal.MORE, Status.UNAVAILABLE)], 0)
    assert told.said == []
