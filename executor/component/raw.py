"""Owns the `*_raw` methods' view of messages: a dict for JSON, a protobuf message for protobuf.

Must not load google.protobuf before a message needs it: this is the one place in the executor process that does,
for raw methods and for `customData`. It goes by name, so that the import contracts hold for all the rest.
"""

import contextlib
import json
import sys
from importlib import import_module
from typing import Any

from executor._native import message as native
from executor._native import seldon_json_build
from executor.component import aliases, faults
from executor.errors import DecodeError, Error
from executor.types import Encoding, Method

SELDON_PACKAGE = "seldon_core.proto.prediction_pb2"
OWN_PACKAGE = "executor._pb.seldon_pb2"
_PRESENT = "executor._pb.present"

_FORMS = {Method.AGGREGATE: "SeldonMessageList", Method.SEND_FEEDBACK: "Feedback"}


def messages() -> Any:
    """A module with Seldon's messages: as user code defined them, wherever it has them from, else ours.

    The process can hold one definition only, so that of an installed `seldon_core` comes before ours even where it is
    not imported yet.
    """
    for name in (SELDON_PACKAGE, OWN_PACKAGE):
        if name in sys.modules:
            return sys.modules[name]
    present = import_module(_PRESENT)
    if not present.is_defined() and aliases.is_installed("seldon_core"):
        with contextlib.suppress(ImportError):
            return import_module(SELDON_PACKAGE)
    return present.seldon()


def protobuf(name: str) -> Any:
    """The module `name` of google.protobuf, loaded now if it was not."""
    return import_module(f"google.protobuf.{name}")


def opened(message: native.Message, method: Method, node: str, as_bytes: bool = False) -> Any:
    """`message` as a raw method gets it. Feedback comes as a protobuf message whatever its encoding."""
    if message.encoding == Encoding.SELDON_JSON and method is not Method.SEND_FEEDBACK:
        return bytes(message) if as_bytes else _loads(bytes(message), node)
    form = getattr(messages(), _FORMS.get(method, "SeldonMessage"))
    if message.encoding == Encoding.SELDON_JSON:
        return _parsed(_loads(bytes(message), node), form(), node)
    try:
        return form.FromString(bytes(message))
    except Exception as exc:  # google.protobuf's own DecodeError, without importing its module here
        raise DecodeError(f"not a {form.DESCRIPTOR.full_name}: {exc}", node=node) from exc


def _loads(text: bytes, node: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as exc:
        raise DecodeError(f"not JSON: {exc}", node=node) from exc


def _parsed(content: Any, target: Any, node: str) -> Any:
    json_format = protobuf("json_format")
    try:
        return json_format.ParseDict(content, target)
    except json_format.ParseError as exc:
        raise DecodeError(f"not a {target.DESCRIPTOR.full_name}: {exc}", node=node) from exc


def closed(result: Any, encoding: int, node: str, method: str, as_bytes: bool = False) -> native.Message:
    """The answer of a raw method as a message: a dict or a SeldonMessage, whichever encoding is wanted."""
    if as_bytes and encoding == Encoding.SELDON_JSON and isinstance(result, bytes):
        return native.Message(result, encoding)
    try:
        return native.Message(_written(result, encoding, node), encoding)
    except Error as exc:
        raise faults.unsendable(node, method, result, f"which cannot be sent: {exc.message}") from exc
    except (TypeError, ValueError) as exc:
        raise faults.unsendable(node, method, result, f"which cannot be sent: {exc}") from exc


def _written(result: Any, encoding: int, node: str) -> bytes:
    if encoding == Encoding.SELDON_JSON:
        return seldon_json_build.dumped(_content(result)).encode()
    if isinstance(result, dict):
        result = _parsed(result, messages().SeldonMessage(), node)
    if not hasattr(result, "SerializeToString"):
        raise TypeError("allowed are a SeldonMessage and a dict of its JSON form")
    return bytes(result.SerializeToString())


def _content(result: Any) -> Any:
    if hasattr(result, "SerializeToString"):
        return protobuf("json_format").MessageToDict(result)
    return result  # whatever it is: Seldon's wrapper writes it as JSON


def metrics_of(result: Any) -> list[dict[str, Any]] | None:
    """The metrics in what a raw method answered, dict or protobuf message; None where it has none to read."""
    if isinstance(result, dict):
        found = result.get("meta")
        told = found.get("metrics") if isinstance(found, dict) else None
        # JSON leaves out what is the default in protobuf.
        return [{"type": "COUNTER", **each} for each in told if isinstance(each, dict)] if told else None
    said = getattr(result, "meta", None)
    return [
        {"key": each.key, "type": _METRIC_TYPES[each.type], "value": each.value, "tags": dict(each.tags)}
        for each in getattr(said, "metrics", ())
    ]


_METRIC_TYPES = ("COUNTER", "GAUGE", "TIMER")
