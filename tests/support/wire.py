"""Owns protobuf wire bytes for tests: written by hand, so that they may be split, repeated, reordered or unknown.

Must not use what it tests: google.protobuf says what the bytes mean, `plain` puts that into Python values.
"""

import struct
from typing import Any

from hypothesis import strategies as st

from executor._pb import seldon_pb2 as pb

VARINT, FIXED64, BYTES, GROUP, GROUP_END, FIXED32 = range(6)


def varint(value: int) -> bytes:
    """`value` (negative: as 64 bits) as a varint."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def tag(number: int, kind: int) -> bytes:
    return varint(number << 3 | kind)


def number(field: int, value: int) -> bytes:
    return tag(field, VARINT) + varint(value)


def nested(field: int, content: bytes) -> bytes:
    return tag(field, BYTES) + varint(len(content)) + content


def text(field: int, content: str) -> bytes:
    return nested(field, content.encode())


def double(field: int, value: float) -> bytes:
    return tag(field, FIXED64) + struct.pack("<d", value)


def single(field: int, value: float) -> bytes:
    return tag(field, FIXED32) + struct.pack("<f", value)


def doubles(field: int, values: list[float]) -> bytes:
    return nested(field, struct.pack(f"<{len(values)}d", *values))


def packed(field: int, values: list[int]) -> bytes:
    return nested(field, b"".join(map(varint, values)))


def group(field: int, content: bytes) -> bytes:
    return tag(field, GROUP) + content + tag(field, GROUP_END)


# --- strategies: each gives the bytes of one message, in pieces that a parser has to put together ---

words = st.text(max_size=5)
numbers = st.floats(allow_nan=False, width=64)
int32s = st.integers(-(2**31), 2**31 - 1)


def pieces(*kinds: st.SearchStrategy[bytes], most: int = 5) -> st.SearchStrategy[bytes]:
    """Any of the fields, any number of times, in any order, with unknown ones between."""
    return st.lists(st.one_of(*kinds, *kinds, unknown), max_size=most).map(b"".join)


def entries(key: int, value: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Entries of a map. None hold unknown fields: upb alone makes the whole entry unknown then, C++ and Go keep it."""
    fields = st.lists(st.one_of(st.builds(text, st.just(1), words), value), max_size=3)
    return st.builds(nested, st.just(key), fields.map(b"".join))


def _unknown(wrong: int) -> st.SearchStrategy[bytes]:
    plain = st.one_of(
        st.builds(number, st.integers(90, 95), st.integers(-(2**63), 2**64 - 1)),
        st.builds(nested, st.integers(90, 95), st.binary(max_size=6)),
        st.builds(double, st.integers(90, 95), numbers),
        st.builds(number, st.just(wrong), st.integers(0, 300)),  # a known number with another wire type
    )
    return st.recursive(plain, lambda inner: st.builds(group, st.integers(90, 95), inner), max_leaves=3)


unknown = _unknown(90)
_value_fields = [
    st.just(number(1, 0)),
    st.builds(double, st.just(2), numbers),
    st.builds(text, st.just(3), words),
    st.builds(number, st.just(4), st.integers(0, 1)),
]


