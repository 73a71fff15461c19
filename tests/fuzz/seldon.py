"""Owns the fuzzer of the seldon-protobuf codec.

The contract, for any bytes: accepted, or DecodeError with an offset inside the message. The envelope is accepted if
and only if google.protobuf accepts it, payloads being bytes to both; but for varints over 64 bits, which google's
parser cuts and ours refuses. No buffer may be left behind.
"""

import random
import struct
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from fuzz.drive import Case, Fuzzer
from fuzz.mutate import changed
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from executor import errors
from executor._native import codec_face, seldon
from executor._native import message as native
from executor.types import Form

FORMS = {form.name.lower(): form for form in Form if form is not Form.FOREIGN}
STRICTER = ("does not fit in 64 bits", "field number 0")
"""What ours refuses and google's parser does not."""
ODD_NUMBERS = [0, 1, 9, 10, 11, 17, 18, 26, 34, 42, 50, 58, 0x7F, 0x80, 0xFF]


@cache
def envelopes() -> dict[Form, Any]:
    """Message classes of google.protobuf that know the envelope and nothing below it."""
    file = descriptor_pb2.FileDescriptorProto(name="envelope.proto", package="fuzz", syntax="proto3")
    # With no field at all, google's parser would not look into the message.
    file.message_type.add(name="Fields").field.add(name="unused", number=2000, type=5, label=1)
    layout = {
        "Envelope": [("status", 1, ".fuzz.Fields"), ("meta", 2, ".fuzz.Fields"), ("data", 3, ".fuzz.Fields")],
        "List": [("messages", 1, ".fuzz.Envelope")],
        "Feedback": [(name, number, ".fuzz.Envelope") for name, number in (("a", 1), ("b", 2), ("c", 4))],
    }
    for name, fields in layout.items():
        target = file.message_type.add(name=name)
        for field, number, kind in fields:
            # Repeated, so that nothing merges; a parser has to read the same bytes.
            target.field.add(name=field, number=number, type=11, type_name=kind, label=3)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = [pool.FindMessageTypeByName(f"fuzz.{name}") for name in layout]
    return dict(zip(FORMS.values(), map(message_factory.GetMessageClass, found), strict=True))


TOKENS = [bytes([number]) for number in ODD_NUMBERS]
TOKENS += [struct.pack("<Bq", 0x11, number) + b"\xff" * count for number in range(-3, 3) for count in (0, 4, 9, 10, 12)]
TOKENS += [bytes([tag]) * count for tag in (0x0B, 0x13, 0x0C, 0x14) for count in (1, 2, 99, 101, 300)]  # groups


def make(rng: random.Random, seeds: Sequence[Case]) -> Case:
    """A message of the corpus, damaged, and at times taken for another kind of message."""
    seed = rng.choice(seeds)
    kind = seed.kind if rng.random() < 0.8 else rng.choice(list(FORMS))
    return Case(kind, changed(rng, seed.data, TOKENS, [each.data for each in seeds], 8))


def accepts(step: Callable[[], Any], size: int) -> str:
    """The text of the step's DecodeError, empty when it accepts. Anything else is the bug we look for."""
    try:
        step()
    except errors.DecodeError as error:
        assert error.offset is None or 0 <= error.offset <= size, (error.offset, size)
        return error.message
    return ""


def read_all(parts: seldon.Parts, size: int) -> None:
    for step in (
        lambda: parts.names,
        lambda: parts.meta,
        lambda: parts.status,
        parts.raw_meta,
        parts.value,
        parts.array,
    ):
        accepts(step, size)


def open_all(message: native.Message) -> None:
    size = len(message)
    opened: list[seldon.Parts | None] = []
    if message.form == Form.MESSAGE:
        accepts(lambda: opened.append(seldon.open(message)), size)
    elif message.form == Form.LIST:
        accepts(lambda: opened.extend(seldon.open_list(message)), size)
    else:

        def feedback() -> None:
            found = seldon.open_feedback(message)
            opened.extend([found.request, found.response, found.truth])

        accepts(feedback, size)
        accepts(lambda: codec_face.feedback_routes(message, ["router", "x"]), size)
    for parts in opened:
        if parts is not None:
            read_all(parts, size)


def one(data: bytes, form: Form, oracle: Any) -> bool:
    """Everything that can be done with one input. Whether the envelope was accepted."""
    message = native.Message(data, form=form)
    refused = accepts(lambda: codec_face.scan(message), len(data))
    try:
        oracle.FromString(data)
        theirs = True
    except DecodeError:
        theirs = False
    assert theirs or refused, "google.protobuf refuses the envelope that we accept"
    strict = any(text in refused for text in STRICTER)
    assert not theirs or not refused or strict, f"google.protobuf accepts the envelope: {refused}"
    open_all(message)
    if form == Form.MESSAGE:
        accepts(lambda: codec_face.route(message), len(data))
        if not refused:
            edited = codec_face.edit_meta(message, {"router": 2, "new": -1}, "puid")
            codec_face.scan(native.Message(bytes(edited)))
    return not refused


def attempt(rng: random.Random, case: Case) -> bool:
    form = FORMS[case.kind]
    return one(case.data, form, envelopes()[form])


FUZZER = Fuzzer.simple("seldon", make, attempt)
run = FUZZER.run
