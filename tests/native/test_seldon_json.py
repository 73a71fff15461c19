"""Owns tests of opened JSON messages and of routes: every kind, what is left alone, refusals, and what is shared."""

import json
import math
import random
from typing import Any

import numpy
import pytest
from fuzz import seldon_json as fuzzer

from executor import errors
from executor._native import buffer, codec, codec_face, message, seldon, seldon_json
from executor.types import Encoding, Form


def text(data: str | bytes, form: Form = Form.MESSAGE) -> message.Message:
    return message.Message(data.encode() if isinstance(data, str) else data, Encoding.SELDON_JSON, form)


def opened(data: str | bytes) -> seldon_json.Parts:
    return seldon_json.open(text(data))


def test_the_codec_is_registered() -> None:
    assert Encoding.SELDON_JSON in codec.registered()


@pytest.mark.parametrize(
    ("data", "kind", "value"),
    [
        ('{"data":{"ndarray":[[1,"a"],[null,true]]}}', "ndarray", [[1, "a"], [None, True]]),
        ('{"binData":"AP8="}', "binData", b"\x00\xff"),
        ('{"binData":"_-8"}', "binData", b"\xff\xef"),
        ('{"binData":"\\/\\u002b8="}', "binData", b"\xff\xef"),
        ('{"strData":"t\\u00fcxt\\n"}', "strData", "tüxt\n"),
        ('{"strData":""}', "strData", ""),
        ('{"jsonData":{"a":[1.5,null]}}', "jsonData", {"a": [1.5, None]}),
        ('{"jsonData":null}', "jsonData", None),
        ('{"customData":{"@type":"x/y","a":1}}', "customData", {"@type": "x/y", "a": 1}),
        ("{}", "", None),
        ('{"data":{}}', "", None),
        ('{"data":null,"strData":null}', "", None),
        ('{"strData":null,"unknown":[1],"binData":""}', "binData", b""),
    ],
)
def test_each_kind_gives_its_value(data: str, kind: str, value: Any) -> None:
    parts = opened(data)
    assert (parts.kind, parts.value(), parts.names, parts.status) == (kind, value, [], None)
    assert repr(parts) == f"<Parts {kind or 'without payload'}, {len(data.encode())} bytes>"


def test_names_are_read_as_text() -> None:
    assert opened('{"data":{"names":["a","\\u00e9"],"ndarray":[]}}').names == ["a", "é"]
    assert opened('{"data":{"names":null}}').names == []
    with pytest.raises(errors.DecodeError, match=r"data.names: strings are needed \(at byte 17\)"):
        _ = opened('{"data":{"names":[1]}}').names
    with pytest.raises(errors.DecodeError, match=r"data\.names: expected list, found dict"):
        _ = opened('{"data":{"names":{}}}').names


def array(body: str) -> Any:
    found = opened(f'{{"data":{body}}}').array()
    assert found.flags.writeable
    return found


@pytest.mark.parametrize(
    ("body", "dtype", "expected"),
    [
        ('{"ndarray":[[1,2],[3,4]]}', "int64", [[1, 2], [3, 4]]),
        ('{"ndarray":[1,2.0]}', "float64", [1.0, 2.0]),
        ('{"ndarray":[]}', "float64", []),
        ('{"ndarray":[[],[]]}', "float64", [[], []]),
        ('{"ndarray":[[true,false]]}', "bool", [[True, False]]),
        ('{"ndarray":[["s",2]]}', "<U21", [["s", "2"]]),
        ('{"ndarray":["a","bc"]}', "<U2", ["a", "bc"]),
        ('{"ndarray":[9223372036854775808]}', "uint64", [2**63]),
        ('{"ndarray":[1,null]}', "object", [1, None]),
        ('{"tensor":{"shape":[2,2],"values":[0,0,1,1]}}', "int64", [[0, 0], [1, 1]]),
        ('{"tensor":{"values":[9007199254740993,0]}}', "int64", [9007199254740993, 0]),
        ('{"tensor":{"values":[18446744073709551616,0]}}', "float64", [18446744073709551616.0, 0]),
        ('{"tensor":{"values":[1,2.5]}}', "float64", [1, 2.5]),
        ('{"tensor":{"values":["1.5"],"shape":["1"]}}', "float64", [1.5]),
        ('{"tensor":{"shape":[1],"values":null,"values":[3]}}', "int64", [3]),
        ('{"tensor":{"values":[7]}}', "int64", 7),
        ('{"tensor":{"shape":[0,3],"values":[]}}', "float64", []),
        ('{"tensor":{}}', "float64", []),
        (
            '{"tftensor":{"dtype":"DT_INT32","tensorShape":{"dim":[{"size":"2"}]},"intVal":[1,-2]}}',
            "int32",
            [1, -2],
        ),
        (
            '{"tftensor":{"dtype":"DT_FLOAT","tensorShape":{"dim":[{"size":1}]},"tensorContent":"AADAPw=="}}',
            "float32",
            [1.5],
        ),
    ],
)
def test_each_array_is_read(body: str, dtype: str, expected: Any) -> None:
    found = array(body)
    assert found.dtype == dtype
    assert found.tolist() == expected