def _value_nesting(inner: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return pieces(
        *_value_fields,
        st.builds(nested, st.just(5), pieces(entries(1, st.builds(nested, st.just(2), inner)), most=3)),
        st.builds(nested, st.just(6), pieces(st.builds(nested, st.just(1), inner), most=4)),
        most=3,
    )


values = st.recursive(pieces(*_value_fields, most=2), _value_nesting, max_leaves=8)
_number_values = st.builds(double, st.just(2), numbers)
_rows = st.lists(st.builds(nested, st.just(1), _number_values), max_size=4).map(b"".join)
_row_values = st.builds(nested, st.just(6), _rows)
list_values = st.one_of(
    pieces(st.builds(nested, st.just(1), values)),
    st.lists(st.builds(nested, st.just(1), _row_values), max_size=4).map(b"".join),
    _rows,
)


metrics = pieces(
    st.builds(text, st.just(1), words),
    st.builds(number, st.just(2), st.integers(0, 4)),
    st.builds(single, st.just(3), st.floats(allow_nan=False, allow_infinity=False, width=32)),
    entries(4, st.builds(text, st.just(2), words)),
)
metas = pieces(
    st.builds(text, st.just(1), words),
    entries(2, st.builds(nested, st.just(2), values)),
    entries(3, st.builds(number, st.just(2), int32s)),
    entries(4, st.builds(text, st.just(2), words)),
    st.builds(nested, st.just(5), metrics),
)
statuses = pieces(
    st.builds(number, st.just(1), int32s),
    st.builds(text, st.just(2), words),
    st.builds(text, st.just(3), words),
    st.builds(number, st.just(4), st.integers(0, 3)),
)


def _tensor(shape: list[int]) -> st.SearchStrategy[bytes]:
    count = 1
    for size in shape:
        count *= size
    data = st.lists(numbers, min_size=count, max_size=count)
    at = st.integers(0, count)
    return st.builds(_tensor_bytes, st.just(shape), data, at, st.integers(0, len(shape)), unknown)


def _tensor_bytes(shape: list[int], data: list[float], cut: int, dims_cut: int, strange: bytes) -> bytes:
    """The values before `cut` packed, those behind it one by one; the dimensions likewise."""
    return b"".join(
        [
            doubles(2, data[:cut]),
            packed(1, shape[:dims_cut]),
            strange,
            *(double(2, value) for value in data[cut:]),
            *(number(1, size) for size in shape[dims_cut:]),
        ]
    )


tensors = st.one_of(
    st.lists(st.integers(0, 4), max_size=3).flatmap(_tensor),
    pieces(
        st.builds(packed, st.just(1), st.lists(st.integers(-2, 3), max_size=2)),
        st.builds(number, st.just(1), st.integers(0, 3)),
        st.builds(doubles, st.just(2), st.lists(numbers, max_size=4)),
        st.builds(double, st.just(2), numbers),
    ),
)
tftensors = pieces(
    st.builds(number, st.just(1), st.sampled_from([1, 2, 3, 9, 10])),
    st.builds(nested, st.just(2), st.builds(nested, st.just(2), st.builds(number, st.just(1), st.integers(0, 3)))),
    st.builds(packed, st.just(7), st.lists(int32s, max_size=3)),
    st.builds(number, st.just(7), int32s),
    st.builds(doubles, st.just(6), st.lists(numbers, max_size=3)),
)
default_datas = pieces(
    st.builds(text, st.just(1), words),
    st.builds(nested, st.just(2), tensors),
    st.builds(nested, st.just(3), list_values),
    st.builds(nested, st.just(4), tftensors),
)
messages = pieces(
    st.builds(nested, st.just(1), statuses),
    st.builds(nested, st.just(2), metas),
    st.builds(nested, st.just(3), default_datas),
    st.builds(nested, st.just(3), default_datas),
    st.builds(nested, st.just(4), st.binary(max_size=5)),
    st.builds(text, st.just(5), words),
    st.builds(nested, st.just(6), values),
    st.builds(nested, st.just(7), pieces(st.builds(text, st.just(1), words), st.builds(nested, st.just(2), values))),
    _unknown(3),
)
lists = pieces(st.builds(nested, st.just(1), messages))
feedbacks = pieces(
    st.builds(nested, st.just(1), messages),
    st.builds(nested, st.just(2), messages),
    st.builds(single, st.just(3), st.floats(allow_nan=False, width=32)),
    st.builds(nested, st.just(4), messages),
)


# --- what google.protobuf read, as Python values in the form that `executor._native.seldon` gives ---


def plain(value: Any) -> Any:
    """A google.protobuf Value, ListValue or Struct."""
    form = value.DESCRIPTOR.name if hasattr(value, "DESCRIPTOR") else ""
    if form == "Value":
        kind = value.WhichOneof("kind")
        return None if kind in (None, "null_value") else plain(getattr(value, kind))
    if form == "ListValue":
        return [plain(item) for item in value.values]
    if form == "Struct":
        return {key: plain(item) for key, item in value.fields.items()}
    return value


def plain_metric(metric: pb.Metric) -> dict[str, Any]:
    kinds = {0: "COUNTER", 1: "GAUGE", 2: "TIMER"}
    found = {"key": metric.key, "type": kinds.get(metric.type, metric.type), "value": metric.value}
    return found | ({"tags": dict(metric.tags)} if metric.tags else {})


def plain_meta(meta: pb.Meta) -> dict[str, Any]:
    found: dict[str, Any] = {
        "puid": meta.puid,
        "tags": {key: plain(value) for key, value in meta.tags.items()},
        "routing": dict(meta.routing),
        "requestPath": dict(meta.requestPath),
        "metrics": [plain_metric(metric) for metric in meta.metrics],
    }
    return {key: value for key, value in found.items() if value}


def plain_status(status: pb.Status) -> dict[str, Any]:
    flags = {0: "SUCCESS", 1: "FAILURE"}
    flag = flags.get(status.status, status.status)
    return {"code": status.code, "info": status.info, "reason": status.reason, "status": flag}


def kind_of(message: pb.SeldonMessage) -> str:
    kind = message.WhichOneof("data_oneof") or ""
    return message.data.WhichOneof("data_oneof") or "" if kind == "data" else kind
