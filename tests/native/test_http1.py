"""Plain HTTP/1.1 messages: read as httptools reads them, or left to it."""

import random
from typing import Any

import httptools
import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from executor import errors
from executor._native import http1
from executor.types import Encoding, Form

BIG = 1 << 20
BODY = b'{"strData":"a"}'


def request(*lines: str, path: str = "/p", body: bytes = BODY, length: str | None = None) -> bytes:
    size = f"Content-Length: {len(body) if length is None else length}"
    return "\r\n".join([f"POST {path} HTTP/1.1", *lines, size, "", ""]).encode("latin-1") + body


def address(data: Any) -> int:
    """Where the bytes lie."""
    return int(numpy.frombuffer(data, numpy.uint8).ctypes.data)


def read(data: bytes, head_max: int = BIG, body_max: int = BIG) -> http1.PlainRequest | None:
    return http1.read_request(data, head_max, body_max)


class Parsed:
    """What httptools makes of the same bytes."""

    def __init__(self, data: bytes, *, reply: bool = False) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.url = self.body = b""
        self.complete = 0
        self.keeps = False
        parser: Any = httptools.HttpResponseParser(self) if reply else httptools.HttpRequestParser(self)
        self.parser = parser
        parser.feed_data(data)
        self.upgrade = parser.should_upgrade()
        self.status = parser.get_status_code() if reply else 0

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete += 1
        self.keeps = self.parser.should_keep_alive()

    def first(self, name: bytes) -> str | None:
        return next((value.strip(b" \t").decode("latin-1") for key, value in self.headers if key == name), None)


def test_a_plain_request() -> None:
    data = request(
        "Host: h", "Content-Type:application/json ", "X-One: \t1 ", "Seldon-Puid: abc", "Connection: Keep-Alive",
        "Millrace-Timeout: 2s", "x-ONE: \xe9", "TE: trailers", "Empty:",
    )  # fmt: skip
    found = read(data)
    assert found is not None
    assert (found.path, found.body, found.content_type) == (b"/p", BODY, "application/json")
    assert (found.puid, found.timeout) == ("abc", "2s")
    assert found.pairs() == [("x-one", "1"), ("x-one", "\xe9"), ("empty", "")]
    message = found.message(Encoding.SELDON_JSON, Form.MESSAGE)
    assert (bytes(message), message.spans) == (BODY, 1)
    assert address(message.parts()[0]) == address(data) + len(data) - len(BODY)  # by reference


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"POST",
        request()[:-1],
        request() + b"x",
        request(length="+15"),
        request(length=""),
        request(length="0x0f"),
        request(length="1" * 16),
        request("Content-Length: 15"),
        request("Transfer-Encoding: chunked"),
        request("Expect: 100-continue"),
        request("Upgrade: h2c"),
        request("Connection: close"),
        request("Connection: keep-alive, X-One"),
        request("Content-Encoding: gzip"),
        request("Trailer: X"),
        request("Ce-Specversion: 1.0"),
        request("Content-Type: a/b", "Content-Type: a/b"),
        request("Seldon-Puid: a", "Seldon-Puid: b"),
        request("Millrace-Timeout: 1", "Millrace-Timeout: 2"),
        request("X : 1"),
        request(" X: 1"),
        request("X: a\n b"),
        request("X: a\rb"),
        request("X: a\x00b"),
        request("no colon"),
        request(": no name"),
        request(path="/p?x=1"),
        request(path="/%70"),
        request(path="p"),
        request(path="*"),
        request(path=""),
        request(path="http://h/p"),
        request().replace(b"POST", b"GET "),
        request().replace(b"POST", b"post"),
        request().replace(b"HTTP/1.1", b"HTTP/1.0"),
        request().replace(b"\r\n", b"\n"),
        b"\r\n" + request(),
        request(*(f"X-{number}: 1" for number in range(60))),
        request("X" * 129 + ": 1"),
    ],
)
def test_what_is_not_plain(data: bytes) -> None:
    assert read(data) is None


def test_short_names_harm_nobody() -> None:
    found = read(request("A: 1", "B: 2"))
    assert found is not None
    assert found.pairs() == [("a", "1"), ("b", "2")]
    assert (bytes([65]), bytes([66])) == (b"\x41", b"\x42")  # Python keeps one object of each


def test_bounds() -> None:
    data = request("X: " + "y" * 100)
    size = len(data) - len(BODY)
    assert read(data, head_max=size) is not None
    assert read(data, head_max=size - 1) is None
    assert read(data, body_max=len(BODY)) is not None
    assert read(data, body_max=len(BODY) - 1) is None
    assert read(request(*(f"X-{number}: 1" for number in range(59)))) is not None


ODD_NAMES = ["a", "B-", "_!", "~ ", "\x7f"]
ODD_VALUES = ["", "1", " 2 ", "\xff", "\x01"]
LINES = st.lists(
    st.one_of(
        st.sampled_from([
            "Host: h", "Connection: keep-alive", "Connection: close", "Content-Length: 3", "Content-Length: 03",
            "Transfer-Encoding: chunked", "Transfer-Encoding: identity", "Upgrade: x", "Expect: 100-continue",
            "Content-Type: application/json", "Keep-Alive: 5", "X:", "X:\t", "X: a\tb", "X: a \t ", " folded", "\tf",
        ]),
        st.binary(max_size=12).map(lambda raw: raw.decode("latin-1")),
        st.builds("{}: {}".format, st.sampled_from(ODD_NAMES), st.sampled_from(ODD_VALUES)),
    ),
    max_size=5,
)  # fmt: skip


