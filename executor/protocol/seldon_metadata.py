"""Owns Seldon's metadata messages on the wire: JSON-shaped dicts to protobuf and back.

Must not be used for payloads: this is the cold path, written in plain Python so that no process needs
`google.protobuf` to answer a metadata call. Field numbers are those of `proto/prediction.proto`.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from executor import errors
from executor.protocol import wire

_DEPTH = 64
"""Nesting allowed in a schema; protobuf's own parsers stop at 100."""

# --- writing --------------------------------------------------------------------------------------------------


def _entry(number: int, key: str, value: bytes) -> bytes:
    return wire.message(number, wire.message(1, str(key).encode()) + value)


def _value(value: Any, depth: int = 0) -> bytes:
    """A `google.protobuf.Value`."""
    if depth > _DEPTH:
        raise errors.EncodeError(f"metadata schema: nested deeper than {_DEPTH} levels")
    if value is None:
        return wire.varint(1 << 3 | wire.VARINT) + b"\0"
    if isinstance(value, bool):
        return wire.varint(4 << 3 | wire.VARINT) + (b"\1" if value else b"\0")
    if isinstance(value, int | float):
        return wire.varint(2 << 3 | wire.FIXED64) + struct.pack("<d", value)
    if isinstance(value, str):
        return wire.message(3, value.encode())
    if isinstance(value, Mapping):
        entries = (_entry(1, key, wire.message(2, _value(item, depth + 1))) for key, item in value.items())
        return wire.message(5, b"".join(entries))
    if isinstance(value, Sequence):
        return wire.message(6, b"".join(wire.message(1, _value(item, depth + 1)) for item in value))
    raise errors.EncodeError(f"metadata schema: {type(value).__name__} has no JSON form")


def _tensor(tensor: Mapping[str, Any]) -> bytes:
    """A `SeldonMessageMetadata`."""
    shape = b"".join(wire.varint(int(size)) for size in tensor.get("shape") or ())
    return b"".join(
        (
            wire.text(1, tensor.get("messagetype")),
            wire.message(2, _value(tensor["schema"])) if "schema" in tensor else b"",
            wire.text(3, tensor.get("name")),
            wire.text(4, tensor.get("datatype")),
            wire.message(5, shape) if shape else b"",
        )
    )


def encode_model(metadata: Mapping[str, Any]) -> bytes:
    """A `SeldonModelMetadata` from a node's metadata. Raises `errors.EncodeError`."""
    return b"".join(
        (
            wire.text(1, metadata.get("name")),
            *(wire.message(2, str(version).encode()) for version in metadata.get("versions") or ()),
            wire.text(3, metadata.get("platform")),
            *(wire.message(4, _tensor(tensor)) for tensor in metadata.get("inputs") or ()),
            *(wire.message(5, _tensor(tensor)) for tensor in metadata.get("outputs") or ()),
            *(_entry(6, key, wire.text(2, text)) for key, text in (metadata.get("custom") or {}).items()),
        )
    )


def encode_graph(metadata: Mapping[str, Any]) -> bytes:
    """A `SeldonGraphMetadata` from what `seldon.graph_metadata` gives. Raises `errors.EncodeError`."""
    models = metadata.get("models") or {}
    return b"".join(
        (
            wire.text(1, metadata.get("name")),
            *(_entry(2, name, wire.message(2, encode_model(model))) for name, model in models.items()),
            *(wire.message(3, _tensor(tensor)) for tensor in metadata.get("graphinputs") or ()),
            *(wire.message(4, _tensor(tensor)) for tensor in metadata.get("graphoutputs") or ()),
        )
    )


def encode_request(name: str) -> bytes:
    """A `SeldonModelMetadataRequest`."""
    return wire.text(1, name)


# --- reading --------------------------------------------------------------------------------------------------


def _read_entry(data: Any, read: Callable[[Any], Any], default: Any) -> tuple[str, Any]:
    key, value = "", default
    for number, item in wire.fields(wire.as_bytes(data)):
        if number == 1:
            key = wire.as_text(item)
        elif number == 2:
            value = read(item)
    return key, value


def _read_value(data: Any, depth: int = 0) -> Any:
    if depth > _DEPTH:
        raise errors.DecodeError(f"metadata schema: nested deeper than {_DEPTH} levels")
    value: Any = None
    for number, item in wire.fields(wire.as_bytes(data)):
        if number == 1:
            value = None
        elif number == 2:
            value = item
        elif number == 3:
            value = wire.as_text(item)
        elif number == 4:
            value = bool(item)
        elif number == 5:
            entries = (entry for tag, entry in wire.fields(wire.as_bytes(item)) if tag == 1)
            value = dict(_read_entry(entry, lambda part: _read_value(part, depth + 1), None) for entry in entries)
        elif number == 6:
            value = [_read_value(part, depth + 1) for tag, part in wire.fields(wire.as_bytes(item)) if tag == 1]
    return value


def _read_shape(item: Any) -> list[int]:
    sizes: list[int] = []
    if isinstance(item, int):
        sizes.append(item)
    else:
        at, data = 0, wire.as_bytes(item)
        while at < len(data):
            size, at = wire.read_varint(data, at)
            sizes.append(size)
    return [size - (1 << 64) if size >> 63 else size for size in sizes]


_TENSOR_TEXTS = {1: "messagetype", 3: "name", 4: "datatype"}


def _read_tensor(data: Any) -> dict[str, Any]:
    tensor: dict[str, Any] = {}
    for number, item in wire.fields(wire.as_bytes(data)):
        if number in _TENSOR_TEXTS:
            tensor[_TENSOR_TEXTS[number]] = wire.as_text(item)
        elif number == 2:
            tensor["schema"] = _read_value(item)
        elif number == 5:
            tensor.setdefault("shape", []).extend(_read_shape(item))
    return tensor


def decode_model(data: bytes) -> dict[str, Any]:
    """A node's metadata from a `SeldonModelMetadata`, without what is not there. Raises `errors.DecodeError`."""
    model: dict[str, Any] = {}
    for number, item in wire.fields(data):
        if number in (1, 3):
            model["name" if number == 1 else "platform"] = wire.as_text(item)
        elif number == 2:
            model.setdefault("versions", []).append(wire.as_text(item))
        elif number in (4, 5):
            model.setdefault("inputs" if number == 4 else "outputs", []).append(_read_tensor(item))
        elif number == 6:
            key, text = _read_entry(item, wire.as_text, "")
            model.setdefault("custom", {})[key] = text
    return model


def decode_graph(data: bytes) -> dict[str, Any]:
    """A graph's metadata, in the keys of the REST form, from a `SeldonGraphMetadata`. Raises `errors.DecodeError`."""
    graph: dict[str, Any] = {"name": "", "models": {}, "graphinputs": [], "graphoutputs": []}
    for number, item in wire.fields(data):
        if number == 1:
            graph["name"] = wire.as_text(item)
        elif number == 2:
            key, model = _read_entry(item, lambda part: decode_model(wire.as_bytes(part)), {})
            graph["models"][key] = model
        elif number in (3, 4):
            graph["graphinputs" if number == 3 else "graphoutputs"].append(_read_tensor(item))
    return graph


def decode_request(data: bytes) -> str:
    """The node name of a `SeldonModelMetadataRequest`, empty when there is none. Raises `errors.DecodeError`."""
    name = ""
    for number, item in wire.fields(data):
        if number == 1:
            name = wire.as_text(item)
    return name
