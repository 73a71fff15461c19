"""Owns tests of envelopes: what a scan refuses, and edits and lists that leave the old bytes where they are."""

import pytest
from support import wire

from executor import errors
from executor._native import buffer, codec_face, cursor, message, seldon
from executor._pb import seldon_pb2 as pb
from executor.types import Form

PAYLOAD = wire.nested(3, wire.text(1, "name") + wire.nested(2, wire.packed(1, [2]) + wire.doubles(2, [1.0, 2.0])))
META = wire.nested(2, wire.text(1, "id") + wire.nested(3, wire.text(1, "a") + wire.number(2, 1)))


@pytest.mark.parametrize("form", list(Form))
def test_nothing_is_a_message_of_every_form(form: Form) -> None:
    codec_face.scan(message.Message(b"", form=form))


@pytest.mark.parametrize(
    ("data", "offset", "text"),
    [
        (b"\x1a\x05abc", 1, "a length of 5 runs past the end"),
        (wire.nested(2, b"\x0a\x05"), 3, "runs past the end"),
        (wire.nested(1, b"\x08"), 3, "end inside a varint"),
        (wire.nested(3, b"\x00"), 2, "field number 0"),
        (wire.nested(3, b"\x0a\x05") + wire.text(5, "x"), 3, "runs past the end"),
        (PAYLOAD + META + b"\x0b", len(PAYLOAD + META) + 1, "end inside group"),
    ],
)
def test_a_broken_envelope_is_refused_with_its_place(data: bytes, offset: int, text: str) -> None:
    for form, number in ((Form.MESSAGE, 0), (Form.LIST, 1), (Form.FEEDBACK, 1), (Form.FEEDBACK, 2), (Form.FEEDBACK, 4)):
        whole = wire.nested(number, data) if number else data
        with pytest.raises(errors.DecodeError, match=text) as caught:
            codec_face.scan(message.Message(whole, form=form))
        assert caught.value.offset == offset + len(whole) - len(data)


def test_payload_bytes_are_not_looked_at() -> None:
    broken = b"\xff\xff\xff"
    for number in (4, 5, 6, 7):
        codec_face.scan(message.Message(wire.nested(number, broken)))
    for number in (1, 2, 3, 4):
        codec_face.scan(message.Message(wire.nested(3, wire.nested(number, broken))))


def test_an_edit_leaves_all_other_bytes_by_reference() -> None:
    strange = wire.number(90, 7)
    data = wire.nested(1, b"") + META + PAYLOAD + strange
    edited = codec_face.edit_meta(message.Message(data), {"b": 2}, "new")
    spans = [bytes(part) for part in edited.parts()]
    entry = wire.nested(3, wire.text(1, "b") + wire.number(2, 2)) + wire.text(1, "new")
    content = META[2:]
    assert spans == [
        wire.tag(2, wire.BYTES) + wire.varint(len(content) + len(entry)),
        content,
        entry,
        wire.nested(1, b""),
        PAYLOAD + strange,
    ]
    found = seldon.open(edited).meta
    assert found == {"puid": "new", "routing": {"a": 1, "b": 2}}


def test_several_meta_fields_leave_as_one() -> None:
    first, second = (
        wire.nested(2, wire.text(1, "x")),
        wire.nested(2, wire.nested(4, wire.text(1, "n") + wire.text(2, "i"))),
    )
    edited = codec_face.edit_meta(message.Message(first + PAYLOAD + second), {})
    assert [number for number, _, _, _ in cursor.fields(bytes(edited))] == [2, 3]
    assert seldon.open(edited).meta == {"puid": "x", "requestPath": {"n": "i"}}
    edited = codec_face.edit_meta(message.Message(first + PAYLOAD + second), {"r": -2})
    assert [number for number, _, _, _ in cursor.fields(bytes(edited))] == [2, 3]
    assert pb.SeldonMessage.FromString(bytes(edited)).meta.routing == {"r": -2}


def test_a_new_meta_field_is_one_span() -> None:
    edited = codec_face.edit_meta(message.Message(PAYLOAD), {"ü" * 50: -1, "": 0}, "p" * 200)
    assert edited.spans == 2
    theirs = pb.SeldonMessage.FromString(bytes(edited))
    assert theirs.meta.routing == {"ü" * 50: -1, "": 0}
    assert theirs.meta.puid == "p" * 200


def test_our_entries_win() -> None:
    edited = codec_face.edit_meta(message.Message(META + PAYLOAD), {"a": 5}, "mine")
    theirs = pb.SeldonMessage.FromString(bytes(edited)).meta
    assert (dict(theirs.routing), theirs.puid) == ({"a": 5}, "mine")


def test_without_a_change_the_message_stays_as_it_is() -> None:
    before = buffer.live_buffers()
    given = message.Message(META + PAYLOAD)
    assert bytes(codec_face.edit_meta(given, {})) == META + PAYLOAD
    assert buffer.live_buffers() == before + 1


def test_an_edit_refuses_a_broken_message() -> None:
    for data in (b"\x12\x05", wire.nested(2, b"\x0a\x09"), PAYLOAD + b"\x0c"):
        with pytest.raises(errors.DecodeError):
            codec_face.edit_meta(message.Message(data), {"a": 1})


def test_an_edited_message_can_be_edited_again() -> None:
    given = message.Message(PAYLOAD)
    for number in range(10):
        given = codec_face.edit_meta(given, {f"n{number}": number})
    assert seldon.open(given).meta["routing"] == {f"n{number}": number for number in range(10)}
    assert [number for number, _, _, _ in cursor.fields(bytes(given))] == [2, 3]


def test_a_list_is_one_header_for_each_message_and_its_spans() -> None:
    edited = codec_face.edit_meta(message.Message(PAYLOAD), {"a": 1})
    empty = message.Message(b"")
    made = codec_face.make_list([message.Message(META), edited, empty])
    assert [bytes(part) for part in made.parts()] == [
        wire.tag(1, wire.BYTES) + wire.varint(len(META)),
        META,
        wire.tag(1, wire.BYTES) + wire.varint(len(edited)),
        *map(bytes, edited.parts()),
        wire.nested(1, b""),
    ]
    assert len(seldon.open_list(made)) == 3


def test_routes_of_feedback_are_those_of_its_response() -> None:
    def entry(name: str, route: int) -> bytes:
        return wire.nested(3, wire.text(1, name) + wire.number(2, route))

    response = wire.nested(2, entry("a", 1) + entry("b", -2)) + PAYLOAD + wire.nested(2, entry("a", 3))
    data = wire.nested(1, META) + wire.nested(2, response) + wire.nested(2, wire.nested(2, entry("c", 2**40 + 5)))
    data += wire.nested(4, META)
    feedback = message.Message(data, form=Form.FEEDBACK)
    names = ["a", "b", "c", "d", ""]
    theirs = pb.Feedback.FromString(data).response.meta.routing
    assert codec_face.feedback_routes(feedback, names) == [theirs.get(name, -1) for name in names] == [3, -2, 5, -1, -1]
    assert codec_face.feedback_routes(feedback, []) == []


@pytest.mark.parametrize(
    "data", [b"\x12\x05", wire.nested(2, b"\x12\x05"), wire.nested(2, wire.nested(2, b"\x1a\x03\x0a\x05"))]
)
def test_broken_feedback_has_no_routes(data: bytes) -> None:
    with pytest.raises(errors.DecodeError):
        codec_face.feedback_routes(message.Message(data, form=Form.FEEDBACK), ["a"])
