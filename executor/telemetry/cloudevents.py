"""Owns the events that payloads are logged as: CloudEvents 1.0 in binary mode, with the attributes of Seldon's.

Must not send them.
"""

import contextlib
import gzip
import io
import uuid
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from urllib.parse import quote

from executor._native import message as messages
from executor.settings import Deployment
from executor.types import CODED, Encoding, Form

Headers = list[tuple[str, str]]

CONTENT_TYPES = {Encoding.SELDON_PROTO: "application/protobuf", Encoding.SELDON_JSON: "application/json"}
_PRINTABLE = "!#$&'()*+,/:;<=>?@[\\]^`{|}"
"""What stays as it is beside letters, digits and `_.-~`; the rest, `"` and `%` with it, is percent-encoded."""


LOGGED_MAX = 64 << 20
"""Bytes of a payload that was compressed."""


class Kind(StrEnum):
    """What a payload is to its node: the event's type."""

    REQUEST = "io.seldon.serving.inference.request"
    RESPONSE = "io.seldon.serving.inference.response"
    FEEDBACK = "io.seldon.serving.feedback"


class Origin:
    """One node whose payloads are logged: where they go, and what all its events have in common."""

    __slots__ = ("about", "url")

    def __init__(self, node: str, url: str, *, source: str, deployment: Deployment, protocol: str = "seldon") -> None:
        self.url = url
        self.about: Headers = [
            ("Ce-Source", _value(source)),
            ("Ce-Modelid", _value(node)),
            ("Ce-Inferenceservicename", _value(deployment.sdep)),
            ("Ce-Namespace", _value(deployment.namespace)),
            ("Ce-Endpoint", _value(deployment.predictor)),
            ("Ce-Protocol", protocol),
        ]


@dataclass(frozen=True, slots=True)
class Event:
    """One payload to be logged."""

    origin: Origin
    kind: Kind
    puid: str
    message: messages.Message
    time_s: float
    """When it was seen, in seconds since 1970."""

    def headers(self) -> Headers:
        """The event without its data, and the type of that."""
        when = datetime.fromtimestamp(self.time_s, UTC).isoformat(timespec="microseconds")
        return [
            ("Ce-Id", str(uuid.uuid4())),
            ("Ce-Specversion", "1.0"),
            ("Ce-Time", when.replace("+00:00", "Z")),
            ("Ce-Type", self.kind.value),
            ("Ce-Requestid", _value(self.puid)),
            *self.origin.about,
            ("Content-Type", self._content_type()),
        ]

    def _content_type(self) -> str:
        kind = None if self.message.kind is None else self.message.kind.partition(CODED)[0]
        if kind is None and self.message.form != Form.FOREIGN:
            return CONTENT_TYPES[Encoding(self.message.encoding)]
        # A body that went through as it came, of a type that nobody said, or that no header of ours can carry.
        return kind if kind and kind.isascii() and kind.isprintable() else "application/octet-stream"

    def data(self) -> list[memoryview]:
        """The payload's bytes, where they lie; of one that is compressed, what it says, as Seldon logs it."""
        if self.message.kind is not None and self.message.kind.partition(CODED)[2].lower() == "gzip":
            with contextlib.suppress(OSError, EOFError, zlib.error):
                return [memoryview(gzip.GzipFile(fileobj=io.BytesIO(bytes(self.message))).read(LOGGED_MAX))]
        return [memoryview(part) for part in self.message.parts()]


def _value(text: str) -> str:
    """Text as the value of a header (CloudEvents' HTTP binding, 3.1.3.2)."""
    return quote(text, safe=_PRINTABLE)
