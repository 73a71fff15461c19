"""Owns the fuzzer of the seldon-JSON codec.

The contract, for any text: accepted, or DecodeError with an offset inside the text. What is accepted becomes protobuf
that google.protobuf reads, and JSON again that means the same. An edited message is still JSON. No buffer may be left.
"""

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from fuzz.drive import Case, Fuzzer
from fuzz.mutate import changed
from google.protobuf import json_format

from executor import errors
from executor._native import codec_face, seldon_json
from executor._native import message as native
from executor._pb import seldon_pb2 as pb
from executor.types import Encoding, Form

FORMS = {form.name.lower(): form for form in Form if form is not Form.FOREIGN}
CLASSES: dict[Form, Any] = {Form.MESSAGE: pb.SeldonMessage, Form.LIST: pb.SeldonMessageList, Form.FEEDBACK: pb.Feedback}
TOKENS = [
    each.encode()
    for each in [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        '"',
        "\\",
        "null",
        "true",
        "1",
        "-",
        "0",
        ".",
        "e9",
        "NaN",
        '"NaN"',
        "1e999",
        "\\ud83d",
        "\\u0061",
        "é",
    ]
]
TOKENS += [b" ", b"\xff", b"\x00", b'"meta":', b'"data":', b'"tensor":', b"9223372036854775808", b"[" * 120, b"[1]"]
TOKENS += [b"{" + b'"a":' * 3, b'"ndarray":[[1,2],[3,4]]', b'"values":[1,2]']


def make(rng: random.Random, seeds: Sequence[Case]) -> Case:
    """A message of the corpus, damaged, and at times taken for another kind of message."""
    seed = rng.choice(seeds)
    kind = seed.kind if rng.random() < 0.8 else rng.choice(list(FORMS))
    return Case(kind, changed(rng, seed.data, TOKENS, [each.data for each in seeds]))


def accepts(step: Callable[[], Any], size: int) -> bool:
    """Whether the step accepts, or refuses with a place. Anything else is the bug we look for."""
    try:
        step()
    except errors.DecodeError as error:
        assert error.offset is None or 0 <= error.offset <= size, (error.offset, size)
        return False
    return True


def read_all(parts: seldon_json.Parts, size: int) -> None:
    for step in (
        lambda: parts.names,
        lambda: parts.meta,
        lambda: parts.status,
        parts.raw_meta,
        parts.value,
        parts.array,
        parts.message,
    ):
        accepts(step, size)


def open_all(message: native.Message) -> None:
    size = len(message)
    opened: list[seldon_json.Parts | None] = []
    if message.form == Form.MESSAGE:
        accepts(lambda: opened.append(seldon_json.open(message)), size)
    elif message.form == Form.LIST:
        accepts(lambda: opened.extend(seldon_json.open_list(message)), size)
    else:

        def feedback() -> None:
            found = seldon_json.open_feedback(message)
            opened.extend([found.request, found.response, found.truth])

        accepts(feedback, size)
        codec_face.feedback_routes(message, ["router", "x"])
    for parts in opened:
        if parts is not None:
            read_all(parts, size)


def change_encoding(message: native.Message) -> bool:
    """To protobuf and back. Whether the text was accepted."""
    made: list[native.Message] = []
    if not accepts(lambda: made.append(codec_face.transcode(message, Encoding.SELDON_PROTO)), len(message)):
        return False
    theirs = CLASSES[Form(message.form)].FromString(bytes(made[0]))
    try:
        said = json_format.MessageToDict(theirs)
    except (ValueError, json_format.SerializeToJsonError):  # NaN, which came bare, has no place in a list
        assert not accepts(lambda: codec_face.transcode(made[0], Encoding.SELDON_JSON), len(made[0]))
        return True
    text = bytes(codec_face.transcode(made[0], Encoding.SELDON_JSON))
    again = codec_face.transcode(native.Message(text, Encoding.SELDON_JSON, message.form), Encoding.SELDON_PROTO)
    second = CLASSES[Form(message.form)].FromString(bytes(again))
    assert said == json_format.MessageToDict(second)
    return True


def one(data: bytes, form: Form) -> bool:
    """Everything that can be done with one input. Whether it was accepted as a message."""
    message = native.Message(data, Encoding.SELDON_JSON, form)
    accepts(lambda: codec_face.scan(message), len(data))
    open_all(message)
    taken = change_encoding(message)
    if form == Form.MESSAGE:
        accepts(lambda: codec_face.route(message), len(data))
        edited: list[native.Message] = []
        if accepts(lambda: edited.append(codec_face.edit_meta(message, {"router": 2, "new": -1}, "puid")), len(data)):
            found = bytes(edited[0])
            assert not taken or json.loads(found)["meta"]["routing"]["new"] == -1
    return taken


FUZZER = Fuzzer.simple("seldon_json", make, lambda rng, case: one(case.data, FORMS[case.kind]))
run = FUZZER.run
