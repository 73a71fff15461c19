"""Owns tests of scalars and arrays of numbers in JSON: every kind in every way it may be written, and its bounds."""

import base64
import json
from typing import Any

import pytest
from support import protojson, transcode

from executor import errors
from executor._pb import seldon_pb2 as pb


def tensor(text: str) -> Any:
    """The TensorProto with the members `text`, as ours reads them; google reads the same."""
    whole = f'{{"data":{{"tftensor":{{{text}}}}}}}'
    found = pb.SeldonMessage.FromString(transcode.to_proto(whole))
    assert repr(found) == repr(protojson.parse(whole))
    return found.data.tftensor


def refusal(text: str) -> str:
    whole = f'{{"data":{{"tftensor":{{{text}}}}}}}'
    with pytest.raises(errors.DecodeError) as caught:
        transcode.to_proto(whole)
    assert caught.value.offset is not None
    assert 0 < caught.value.offset < len(whole)
    return caught.value.message


@pytest.mark.parametrize(
    ("member", "text", "values"),
    [
        ("intVal", '[1,-2,"3",4.0,5e2,"6e0",-2147483648,2147483647]', [1, -2, 3, 4, 500, 6, -(2**31), 2**31 - 1]),
        ("int64Val", '["9223372036854775807","-9223372036854775808",7]', [2**63 - 1, -(2**63), 7]),
        ("uint32Val", "[0,4294967295]", [0, 2**32 - 1]),
        ("uint64Val", '["18446744073709551615",18446744073709551614,1e19]', [2**64 - 1, 2**64 - 2, 10**19]),
        ("boolVal", "[true,false]", [True, False]),
        ("doubleVal", '[0.5,"1.5","-2",1e-7]', [0.5, 1.5, -2.0, 1e-7]),
        ("doubleVal", '["\\u0031.5"]', [1.5]),
        ("floatVal", "[0.5,3.4028234663852886e38]", [0.5, 3.4028234663852886e38]),
        ("stringVal", '["YWI=","YWI","",  "\\/\\/8="]', [b"ab", b"ab", b"", b"\xff\xff"]),
        ("halfVal", "[]", []),
    ],
)
def test_each_kind_may_be_written_in_several_ways(member: str, text: str, values: list[Any]) -> None:
    found = tensor(f'"{member}":{text}')
    name = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in member)
    assert list(getattr(found, name)) == values


def test_special_numbers_may_stand_bare_which_protobufs_json_does_not_know() -> None:
    whole = '{"data":{"tftensor":{"doubleVal":[NaN, 1,Infinity,-Infinity],"floatVal":[-Infinity]}}}'
    found = pb.SeldonMessage.FromString(transcode.to_proto(whole)).data.tftensor
    assert [str(value) for value in found.double_val] == ["nan", "1.0", "inf", "-inf"]
    assert [str(value) for value in found.float_val] == ["-inf"]


def test_special_numbers_stand_in_quotes_among_others() -> None:
    found = tensor('"doubleVal":[1,"NaN",2,"Infinity","-Infinity",3],"floatVal":["-Infinity","\\u004eaN"]')
    assert [str(value) for value in found.double_val] == ["1.0", "nan", "2.0", "inf", "-inf", "3.0"]
    assert [str(value) for value in found.float_val] == ["-inf", "nan"]


@pytest.mark.parametrize(
    ("text", "number"), [('"DT_FLOAT"', 1), ("3", 3), ('"3"', 3), ("999", 999), ('"DT_HALF_REF"', 119)]
)
def test_an_enum_is_a_name_or_a_number(text: str, number: int) -> None:
    assert tensor(f'"dtype":{text}').dtype == number


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('"intVal":[1.5]', "tftensor.intVal: expected an integer"),
        ('"intVal":[2147483648]', "out of the range of int32"),
        ('"intVal":[-2147483649]', "out of the range of int32"),
        ('"intVal":[1e300]', "the integer is out of range"),
        ('"intVal":[true]', "expected a number, found 't'"),
        ('"intVal":[null]', "expected a number, found 'n'"),
        ('"intVal":[" 1"]', "expected a number"),
        ('"intVal":["1 "]', "expected a number"),
        ('"intVal":[""]', "expected a number"),
        ('"intVal":["1x"]', "expected a number"),
        (f'"intVal":["{"1" * 100}"]', "expected a number"),
        ('"intVal":{}', "expected an array, found '{'"),
        ('"int64Val":["9223372036854775808"]', "the integer is out of range"),
        ('"uint32Val":[4294967296]', "out of the range of uint32"),
        ('"uint32Val":[-1]', "out of the range of uint32"),
        ('"uint64Val":[-1]', "out of the range of uint64"),
        ('"uint64Val":["18446744073709551616"]', "the integer is out of range"),
        ('"boolVal":[1]', "expected true or false, found '1'"),
        ('"boolVal":["true"]', "expected true or false"),
        ('"dtype":"DT_NOTHING"', '"DT_NOTHING" is not a value of this enum'),
        ('"dtype":1.5', "expected an integer"),
        ('"doubleVal":[1,"x"]', "expected a number"),
        ('"doubleVal":[1,true]', "expected a number, found 't'"),
        ('"doubleVal":[Nan]', "expected a value"),
        ('"doubleVal":[-Inf]', "expected a value"),
        ('"doubleVal":["nan"]', "expected a number"),
        ('"doubleVal":[1e999]', "too large for a double"),
        ('"floatVal":[1e39]', "too large for a float"),
        ('"stringVal":["a"]', "not base64"),
        ('"stringVal":["YW!="]', "not base64"),
        ('"stringVal":["YW=I"]', "not base64"),
        ('"stringVal":["YQ==YQ=="]', "not base64"),
        ('"stringVal":["\\u0021AAA"]', "not base64"),
        ('"stringVal":[1]', "expected a string, found '1'"),
    ],
)
def test_what_a_kind_cannot_hold_is_refused_with_its_place(text: str, words: str) -> None:
    assert words in refusal(text)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4095, 4096, 4097, 100_000])
def test_bytes_of_every_length_are_decoded(size: int) -> None:
    data = bytes(index % 251 for index in range(size))
    for text in (base64.b64encode(data), base64.urlsafe_b64encode(data).rstrip(b"=")):
        assert tensor(f'"tensorContent":{json.dumps(text.decode())}').tensor_content == data


@pytest.mark.parametrize("count", [1, 511, 512, 513, 70_000])
def test_arrays_of_every_length_arrive_whole(count: int) -> None:
    values = [index / 4 for index in range(count)]
    found = tensor(f'"doubleVal":{values},"floatVal":{values},"intVal":{list(range(count))}')
    assert list(found.double_val) == list(found.float_val) == values
    assert list(found.int_val) == list(range(count))
