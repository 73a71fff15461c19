"""Owns tests of the way from JSON to protobuf: every field of every message, names, oneofs, lists, Any, refusals."""

import json
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from support import protojson, transcode

from executor import errors
from executor._native import buffer
from executor._pb import seldon_pb2 as pb
from executor.types import Form


def read(text: str, form: Form = Form.MESSAGE) -> Any:
    before = buffer.live_buffers()
    found = protojson.CLASSES[form].FromString(transcode.to_proto(text, form))
    assert buffer.live_buffers() == before
    return found


def check(text: str, form: Form = Form.MESSAGE) -> Any:
    """What ours reads, which must be what google's mapping reads."""
    found = read(text, form)
    assert json_format.MessageToDict(found) == json_format.MessageToDict(protojson.parse(text, form))
    return found


def refusal(text: str | bytes, form: Form = Form.MESSAGE) -> tuple[str, int | None]:
    before = buffer.live_buffers()
    with pytest.raises(errors.DecodeError) as caught:
        transcode.to_proto(text, form)
    assert buffer.live_buffers() == before
    return caught.value.message.split(" (at byte")[0], caught.value.offset


SAMPLES: dict[int, Any] = {
    FieldDescriptor.TYPE_DOUBLE: 1.5,
    FieldDescriptor.TYPE_FLOAT: 2.5,
    FieldDescriptor.TYPE_BOOL: True,
    FieldDescriptor.TYPE_ENUM: 1,
    FieldDescriptor.TYPE_STRING: "text",
    FieldDescriptor.TYPE_BYTES: "AAE=",
}


def sample(field: FieldDescriptor, depth: int) -> Any:
    kind = field.message_type
    if kind is None:
        return SAMPLES.get(field.type, 7)
    well_known = {"Value": {"a": [1, None]}, "ListValue": [1, "a"], "Struct": {"a": 1}, "Any": {}}
    if kind.file.package == "google.protobuf":
        return well_known[kind.name]
    return every(kind, depth - 1) if depth else {}


def filled(field: FieldDescriptor, depth: int) -> Any:
    """A value for the field, with all that is below it."""
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        return {"key": sample(kind.fields_by_name["value"], depth)}
    return [sample(field, depth)] if field.is_repeated else sample(field, depth)


def every(kind: Descriptor, depth: int = 6) -> dict[str, Any]:
    """A value in which every field of the message is set; of a oneof, the first."""
    fields = [field for field in kind.fields if not field.containing_oneof or field.containing_oneof.fields[0] == field]
    return {field.json_name: filled(field, depth) for field in fields}


def members(kind: Descriptor, depth: int = 6) -> list[dict[str, Any]]:
    """Values that set each field of the message alone, under both of its names."""
    return [{name: filled(field, depth)} for field in kind.fields for name in {field.name, field.json_name}]


@pytest.mark.parametrize("form", list(protojson.CLASSES))
def test_every_field_is_known(form: Form) -> None:
    check(json.dumps(every(protojson.CLASSES[form].DESCRIPTOR)), form)


@pytest.mark.parametrize("kind", ["Status", "Meta", "Metric", "Tensor", "DefaultData", "SeldonMessage", "Feedback"])
def test_every_field_is_known_by_both_names(kind: str) -> None:
    for value in members(pb.DESCRIPTOR.message_types_by_name[kind]):
        check(json.dumps({"customData": {"@type": f"x/seldon.protos.{kind}", **value}}))


def test_every_field_of_a_tensorflow_tensor_is_known_by_both_names() -> None:
    kind: Any = pb.DefaultData.DESCRIPTOR.fields_by_name["tftensor"].message_type
    for value in members(kind):
        check(json.dumps({"data": {"tftensor": value}}))
    for choice in kind.fields_by_name["dtype"].enum_type.values:
        check(json.dumps({"data": {"tftensor": {"dtype": choice.name}}}))


@pytest.mark.parametrize(
    "text",
    [
        '{"data":null,"strData":"x","meta":null,"status":null}',
        '{"jsonData":null}',
        '{"strData":"","binData":null}',
        '{"meta":{},"status":{},"data":{"tensor":{}}}',
        '{"meta":{"puid":"","tags":{"a":null},"metrics":[],"routing":{"a":0}}}',
        '{"\\u006deta":{"\\u0070uid":"a\\u0062"}}',
        '{"data":{"ndarray":[[1,2],[3]]}}',
        '{"data":{"ndarray":[1,[2,[3,["a",{"b":[[1,2],[3,4]]}]]],[[5]]]}}',
        '{"data":{"ndarray":[[[1.5],[2]],[[3],[4]]]}}',
        '{"data":{"ndarray":[[],[]]}}',
        '{"jsonData":{"a":{"b":{"c":[true,false,null,"\\ud83d\\ude00",1e3]}},"":{}}}',
    ],
)
def test_a_text_means_what_it_means_to_google(text: str) -> None:
    check(text)