def test_special_numbers_of_a_tensor_are_read() -> None:
    found = array('{"tensor":{"values":[1,"NaN","Infinity","-Infinity"]}}')
    assert repr(found.tolist()) == "[1.0, nan, inf, -inf]"


def test_the_value_of_a_tensor_is_its_array() -> None:
    for body in ('{"tensor":{"values":[1]}}', '{"tftensor":{"dtype":1,"floatVal":[1]}}'):
        assert opened(f'{{"data":{body}}}').value() == 1.0


def test_an_array_may_be_asked_of_another_module() -> None:
    class Module:
        @staticmethod
        def asarray(value: Any) -> tuple[str, Any]:
            return "made", value

    for body in ('{"ndarray":[1]}', '{"tensor":{"values":[1]}}', '{"tftensor":{"dtype":1,"floatVal":[1]}}'):
        name, value = opened(f'{{"data":{body}}}').array(Module)
        assert (name, value) == ("made", 1)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ('{"strData":"a"}', "the message holds strData; an array needs tensor"),
        ("{}", "the message holds no payload; an array needs tensor"),
        ('{"data":{"ndarray":[[1],[2,3]]}}', "ndarray: no array, its lists differ in length or depth: "),
        ('{"data":{"ndarray":{}}}', r"ndarray: expected list, found dict \(at byte 19\)"),
        ('{"data":{"ndarray":[1,Nan]}}', r"ndarray: Expecting value.*\(at byte 19\)"),
        ('{"data":{"tensor":{"values":[1,-Inf]}}}', r"expected a value.*\(at byte 32\)"),
        ('{"data":{"ndarray":["a",nope]}}', r"expected a value.*\(at byte 24\)"),
        ('{"data":{"ndarray":[01]}}', r"expected a number.*\(at byte 21\)"),
        ('{"data":{"tensor":[]}}', r"expected an object, found '\['.*\(at byte 18\)"),
        ('{"data":{"tensor":{"values":[1,2],"shape":[3]}}}', r"tensor.*shape.*\(at byte 18\)"),
        ('{"data":{"tensor":{"values":[1,true]}}}', r"expected a number, found 't' \(at byte 31\)"),
        ('{"data":{"tensor":{"shape":[1.5]}}}', r"expected an integer \(at byte 28\)"),
        ('{"data":{"tensor":{"shape":%s}}}' % ([1] * 33), r"more than 32 dimensions \(at byte 124\)"),
        ('{"data":{"tftensor":{"dtype":"NONE"}}}', r"\"NONE\" is not a value of this enum \(at byte 29\)"),
        ('{"data":{"tftensor":{"other":1}}}', r'unknown field "other".*\(at byte 21\)'),
    ],
)  # fmt: skip
def test_what_is_no_array_is_refused(data: str, words: str) -> None:
    before = buffer.live_buffers()
    with pytest.raises(errors.DecodeError, match=words):
        opened(data).array()
    assert buffer.live_buffers() == before


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", "expected an object"),
        ("[]", "expected an object"),
        ('{"data":[]}', r"expected an object.*\(at byte 8\)"),
        ('{"strData":"a","data":{"ndarray":[]}}', r"a second payload; one is allowed \(at byte 33\)"),
        ('{"strData":"a","jsonData":null}', "a second payload"),
        ('{"data":{"ndarray":[],"tensor":{}}}', "a second payload"),
        ('{"data":{"ndarray":[1}}}', r"expected '\]'"),
        ('{"a":1}}', "expected the end of the JSON text"),
        ('{"strData":"\\ud800"}', "half a surrogate pair"),
    ],
)
def test_what_is_no_message_is_refused(data: str, words: str) -> None:
    with pytest.raises(errors.DecodeError, match=words):
        opened(data)


@pytest.mark.parametrize("kind", ["strData", "binData", "customData"])
def test_a_payload_of_the_wrong_type_is_refused(kind: str) -> None:
    with pytest.raises(errors.DecodeError, match=r"expected .*\(at byte"):
        opened(f'{{"{kind}":[1]}}').value()
    with pytest.raises(errors.DecodeError, match="not base64"):
        opened('{"binData":"!"}').value()
    with pytest.raises(errors.DecodeError, match="jsonData: Expecting value"):
        opened('{"jsonData":[Nan]}').value()


