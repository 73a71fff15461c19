"""Owns what a client sends and gets: Python values to messages, and messages to Python values.

Must not talk to a server.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy

from executor import errors
from executor._native import message as messages
from executor._native import seldon, seldon_json
from executor.types import Encoding, Form

Kind = Literal["tensor", "ndarray", "tftensor", "strData", "binData", "jsonData", "customData"]

_ARRAYS = ("tensor", "ndarray", "tftensor")


class Response:
    """An answer. Nothing in it is decoded before it is asked for."""

    def __init__(self, message: messages.Message, puid: str, request: messages.Message | None = None) -> None:
        self.message = message
        """The answer as it came, undecoded."""
        self.puid = puid
        """Id of the request."""
        self.request = request
        """What was sent; `feedback` sends it along."""

    @functools.cached_property
    def _parts(self) -> "seldon.Parts | seldon_json.Parts":
        if self.message.encoding == Encoding.SELDON_JSON:
            return seldon_json.open(self.message)
        return seldon.open(self.message)

    @property
    def kind(self) -> str:
        """`tensor`, `ndarray`, `tftensor`, `binData`, `strData`, `jsonData`, `customData`, or empty: no payload."""
        return self._parts.kind

    @property
    def names(self) -> list[str]:
        """Names of the columns, as far as the graph gave any."""
        return list(self._parts.names)

    @functools.cached_property
    def meta(self) -> dict[str, Any]:
        """The whole meta in its JSON form; empty when there is none."""
        return dict(self._parts.meta)

    @property
    def tags(self) -> dict[str, Any]:
        """Tags that nodes have set."""
        return dict(self.meta.get("tags", {}))

    @property
    def routing(self) -> dict[str, int]:
        """Which child each router took: its index, -1 for all, -2 for none."""
        return dict(self.meta.get("routing", {}))

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """Metrics that nodes have sent along."""
        return list(self.meta.get("metrics", []))

    @property
    def status(self) -> dict[str, Any] | None:
        """The status field in its JSON form, if the graph sent one."""
        return self._parts.status

    @property
    def value(self) -> Any:
        """The payload as a Python object: nested lists for ndarray, arrays for tensor and tftensor, else str, bytes
        or what the JSON says; None when there is none. Raises `errors.DecodeError`.
        """
        if self.kind in ("tensor", "tftensor"):
            return self.array()
        return self._parts.value()

    def array(self, xp: Any = numpy) -> Any:
        """The payload as an array of the array module `xp`, shaped as sent: float64 for tensor and ndarray, the
        dtype sent for tftensor. Raises `errors.DecodeError`, and `errors.RequestError` for other payloads.
        """
        if self.kind not in _ARRAYS:
            raise errors.RequestError(f"the answer holds {self.kind or 'no payload'}, which is no array; use .value")
        return self._parts.array(xp)

    def __repr__(self) -> str:
        return f"<Response {self.kind or 'without payload'}, {len(self.message)} bytes, puid {self.puid}>"


def request_message(
    data: Any,
    names: Sequence[str] | None = None,
    meta: Mapping[str, Any] | None = None,
    kind: str | None = None,
) -> messages.Message:
    """A protobuf SeldonMessage that holds `data`. Raises `errors.EncodeError` for what cannot be sent."""
    if isinstance(data, Response):
        data = data.message
    if isinstance(data, messages.Message):
        if names or meta or kind:
            raise errors.EncodeError("names, meta and kind belong to data; a whole message is sent as it is")
        return to_protobuf(data)
    kind = kind or kind_of(data)
    if names is not None and kind not in _ARRAYS:
        raise errors.EncodeError(f"names go with {', '.join(_ARRAYS)}; the data is sent as {kind}")
    return seldon.build(kind, _fit(kind, data), list(names or ()), dict(meta) if meta else None)


def kind_of(data: Any) -> Kind:
    """The payload kind that suits `data` best. Raises `errors.EncodeError` where none does."""
    if isinstance(data, str):
        return "strData"
    if isinstance(data, bytes | bytearray | memoryview):
        return "binData"
    if isinstance(data, Mapping | int | float | None):
        return "jsonData"
    if isinstance(data, list | tuple):
        return "ndarray"
    dtype = getattr(data, "dtype", None)
    if dtype is not None:
        return "tensor" if numpy.dtype(dtype).kind in "fiub" else "ndarray"
    raise errors.EncodeError(
        f"{type(data).__name__} cannot be sent; allowed are arrays, lists, str, bytes, dicts and messages"
    )


def _fit(kind: str, data: Any) -> Any:
    """`data` in the form that the codec takes for `kind`."""
    if kind in ("tensor", "tftensor"):
        try:
            array = numpy.asarray(data)
        except ValueError as cause:
            raise errors.EncodeError(f"{kind}: rows differ in length; use ndarray ({cause})") from None
        if kind == "tensor" and array.dtype.kind not in "fiub":
            raise errors.EncodeError(f"tensor holds numbers, not {array.dtype}; use ndarray or tftensor")
        return array
    if kind == "binData" and not isinstance(data, bytes):
        return bytes(data)
    if kind == "jsonData" and isinstance(data, Mapping):
        return dict(data)
    return data


def to_protobuf(message: messages.Message) -> messages.Message:
    """`message` as protobuf, whatever it was. Raises `errors.DecodeError` and `errors.EncodeError`."""
    if message.encoding == Encoding.SELDON_PROTO:
        return message
    if message.form != Form.MESSAGE:
        raise errors.EncodeError("only whole SeldonMessages can be sent from JSON")
    parts = seldon_json.open(message)
    strays = [] if parts.kind else parts.strays()
    if strays:
        told = "; ".join(f"{name!r} is not known, allowed are {', '.join(known)}" for name, known in strays[:3])
        raise errors.EncodeError(f"the message has no data; {told}")
    value = parts.array() if parts.kind in ("tensor", "tftensor") else parts.value()
    return seldon.build(parts.kind, value, parts.names, parts.meta or None, parts.status)


def feedback_message(
    request: Any, response: Response | messages.Message | None, reward: float, truth: Any
) -> messages.Message:
    """A protobuf Feedback. `request` and `truth` may be messages or plain data; None leaves them out."""
    if request is None and isinstance(response, Response):
        request = response.request
    answer = response.message if isinstance(response, Response) else response
    return seldon.build_feedback(
        None if request is None else request_message(request),
        None if answer is None else to_protobuf(answer),
        float(reward),
        None if truth is None else request_message(truth),
    )
