"""Owns tests of building JSON messages: every kind and dtype, meta, what is refused, and what google reads of it."""

import dataclasses
import json
import math
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy
import pytest
from google.protobuf import json_format, struct_pb2
from support import protojson

from executor import errors
from executor._native import buffer, codec_face, seldon_json, seldon_json_build
from executor.types import Encoding, Form


def text(kind: str, value: Any = None, **given: Any) -> str:
    before = buffer.live_buffers()
    made = seldon_json.build(kind, value, **given)
    assert (made.encoding, made.form) == (Encoding.SELDON_JSON, Form.MESSAGE)
    found = bytes(made).decode()
    del made
    assert buffer.live_buffers() == before
    if "NaN" not in found and "Infinity" not in found:
        protojson.parse(found)
    return found


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("tensor", numpy.array([[1, 2], [3, 4]]), '{"data":{"tensor":{"shape":[2,2],"values":[1,2,3,4]}}}'),
        ("tensor", [1, 2.5], '{"data":{"tensor":{"shape":[2],"values":[1.0,2.5]}}}'),
        ("tensor", numpy.float32(0.5), '{"data":{"tensor":{"shape":[],"values":[0.5]}}}'),
        ("tensor", numpy.array([True, False]), '{"data":{"tensor":{"shape":[2],"values":[1.0,0.0]}}}'),
        ("tensor", numpy.array([1, 2.5], object), '{"data":{"tensor":{"shape":[2],"values":[1.0,2.5]}}}'),
        ("tensor", numpy.empty((0, 3)), '{"data":{"tensor":{"shape":[0,3],"values":[]}}}'),
        (
            "tensor",
            [math.nan, math.inf, -math.inf, 1],
            '{"data":{"tensor":{"shape":[4],"values":[NaN,Infinity,-Infinity,1.0]}}}',
        ),
        (
            "ndarray",
            numpy.array([[1.0, math.nan], [-math.inf, 2.0]]),
            '{"data":{"ndarray":[[1.0,NaN],[-Infinity,2.0]]}}',
        ),
        ("ndarray", [["a", math.nan]], '{"data":{"ndarray":[["a",NaN]]}}'),
        ("jsonData", {"b": [1, {"b": math.inf}], "a": math.nan}, '{"jsonData":{"a":NaN,"b":[1,{"b":Infinity}]}}'),
        ("jsonData", {1: 2, "a": 3}, '{"jsonData":{"1":2,"a":3}}'),
        ("ndarray", numpy.array([[1, 2], [3, 4]]), '{"data":{"ndarray":[[1,2],[3,4]]}}'),
        ("ndarray", numpy.array([[1.0, 0.1]]), '{"data":{"ndarray":[[1.0,0.1]]}}'),
        ("ndarray", numpy.array([2**64 - 1], "uint64"), '{"data":{"ndarray":[18446744073709551615]}}'),
        ("ndarray", numpy.array([200], "uint8"), '{"data":{"ndarray":[200]}}'),
        ("ndarray", numpy.array([-5], ">i2"), '{"data":{"ndarray":[-5]}}'),
        ("ndarray", numpy.array([1.5], "float16"), '{"data":{"ndarray":[1.5]}}'),
        ("ndarray", numpy.arange(6).reshape(2, 3).T, '{"data":{"ndarray":[[0,3],[1,4],[2,5]]}}'),
        ("ndarray", numpy.empty((2, 0)), '{"data":{"ndarray":[[],[]]}}'),
        ("ndarray", numpy.array([["a", "é"]]), '{"data":{"ndarray":[["a","é"]]}}'),
        ("ndarray", numpy.array([True]), '{"data":{"ndarray":[true]}}'),
        ("ndarray", [[1, "a"], [None, 1.0]], '{"data":{"ndarray":[[1,"a"],[null,1.0]]}}'),
        ("ndarray", (), '{"data":{"ndarray":[]}}'),
        ("binData", b"\x00\xff", '{"binData":"AP8="}'),
        ("binData", bytearray(b"a"), '{"binData":"YQ=="}'),
        ("strData", 'q"é\n', '{"strData":"q\\"é\\n"}'),
        ("jsonData", {"a": [1, None], "é": numpy.arange(2)}, '{"jsonData":{"a":[1,null],"é":[0,1]}}'),
        ("jsonData", None, '{"jsonData":null}'),
        ("jsonData", {"a": numpy.int64(3)}, '{"jsonData":{"a":3}}'),
        (
            "customData",
            {"@type": "x/google.protobuf.Value", "value": 1},
            '{"customData":{"@type":"x/google.protobuf.Value","value":1}}',
        ),
        ("", None, "{}"),
    ],
)
def test_each_kind_is_written(kind: str, value: Any, expected: str) -> None:
    assert text(kind, value) == expected


