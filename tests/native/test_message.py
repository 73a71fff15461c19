"""Owns tests of messages as Python sees them: spans by reference or by copy, encodings and forms."""

import pytest

from executor._native import buffer, codec_face, message
from executor._native import seldon as seldon  # registers its codec
from executor.types import Encoding, Form


def test_a_message_says_what_it_is() -> None:
    made = message.Message(b"abc", Encoding.SELDON_JSON, Form.FEEDBACK)
    assert (made.encoding, made.form, made.spans, len(made), bytes(made)) == (1, 2, 1, 3, b"abc")
    assert repr(made) == "<Message encoding=1 form=2 3 bytes in 1>"


@pytest.mark.parametrize("data", [None, b"", bytearray()])
def test_an_empty_message_has_no_span(data: bytes | None) -> None:
    made = message.Message(data)
    assert (made.spans, len(made), bytes(made), made.parts()) == (0, 0, b"", [])


def test_bytes_are_kept_by_reference_and_writable_memory_is_copied() -> None:
    fixed = b"abc" * 100
    assert memoryview(message.Message(fixed).parts()[0]) == fixed
    changing = bytearray(fixed)
    made = message.Message(changing)
    changing[:3] = b"xyz"
    assert bytes(made) == fixed


def test_a_read_only_view_is_kept_alive() -> None:
    before = buffer.live_buffers()
    made = message.Message(memoryview(b"".join([b"abc", b"def"]))[1:5])
    assert bytes(made) == b"bcde"
    del made
    assert buffer.live_buffers() == before


def test_a_message_may_say_its_type() -> None:
    before = buffer.live_buffers()
    given = message.Message(b"a,b", Encoding.SELDON_JSON, kind="text/csv; header=\u00e9")
    assert given.kind == "text/csv; header=\u00e9"
    assert message.Message(b"{}").kind is None
    del given
    assert buffer.live_buffers() == before


@pytest.mark.parametrize(("encoding", "form"), [(-1, 0), (2, 0), (0, -1), (0, 4)])
def test_numbers_that_do_not_exist_are_refused(encoding: int, form: int) -> None:
    with pytest.raises(ValueError, match="allowed are 0 to"):
        message.Message(b"", encoding, form)


def test_what_is_no_buffer_is_refused() -> None:
    with pytest.raises(TypeError):
        message.Message("text")


def test_many_spans_stay_apart_and_read_as_one() -> None:
    # More spans than a message holds without memory of its own.
    items = [message.Message(bytes([number]) * 3) for number in range(20)]
    whole = codec_face.make_list(items)
    assert whole.spans == 40
    assert b"".join(map(bytes, whole.parts())) == bytes(whole)
    assert bytes(whole) == b"".join(b"\x0a\x03" + bytes([number]) * 3 for number in range(20))
