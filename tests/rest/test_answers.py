"""Replies and the headers of all answers; `test_app` has them on the wire."""

import pytest

from executor import errors
from executor.protocol import seldon
from executor.rest import answers


def test_html_is_escaped_only_where_there_is_some() -> None:
    assert answers.escape_html('{"a":"<b>&\u2028\u2029"}'.encode()) == b'{"a":"\\u003cb\\u003e\\u0026\\u2028\\u2029"}'
    plain = b'{"strData":"plain"}'
    assert answers.escape_html(plain) is plain


@pytest.mark.parametrize(("status", "answered"), [(409, 409), (201, 201), (999, 502), (100, 502)])
def test_a_nodes_status_is_passed_on_if_it_is_one(status: int, answered: int) -> None:
    error = errors.NodeError("x", http_status=status, body=b"<>", body_type="a/b")
    reply = answers.failure(seldon.EXECUTOR_REST, error)
    assert reply == answers.Reply(answered, b"\\u003c\\u003e", ((b"content-type", b"a/b"),))
    assert answers.failure(seldon.NODE_REST, error).body == b"<>"


def test_statuses_without_a_body_have_none() -> None:
    assert answers.failure(seldon.EXECUTOR_REST, errors.NodeError("x", http_status=304)) == answers.Reply(304, b"", ())


def test_header_lines() -> None:
    event = answers.cloud_event(answers.Site("d", "n"), b"/p", "7")
    assert answers.lines_of(event) == (
        b"ce-id: 7\r\nce-specversion: 0.3\r\nce-path: /p\r\nce-type: seldon.d.n.response\r\nce-source: seldon.d\r\n"
    )