def test_names_meta_and_status_go_along() -> None:
    meta = {"puid": "p", "tags": {"a": numpy.float64(0.5)}, "routing": {"r": 1}}
    found = text("ndarray", numpy.array([1]), names=["a", "é"], meta=meta, status={"code": 1})
    assert found == (
        '{"data":{"names":["a","é"],"ndarray":[1]},'
        '"meta":{"puid":"p","routing":{"r":1},"tags":{"a":0.5}},"status":{"code":1}}'
    )
    assert text("", meta={}, status={}) == '{"meta":{},"status":{}}'
    assert text("strData", "a", meta={}) == '{"meta":{},"strData":"a"}'
    assert text("tensor", [1], names=("x",)).startswith('{"data":{"names":["x"],"tensor"')


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "float16", "float32", "float64", "bool"])
def test_a_tftensor_keeps_its_dtype(dtype: str) -> None:
    values = numpy.array([[0, 1], [1, 1]], dtype)
    made = seldon_json.build("tftensor", values, ["a"], {"puid": "p"})
    parts = seldon_json.open(made)
    protojson.parse(bytes(made))
    assert (parts.kind, parts.names, parts.meta) == ("tftensor", ["a"], {"puid": "p"})
    assert parts.array().dtype == dtype
    assert (parts.array() == values).all()


def test_custom_data_may_be_the_bytes_of_a_known_type() -> None:
    held = json_format.ParseDict({"a": [1, None]}, struct_pb2.Struct())
    made = text("customData", ("x/google.protobuf.Struct", held.SerializeToString()), meta={"puid": "p"})
    assert json.loads(made) == {
        "meta": {"puid": "p"},
        "customData": {"@type": "x/google.protobuf.Struct", "value": {"a": [1.0, None]}},
    }


class Strange:
    """Nothing that a message holds."""


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        ("jsonData", Strange(), "jsonData: Strange has no JSON form"),
        ("jsonData", {(1, 2): 3}, "jsonData: keys must be"),
        ("jsonData", "\ud800", "jsonData: .*surrogates not allowed"),
        ("ndarray", 5, "ndarray: a single value is no list"),
        ("ndarray", numpy.array([1j]), "ndarray: complex has no JSON form"),
        ("ndarray", numpy.zeros((1,) * 33), "ndarray: 33 dimensions given, at most 32 are allowed"),
        ("tensor", numpy.array(["a"]), "a tensor holds real numbers; an array of dtype <U1 does not fit"),
        ("tensor", numpy.array([None, "a"], object), "tensor: the value holds what is no number"),
        ("tensor", [[1], [2, 3]], "tensor: the value is no array"),
        ("binData", "text", "binData: str given, contiguous bytes are needed"),
        ("strData", 5, "strData: int given, str is needed"),
        ("strData", "\ud800", "strData: no valid text"),
        ("customData", ("x/y.Z", b""), "customData: .*the type of this Any has no JSON form known here"),
        ("nothing", 1, "kind 'nothing' does not exist; allowed are tensor, ndarray"),
    ],
)
def test_what_does_not_fit_is_refused(kind: str, value: Any, words: str) -> None:
    before = buffer.live_buffers()
    with pytest.raises(errors.EncodeError, match=words):
        seldon_json.build(kind, value)
    assert buffer.live_buffers() == before


def test_names_and_meta_that_do_not_fit_are_refused() -> None:
    with pytest.raises(errors.EncodeError, match="names: a str given, a list of str is needed"):
        seldon_json.build("ndarray", [1], "ab")
    with pytest.raises(errors.EncodeError, match="names: int given, str is needed"):
        seldon_json.build("ndarray", [1], [1])  # type: ignore[list-item]
    assert text("", meta={"tags": {"a": math.nan}}) == '{"meta":{"tags":{"a":NaN}}}'
    with pytest.raises(errors.EncodeError, match="status: "):
        seldon_json.build("", status={"code": Strange()})