def test_numbers_that_are_not_finite_may_stand_bare_as_pythons_json_has_them() -> None:
    kinds = ('"ndarray":[[NaN,Infinity],[-Infinity,1]]', '"tensor":{"shape":[2,2],"values":[NaN,Infinity,-Infinity,1]}')
    for kind in kinds:
        assert str(opened(f'{{"data":{{{kind}}}}}').array().tolist()) == "[[nan, inf], [-inf, 1.0]]"
    assert str(opened('{"data":{"ndarray":["a",NaN]}}').value()) == "['a', nan]"
    assert str(opened('{"jsonData":{"a":[-Infinity]}}').value()) == "{'a': [-inf]}"


def test_meta_and_status_are_read_as_they_are() -> None:
    meta = {"puid": "p", "tags": {"a": [1]}, "routing": {"r": 1}, "metrics": [{"key": "k"}], "other": 5}
    parts = opened(json.dumps({"meta": {**meta, "requestPath": None}, "status": {"code": 1}}))
    assert (parts.has_meta, parts.meta, parts.status) == (True, meta, {"code": 1})
    assert json.loads(parts.raw_meta()) == {**meta, "requestPath": None}
    for data, has in (("{}", False), ('{"meta":null}', False), ('{"meta":{}}', True)):
        bare = opened(data)
        assert (bare.has_meta, bare.meta, bare.status) == (has, {}, None)
    assert opened("{}").raw_meta() == b""


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        ("[]", r"meta: expected dict, found list \(at byte 8\)"),
        ('{"puid":1}', "meta.puid: expected str, found int"),
        ('{"tags":[]}', "meta.tags: expected dict, found list"),
        ('{"routing":1}', "meta.routing: expected dict, found int"),
        ('{"metrics":{}}', "meta.metrics: expected list, found dict"),
        ('{"puid":nope}', "expected a value"),
    ],
)
def test_meta_of_the_wrong_type_is_refused(meta: str, words: str) -> None:
    with pytest.raises(errors.DecodeError, match=words):
        _ = opened(f'{{"meta":{meta}}}').meta


def test_a_list_may_be_bare_or_in_an_object() -> None:
    for data in ('[{"strData":"a"}, {}]', '{"x":1,"seldonMessages" : [{"strData":"a"}, {}] }'):
        found = seldon_json.open_list(text(data, Form.LIST))
        assert [(parts.kind, parts.value()) for parts in found] == [("strData", "a"), ("", None)]
        assert bytes(found[0].message()) == b'{"strData":"a"}'
        assert found[0].message().form == Form.MESSAGE
    for data in ("[]", "{}", '{"seldonMessages":[]}', '{"seldonMessages":null}'):
        assert seldon_json.open_list(text(data, Form.LIST)) == []


@pytest.mark.parametrize(
    "data", ["", "[1]", "[{}", "[{}]x", '{"seldonMessages":{}}', '{"seldonMessages":[]}x', "[{},]"]
)
def test_what_is_no_list_is_refused(data: str) -> None:
    with pytest.raises(errors.DecodeError):
        seldon_json.open_list(text(data, Form.LIST))


def test_a_feedback_is_opened() -> None:
    data = '{"request":{"strData":"a"},"response":{"meta":{"routing":{"r":1}}},"reward":0.5,"truth":null,"x":[1]}'
    found = seldon_json.open_feedback(text(data, Form.FEEDBACK))
    assert found.request is not None
    assert found.response is not None
    assert (found.request.value(), found.response.meta) == ("a", {"routing": {"r": 1}})
    assert (found.truth, found.reward) == (None, 0.5)
    assert bytes(found.request.message()) == b'{"strData":"a"}'
    assert seldon_json.open_feedback(text('{"reward":"2"}', Form.FEEDBACK)).reward == 2.0
    with pytest.raises(errors.DecodeError, match=r"^reward: expected a number"):
        seldon_json.open_feedback(text('{"reward":"x"}', Form.FEEDBACK))


@pytest.mark.parametrize(
    "data", ["", "[]", '{"request":1}', '{"reward":"x"}', '{"reward":true}', '{"truth":{}', '{"a":1}x']
)
def test_what_is_no_feedback_is_refused(data: str) -> None:
    with pytest.raises(errors.DecodeError):
        seldon_json.open_feedback(text(data, Form.FEEDBACK))


def test_a_message_of_another_kind_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="a SeldonMessage in encoding 1 is needed; the message is a Feedback"):
        seldon_json.open(text("{}", Form.FEEDBACK))
    with pytest.raises(ValueError, match="in encoding 0"):
        seldon_json.open(message.Message(b"{}"))
    with pytest.raises(TypeError, match="None given"):
        seldon_json.open(None)  # type: ignore[arg-type]
    for made in (seldon_json.Parts, seldon_json.FeedbackParts):
        with pytest.raises(TypeError, match="are made by open"):
            made()


