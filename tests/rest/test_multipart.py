"""Multipart bodies, made by aiohttp's writer and by hand."""

import asyncio
import base64
import json

import pytest
from aiohttp import FormData

from executor import errors
from executor.rest import multipart


class Collected:
    def __init__(self) -> None:
        self.data = bytearray()

    async def write(self, chunk: bytes) -> None:
        self.data += chunk


async def written(form: FormData) -> tuple[bytes, str]:
    """A form as aiohttp sends it: body and boundary."""
    payload = form()
    sink = Collected()
    await payload.write(sink)  # type: ignore[arg-type]
    return bytes(sink.data), payload.headers["Content-Type"].partition("boundary=")[2]


def by_hand(*parts: bytes, boundary: str = "b", end: bytes = b"--\r\n") -> bytes:
    mark = b"--" + boundary.encode()
    return b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts) + mark + end


def field(name: str, content: bytes) -> bytes:
    return f'Content-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + content


def test_a_form_of_every_kind() -> None:
    raw = bytes(range(256)) + b"\r\n--nearly"
    form = FormData(quote_fields=False)
    form.add_field("meta", '{"tags": {"a": 1}}')
    form.add_field("strData", "plain {text}", content_type="text/plain")
    form.add_field("jsonData", "[1, 2.50]", content_type="application/json")
    form.add_field("binData", raw, filename="x.png", content_type="image/png")
    form.add_field("notes", "naïve".encode(), filename="notes.txt")
    text = multipart.json_text(*asyncio.run(written(form)))
    assert json.loads(text) == {
        "meta": {"tags": {"a": 1}},
        "strData": "plain {text}",
        "jsonData": [1, 2.5],
        "binData": base64.b64encode(raw).decode(),
        "notes": "naïve",
    }
    assert b"2.50" in text


def test_the_text_of_json_fields_is_kept() -> None:
    body = b"a preamble\r\n" + by_hand(field("data", b'{ "ndarray":[[1.0]] }'), end=b"-- \r\nan epilogue")
    assert multipart.json_text(body, "b") == b'{"data":{ "ndarray":[[1.0]] }}'


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the boundary 'b' is not in the body"),
        (by_hand(), "there is no field; allowed are fields named"),
        (by_hand(field("data", b"{}"), end=b"\r\n"), "does not end with --b--"),
        (by_hand(field("data", b"{")), "field 'data' is not JSON"),
        (by_hand(field("data", b"\xff")), "field 'data' is not UTF-8 text"),
        (by_hand(field("data", b"[" * 100_000)), "field 'data' is not JSON"),
        (by_hand(field("data", b"{}"), field("data", b"{}")), "'data' is given twice"),
        (by_hand(b"Content-Disposition: form-data\r\n\r\n1"), "a part has no name"),
        (by_hand(b"Content-Disposition: attachment; name=a\r\n\r\n1"), "a part has no name"),
        (by_hand(b"no headers"), "a part has no headers"),
        (by_hand(b"X: " + b"y" * 20_000 + b"\r\n\r\n1"), "a part has no headers"),
        (by_hand(b"Content-Transfer-Encoding: base64\r\n" + field("data", b"e30=")), "Content-Transfer-Encoding"),
        (by_hand(*(field(f"a{number}", b"1") for number in range(101))), "101 parts; at most 100"),
        (by_hand(end=b"--") + b"\r\n" + by_hand(), "something follows the end"),
    ],
)
def test_what_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(errors.RequestError, match=said) as caught:
        multipart.json_text(body, "b")
    assert caught.value.http_status == 400


@pytest.mark.parametrize("boundary", ["", "b" * 71])
def test_boundaries(boundary: str) -> None:
    with pytest.raises(errors.RequestError, match="boundary of 1 to 70 characters"):
        multipart.json_text(by_hand(field("data", b"{}"), boundary=boundary), boundary)
