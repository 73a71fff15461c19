"""Owns HTTP/1.1 messages in their plain form. Must not accept what a full parser reads otherwise."""

from collections.abc import Iterable

from executor._native import budget, message

class Fields:
    def pairs(self) -> list[tuple[str, str]]: ...

def escape_html(body: bytes) -> bytes: ...
def header_lines(
    fields: Iterable[tuple[bytes, bytes]], puid: str, remaining: float | None, coded: bool = False
) -> tuple[bytes, bool]: ...

class PlainRequest(Fields):
    path: bytes
    content_type: str | None
    puid: str | None
    timeout: str | None
    timed: bool
    @property
    def body(self) -> bytes: ...
    def message(self, encoding: int, form: int, unmarked: bool = False) -> message.Message:
        """The body; `unmarked` is without the byte-order mark that some write before UTF-8."""

def read_request(data: bytes, head_max: int, body_max: int) -> PlainRequest | None: ...

class Reply:
    """An answer: its status, body as sent, and the few headers that matter here, None where not sent."""

    status: int
    content_type: str | None
    content_encoding: str | None
    location: str | None
    timing: str | None
    inflated: bool
    body: bytes
    def give(self) -> None: ...
    def take(self, budget: budget.Budget, size: int) -> bool: ...
    def message(self, encoding: int) -> message.Message: ...

def read_reply(data: bytes, head_max: int, body_max: int) -> tuple[Reply, int] | None: ...
