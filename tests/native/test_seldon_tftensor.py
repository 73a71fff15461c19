"""Owns tests of TensorProto: every dtype both ways, TensorFlow's rules for short lists, and what is refused."""

import math
from typing import Any

import numpy
import pytest
from support import wire

from executor import errors
from executor._native import buffer, message, seldon, tensor
from executor._pb import seldon_pb2 as pb
from executor._pb import tensorflow_pb2 as tf

NUMERIC = [
    "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "bool", "complex64", "complex128",
]  # fmt: skip
INT_FIELDS = {"DT_HALF": "half_val", "DT_BFLOAT16": "half_val", "DT_BOOL": "bool_val", "DT_INT64": "int64_val"}
INT_FIELDS |= {"DT_UINT32": "uint32_val", "DT_UINT64": "uint64_val"}


def proto(dtype: str, shape: list[int], **fields: Any) -> tf.TensorProto:
    made = tf.TensorProto(dtype=tf.DataType.Value(dtype), **fields)
    made.tensor_shape.SetInParent()
    for size in shape:
        made.tensor_shape.dim.add(size=size)
    return made


def opened(given: tf.TensorProto) -> seldon.Parts:
    return seldon.open(message.Message(pb.SeldonMessage(data=pb.DefaultData(tftensor=given)).SerializeToString()))


def array_of(given: tf.TensorProto) -> numpy.ndarray:
    found: numpy.ndarray = opened(given).array()
    return found


def built(array: Any) -> tf.TensorProto:
    return pb.SeldonMessage.FromString(bytes(seldon.build("tftensor", array))).data.tftensor


def extremes(dtype: str) -> numpy.ndarray:
    kind = numpy.dtype(dtype)
    if kind.kind in "iu":
        return numpy.array([numpy.iinfo(kind).min, numpy.iinfo(kind).max, 0, 1], kind)
    if kind.kind == "b":
        return numpy.array([True, False, True, True])
    values = numpy.array([numpy.nan, -numpy.inf, numpy.finfo(kind).max, -0.0], kind)
    return values * (1 + 2j) if kind.kind == "c" else values


@pytest.mark.parametrize("dtype", NUMERIC)
def test_arrays_go_as_tensor_content_and_come_back_as_they_were(dtype: str) -> None:
    with numpy.errstate(all="ignore"):
        array = extremes(dtype).reshape(2, 2)
    made = built(array)
    assert [dim.size for dim in made.tensor_shape.dim] == [2, 2]
    assert made.tensor_content == array.tobytes()
    found = seldon.open(seldon.build("tftensor", array)).array()
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    assert found.tobytes() == array.tobytes()


@pytest.mark.parametrize("dtype", NUMERIC)
def test_single_values_go_in_their_typed_list(dtype: str) -> None:
    with numpy.errstate(all="ignore"):
        values = extremes(dtype)
    for value in values:
        made = built(value)
        assert not made.tensor_content
        assert not made.tensor_shape.dim
        assert len(made.ListFields()) == 3
        found = seldon.open(seldon.build("tftensor", value)).array()
        assert (found.dtype, found.shape) == (values.dtype, ())
        assert found.tobytes() == value.tobytes()


