"""Owns tests of arrays over message bytes: no copy where that is safe, one where it is not, shapes checked."""

import types

import numpy
import pytest
from support import wire

from executor import errors
from executor._native import buffer, message, seldon, tensor
from executor._pb import tensorflow_pb2

FORTRAN = numpy.asfortranarray(numpy.arange(6.0).reshape(2, 3))


def tensor_message(shape: list[int], values: list[float]) -> bytes:
    return wire.nested(3, wire.nested(2, wire.packed(1, shape) + wire.doubles(2, values)))


def test_the_dtype_table_is_tensorflows() -> None:
    table = tensor.dtypes()
    assert {code: name for code, (name, _) in table.items()} == {
        code: name
        for name, code in tensorflow_pb2.DataType.items()
        if code < 24 and name not in ("DT_INVALID", "DT_RESOURCE", "DT_VARIANT")
    }
    special = {"FLOAT": "float32", "DOUBLE": "float64", "HALF": "float16", "BFLOAT16": "uint16", "STRING": "object"}
    for name, dtype in table.values():
        plain = name.removeprefix("DT_")
        assert dtype.name == special.get(plain, plain.removeprefix("Q").lower())


def test_an_array_lies_over_the_message_that_alone_owns_its_bytes() -> None:
    sole = seldon.build("tensor", numpy.arange(1000.0))
    before = buffer.live_buffers()
    array = seldon.open(sole).array()
    assert buffer.live_buffers() == before
    array[0] = 77.0
    assert seldon.open(sole).array()[0] == 77.0


def test_an_array_lives_on_without_its_message() -> None:
    before = buffer.live_buffers()
    array = seldon.open(seldon.build("tensor", numpy.arange(1000.0))).array()
    assert buffer.live_buffers() == before + 1
    assert array.sum() == 499500.0
    del array
    assert buffer.live_buffers() == before


def test_bytes_that_others_see_are_copied() -> None:
    data = tensor_message([3], [1.0, 2.0, 3.0])
    array = seldon.open(message.Message(data)).array()
    array[:] = 0.0
    assert data == tensor_message([3], [1.0, 2.0, 3.0])


def test_a_second_array_of_the_same_message_is_another_one() -> None:
    parts = seldon.open(seldon.build("tensor", [1.0, 2.0]))
    first, second = parts.array(), parts.array()
    assert not numpy.shares_memory(first, second)
    assert first.flags.writeable
    assert second.flags.writeable


def test_a_message_given_on_is_not_written_to() -> None:
    parts = seldon.open(seldon.build("tensor", [1.0, 2.0]))
    given_on = parts.message()
    parts.array()[:] = 0.0
    assert seldon.open(given_on).array().tolist() == [1.0, 2.0]


@pytest.mark.parametrize("shift", range(8))
def test_misaligned_bytes_cost_a_copy_and_are_right(shift: int) -> None:
    data = bytearray(wire.text(5, "x" * shift) + tensor_message([2, 2], [1.0, 2.0, 3.0, 4.0]))
    array = seldon.open(message.Message(data)).array()
    assert array.flags.aligned
    assert array.flags.writeable
    assert array.tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize(
    ("shape", "count", "text"),
    [
        ([2, 3], 5, r"shape \[2, 3\] needs 6 values, the message has 5"),
        ([-1], 1, r"shape \[-1\] has a negative dimension"),
        ([-1, -1], 1, "negative dimension"),
        ([2**31 - 1] * 3, 1, "larger than memory can be"),
        ([0, 2], 1, "needs 0 values, the message has 1"),
        ([1] * 33, 1, "more than 32 dimensions"),
    ],
)
def test_a_shape_that_does_not_fit_is_refused(shape: list[int], count: int, text: str) -> None:
    data = tensor_message(shape, [0.0] * count)
    with pytest.raises(errors.DecodeError, match=text) as caught:
        seldon.open(message.Message(data)).array()
    assert caught.value.offset is not None


def test_a_shape_with_a_zero_has_no_values() -> None:
    assert seldon.open(message.Message(tensor_message([0, 7], []))).array().shape == (0, 7)


@pytest.mark.parametrize(("values", "shape"), [([], (0,)), ([1.0], ()), ([1.0, 2.0], (2,))])
def test_without_a_shape_there_is_one_dimension_or_a_single_value(values: list[float], shape: tuple[int, ...]) -> None:
    assert seldon.open(message.Message(tensor_message([], values))).array().shape == shape


def test_half_a_number_is_refused() -> None:
    data = wire.nested(3, wire.nested(2, wire.nested(2, b"\0" * 13)))
    with pytest.raises(errors.DecodeError, match="13 packed bytes are no whole number of values of 8 bytes"):
        seldon.open(message.Message(data)).array()


@pytest.mark.parametrize(
    "array",
    [
        numpy.arange(6.0),
        FORTRAN,
        numpy.arange(12.0)[::2],
        numpy.arange(3, dtype=">f8"),
        numpy.arange(3, dtype="f4"),
        numpy.arange(3, dtype="u8"),
        numpy.array([True, False]),
        numpy.array([1, 2.5], object),
        numpy.frombuffer(b"x" * 25, "f8", offset=1),
        numpy.float64(3.5),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_any_real_numbers_become_doubles(array: numpy.ndarray) -> None:
    found = seldon.open(seldon.build("tensor", array)).array()
    assert found.dtype == numpy.float64
    assert found.shape == array.shape
    assert (found == array.astype("f8")).all()


def test_nan_and_infinity_are_numbers_of_a_tensor() -> None:
    array = numpy.array([numpy.nan, numpy.inf, -numpy.inf, -0.0])
    assert seldon.open(seldon.build("tensor", array)).array().tobytes() == array.tobytes()


@pytest.mark.parametrize(
    "value", [numpy.array([1j]), ["a"], numpy.array(["2020-01-01"], "M8[D]"), [[1], [2, 3]], [None]]
)
def test_what_is_no_real_number_is_no_tensor(value: object) -> None:
    with pytest.raises(errors.EncodeError, match="tensor"):
        seldon.build("tensor", value)


def test_the_array_module_is_a_parameter() -> None:
    parts = seldon.open(seldon.build("tensor", [[1.0, 2.0]]))
    assert isinstance(parts.array(numpy), numpy.ndarray)
    # Modules as small as the two ways in: asarray of the array API, else DLPack.
    seen = types.SimpleNamespace(asarray=lambda array: ("asarray", array.tolist()))
    assert parts.array(seen) == ("asarray", [[1.0, 2.0]])
    lent = types.SimpleNamespace(from_dlpack=numpy.from_dlpack)
    assert parts.array(lent).tolist() == [[1.0, 2.0]]
    with pytest.raises(TypeError, match="neither asarray nor from_dlpack"):
        parts.array(types.SimpleNamespace())


def test_arrays_of_other_modules_come_in_by_dlpack() -> None:
    class Foreign:
        """An array that only speaks DLPack."""

        def __init__(self, array: numpy.ndarray) -> None:
            self.array = array

        def __dlpack__(self, **given: object) -> object:
            return self.array.__dlpack__(**given)  # type: ignore[arg-type]

        def __dlpack_device__(self) -> tuple[int, int]:
            return self.array.__dlpack_device__()

    for kind in ("tensor", "ndarray", "tftensor"):
        built = seldon.build(kind, Foreign(numpy.arange(4.0).reshape(2, 2)))
        assert seldon.open(built).array().tolist() == [[0.0, 1.0], [2.0, 3.0]]
