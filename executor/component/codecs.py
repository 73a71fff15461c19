"""Owns which codec reads and writes a message for a component: one per encoding, all with the same face.

Must not look into messages itself. A new protocol is one entry in `CODECS`.
"""

import json
from collections.abc import Sequence
from typing import Any, Protocol

from executor._native import message as native
from executor._native import seldon, seldon_json
from executor.protocol import wire
from executor.types import Encoding

_DATA = 3
"""Number of `data` in a SeldonMessage."""


class Parts(Protocol):
    """An opened message."""

    @property
    def kind(self) -> str: ...
    @property
    def names(self) -> list[str]: ...
    @property
    def meta(self) -> dict[str, Any]: ...
    @property
    def has_meta(self) -> bool: ...
    def array(self) -> Any: ...
    def value(self) -> Any: ...
    def message(self) -> native.Message: ...


class FeedbackParts(Protocol):
    """An opened feedback message."""

    @property
    def request(self) -> Parts | None: ...
    @property
    def response(self) -> Parts | None: ...
    @property
    def truth(self) -> Parts | None: ...
    @property
    def reward(self) -> float: ...


class Codec(Protocol):
    """The face of a codec module."""

    def open(self, message: native.Message) -> Parts: ...
    def open_list(self, message: native.Message) -> list[Any]: ...
    def open_feedback(self, message: native.Message) -> FeedbackParts: ...
    def build(
        self, kind: str, value: Any, names: Sequence[str] | None = (), meta: dict[str, Any] | None = None
    ) -> native.Message: ...


CODECS: dict[int, Codec] = {Encoding.SELDON_PROTO: seldon, Encoding.SELDON_JSON: seldon_json}
ARRAYS = frozenset({"tensor", "ndarray", "tftensor"})
"""Payload kinds that a component sees as an array."""


def strays(parts: Parts) -> list[tuple[str, tuple[str, ...]]]:
    """Members of a message that its codec does not know, and the names that it knows. Protobuf has none: its fields
    are numbers.
    """
    find = getattr(parts, "strays", None)
    return [] if find is None else list(find())


def is_bare(parts: Parts) -> bool:
    """Whether a message without a payload has `data` all the same, with names in it or nothing: an array of nothing."""
    text = bytes(parts.message())
    if text.lstrip()[:1] == b"{":
        data = json.loads(text).get("data")
        return isinstance(data, dict) and data.keys() <= {"names"}
    return any(field == _DATA for field, _ in wire.fields(text))
