"""Owns tests of the codec table's Python face: each call reaches the codec of the message's encoding."""

import subprocess
import sys
from typing import Any

import pytest
from support import wire

from executor import errors
from executor._native import buffer, codec_face, message, seldon, seldon_json
from executor.types import Form


def test_scan_accepts_or_says_where() -> None:
    codec_face.scan(message.Message(wire.text(5, "x")))
    with pytest.raises(errors.DecodeError, match="runs past the end") as caught:
        codec_face.scan(message.Message(wire.text(5, "x") + b"\x12\x09"))
    assert caught.value.offset == 4


def test_each_call_reaches_the_codec() -> None:
    answer = seldon.build("ndarray", [[1]], meta={"routing": {"a": 3}})
    assert codec_face.route(answer) == 1
    assert seldon.open(codec_face.edit_meta(answer, {"b": 4}, "p")).meta == {"puid": "p", "routing": {"a": 3, "b": 4}}
    assert [parts.value() for parts in seldon.open_list(codec_face.make_list([answer, answer]))] == [[[1.0]]] * 2
    feedback = seldon.build_feedback(None, answer, 1.0, None)
    assert codec_face.feedback_routes(feedback, ["a", "b"]) == [3, -1]
    assert codec_face.transcode(answer, 0).encoding == 0


@pytest.mark.parametrize("codec", [seldon, seldon_json])
@pytest.mark.parametrize("puid", ["", "id-1", "é☃", "x" * 64, "y" * 30_000])
def test_feedback_says_which_request_it_is_about(codec: Any, puid: str) -> None:
    answer = codec.build("strData", "x", meta={"puid": puid, "routing": {"a": 3}})
    feedback = codec.build_feedback(None, answer, 1.0, None)
    assert codec_face.feedback_puid(feedback) == puid
    assert codec_face.feedback_puid(codec.build_feedback(answer, None, 1.0, None)) == ""


def test_a_missing_codec_is_named() -> None:
    code = (
        "from executor._native import codec_face, message, seldon\n"
        "for step in (lambda: codec_face.scan(message.Message(b'{}', 1)),\n"
        "             lambda: codec_face.transcode(message.Message(b''), 1)):\n"
        "    try: step()\n"
        "    except Exception as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "ValueError encoding 1: no codec is loaded for it",
        "Error no codec for the wanted encoding is loaded",
    ]


def test_lists_and_edits_take_messages_of_their_form_only() -> None:
    feedback = message.Message(b"", form=Form.FEEDBACK)
    with pytest.raises(errors.Error, match="not a SeldonMessage"):
        codec_face.make_list([feedback])
    with pytest.raises(errors.Error, match="only a SeldonMessage has a meta field"):
        codec_face.edit_meta(feedback, {"a": 1})


def test_nothing_is_left_behind() -> None:
    before = buffer.live_buffers()
    answer = seldon.build("tensor", [1.0], meta={"puid": "x"})
    for _ in range(10):
        codec_face.edit_meta(codec_face.edit_meta(answer, {"a": 1}), {"b": 2}, "y")
        codec_face.make_list([answer] * 3)
    del answer
    assert buffer.live_buffers() == before
