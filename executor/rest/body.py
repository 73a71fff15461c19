"""Owns reading a request's body: its bound, its content coding and type; out comes JSON text, unparsed.

Must not parse JSON.
"""

import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from executor import errors
from executor._native import budget
from executor.rest import multipart
from executor.rest.headers import Head

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

MARK = b"\xef\xbb\xbf"
"""What some write before UTF-8."""
_PLAIN_TYPES = frozenset({"application/json", "application/json; charset=utf-8", "application/json;charset=utf-8"})
_FORM_TYPE = "application/x-www-form-urlencoded"
_MULTIPART_TYPE = "multipart/form-data"
_NO_CODINGS = frozenset({"", "identity"})
CODINGS = frozenset({"gzip", "x-gzip", "deflate"}) | _NO_CODINGS
"""Content codings that can be undone."""
_ACCEPTED = f"application/json, {_MULTIPART_TYPE}, or {_FORM_TYPE} with a field json="


class NoMemoryError(errors.LimitError):
    """Other requests have all the memory there is for bodies just now."""


class Disconnected(Exception):
    """The client went away while its body was being read."""


def too_large(limit: int, what: str) -> errors.LimitError:
    """The error for a body over its bound."""
    return errors.LimitError(f"{what} is larger than the {limit} bytes allowed", http_status=413)


async def read(receive: Receive, head: Head, limit: int, held: budget.Hold | None = None) -> bytes:
    """The whole body, charged to `held`. Raises `errors.LimitError` over `limit` bytes, and `Disconnected`."""
    if head.content_length is not None and len(head.content_length) < 20 and int(head.content_length) > limit:
        raise too_large(limit, f"request body of {head.content_length} bytes")
    told = int(head.content_length) if head.content_length is not None and len(head.content_length) < 20 else 0
    event = await receive()
    body: bytes = event.get("body", b"")
    _hold(held, told or len(body))
    chunks = [body]
    size = len(body)
    while event["type"] == "http.request" and event.get("more_body"):
        if size > limit:
            break
        event = await receive()
        chunks.append(event.get("body", b""))
        size += len(chunks[-1])
        _hold(held, 0 if told else len(chunks[-1]))
    if event["type"] != "http.request":
        raise Disconnected
    if size > limit:
        raise too_large(limit, "request body")
    return body if len(chunks) == 1 else b"".join(chunks)


def _hold(held: budget.Hold | None, size: int) -> None:
    if held is not None and not held.add(size):
        raise NoMemoryError("no memory for this request now: others have it all", http_status=503)


async def discard(receive: Receive, limit: int) -> None:
    """Reads and drops what is left of a body, at most `limit` bytes of it."""
    while limit > 0:
        event = await receive()
        limit -= len(event.get("body", b""))
        if event["type"] != "http.request" or not event.get("more_body"):
            return


def inflate(body: bytes, coding: str, limit: int) -> bytes:
    """Undoes a content coding, once, up to `limit` bytes. Raises `errors.Error` subclasses."""
    if coding in _NO_CODINGS:
        return body
    if coding not in CODINGS:
        raise _unsupported(f"Content-Encoding {coding!r}: allowed are gzip, deflate and identity")
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 32)  # 32: gzip or zlib, told apart by their first bytes
    try:
        text = inflater.decompress(body, limit + 1)
    except zlib.error as cause:
        raise errors.DecodeError(f"Content-Encoding {coding}: {cause}") from None
    if len(text) > limit:
        raise too_large(limit, "inflated request body")
    if not inflater.eof:
        raise errors.DecodeError(f"Content-Encoding {coding}: the body ends too early")
    if inflater.unused_data:
        raise errors.DecodeError(f"Content-Encoding {coding}: bytes after the end of the compressed body")
    return text


def json_text(body: bytes, head: Head, limit: int) -> bytes:
    """The JSON text of a request body. Raises `errors.Error` subclasses for types that hold none."""
    if head.content_encoding is not None:
        body = inflate(body, head.content_encoding.strip().lower(), limit)
    if head.content_type is None or head.content_type in _PLAIN_TYPES:
        return body
    media, _, parameters = head.content_type.lower().partition(";")
    media = media.strip()
    if media == _FORM_TYPE:
        return form_json(body, head.content_type)
    if media == _MULTIPART_TYPE:
        return multipart.json_text(body, _parameter(head.content_type.partition(";")[2], "boundary"))
    if media and media != "application/json" and not (media.startswith("application/") and media.endswith("+json")):
        raise _unsupported(f"Content-Type {head.content_type!r}: allowed is {_ACCEPTED}")
    charset = _parameter(parameters, "charset")
    if charset not in ("", "utf-8", "utf8", "us-ascii"):
        raise _unsupported(f"Content-Type {head.content_type!r}: JSON must be UTF-8")
    return body


def form_json(form: bytes, content_type: str) -> bytes:
    """The field `json` of a form. Raises `errors.RequestError` when it is not there."""
    text = _field(form)
    if text is None:
        raise no_json(f"Content-Type {content_type!r}, no field json=; ")
    return text


def query_json(query: bytes, head: Head, body: bytes) -> bytes | None:
    """A query's `json=`, where that counts: before a body of any other type, but not before a form's own field."""
    if b"json=" not in query:
        return None
    media = (head.content_type or "").lower()
    if media.startswith(_MULTIPART_TYPE) or (media.startswith(_FORM_TYPE) and _field(body) is not None):
        return None
    return _field(query)


def _field(form: bytes) -> bytes | None:
    """The first field `json`, unless it is empty."""
    try:
        fields = parse_qs(form.decode("utf-8", "replace"), max_num_fields=1000)
    except ValueError:
        return None
    return fields["json"][0].encode() if "json" in fields else None


def no_json(seen: str) -> errors.RequestError:
    """The error for a request that brings no JSON; `seen` says what it brings."""
    return errors.RequestError(f"Can't find JSON in data: {seen}allowed is {_ACCEPTED}", reason="MICROSERVICE_BAD_DATA")


def _parameter(parameters: str, name: str) -> str:
    for parameter in parameters.split(";"):
        key, _, value = parameter.partition("=")
        if key.strip().lower() == name:
            return value.strip().strip('"')
    return ""


def _unsupported(message: str) -> errors.RequestError:
    return errors.RequestError(message, http_status=415, reason="MICROSERVICE_BAD_DATA")
