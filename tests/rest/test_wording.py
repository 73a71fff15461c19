"""JSON as Seldon's wrapper writes it: ASCII alone, or over several lines; it says the same."""

import json

import pytest

from executor.rest.wording import ascii_of, wording


@pytest.mark.parametrize("text", ["é<ü>☃", "𝄞", "\\u00e9", 'a"b\\', ""])
def test_ascii_says_the_same(text: str) -> None:
    written = ascii_of(json.dumps({"strData": text}, ensure_ascii=False).encode())
    assert written.isascii()
    assert json.loads(written) == {"strData": text}
    assert written == json.dumps({"strData": text}).encode()


def test_ascii_is_left_as_it_is() -> None:
    text = b'{"strData":"a<b>"}'
    assert ascii_of(text) is text
    assert ascii_of(b"\xff\xfe") == b"\xff\xfe"


def test_lines() -> None:
    pretty, both = wording(as_ascii=False, pretty=True), wording(as_ascii=True, pretty=True)
    assert pretty is not None
    assert both is not None
    assert pretty('{"b":1.0,"a":["é"]}'.encode()) == '{\n  "b": 1.0,\n  "a": [\n    "é"\n  ]\n}\n'.encode()
    assert both('{"a":"é"}'.encode()) == b'{\n  "a": "\\u00e9"\n}\n'
    assert pretty(b"pong") == b"pong"


def test_nothing_is_asked() -> None:
    assert wording(as_ascii=False, pretty=False) is None
    assert wording(as_ascii=True, pretty=False) is ascii_of
