"""Owns tests of the JSON writer: strings, base64, the shortest text of numbers, and the table of names."""

import base64
import json
import math
import random
import struct

import numpy
import pytest

from executor._native import text


@pytest.mark.parametrize("value", ["", "plain", 'q"\\/', "".join(map(chr, range(0x90))), "é中😀\u2028", "x" * 1000])
def test_a_string_reads_back(value: str) -> None:
    written = text.of_str(value)
    assert json.loads(written) == value
    assert written.decode() == json.dumps(value, ensure_ascii=False)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 100, 10_001])
def test_bytes_become_base64(size: int) -> None:
    data = random.Random(size).randbytes(size)
    assert text.of_bytes(data) == b'"' + base64.b64encode(data) + b'"'


def doubles(*values: float) -> bytes:
    return text.of_doubles(numpy.array(values, float))


def test_whole_numbers_keep_their_point() -> None:
    assert doubles(0, 1, -3, 1e14, 123456789012345) == b"0.0,1.0,-3.0,100000000000000.0,123456789012345.0"
    assert doubles(-0.0) == b"-0.0"
    large = json.loads(b"[" + doubles(1e15, 1e16, 1e22, 12345678901234567890) + b"]")
    assert large == [1e15, 1e16, 1e22, 1.2345678901234567e19]
    assert all(isinstance(value, float) for value in large)


def test_each_double_reads_back_and_no_shorter_text_does() -> None:
    rng = random.Random(2)
    values = [struct.unpack("d", struct.pack("Q", rng.getrandbits(64)))[0] for _ in range(4000)]
    values = [value for value in values if math.isfinite(value)] + [0.1, 5e-324, 1.7e308, 1 / 3]
    written = doubles(*values)
    assert json.loads(b"[" + written + b"]") == values
    # Python's repr is the shortest too; whole numbers may be spelt out here, if that takes no more room.
    pairs = zip(written.decode().split(","), map(repr, values), strict=True)
    longer = [pair for pair in pairs if len(pair[0]) > len(pair[1]) + 2]
    assert longer == []


def test_floats_take_as_few_digits_as_a_float_needs() -> None:
    assert text.of_doubles(numpy.array([0.1, 1.0, 16777216.0, 3.4028234663852886e38]), True) == (
        b"0.1,1.0,16777216.0,3.4028235e+38"
    )


def test_what_is_not_finite_stands_in_quotes() -> None:
    inf = float("inf")
    assert doubles(inf, 1, float("nan"), -inf) == b'"Infinity",1.0,"NaN","-Infinity"'
    assert doubles(*[float("nan")] * 1500) == b",".join([b'"NaN"'] * 1500)
    assert text.of_doubles(numpy.array([float("nan"), 2.0]), True) == b'"NaN",2.0'
    assert doubles() == b""


def test_long_rows_are_written_in_parts() -> None:
    values = numpy.arange(3000) / 7
    assert json.loads(b"[" + text.of_doubles(values) + b"]") == values.tolist()


def test_the_table_of_names_grows_and_finds_doubles() -> None:
    names = [f"name {index}" for index in range(5000)]
    assert text.double_names(names) == []
    assert text.double_names([*names, "name 7", "name", ""]) == [5000]
    assert text.double_names(["", "a", ""]) == [2]
