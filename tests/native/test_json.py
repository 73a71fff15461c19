"""Owns tests of the JSON reader: grammar, text, depth, places of errors, and numbers in typed memory."""

import json
import math
import random
import struct
from typing import Any

import numpy
import pytest

from executor import errors
from executor._native import buffer
from executor._native import json as reader


def refusal(text: bytes) -> tuple[str, int | None]:
    with pytest.raises(errors.DecodeError) as caught:
        reader.check(text)
    return caught.value.message, caught.value.offset


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        " [ ] ",
        '{"a":[1,{"b":null}]}',
        "-0.5e-7",
        '"\\u00e9\\n\\/"',
        '"é😀"',
        "true",
        "\t1\r\n",
        "[1e999]",
        '"\x7f"',
    ],
)
def test_json_is_accepted(text: str) -> None:
    json.loads(text)
    reader.check(text.encode())


@pytest.mark.parametrize(
    ("text", "words", "offset"),
    [
        (b"", "the JSON text ends", 0),
        (b"[1,]", "found ']'", 3),
        (b"[1 2]", r"expected ',' or ']', found '2'", 3),
        (b'{"a" 1}', "expected ':', found '1'", 5),
        (b'{"a":1,}', "expected a name in quotes, found '}'", 7),
        (b"{1:2}", "expected a name in quotes", 1),
        (b"[1]x", "expected the end of the JSON text, found 'x'", 3),
        (b"[01]", "expected a digit", 2),
        (b"[1.]", "expected a digit, found ']'", 3),
        (b"[1e]", "expected a digit", 3),
        (b"[-]", "expected a digit", 2),
        (b"[.5]", "expected a value", 1),
        (b"[+1]", "expected a value", 1),
        (b"nul", "expected a value", 0),
        (b"[NaN]", "expected a value", 1),
        (b'["abc', "a string is not closed", 1),
        (b'["a\nb"]', "a control character", 3),
        (b'["\\x41"]', "escape that does not exist", 2),
        (b'["\\u12g4"]', "escape that does not exist", 2),
        (b'["\\u12', "escape that does not exist", 2),
        (b'["\\ud800x"]', "half a surrogate pair", 2),
        (b'["\\udc00"]', "half a surrogate pair", 2),
        (b'["\\ud800\\u0041"]', "half a surrogate pair", 2),
        (b'["a\xff"]', "not valid UTF-8", 3),
        (b'["\xc0\x80"]', "not valid UTF-8", 2),
        (b'["\xe0\x80\x80"]', "not valid UTF-8", 2),
        (b'["\xed\xa0\x80"]', "not valid UTF-8", 2),
        (b'["\xf0\x80\x80\x80"]', "not valid UTF-8", 2),
        (b'["\xf4\x90\x80\x80"]', "not valid UTF-8", 2),
        (b'["\xe2\x82', "not valid UTF-8", 2),
        (b"\xef\xbb\xbf{}", "found byte 0xef", 0),
        (b"[1\x00]", "found byte 0x00", 2),
    ],
)
def test_what_is_not_json_is_refused_with_its_place(text: bytes, words: str, offset: int) -> None:
    message, at = refusal(text)
    assert words in message
    assert at == offset


def test_brackets_nest_a_hundred_deep_and_no_deeper() -> None:
    reader.check(b"[" * 100 + b"]" * 100)
    assert refusal(b"[" * 101 + b"]" * 101) == ("brackets are nested more than 100 deep (at byte 100)", 100)
    assert refusal(b'{"a":' * 100000)[1] == 500


@pytest.mark.parametrize("size", [*range(40), 1000])
def test_a_string_ends_where_it_ends_wherever_it_lies(size: int) -> None:
    for tail in ("", "é", "\\n", "😀"):
        reader.check(f'["{"x" * size}{tail}",1]'.encode())
        assert refusal(f'["{"x" * size}{tail}\x01"]'.encode())[1] == 2 + size + len(tail.encode())


def numbers(text: str) -> Any:
    found = reader.numbers(text.encode())
    assert found is not None
    shape, dtype, memory = found
    return numpy.frombuffer(memoryview(memory), dtype).reshape(shape)