@pytest.mark.parametrize("count", [1, 372, 373, 5000])
def test_large_lists_and_strings_get_their_lengths_right(count: int) -> None:
    row = list(range(count))
    value = {"meta": {"tags": {"a": "x" * count}}, "data": {"names": ["é"] * count, "ndarray": [row, row]}}
    check(json.dumps(value))
    check(json.dumps({"jsonData": {"a": {"b": [value, row, {"c": row}]}, "z": "\n" * count}}))
    check(json.dumps({"seldonMessages": [value, {"data": {"tensor": {"values": row}}}, value]}), Form.LIST)


def test_a_list_may_be_a_bare_array() -> None:
    items = '[{"strData":"a"},{"data":{"ndarray":[1]}},{}]'
    assert read(items, Form.LIST) == read(f'{{"seldonMessages":{items}}}', Form.LIST)
    assert read("[]", Form.LIST) == pb.SeldonMessageList()
    assert refusal('[{"strData":1}]', Form.LIST) == ("strData: expected a string, found '1'", 12)
    assert refusal("[1]", Form.LIST)[0] == "expected an object, found '1'"


WRAPPERS = {
    "DoubleValue": 1.5,
    "FloatValue": 2.5,
    "Int64Value": "-7",
    "UInt64Value": "7",
    "Int32Value": -3,
    "UInt32Value": 3,
    "BoolValue": True,
    "StringValue": "text",
    "BytesValue": "AAE=",
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_an_any_may_hold_a_wrapper(name: str) -> None:
    from google.protobuf import wrappers_pb2

    kind = f"type.googleapis.com/google.protobuf.{name}"
    for value in (json.dumps(WRAPPERS[name]), '""' if name == "StringValue" else "0" if "nt" in name else None):
        if value is None:
            continue
        found = read(f'{{"customData":{{"value":{value},"@type":"{kind}"}}}}')
        assert found.customData.type_url == kind
        held = getattr(wrappers_pb2, name)()
        assert found.customData.Unpack(held)
        assert held == json_format.Parse(value, getattr(wrappers_pb2, name)())


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"@type":"x/google.protobuf.Struct","value":{"a":[1]}}',
        '{"value":[1,2],"@type":"google.protobuf.ListValue"}',
        '{"@type":"x/google.protobuf.Value","value":null}',
        '{"@type":"x/google.protobuf.Any","value":{"@type":"x/google.protobuf.Value","value":1}}',
        '{"puid":"a","@type":"x/seldon.protos.Meta","tags":{"a":1}}',
        '{"\\u0040type":"x/seldon.protos.Metric"}',
    ],
)
def test_an_any_may_hold_what_is_known(text: str) -> None:
    check(f'{{"customData":{text}}}')


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"@type":"x/y.Z"}', 'type "x/y.Z" has no JSON form known here: send it in protobuf'),
        ('{"value":1}', 'the member "@type" is missing'),
        ('{"a":1}', 'the member "@type" is missing'),
        ('{"@type":1}', "expected a string, found '1'"),
        ('{"@type":"a","@type":"b"}', '"@type" is given twice'),
        ('{"@type":"x/google.protobuf.Value"}', "wants one member besides @type: value"),
        ('{"@type":"x/google.protobuf.Value","value":1,"other":2}', "wants one member besides @type: value"),
        ('{"@type":"x/google.protobuf.Value","value":1,"value":2}', "wants one member besides @type: value"),
        ('{"@type":"x/google.protobuf.Int32Value","value":"a"}', "expected a number"),
        ('{"@type":"x/seldon.protos.Meta","other":1}', 'unknown field "other" of seldon.protos.Meta'),
        ("[]", "expected an object, found '['"),
    ],
)
def test_an_any_that_cannot_be_read_is_refused(text: str, words: str) -> None:
    message, offset = refusal(f'{{"customData":{text}}}')
    assert message.startswith("customData: ")
    assert words in message
    assert offset is not None


