"""Owns what is particular to each call: how a message becomes arguments, and what stands in for a missing method.

Must not call user code.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy

from executor._native import codec_face
from executor._native import message as native
from executor.component import convert, faults, meta
from executor.component.codecs import Codec, Parts
from executor.errors import ComponentError
from executor.status import Status
from executor.types import Encoding, Method


class Call(NamedTuple):
    """A message, opened for a call."""

    places: tuple[Any, ...]
    """Arguments by position; the features first, the names second."""
    named: Any
    """The value of the one argument given by name, for methods that take it."""
    asked: str
    """Kind of the payload that came in."""
    metas: tuple[meta.Meta, ...]
    """Meta that the answer inherits."""


@dataclass(frozen=True, slots=True)
class Step:
    """One kind of call."""

    method: Method
    name: str
    """The user's method; its raw form is `<name>_raw`."""
    places: tuple[str, ...]
    named: str
    """The argument given by name if the method takes it; empty for none."""
    naming: tuple[str, ...]
    """What names the answer's columns: the first of these that the class has; empty where nothing does."""
    open: Callable[[Codec, native.Message, str], Call]
    stand_in: Callable[[Call], Any] | None
    """The result where the class has no such method; None where that is an error."""
    inherits: bool = True
    """Whether the answer starts from the incoming meta; else only the puid is kept."""
    vital: bool = False
    """Whether a node that gets these calls must have the method."""

    def inherited(self, incoming: meta.Meta) -> tuple[meta.Meta, ...]:
        """What the answer takes over of the meta that came in."""
        return (incoming,) if self.inherits else _puid_of(incoming)


def _open_message(codec: Codec, message: native.Message, node: str) -> Call:
    parts = codec.open(message)
    incoming = parts.meta  # one dict: what user code changes in it stays changed in the answer
    given = incoming if told(parts, message.encoding) else None
    return Call((convert.features_of(parts, node), parts.names), given, parts.kind or BARE, (incoming,))


def told(parts: Parts, encoding: int) -> bool:
    """Whether a method gets meta as a dict: over REST, as in Seldon, None stands for a message without any."""
    return parts.has_meta or encoding != Encoding.SELDON_JSON


def _open_route(codec: Codec, message: native.Message, node: str) -> Call:
    call = _open_message(codec, message, node)
    return call._replace(metas=_puid_of(call.metas[0]))


def _open_list(codec: Codec, message: native.Message, node: str) -> Call:
    items = codec.open_list(message)
    if not items and _is_no_list(message):
        raise faults.empty(node)
    features = [convert.features_of(parts, node) for parts in items]
    metas = tuple(parts.meta for parts in items)
    return Call((features, [parts.names for parts in items]), metas, (items[0].kind or BARE) if items else "", metas)


def _is_no_list(message: native.Message) -> bool:
    """Whether it is an object without messages in it, rather than a list of none."""
    text = bytes(message)
    return (
        message.encoding == Encoding.SELDON_JSON
        and b'"seldonMessages"' not in text
        and not text.lstrip().startswith(b"[")
    )


def _open_feedback(codec: Codec, message: native.Message, node: str) -> Call:
    feedback = codec.open_feedback(message)
    if message.encoding == Encoding.SELDON_JSON:  # strictly one, as protobuf reads it: Seldon's wrapper has it do so
        codec_face.transcode(message, Encoding.SELDON_PROTO)
    request, response = feedback.request, feedback.response
    features = convert.array_or_nothing(request)
    truth = convert.array_or_nothing(feedback.truth)
    names = request.names if request is not None else []
    metas = () if request is None else _puid_of(request.meta)
    return Call((features, names, feedback.reward, truth), _route_of(response, node), _kind(request), metas)


def _puid_of(incoming: meta.Meta) -> tuple[meta.Meta, ...]:
    return ({"puid": incoming["puid"]},) if incoming.get("puid") else ()


def _kind(parts: Parts | None) -> str:
    return "" if parts is None else parts.kind


def _route_of(response: Parts | None, node: str) -> int | None:
    """The route that this node took, as the response of the feedback says."""
    if response is None:
        return None
    route: int | None = response.meta.get("routing", {}).get(node)
    return route


def _identity(call: Call) -> Any:
    return call.places[0]


def _nothing(call: Call) -> Any:
    return numpy.array([])


BARE = "ndarray"
"""The kind of payload that a message with `data` alone, and no array in it, is answered as."""
REWARD = 2
"""Which of a feedback's places is the reward."""
_FEATURES = ("X", "names")
_CLASSES = ("class_names",)
STEPS: tuple[Step, ...] = (
    Step(Method.PREDICT, "predict", _FEATURES, "meta", _CLASSES, _open_message, _nothing, vital=True),
    Step(Method.TRANSFORM_INPUT, "transform_input", _FEATURES, "meta", _CLASSES, _open_message, _identity),
    Step(Method.TRANSFORM_OUTPUT, "transform_output", _FEATURES, "meta", _CLASSES, _open_message, _identity),
    Step(Method.ROUTE, "route", _FEATURES, "meta", _CLASSES, _open_route, None, inherits=False, vital=True),
    Step(Method.AGGREGATE, "aggregate", ("features_list", "names_list"), "", _CLASSES, _open_list, None, vital=True),
    Step(
        Method.SEND_FEEDBACK,
        "send_feedback",
        ("features", "names", "reward", "truth"),
        "routing",
        _CLASSES,
        _open_feedback,
        _nothing,
        inherits=False,
    ),
)


def route_of(result: Any, node: str) -> int:
    """`result` if it is a route: an int. A truth value is one in Python, and Seldon's wrapper sends it as it is."""
    if not isinstance(result, int):
        said = f"node {node!r}: Routing response must be int but got {faults.kind_of(result)}: {result!r}"
        faults.logger.error("%s", said)
        raise ComponentError(said, status=Status.INVALID_ARGUMENT, reason=faults.BAD_DATA, node=node)
    return result
