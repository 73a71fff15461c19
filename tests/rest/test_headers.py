"""Which headers the front reads, which travel, and how durations are written."""

import pytest

from executor import errors
from executor.rest.headers import Head, parse_timeout


def test_reads_its_own_and_forwards_the_rest() -> None:
    head = Head(
        [
            (b"content-type", b"application/json"),
            (b"content-encoding", b"gzip"),
            (b"content-length", b"5"),
            (b"seldon-puid", b"p"),
            (b"millrace-timeout", b"1s"),
            (b"host", b"h"),
            (b"x-a", b"\xe9"),
            (b"x-a", b"2"),
        ]
    )
    assert (head.content_type, head.content_encoding, head.content_length) == ("application/json", "gzip", "5")
    assert (head.puid, head.timeout) == ("p", "1s")
    assert head.forwarded == [("x-a", "é"), ("x-a", "2")]


def test_nothing_sent() -> None:
    head = Head([])
    assert (head.content_type, head.puid, head.timeout, head.forwarded) == (None, None, None, [])


def test_connection_names_headers_of_the_hop() -> None:
    head = Head([(b"connection", b"close, X-Hop"), (b"x-hop", b"1"), (b"x-stay", b"2")])
    assert head.forwarded == [("x-stay", "2")]


@pytest.mark.parametrize(("text", "seconds"), [("1", 1.0), (" 0.25 ", 0.25), ("10ms", 0.01), ("1h", 3600.0)])
def test_durations(text: str, seconds: float) -> None:
    assert parse_timeout(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "0", "0ms", "-1", "1e3", "١", "1 s", "1d", "9" * 20])
def test_wrong_durations(text: str) -> None:
    with pytest.raises(errors.RequestError, match=r"--timeout .*: allowed is a positive number of seconds"):
        parse_timeout(text, "--timeout")