def test_too_deep_a_value_is_refused() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(errors.EncodeError, match="jsonData: "):
        seldon_json.build("jsonData", value)


@pytest.mark.parametrize("count", [1, 511, 512, 513, 5000])
@pytest.mark.parametrize("dtype", ["float64", "int64"])
def test_arrays_of_every_length_are_written_whole(count: int, dtype: str) -> None:
    values = (numpy.arange(2 * count) / (7 if dtype == "float64" else 1)).astype(dtype).reshape(2, count)
    assert json.loads(text("ndarray", values))["data"]["ndarray"] == values.tolist()
    assert json.loads(text("tensor", values))["data"]["tensor"]["values"] == values.ravel().tolist()


def test_lists_and_feedback_are_gathered() -> None:
    items = [seldon_json.build("strData", "a"), seldon_json.build("")]
    assert bytes(codec_face.make_list(items)) == b'[{"strData":"a"},{}]'
    assert bytes(codec_face.make_list([], Encoding.SELDON_JSON)) == b"[]"
    assert (
        bytes(seldon_json.build_feedback(items[0], items[1], 0, None)) == b'{"request":{"strData":"a"},"response":{}}'
    )
    for reward, written in ((0.1, b"0.1"), (-2, b"-2.0"), (math.nan, b'"NaN"'), (-math.inf, b'"-Infinity"')):
        made = seldon_json.build_feedback(None, None, reward, None)
        assert bytes(made) == b'{"reward":' + written + b"}"
        assert repr(seldon_json.open_feedback(made).reward) == repr(float(numpy.float32(reward)))
    assert bytes(codec_face.make_list([codec_face.make_list([], Encoding.SELDON_JSON)])) == b"[[]]"
    with pytest.raises(TypeError):
        codec_face.make_list([b"{}"], Encoding.SELDON_JSON)  # type: ignore[list-item]


def test_dates_and_the_like_are_texts_as_flask_has_them() -> None:
    @dataclasses.dataclass
    class Point:
        x: int

    class Markup:
        def __html__(self) -> str:
            return "<b>"

    east = timezone(timedelta(hours=2))
    said = [
        date(999, 1, 2), datetime(2020, 1, 2, 3, 4, 5, 6), datetime(2020, 1, 2, 3, 4, 5, tzinfo=east),
        Decimal("1.50"), UUID(int=5), Point(1), Markup(),
    ]  # fmt: skip
    assert json.loads(bytes(seldon_json_build.build("jsonData", said)))["jsonData"] == [
        "Wed, 02 Jan 0999 00:00:00 GMT", "Thu, 02 Jan 2020 03:04:05 GMT", "Thu, 02 Jan 2020 01:04:05 GMT", "1.50",
        "00000000-0000-0000-0000-000000000005", {"x": 1}, "<b>",
    ]  # fmt: skip
    for odd in (timedelta(1), Point, time(1)):
        with pytest.raises(errors.EncodeError, match="has no JSON form"):
            seldon_json_build.build("jsonData", {"v": odd})


def test_members_may_keep_their_order() -> None:
    assert seldon_json_build.dumped({"b": 1, "a": 2}) == '{"a":2,"b":1}'
    seldon_json_build.sort_members(False)
    try:
        assert seldon_json_build.dumped({"b": 1, "a": 2}) == '{"b":1,"a":2}'
    finally:
        seldon_json_build.sort_members(True)


def test_values_of_numpy_become_plain() -> None:
    assert seldon_json_build.plain(numpy.arange(2)) == [0, 1]
    assert seldon_json_build.plain(numpy.float32(0.5)) == 0.5
    with pytest.raises(TypeError, match="object has no JSON form"):
        seldon_json_build.plain(object())


def test_names_are_left_out_only_where_none_are_given() -> None:
    assert bytes(seldon_json_build.build("ndarray", [1], ())) == b'{"data":{"names":[],"ndarray":[1]}}'
    assert bytes(seldon_json_build.build("ndarray", [1])) == b'{"data":{"ndarray":[1]}}'
