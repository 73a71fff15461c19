"""Protobuf's wire format in plain Python, held against google.protobuf and hostile bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor import errors
from executor._pb import health_pb2, seldon_pb2
from executor.protocol import wire


@given(st.integers(-(2**63), 2**64 - 1))
def test_varints(value: int) -> None:
    data = wire.varint(value)
    assert wire.read_varint(data + b"\x01", 0) == (value % 2**64, len(data))


def test_fields_as_protobuf_writes_them() -> None:
    assert wire.text(1, "name") == health_pb2.HealthCheckRequest(service="name").SerializeToString()
    assert (
        wire.number(1, 1)
        == health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING).SerializeToString()
    )
    assert (wire.text(1, ""), wire.number(1, 0)) == (b"", b"")
    status = seldon_pb2.Status(code=-1, info="é")
    assert list(wire.fields(status.SerializeToString())) == [(1, 2**64 - 1), (2, "é".encode())]
    metric = seldon_pb2.Metric(key="k", value=1.5)
    assert list(wire.fields(metric.SerializeToString())) == [(1, b"k")]
    assert list(wire.fields(b"\x09" + b"\x00" * 6 + b"\xf8\x3f")) == [(1, 1.5)]


def test_kinds_are_checked() -> None:
    assert wire.as_text(b"a") == "a"
    assert wire.as_bytes(b"a") == b"a"
    with pytest.raises(errors.DecodeError, match="number where text"):
        wire.as_text(1)
    with pytest.raises(errors.DecodeError, match="number where a message"):
        wire.as_bytes(1.0)
    with pytest.raises(errors.DecodeError, match="UTF-8"):
        wire.as_text(b"\xff")


@pytest.mark.parametrize(
    ("data", "message", "offset"),
    [(b"\x80", "broken varint", 0), (b"\x08\x01\x0b", "wire type 3", 2), (b"\x0a\x02a", "longer than", 0),
     (b"\x09\x00", "longer than", 0), (b"\xff" * 11, "broken varint", 0)],
)  # fmt: skip
def test_hostile_bytes(data: bytes, message: str, offset: int) -> None:
    with pytest.raises(errors.DecodeError, match=message) as caught:
        list(wire.fields(data))
    assert caught.value.offset == offset
