"""Owns tests of edits and gathering of JSON text: what is not edited keeps its bytes."""

import json
from typing import Any

import pytest

from executor import errors
from executor._native import buffer, codec_face, message, seldon_json
from executor.types import Encoding, Form


def text(data: str, form: Form = Form.MESSAGE) -> message.Message:
    return message.Message(data.encode(), Encoding.SELDON_JSON, form)


def edited(data: str, routing: dict[str, int], puid: str = "") -> str:
    before = buffer.live_buffers()
    found = bytes(codec_face.edit_meta(text(data), routing, puid)).decode()
    assert buffer.live_buffers() == before
    return found


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("{}", '{"meta":{"puid":"p","routing":{"r":1,"s":-1}}}'),
        (' { "a" : 1.50 } ', ' { "a" : 1.50 ,"meta":{"puid":"p","routing":{"r":1,"s":-1}}} '),
        ('{"meta": null ,"x":1}', '{"meta": {"puid":"p","routing":{"r":1,"s":-1}} ,"x":1}'),
        ('{"meta":{}}', '{"meta":{"puid":"p","routing":{"r":1,"s":-1}}}'),
        ('{"meta":{"tags":{"puid":1}}}', '{"meta":{"tags":{"puid":1},"puid":"p","routing":{"r":1,"s":-1}}}'),
        ('{"meta":{"puid":"old"}, "z":[]}', '{"meta":{"puid":"p","routing":{"r":1,"s":-1}}, "z":[]}'),
        ('{"meta":{"routing":null}}', '{"meta":{"routing":{"r":1,"s":-1},"puid":"p"}}'),
        ('{"meta":{"routing":{}}}', '{"meta":{"routing":{"r":1,"s":-1},"puid":"p"}}'),
        ('{"meta":{"routing":{"a" : 7}}}', '{"meta":{"routing":{"a" : 7,"r":1,"s":-1},"puid":"p"}}'),
        (
            '{"meta":{"routing":{"s": 5 ,"a":1.0,"\\u0072":9},"puid": null}}',
            '{"meta":{"routing":{"s": -1 ,"a":1.0,"\\u0072":1},"puid": "p"}}',
        ),
        ('{"\\u006deta":{"p\\u0075id":"x"}}', '{"\\u006deta":{"p\\u0075id":"p","routing":{"r":1,"s":-1}}}'),
        ('{"data":{"meta":{"puid":1}}}', '{"data":{"meta":{"puid":1}},"meta":{"puid":"p","routing":{"r":1,"s":-1}}}'),
    ],
)
def test_an_edit_keeps_all_other_bytes(data: str, expected: str) -> None:
    assert edited(data, {"r": 1, "s": -1}, "p") == expected


def test_an_edit_without_a_puid_or_without_routes_adds_only_the_other() -> None:
    assert edited('{"meta":{"puid":"x"}}', {"r": 0}) == '{"meta":{"puid":"x","routing":{"r":0}}}'
    assert edited('{"meta":{"routing":{"r":2}}}', {}, "p") == '{"meta":{"routing":{"r":2},"puid":"p"}}'
    assert edited('{"meta":{"routing":null}}', {}, "p") == '{"meta":{"routing":null,"puid":"p"}}'
    assert edited('{"meta":{"a":1}}', {}) == '{"meta":{"a":1}}'


def test_names_are_escaped() -> None:
    found = json.loads(edited("{}", {'q"\\': 1, "é\n": 2}, '"'))
    assert found == {"meta": {"puid": '"', "routing": {'q"\\': 1, "é\n": 2}}}
    assert edited('{"meta":{"routing":{"q\\u0022":5}}}', {'q"': 1}) == '{"meta":{"routing":{"q\\u0022":1}}}'
    assert edited('{"meta":{"routing":{"\\u0061%s":5}}}' % ("x" * 600), {"a": 1}).endswith(':5,"a":1}}}')


