"""Owns what the front answers with: replies, errors in the protocol's form, and the headers that all answers carry.

Must not serve, nor know how an answer is written to a connection.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from executor import errors
from executor._native import http1
from executor._native import message as messages
from executor.protocol.table import Action, RestTable, Route
from executor.types import CODED

RawHeaders = list[tuple[bytes, bytes]]

JSON = (b"content-type", b"application/json")
TEXT = (b"content-type", b"text/plain; charset=utf-8")
PONG = (b"content-type", b"text/html; charset=utf-8")
CLOSE = (b"connection", b"close")
CORS_ORIGINS = "*"
CORS_HEADERS = "Accept, Accept-Encoding, Authorization, Content-Length, Content-Type, X-CSRF-Token"
_OWN = (Action.PAGE, Action.NUMBERS, Action.LEVEL)
CLOUD_EVENTS = "0.3"
"""The version that every answer to a CloudEvent says, whatever the request's own is."""


escape_html = http1.escape_html
"""JSON text in which no byte can be taken for markup; the same object where there is none."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = (JSON,)


@dataclass(frozen=True, slots=True)
class Site:
    """What the front says of itself and to whom it lets browsers speak."""

    deployment: str = ""
    namespace: str = "default"
    cors_origins: str = CORS_ORIGINS
    cors_headers: str = CORS_HEADERS


def json_text(value: Mapping[str, Any]) -> bytes:
    """A document."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


def typed(message: messages.Message) -> tuple[tuple[bytes, bytes], ...]:
    """The headers that say what a message is: its sender's Content-Type, where that said one, and its coding."""
    if message.kind is None:
        return (JSON,)
    kind, _, coding = message.kind.partition(CODED)
    told = (b"content-type", kind.encode("latin-1", "replace"))
    return (told, (b"content-encoding", coding.encode("latin-1", "replace"))) if coding else (told,)


def text_of(message: messages.Message, table: RestTable) -> bytes:
    """The body that says `message`, safe where it can be: nothing is changed in a compressed one."""
    body = bytes(message)
    return body if CODED in (message.kind or "") else written(body, table)


def written(body: bytes, table: RestTable) -> bytes:
    """JSON text as the protocol has it written."""
    if table.written is not None:
        return table.written(body)
    return escape_html(body) if table.escape_html else body


def failure(table: RestTable, error: errors.Error) -> Reply:
    """The answer that reports `error`: a node's own body if it sent one, else the protocol's."""
    body, content_type = error.body, JSON
    if body is None:
        body = table.error_body(error)
    elif error.body_type is not None:
        content_type = (b"content-type", error.body_type.encode("latin-1", "replace"))
    status = table.error_status(error)
    if not 200 <= status <= 599:
        status = 502
    if status in (204, 304):
        return Reply(status, b"", ())
    plain = table.written is not None and content_type != JSON
    return Reply(status, body if plain else written(body, table), (content_type,))


def internal(cause: Exception) -> errors.Error:
    """What is said of a failure that nobody expected."""
    return errors.Error(f"internal error: {type(cause).__name__}: {cause}")


_METHODS = b"DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"


def open_to_pages(table: RestTable, site: Site) -> RawHeaders:
    """What lets pages of other origins read answers on paths that are not served, where they may."""
    return [(b"access-control-allow-origin", site.cors_origins.encode("latin-1"))] if table.flask else []


def preflight(asked: Iterable[tuple[bytes, bytes]], site: Site) -> RawHeaders:
    """What lets a page ask whatever it asked leave for, as flask-cors answers it."""
    told = [(b"access-control-allow-origin", site.cors_origins.encode("latin-1"))]
    told.append((b"access-control-allow-methods", _METHODS))
    wanted = b", ".join(value for name, value in asked if name == b"access-control-request-headers")
    return [*told, (b"access-control-allow-headers", wanted or site.cors_headers.encode("latin-1"))]


def shared_headers(table: RestTable, route: Route, site: Site) -> RawHeaders:
    """The headers that every answer of `route` carries."""
    if route.action in _OWN:
        return []  # which no page of another site may read
    shared = [(b"x-content-type-options", b"nosniff")] if table.nosniff else []
    shared.append((b"access-control-allow-origin", site.cors_origins.encode("latin-1")))
    shared.append((b"access-control-allow-headers", site.cors_headers.encode("latin-1")))
    if "OPTIONS" in route.verbs:
        shared.append((b"access-control-allow-methods", ",".join(sorted(route.verbs)).encode()))
    return shared


def cloud_event(site: Site, path: bytes, puid: str) -> RawHeaders:
    """The headers that make an answer a CloudEvent, as Seldon's executor words them."""
    source = f"seldon.{site.deployment}".encode()
    return [
        (b"ce-id", puid.encode("latin-1", "replace")),
        (b"ce-specversion", CLOUD_EVENTS.encode()),
        (b"ce-path", path),
        (b"ce-type", b"%b.%b.response" % (source, site.namespace.encode())),
        (b"ce-source", source),
    ]


def timing(text: str) -> tuple[bytes, bytes]:
    """The header that says where an answer's time went."""
    return b"server-timing", text.encode("latin-1", "replace")


def lines_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The same as header lines."""
    return b"".join(b"%b: %b\r\n" % header for header in headers)
