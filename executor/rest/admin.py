"""Owns what a front tells of the process itself beside metrics: the page, what it shows, and the log level.

Must not gather what the page shows. The page needs nothing from elsewhere, and its policy lets it ask for nothing else.
"""

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from importlib import resources
from typing import Any
from urllib.parse import parse_qs

from executor import errors
from executor.protocol.table import Action, RestTable, Route
from executor.rest.answers import Reply, json_text
from executor.telemetry import logs

PAGE, NUMBERS, LEVEL = "/", "/page.json", "/log-level"
_GET = frozenset({"GET"})
_FRESH = (b"cache-control", b"no-store")
_NOSNIFF = (b"x-content-type-options", b"nosniff")
_JSON = ((b"content-type", b"application/json"), _NOSNIFF, _FRESH)
_INSIDE = re.compile(rb"<(script|style)>(.*?)</\1>", re.S)

Numbers = Callable[[], Awaitable[bytes]]
"""What the page shows, as JSON text."""


def with_page(table: RestTable) -> RestTable:
    """`table` with the page and its numbers."""
    return replace(table, routes=(*table.routes, Route(PAGE, _GET, Action.PAGE), Route(NUMBERS, _GET, Action.NUMBERS)))


def alone(table: RestTable, page: bool) -> RestTable:
    """What the admin port serves: errors are as in `table`, but none of its paths are there."""
    table = replace(
        table, routes=(Route(LEVEL, frozenset({"GET", "PUT"}), Action.LEVEL),), puid=False, post_prefixes=()
    )
    return with_page(table) if page else table


class Admin:
    """What answers these paths. `numbers` has what the page shows; `set_level` is told the level that is asked for."""

    def __init__(self, numbers: Numbers, set_level: Callable[[str], object]) -> None:
        self._numbers = numbers
        self._set_level = set_level
        text = resources.files("executor.rest").joinpath("watch.html").read_bytes()
        self._page = Reply(200, text, ((b"content-type", b"text/html; charset=utf-8"), *_guards(text)))
        self.actions: Mapping[Action, Callable[[Any], Awaitable[Reply]]] = {
            Action.PAGE: self._show,
            Action.NUMBERS: self._tell,
            Action.LEVEL: self._level,
        }

    async def _show(self, request: Any) -> Reply:
        return self._page

    async def _tell(self, request: Any) -> Reply:
        return Reply(200, await self._numbers(), _JSON)

    async def _level(self, request: Any) -> Reply:
        if request.scope["method"] == "PUT":
            asked = parse_qs(request.scope["query_string"].decode("latin-1")).get("level", [])
            if len(asked) != 1:
                allowed = ", ".join(logs.LEVELS)
                raise errors.RequestError(f"PUT {LEVEL}?level=LEVEL sets the log level: allowed are {allowed}")
            self._set_level(asked[0])
        return Reply(200, json_text({"level": logs.level(), "allowed": logs.LEVELS}), _JSON)


def _guards(page: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """Headers that keep a browser to what the page itself has: its own script and style, known by their hashes."""
    hashes: dict[bytes, list[bytes]] = {b"script": [], b"style": []}
    for kind, text in _INSIDE.findall(page):
        hashes[kind].append(b"'sha256-%b'" % base64.b64encode(hashlib.sha256(text).digest()))
    policy = b"default-src 'none'; script-src %b; style-src %b; img-src data:; connect-src 'self'; " % (
        b" ".join(hashes[b"script"]),
        b" ".join(hashes[b"style"]),
    )
    policy += b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return (b"content-security-policy", policy), (b"referrer-policy", b"no-referrer"), _NOSNIFF, _FRESH