@pytest.mark.parametrize(
    ("text", "message", "offset"),
    [
        ("", "expected an object, but the JSON text ends", 0),
        ("null", "expected an object, found 'n'", 0),
        ("{} {}", "expected the end of the JSON text, found '{'", 3),
        ('{"puid":1}', 'unknown field "puid" of seldon.protos.SeldonMessage; it has status, meta, data, binData, '
         "strData, jsonData, customData", 1),
        ('{"meta":{"x":1}}', 'meta: unknown field "x" of seldon.protos.Meta; it has puid, tags, routing, requestPath, '
         "metrics", 9),
        ('{"meta":{"metrics":[{},{"tags":{"a":1}}]}}', "meta.metrics.tags: expected a string, found '1'", 36),
        ('{"meta":{"metrics":[null]}}', "meta.metrics: expected an object, found 'n'", 20),
        ('{"meta":{"routing":{"a":null}}}', "meta.routing: expected a number, found 'n'", 24),
        ('{"meta":[]}', "meta: expected an object, found '['", 8),
        ('{"meta":{},"meta":{}}', '"meta" is given twice', 11),
        ('{"data":{"names":["a",null]}}', "data.names: expected a string, found 'n'", 22),
        ('{"binData":"AA","strData":"x"}', "strData: another field of the same oneof is set already", 26),
        ('{"data":{"ndarray":[],"tensor":{}}}', "data.tensor: another field of the same oneof is set already", 31),
        ('{"data":{"ndarray":1}}', "data.ndarray: expected an array, found '1'", 19),
        ('{"data":{"ndarray":{}}}', "data.ndarray: expected an array, found '{'", 19),
        ('{"data":{"ndarray":["a",Nan]}}', "data.ndarray: expected a value: a string, number, object, array, true, "
         "false or null, found 'N'", 24),
        ('{"jsonData":{"a":1,"\\u0061":2}}', 'jsonData: "\\u0061" is given twice', 19),
        ('{"meta":{"tags":{"a":1,"b":2,"a":3}}}', 'meta.tags: "a" is given twice', 29),
        ('{"jsonData":1e999}', "jsonData: the number is too large for a double", 12),
        ('{"strData":"\\ud800"}', "strData: a string holds an escape that does not exist, or half a surrogate pair",
         12),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(text: str, message: str, offset: int) -> None:
    assert refusal(text) == (message, offset)


def test_numbers_that_are_not_finite_may_stand_bare() -> None:
    found = read('{"data":{"ndarray":["a",NaN,[-Infinity,1]]},"meta":{"tags":{"t":Infinity}}}')
    first, second, third = found.data.ndarray.values
    assert [first.string_value, str(second.number_value)] == ["a", "nan"]
    assert [each.number_value for each in third.list_value.values] == [float("-inf"), 1.0]
    assert found.meta.tags["t"].number_value == float("inf")


@pytest.mark.parametrize("values", ["1NaN", "1 Infinity", "1-Infinity", "[1]NaN"])
def test_numbers_that_are_not_finite_stand_where_a_member_may(values: str) -> None:
    for data in (f'"tensor":{{"shape":[2],"values":[{values}]}}', f'"ndarray":[{values}]'):
        message, _ = refusal(f'{{"data":{{{data}}}}}')
        assert "expected" in message


def test_a_long_name_is_cut_between_characters() -> None:
    message, offset = refusal('{"' + "é" * 100 + '":1}')
    assert message.startswith('unknown field "' + "é" * 32 + '" of seldon.protos.SeldonMessage')
    assert offset == 1


@pytest.mark.parametrize(("levels", "fits"), [(49, True), (50, False)])
def test_messages_nest_a_hundred_deep_and_no_deeper(levels: int, fits: bool) -> None:
    for value in ("[" * levels + "1" + "]" * levels, "[" * levels + '"a"' + "]" * levels):
        text = f'{{"jsonData":{value}}}'
        if fits:
            check(text)
        else:
            assert refusal(text)[0] == "jsonData: messages are nested more than 100 deep"


def test_an_entry_of_a_map_is_a_message_too() -> None:
    def nested(levels: int) -> str:
        return '{"jsonData":' + '{"a":' * levels + "1" + "}" * levels + "}"

    check(nested(33))
    assert refusal(nested(34))[0] == "jsonData: messages are nested more than 100 deep"


def test_a_list_that_is_nearly_a_grid_at_every_level_takes_no_longer_than_its_size() -> None:
    row = ",".join(["1"] * 20_000)
    value = "[" * 40 + row + ',"x"' + ("]" + ',"x"') * 39 + "]"
    check(f'{{"jsonData":{value}}}')
