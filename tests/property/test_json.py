"""Owns properties of JSON messages: what google's mapping reads and prints, ours reads and prints."""

import json
from typing import Any

import numpy
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from hypothesis import example, given
from hypothesis import strategies as st
from support import protojson, transcode, wire

from executor import errors
from executor._native import buffer, codec_face, seldon_json
from executor._native import json as reader
from executor._native import message as native
from executor._native import text as writer
from executor.types import Encoding, Form


def shown(message: Any) -> dict[str, Any]:
    # Messages do not compare: NaN is not equal to itself, and maps inside an Any come in any order.
    return json_format.MessageToDict(message)


@given(protojson.objects, protojson.layouts)
def test_text_becomes_the_message_that_google_reads(item: tuple[Form, Any], layout: dict[str, Any]) -> None:
    form, value = item
    text = protojson.dumps(value, layout)
    before = buffer.live_buffers()
    ours = protojson.CLASSES[form].FromString(transcode.to_proto(text, form))
    assert shown(ours) == shown(protojson.parse(text, form))
    assert buffer.live_buffers() == before


@given(protojson.objects)
def test_a_message_becomes_the_text_that_google_prints(item: tuple[Form, Any]) -> None:
    form, value = item
    message = protojson.parse(protojson.dumps(value), form)
    text = transcode.to_json(message.SerializeToString(), form)
    expected = protojson.shown(message)
    found = json.loads(text)
    assert protojson.same_numbers(found, expected.get("seldonMessages", []) if form == Form.LIST else expected)
    assert shown(protojson.CLASSES[form].FromString(transcode.to_proto(text, form))) == shown(message)


@given(
    st.one_of(
        st.tuples(st.just(Form.MESSAGE), wire.messages),
        st.tuples(st.just(Form.LIST), wire.lists),
        st.tuples(st.just(Form.FEEDBACK), wire.feedbacks),
    )
)
def test_strange_bytes_become_the_text_that_google_prints(item: tuple[Form, bytes]) -> None:
    form, data = item
    try:
        message = protojson.CLASSES[form].FromString(data)
        expected = protojson.shown(message)
    except (DecodeError, json_format.SerializeToJsonError, TypeError):
        # Of what google refuses, an Any of unknown type is here the most common; ours may know it.
        return
    found = json.loads(transcode.to_json(data, form))
    assert protojson.same_numbers(found, expected.get("seldonMessages", []) if form == Form.LIST else expected)


@given(protojson.messages, st.data())
def test_what_is_accepted_is_what_google_accepts(value: Any, data: st.DataObject) -> None:
    text = list(protojson.dumps(value))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        text[at : at + data.draw(st.integers(0, 2))] = data.draw(st.text('{}[]",:\\u0123456789.-eEtfn ', max_size=3))
    changed = "".join(text)
    try:
        ours = transcode.to_proto(changed)
    except errors.DecodeError as error:
        assert error.offset is not None
        assert 0 <= error.offset <= len(changed.encode())
        return
    assert shown(protojson.CLASSES[Form.MESSAGE].FromString(ours)) == shown(protojson.parse(changed))


@given(st.text(st.sampled_from('[]{}",:\\ue0123456789.- \ntrualsfn\x00é'), max_size=12))
@example("-")
@example('"\\ud83d\\ude00"')
@example('"\\ud83d"')
def test_the_reader_accepts_what_python_accepts(text: str) -> None:
    try:
        found = json.loads(text)
        text.encode()
        json.dumps(found, ensure_ascii=False).encode()
        theirs = True
    except ValueError:
        theirs = False
    try:
        reader.check(text.encode())
        ours = True
    except errors.DecodeError:
        ours = False
    assert ours == theirs


@given(st.one_of(protojson.grids(), st.lists(protojson.values, max_size=4)))
def test_an_ndarray_is_what_numpy_makes_of_it(value: list[Any]) -> None:
    text = protojson.dumps({"data": {"ndarray": value}})
    try:
        expected = numpy.array(value)
    except (ValueError, OverflowError):
        return
    array = seldon_json.open(native.Message(text.encode(), Encoding.SELDON_JSON)).array()
    assert (array.shape, array.dtype) == (expected.shape, expected.dtype)
    assert repr(array.tolist()) == repr(expected.tolist())


@given(
    protojson.messages,
    protojson.layouts,
    st.dictionaries(st.sampled_from(["a", "b", 'q"\\', "ü"]), st.integers(-2, 9)),
    protojson.texts,
)
def test_an_edit_changes_the_routing_and_the_puid(
    value: dict[str, Any], layout: dict[str, Any], routing: dict[str, int], puid: str
) -> None:
    message = native.Message(protojson.dumps(value, layout).encode(), Encoding.SELDON_JSON)
    before = buffer.live_buffers()
    edited = json.loads(bytes(codec_face.edit_meta(message, routing, puid)))
    assert buffer.live_buffers() == before
    meta = value.get("meta") or {}
    expected = {**meta, **({"puid": puid} if puid else {})}
    if routing:
        expected["routing"] = {**(meta.get("routing") or {}), **routing}
    assert edited == {**value, "meta": expected}


@given(st.lists(st.text(max_size=3), max_size=40))
def test_double_names_are_found(names: list[str]) -> None:
    assert writer.double_names(names) == [at for at, name in enumerate(names) if name in names[:at]]