@settings(max_examples=300)
@given(
    lines=LINES,
    path=st.sampled_from(["", "a", "/", "a/b", "%7", "?", "#", " ", "\xe9", "~.-_"]),
    body=st.binary(max_size=4),
    seed=st.integers(0, 1 << 30),
)
def test_plain_requests_are_what_a_full_parser_reads(lines: list[str], path: str, body: bytes, seed: int) -> None:
    head = [f"POST /{path} HTTP/1.1", *lines, f"Content-Length: {len(body)}", "", ""]
    data = bytearray("\r\n".join(head).encode("latin-1", "replace") + body)
    chance = random.Random(seed)
    for _ in range(chance.choice((0, 0, 1, 2))):
        data[chance.randrange(len(data))] = chance.choice(b"\r\n :\x00\t,Az0\xff")
    found = read(bytes(data))
    if found is None:
        return
    parsed = Parsed(bytes(data))
    assert parsed.complete == 1
    assert (parsed.keeps, parsed.upgrade) == (True, False)
    assert (parsed.url, parsed.body) == (found.path, found.body)
    assert found.content_type == parsed.first(b"content-type")
    kept = [(name.decode(), value.strip(b" \t").decode("latin-1")) for name, value in parsed.headers]
    assert [pair for pair in kept if pair in found.pairs()] == found.pairs()


STATUSES = ["200 OK", "200", "200 ", "404 No\x01", "500 \xe9", "204 No", "100 Continue", "20 OK", "304 x"]
REPLIES = st.lists(
    st.sampled_from([
        "Content-Type: a/b", "Connection: keep-alive", "Connection: close", "Content-Length: 3", "Date: x",
        "Transfer-Encoding: chunked", "Content-Encoding: gzip", "Location: /x", "Upgrade: x", "X: \xff", "X", "Y:\t",
    ]),
    max_size=4,
)  # fmt: skip


@settings(max_examples=300)
@given(
    lines=REPLIES, body=st.binary(max_size=4), more=st.integers(-2, 2),
    status=st.sampled_from(STATUSES),
    seed=st.integers(0, 1 << 30),
)  # fmt: skip
def test_plain_answers_are_what_a_full_parser_reads(
    lines: list[str], body: bytes, more: int, status: str, seed: int
) -> None:
    size = max(0, len(body) + more)
    head = [f"HTTP/1.1 {status}", *lines, f"Content-Length: {size}", "", ""]
    data = bytearray("\r\n".join(head).encode("latin-1") + body)
    chance = random.Random(seed)
    for _ in range(chance.choice((0, 0, 1, 2))):
        data[chance.randrange(len(data))] = chance.choice(b"\r\n :\x00\t,Az0\xff")
    found = http1.read_reply(bytes(data), BIG, BIG)
    if found is None:
        return
    reply, missing = found
    parsed = Parsed(bytes(data) + b"x" * missing, reply=True)
    assert parsed.complete == 1
    assert parsed.keeps
    assert (parsed.status, parsed.body) == (reply.status, reply.body + b"x" * missing)
    for name in ("content-type", "content-encoding", "location"):
        last = [value.strip(b" \t").decode("latin-1") for key, value in parsed.headers if key == name.encode()]
        assert getattr(reply, name.replace("-", "_")) == (last[-1] if last else None)


def test_header_lines_of_a_call() -> None:
    pairs = [
        (b"authorization", b"a"), (b"host", b"h"), (b"te", b"x"), (b"x-tenant-bin", b"7"),
        (b"accept-encoding", b"br"), (b"ce-specversion", b"1.0"), (b"content-type", b"x"), (b"seldon-puid", b"other"),
    ]  # fmt: skip
    told = b"authorization: a\r\nx-tenant-bin: 7\r\n%bce-specversion: 1.0\r\n%bseldon-puid: p\r\n"
    gzip, own = b"accept-encoding: gzip\r\n", b"accept-encoding: br\r\n"
    assert http1.header_lines(pairs, "p", None) == (told % (b"", gzip), False)
    assert http1.header_lines(pairs, "p", None, True) == (told % (own, b""), True)
    assert http1.header_lines([], "", 1.5, True) == (gzip + b"millrace-timeout: 1.500000\r\n", False)
    for coded in (False, True):
        plain = (b"accept-encoding: identity\r\n", False)
        assert http1.header_lines([(b"accept-encoding", b"identity")], "", None, coded) == plain
    with pytest.raises(errors.RequestError, match="'x-a' has a line break"):
        http1.header_lines([(b"x-a", b"1\r\nx-b: 2")], "p", None)


@given(st.text("ab<>&\u2028\u2029\u2027\u20ac\xe2", max_size=40))
def test_html_escapes(text: str) -> None:
    escaped = text
    for character in "<>&\u2028\u2029":
        escaped = escaped.replace(character, f"\\u{ord(character):04x}")
    body = text.encode()
    assert http1.escape_html(body) == escaped.encode()
    if escaped == text:
        assert http1.escape_html(body) is body
