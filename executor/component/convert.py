"""Owns the way between payloads and the Python values that user code takes and answers.

Must not call user code, nor know about meta.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy

from executor.component import faults, raw
from executor.component.codecs import ARRAYS, Parts, is_bare, strays

NUMBERS = "iuf"
"""numpy's kinds of dtypes that fit every array payload."""
_ALLOWED = "allowed are numpy arrays of numbers, text or booleans, lists, str, bytes, dict and data frames"


class Payload(NamedTuple):
    """What goes into a message, and the width and names that it brings along."""

    kind: str
    value: Any
    width: int | None = None
    """Columns, for arrays of two dimensions and more."""
    names: tuple[str, ...] | None = None


def features_of(parts: Parts, node: str) -> Any:
    """The payload as user code gets it. Arrays may be written to."""
    kind = parts.kind
    if kind in ARRAYS:
        return parts.array()
    if not kind:
        if is_bare(parts):
            return numpy.array([])
        raise faults.empty(node, strays(parts))
    return _custom(parts.value(), node) if kind == "customData" else parts.value()


def array_or_nothing(parts: Parts | None) -> Any:
    """The array in a part of a feedback message. An empty one for all else: so Seldon's wrapper has it, and classes
    ask it for its shape.
    """
    return numpy.array([]) if parts is None or parts.kind not in ARRAYS else parts.array()


def _custom(value: Any, node: str) -> Any:
    """A protobuf `Any`, as Seldon's wrapper gives it, which takes none over REST."""
    if not isinstance(value, tuple):
        raise faults.no_custom(node)
    return raw.protobuf("any_pb2").Any(type_url=value[0], value=value[1])


def payload_of(value: Any, asked: str, node: str, method: str, as_said: bool = False) -> Payload:
    """How to send `value`, the result of `method`, in answer to a payload of kind `asked`.

    Numbers go as the kind of array that was asked with, else as a tensor; other arrays as an ndarray. With `as_said`
    a list of anything else is not passed through numpy, which would make text of numbers beside text.
    """
    if isinstance(value, numpy.ndarray):
        return _array(value, asked, node, method)
    if isinstance(value, str):
        return Payload("strData", value)
    if isinstance(value, bytes | bytearray | memoryview):
        return Payload("binData", bytes(value))
    if isinstance(value, dict):
        return Payload("jsonData", value)
    if isinstance(value, list):
        return _list(value, asked, node, method, as_said)
    return _foreign(value, asked, node, method)


def _array(array: Any, asked: str, node: str, method: str) -> Payload:
    kind = array.dtype.kind
    if array.ndim == 0 and not (kind in NUMBERS and asked != "ndarray"):
        array = array.reshape(1)  # a list has a dimension; a tensor may have none
    width = array.shape[1] if array.ndim > 1 else None
    if kind in NUMBERS:
        return Payload(asked if asked in ARRAYS else "tensor", array, width)
    if kind in "bUTOM":
        return Payload("ndarray", array.tolist(), width)
    raise faults.unsendable(node, method, array, f"which no payload holds; {_ALLOWED}")


def _list(value: list[Any], asked: str, node: str, method: str, as_said: bool) -> Payload:
    """Lists go through numpy, as Seldon's wrapper has it; what numpy has no array for goes as it is."""
    try:
        array = numpy.array(value)
    except ValueError:
        return Payload("ndarray", value)
    if array.dtype.kind == "O" or (as_said and array.dtype.kind not in NUMBERS):
        return Payload("ndarray", value, array.shape[1] if array.ndim > 1 else None)
    return _array(array, asked, node, method)


def _foreign(value: Any, asked: str, node: str, method: str) -> Payload:
    """Data frames, arrays of other libraries, protobuf's Any; known by their shape, so that none is imported."""
    columns = getattr(value, "columns", None)
    if columns is not None and hasattr(value, "values"):
        payload = _array(numpy.asarray(value.values), asked, node, method)
        return payload._replace(names=tuple(str(column) for column in columns))
    if hasattr(value, "type_url") and hasattr(value, "DESCRIPTOR"):
        return Payload("customData", (value.type_url, value.value))
    if hasattr(value, "__array__") and getattr(value, "ndim", None):
        return _array(_asarray(value, node, method), asked, node, method)
    raise faults.unsendable(node, method, value, f"which cannot be sent; {_ALLOWED}", unknown=True)


def _asarray(value: Any, node: str, method: str) -> Any:
    try:
        return numpy.asarray(value)
    except Exception as exc:
        raise faults.unsendable(node, method, value, f"which numpy cannot read: {exc}") from exc


@lru_cache(maxsize=256)
def default_names(width: int | None) -> tuple[str, ...]:
    """The names of an answer's columns where the component gives none."""
    return () if width is None else tuple(f"t:{column}" for column in range(width))


def texts(names: Sequence[Any]) -> tuple[str, ...]:
    """Names as text: user code gives lists, tuples or arrays of anything."""
    return tuple(str(name) for name in names)