def test_integers_stay_integers_until_another_number_comes() -> None:
    assert numbers("[1,-2, 9223372036854775807]").tolist() == [1, -2, 2**63 - 1]
    assert numbers("[[1,2],[3,4]]").dtype == numpy.int64
    mixed = numbers("[1,2,0.5,-9223372036854775808]")
    assert mixed.dtype == numpy.float64
    assert mixed.tolist() == [1.0, 2.0, 0.5, -(2.0**63)]


@pytest.mark.parametrize("shape", [(0,), (3,), (2, 0), (2, 3), (1, 1, 1), (2, 3, 4), (1,) * 32])
def test_the_shape_is_that_of_the_nesting(shape: tuple[int, ...]) -> None:
    array = numpy.arange(math.prod(shape)).reshape(shape)
    found = numbers(json.dumps(array.tolist()))
    assert found.shape == shape
    assert (found == array).all()


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "1",
        '["a"]',
        "[1,null]",
        "[[1],[2,3]]",
        "[[1],2]",
        "[1,[2]]",
        "[[],[1]]",
        "[[[1]],[]]",
        "[true]",
        "[" * 33 + "1" + "]" * 33,
    ],
)
def test_what_is_no_rectangle_of_numbers_is_something_else(text: str) -> None:
    assert reader.numbers(text.encode()) is None


@pytest.mark.parametrize(
    ("text", "words", "offset"),
    [
        ("[1,", "but the JSON text ends", 3),
        ("[1,2x]", "expected a number, ',' or ']', found 'x'", 4),
        ("[[1,2],[3,01]]", "expected a number, ',' or ']', found '1'", 11),
        ("[[1],[1e999]]", "too large for a double", 6),
        ("[1]]", "expected the end", 3),
    ],
)
def test_broken_arrays_are_refused_with_their_place(text: str, words: str, offset: int) -> None:
    with pytest.raises(errors.DecodeError, match=words) as caught:
        reader.numbers(text.encode())
    assert caught.value.offset == offset


def bits(values: list[float]) -> list[bytes]:
    return [struct.pack("d", value) for value in values]


def test_every_double_is_read_exactly() -> None:
    rng = random.Random(1)
    texts = ["5e-324", "2.4703282292062327e-324", "2.4703282292062328e-324", "1.7976931348623157e308", "1e-400"]
    texts += [
        "9007199254740993",
        "9007199254740993.0",
        "18446744073709551616",
        "0." + "0" * 400 + "1e401",
        "0e9999999999",
    ]
    texts += [
        "1" + "0" * 400 + "e-400",
        "123456789012345678901234567890.5",
        "-0.0",
        "0.1",
        "1E5",
        "1e+5",
        "1e-22",
        "1e23",
    ]
    for _ in range(4000):
        texts.append(repr(struct.unpack("d", struct.pack("Q", rng.getrandbits(64)))[0]))
        texts.append(f"{rng.getrandbits(rng.randrange(1, 70))}e{rng.randrange(-30, 31)}")
        texts.append(f"{rng.choice(['', '-'])}{rng.randrange(10 ** rng.randrange(1, 20))}.{rng.getrandbits(60)}")
        # Halfway between two doubles, where rounding is decided.
        texts.append(f"{((1 << 53) + rng.getrandbits(52)) * 2 + 1}{rng.choice(['.0', 'e0', '.00001', '.0e5', 'e-20'])}")
    texts = [text for text in texts if "n" not in text]
    read = numbers(f"[{', '.join(texts)}, 0.5]").tolist()
    wrong = [(text, found) for text, found in zip(texts, read, strict=False) if bits([found]) != bits([float(text)])]
    assert len(read) == len(texts) + 1
    assert wrong == []


def test_many_numbers_outgrow_the_first_guess() -> None:
    before = buffer.live_buffers()
    array = numpy.arange(100_000) % 10
    assert (numbers(json.dumps(array.tolist(), separators=(",", ":"))) == array).all()
    assert buffer.live_buffers() == before
