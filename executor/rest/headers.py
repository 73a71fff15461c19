"""Owns HTTP headers: which ones the front reads itself, and which ones travel on to nodes.

Must not do I/O.
"""

import math
import re
from collections.abc import Iterable

from executor import errors

HOP_BY_HOP = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
    "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip
"""Headers that speak of one connection (RFC 9110, 7.6.1)."""

OF_ONE_MESSAGE = frozenset({
    "content-encoding", "content-length", "content-type", "expect", "host",
    "millrace-timeout", "seldon-puid",
})  # fmt: skip
"""Headers that speak of one message, and that each hop therefore writes for itself."""

NOT_FORWARDED = HOP_BY_HOP | OF_ONE_MESSAGE

_READ = {
    b"content-type": "content_type",
    b"content-encoding": "content_encoding",
    b"content-length": "content_length",
    b"seldon-puid": "puid",
    b"millrace-timeout": "timeout",
    b"connection": "connection",
    b"ce-specversion": "event",
    b"millrace-timing": "timing",
}
_DROPPED = frozenset(name.encode() for name in NOT_FORWARDED)


class Head:
    """The headers of one request: what the front itself needs (None: not sent), and what is forwarded."""

    __slots__ = (
        "connection", "content_encoding", "content_length", "content_type", "event", "forwarded", "puid", "timeout",
        "timing",
    )  # fmt: skip

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self.content_type: str | None = None
        self.content_encoding: str | None = None
        self.content_length: str | None = None
        self.puid: str | None = None
        self.timeout: str | None = None
        self.connection: str | None = None
        self.event: str | None = None
        self.timing: str | None = None
        self.forwarded: list[tuple[str, str]] = []
        for name, value in raw:
            attribute = _READ.get(name)
            if attribute is not None:
                # Of repeated headers the first counts, as in Seldon.
                setattr(self, attribute, getattr(self, attribute) or value.decode("latin-1"))
            if name not in _DROPPED:
                self.forwarded.append((name.decode("latin-1"), value.decode("latin-1")))
        if self.connection is not None and self.connection.lower() not in ("keep-alive", "close"):
            named = {token.strip().lower() for token in self.connection.split(",")}
            self.forwarded = [header for header in self.forwarded if header[0] not in named]

    @property
    def is_event(self) -> bool:
        """Whether the request is a CloudEvent."""
        return self.event is not None

    @property
    def is_plain_json(self) -> bool:
        """Whether the body is JSON text as it stands, and says no more of itself than that."""
        return self.content_type in (None, "application/json") and self.content_encoding in (None, "identity")

    @property
    def of_body(self) -> list[tuple[str, str]]:
        """The headers that say what the body is."""
        told = (("content-type", self.content_type), ("content-encoding", self.content_encoding))
        return [(name, value) for name, value in told if value is not None]


_TIMEOUT = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h)?", re.ASCII)
_UNIT_S = {None: 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
TIMEOUT_FORMS = "a positive number of seconds, or a number with ms, s, m or h (2.5, 500ms, 2m)"


def parse_timeout(text: str, what: str = "Millrace-Timeout") -> float:
    """Seconds from a duration such as `2.5`, `500ms` or `2m`. Raises `errors.RequestError`."""
    match = _TIMEOUT.fullmatch(text.strip())
    seconds = float(match[1]) * _UNIT_S[match[2]] if match else 0.0
    if seconds <= 0 or not math.isfinite(seconds):
        raise errors.RequestError(f"{what} {text!r}: allowed is {TIMEOUT_FORMS}")
    return seconds
