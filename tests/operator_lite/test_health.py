"""Tests `health`: the operator's own pages."""

import http.client

from operator_lite.health import Pages


def test_pages() -> None:
    pages = Pages("127.0.0.1", 0, {"/a": lambda: (200, "ä\n"), "/b": lambda: (503, "no\n")})
    pages.start()
    try:
        answers = {}
        for path in ("/a", "/a?x=1", "/b", "/c"):
            connection = http.client.HTTPConnection("127.0.0.1", pages.port, timeout=10)
            connection.request("GET", path)
            answer = connection.getresponse()
            answers[path] = (answer.status, answer.read().decode())
            connection.close()
    finally:
        pages.stop()
    assert answers == {
        "/a": (200, "ä\n"),
        "/a?x=1": (200, "ä\n"),
        "/b": (503, "no\n"),
        "/c": (404, "pages: /a, /b\n"),
    }