def test_the_payload_is_referred_to_not_copied() -> None:
    payload = "[" + ",".join(["1"] * 10_000) + "]"
    made = codec_face.edit_meta(text('{"meta":{"routing":{"r":2}},"jsonData":' + payload + "}"), {"r": 1}, "p")
    assert made.spans == 5
    again = codec_face.edit_meta(made, {"x": 3})
    assert json.loads(bytes(again))["meta"] == {"routing": {"r": 1, "x": 3}, "puid": "p"}


@pytest.mark.parametrize(
    "data",
    [
        "",
        "[]",
        "a,b",
        '{"meta":1}',
        '{"meta":{"routing":[]}}',
        '{"meta":{},"meta":{}}',
        '{"meta":{"puid":"","puid":""}}',
        '{"meta":{"routing":{},"routing":{}}}',
        '{"a":[1}',
        '{"a":{"b":[}',
        '{"a":[1',
        '{"a":' + "[" * 100,
        '{"a":["b',
        "{} x",
        '{"meta":nul}',
        '{"meta":{"routing":{"a":}}}',
    ],
)
def test_what_cannot_be_edited_goes_on_as_it_is(data: str) -> None:
    before = buffer.live_buffers()
    given = message.Message(data.encode(), Encoding.SELDON_JSON, kind="text/x")
    made = codec_face.edit_meta(given, {"r": 1, "a": 2}, "p")
    assert (bytes(made), made.kind) == (data.encode(), "text/x")
    del given, made
    assert buffer.live_buffers() == before


def test_an_edited_message_is_of_the_type_it_came_with() -> None:
    given = message.Message(b"{}", Encoding.SELDON_JSON, kind="text/x")
    assert codec_face.edit_meta(given, {"r": 1}).kind == "text/x"
    assert codec_face.make_list([given]).kind is None


def test_answers_become_one_list_by_reference() -> None:
    items = ['{"strData":"a"}', " {} \n", '{"data":{"ndarray":[1]}}']
    made = codec_face.make_list([text(item) for item in items])
    assert bytes(made).decode() == f"[{','.join(items)}]"
    assert (made.encoding, made.form) == (Encoding.SELDON_JSON, Form.LIST)
    assert [parts.kind for parts in seldon_json.open_list(made)] == ["strData", "", "ndarray"]
    assert bytes(codec_face.make_list([text("{}")])) == b"[{}]"


@pytest.mark.parametrize("item", ["[]", "null", "-1.5e3", '"{}"', ' [{"a":[1]}] '])
def test_a_list_takes_any_json(item: str) -> None:
    assert bytes(codec_face.make_list([text("{}"), text(item)])).decode() == f"[{{}},{item}]"


@pytest.mark.parametrize("item", ["", "{", "x", '{"a":1', "[1}", "{} {}", '"a', "1,2", "nul"])
def test_a_list_takes_nothing_else(item: str) -> None:
    with pytest.raises(errors.DecodeError, match="Data is not JSON: item 2 of the list"):
        codec_face.make_list([text("{}"), text(item)])


@pytest.mark.parametrize(
    ("data", "form", "fits"),
    [
        (" {anything} ", Form.MESSAGE, True),
        ("[]", Form.MESSAGE, False),
        ("", Form.MESSAGE, False),
        (" [] ", Form.LIST, True),
        ("{}", Form.LIST, True),
        ("[}", Form.LIST, False),
        ("{}", Form.FEEDBACK, True),
        ("[]", Form.FEEDBACK, False),
    ],
)
def test_the_check_of_an_envelope_is_shallow(data: str, form: Form, fits: bool) -> None:
    if fits:
        codec_face.scan(text(data, form))
        return
    with pytest.raises(errors.DecodeError, match="expected a JSON"):
        codec_face.scan(text(data, form))


@pytest.mark.parametrize("name", ["request", "response", "truth"])
def test_a_feedback_is_made_by_reference(name: str) -> None:
    given: dict[str, Any] = dict.fromkeys(("request", "response", "truth"))
    given[name] = text('{"strData" : "a"}')
    made = seldon_json.build_feedback(given["request"], given["response"], 0.5, given["truth"])
    assert bytes(made).decode() == f'{{"{name}":{{"strData" : "a"}},"reward":0.5}}'
    assert made.form == Form.FEEDBACK