@pytest.mark.parametrize("code", sorted(tensor.dtypes()))
def test_typed_lists_are_read_in_every_dtype(code: int) -> None:
    name, dtype = tensor.dtypes()[code]
    with numpy.errstate(all="ignore"):
        values = extremes(dtype.name) if dtype.kind != "O" else numpy.array([b"a", b"", b"\xff", b"d"], object)
    if dtype.kind in "fc" and dtype.itemsize > 2:
        field = {"float32": "float_val", "float64": "double_val", "complex64": "scomplex_val"}.get(dtype.name)
        pairs = values.view("f4" if name in ("DT_FLOAT", "DT_COMPLEX64") else "f8").tolist()
        given = {field or "dcomplex_val": pairs}
    elif dtype.kind == "O":
        given = {"string_val": values.tolist()}
    else:
        bits = values.view("u2") if "HALF" in name or "BFLOAT" in name else values
        given = {INT_FIELDS.get(name, "int_val"): bits.tolist()}
    found = array_of(proto(name, [2, 2], **given))
    assert (found.dtype, found.shape) == (dtype, (2, 2))
    assert found.ravel().tolist() == values.tolist() or found.tobytes() == values.tobytes()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (proto("DT_FLOAT", [2, 2], float_val=[1, 2]), [[1, 2], [2, 2]]),
        (proto("DT_INT32", [3], int_val=[7]), [7, 7, 7]),
        (proto("DT_INT32", [2]), [0, 0]),
        (proto("DT_STRING", [2], string_val=[b"a"]), [b"a", b"a"]),
        (proto("DT_STRING", [2]), [b"", b""]),
        (proto("DT_DOUBLE", [0]), []),
        (proto("DT_DOUBLE", [], double_val=[3]), 3),
    ],
)
def test_a_short_list_repeats_its_last_value(given: tf.TensorProto, expected: Any) -> None:
    assert array_of(given).tolist() == expected


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (proto("DT_FLOAT", [2], float_val=[1, 2, 3]), r"DT_FLOAT: shape \[2\] needs 2 values, the message has 3"),
        (proto("DT_FLOAT", [2], tensor_content=b"1234"), "needs 2 values, the message has 1"),
        (proto("DT_FLOAT", [2], tensor_content=b"12345"), "5 bytes of tensor_content are no whole number of items"),
        (proto("DT_FLOAT", [-1], float_val=[1]), "negative dimension"),
        (proto("DT_FLOAT", [2**40, 2**40]), "larger than memory can be"),
        (proto("DT_FLOAT", [2**40], float_val=[1]), "repeating may not fill"),
        (proto("DT_FLOAT", [1] * 33), "more than 32 dimensions"),
        (proto("DT_COMPLEX64", [1], scomplex_val=[1]), "lacks its second half"),
        (proto("DT_RESOURCE", [1]), "dtype 20 has no form as an array"),
        (proto("DT_INVALID", [1]), "dtype 0 has no form as an array"),
        (tf.TensorProto(dtype=tf.DT_FLOAT, tensor_shape=tf.TensorShapeProto(unknown_rank=True)), "unknown rank"),
    ],
)
def test_a_tensor_that_does_not_add_up_is_refused(given: tf.TensorProto, text: str) -> None:
    before = buffer.live_buffers()
    with pytest.raises(errors.DecodeError, match=text):
        array_of(given)
    assert buffer.live_buffers() == before


def test_lists_may_be_packed_single_and_in_pieces() -> None:
    fields = [
        wire.number(1, 3), wire.packed(7, [1, 2]), wire.nested(2, wire.nested(2, wire.number(1, 2))),
        wire.number(7, 3), wire.nested(2, wire.nested(2, wire.number(1, 2))), wire.packed(7, [-4]),
    ]  # fmt: skip
    data = wire.nested(3, b"".join(wire.nested(4, field) for field in fields))
    assert seldon.open(message.Message(data)).array().tolist() == [[1, 2], [3, -4]]
    fields = [wire.number(1, 1), wire.nested(2, wire.nested(2, wire.number(1, 3))), wire.single(5, 1.5)]
    fields += [wire.nested(5, b"\0\0\x80\x3f"), wire.single(5, 2.5)]
    data = wire.nested(3, wire.nested(4, b"".join(fields)))
    assert seldon.open(message.Message(data)).array().tolist() == [1.5, 1.0, 2.5]


def test_content_is_seen_without_a_copy_where_it_is_aligned() -> None:
    array = numpy.arange(1000, dtype="f4")
    before = buffer.live_buffers()
    kept = seldon.build("tftensor", array)
    found = seldon.open(kept).array()
    assert buffer.live_buffers() == before + 1
    assert (found == array).all()
    assert found.flags.writeable


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (numpy.array(["a", "ü"]), [b"a", "ü".encode()]),
        (numpy.array([b"a", b"\xff"]), [b"a", b"\xff"]),
        (numpy.array(["a", b"b"], object), [b"a", b"b"]),
        (["a", "b"], [b"a", b"b"]),
    ],
)
def test_strings_are_bytes(array: Any, expected: list[bytes]) -> None:
    made = built(array)
    assert (made.dtype, list(made.string_val)) == (tf.DT_STRING, expected)
    assert seldon.open(seldon.build("tftensor", array)).array().tolist() == expected


@pytest.mark.parametrize("array", [numpy.array([1, None], object), numpy.array(["2020"], "M8[D]"), numpy.longdouble(1)])
def test_what_a_tensor_cannot_hold_is_refused(array: Any) -> None:
    with pytest.raises(errors.EncodeError, match="tftensor"):
        seldon.build("tftensor", array)


def test_other_orders_and_layouts_are_written_as_they_read() -> None:
    for array in (numpy.arange(6, dtype=">i4").reshape(2, 3), numpy.arange(6).reshape(2, 3).T, numpy.arange(9)[::3]):
        found = seldon.open(seldon.build("tftensor", array)).array()
        assert found.tolist() == array.tolist()
        assert math.prod(found.shape) == array.size
    assert seldon.open(seldon.build("tftensor", numpy.array(7, ">i4"))).array() == 7
