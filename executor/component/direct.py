"""Owns the short way of the common calls: array in, array or route out, and nothing else to say.

Must not change what is answered: whatever is not the common case is left to `executor.component.work`.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import numpy

from executor._native import message as native
from executor.component.codecs import ARRAYS, CODECS, Parts
from executor.component.convert import NUMBERS, default_names, features_of
from executor.component.extras import NOTHING
from executor.component.methods import UserMethod
from executor.component.steps import BARE, Call, told
from executor.component.work import Work
from executor.errors import Error
from executor.types import Encoding, Method

Handler = Callable[[native.Message, Any], native.Message] | Callable[[native.Message, Any], Awaitable[native.Message]]
Meta = dict[str, Any] | None
Finish = Callable[[int, Parts, Any, Meta, Any], native.Message]

_CALLS = frozenset({Method.PREDICT, Method.TRANSFORM_INPUT, Method.TRANSFORM_OUTPUT, Method.ROUTE})
_META: dict[int, dict[str, Any] | None] = {Encoding.SELDON_PROTO: None, Encoding.SELDON_JSON: {}}
_ROUTES_KEPT = 256
"""Answers of routers are the same few messages over and over; those to routes below this are kept."""


def method_of(work: Work) -> UserMethod | None:
    """The user's method, if all that `work` does has a short way."""
    plain = not work.whole and work.places >= 2 and not work.extras and not work.path
    return work.main if plain and work.step.method in _CALLS else None


def handler(work: Work, method: UserMethod) -> Handler:
    """The handler for quick and blocking methods."""
    function, named, finish = method.call, work.named, _finish(work)

    def handle(message: native.Message, context: Any) -> native.Message:
        parts, features = _opened(work, message)
        incoming = parts.meta if named and told(parts, message.encoding) else None
        try:
            result = function(features, parts.names, meta=incoming) if named else function(features, parts.names)
        except BaseException as exc:
            result = work.rescued(exc, _call(work, parts, features, incoming), context)
        return finish(message.encoding, parts, features, incoming, result)

    return handle


def async_handler(work: Work, method: UserMethod) -> Handler:
    """The handler for `async def` methods."""
    function, named, finish = method.call, work.named, _finish(work)

    async def handle(message: native.Message, context: Any) -> native.Message:
        parts, features = _opened(work, message)
        incoming = parts.meta if named and told(parts, message.encoding) else None
        try:
            if named:
                result = await function(features, parts.names, meta=incoming)
            else:
                result = await function(features, parts.names)
        except BaseException as exc:
            result = work.rescued(exc, _call(work, parts, features, incoming), context)
        return finish(message.encoding, parts, features, incoming, result)

    return handle


def _opened(work: Work, message: native.Message) -> tuple[Parts, Any]:
    try:
        parts = CODECS[message.encoding].open(message)
        return parts, parts.array() if parts.kind in ARRAYS else features_of(parts, work.node)
    except Error as exc:
        raise work.unreadable(exc) from exc


def _call(work: Work, parts: Parts, features: Any, incoming: Meta) -> Call:
    incoming = parts.meta if incoming is None else incoming
    return Call((features, parts.names), incoming, parts.kind or BARE, work.step.inherited(incoming))


def _finish(work: Work) -> Finish:
    return _route_finish(work) if work.step.method is Method.ROUTE else _array_finish(work)


def _array_finish(work: Work) -> Finish:
    def finish(encoding: int, parts: Parts, features: Any, incoming: Meta, result: Any) -> native.Message:
        kind = parts.kind
        plain = type(result) is numpy.ndarray and kind in ARRAYS and not parts.has_meta and not incoming
        if plain and result.dtype.kind in NUMBERS:
            names = default_names(result.shape[1] if result.ndim > 1 else None)
            try:
                return CODECS[encoding].build(kind, result, names, _META[encoding])
            except Exception:  # the long way fails too, and says at which node and with what value
                return work.answered(_call(work, parts, features, incoming), result, NOTHING, encoding)
        return work.answered(_call(work, parts, features, incoming), result, NOTHING, encoding)

    return finish


def _route_finish(work: Work) -> Finish:
    kept: dict[tuple[int, str, int], native.Message] = {}

    def finish(encoding: int, parts: Parts, features: Any, incoming: Meta, result: Any) -> native.Message:
        if type(result) is not int or parts.has_meta or incoming:
            return work.answered(_call(work, parts, features, incoming), result, NOTHING, encoding)
        message = kept.get((encoding, parts.kind, result))
        if message is None:
            message = work.answered(_call(work, parts, features, incoming), result, NOTHING, encoding)
            if -_ROUTES_KEPT < result < _ROUTES_KEPT:
                kept[encoding, parts.kind, result] = message
        return message

    return finish