def test_a_message_in_pieces_is_opened_without_changing_it() -> None:
    edited = codec_face.edit_meta(text('{"data":{"ndarray":[1]}}'), {"r": 1})
    spans = edited.spans
    parts = seldon_json.open(edited)
    assert spans > 1
    assert (parts.array().tolist(), parts.meta) == ([1], {"routing": {"r": 1}})
    assert bytes(parts.message()) == bytes(edited)


@pytest.mark.parametrize(
    ("answer", "route"),
    [
        ("[1]", 1),
        (" [ -2 , 7 ] ", -2),
        ('{"data":{"ndarray":[[1]]}}', 1),
        ('{"data":{"ndarray":[2]}}', 2),
        ('{"data":{"ndarray":[[1,2],[3,4]]}}', 1),
        ('{"data":{"tensor":{"shape":[1],"values":[3.9]}}}', 3),
        ('{"data":{"tftensor":{"intVal":[5]}}}', 5),
        ('{"strData":"1"}', -1),
        ('{"jsonData":[1]}', -1),
        ("{}", -1),
        ('{"status":{"code":1}}', -1),
    ],
)
def test_a_route_is_read(answer: str, route: int) -> None:
    assert codec_face.route(text(answer)) == route


@pytest.mark.parametrize(
    "answer",
    ["", "1", "[]", "[1.0]", "[1.5]", '["1"]', "[1,null]", "[[1]]", "[1", "[1]x", '{"data":{"ndarray":[]}}', '{"x":1}',
     '{"data":{"ndarray":[1],"x":2}}', "[9223372036854775808]"],
)  # fmt: skip
def test_what_is_no_route_is_refused(answer: str) -> None:
    with pytest.raises(errors.DecodeError):
        codec_face.route(text(answer))


@pytest.mark.parametrize(
    ("feedback", "routes"),
    [
        ('{"response":{"meta":{"routing":{"a":1,"b":-2}}}}', [1, -2, -1]),
        ('{"response":{"meta":{"routing":{"c":"7"}}},"reward":1}', [-1, -1, 7]),
        ('{"response":{}}', [-1, -1, -1]),
        ('{"response":{"meta":{"routing":{"a":1}}},"unknown":1}', [-1, -1, -1]),
        ("not JSON", [-1, -1, -1]),
    ],
)
def test_feedback_routes_are_those_of_a_strict_reading(feedback: str, routes: list[int]) -> None:
    assert codec_face.feedback_routes(text(feedback, Form.FEEDBACK), ["a", "b", "c"]) == routes


def test_the_same_encoding_is_the_same_message() -> None:
    assert bytes(codec_face.transcode(text("{anything}"), Encoding.SELDON_JSON)) == b"{anything}"
    proto = seldon.build("strData", "a")
    assert bytes(codec_face.transcode(proto, Encoding.SELDON_JSON)) == b'{"strData":"a"}'


def test_an_array_of_many_numbers_is_read_whole() -> None:
    values = numpy.random.default_rng(0).random((224, 672))
    before = buffer.live_buffers()
    for kind in ("ndarray", "tensor"):
        found = seldon_json.open(seldon_json.build(kind, values)).array()
        assert (found == values).all()
        del found
    assert buffer.live_buffers() == before


def test_no_text_does_harm() -> None:
    count, accepted = fuzzer.run(seed=7, rounds=1500)
    assert count == 1500
    assert 0 < accepted < count


def test_numbers_of_few_decimals_are_written_as_python_writes_them() -> None:
    rng = random.Random(11)
    values = [0.001, 0.0011, 0.000999, 999999999.5, 1e9 + 0.5, 0.29, 0.1 + 0.2, 4.35, 1.005, 123456.789012, 0.5, -0.25]
    for _ in range(20_000):
        value = rng.randrange(10 ** rng.randrange(1, 16)) / 10 ** rng.randrange(0, 10)
        values += [value, -value, math.nextafter(value, math.inf), math.nextafter(value, 0.0)]
    values = [value for value in values if abs(value) >= 0.001 and abs(value) < 1e9]
    text = bytes(seldon_json.build("tensor", numpy.array(values)))
    begin = text.index(b'"values":[') + len(b'"values":[')
    assert text[begin : text.index(b"]", begin)].decode().split(",") == [repr(value) for value in values]


def test_members_that_are_not_known_are_named() -> None:
    parts = opened('{"dta":1,"data":{"ndarry":[1],"names":[]},"meta":{"x":1}}')
    assert [name for name, _ in parts.strays()] == ["dta", "data.ndarry"]
    assert opened('{"data":null}').strays() == []
