"""Owns the fuzzer of the seldon-protobuf codec: `python tests/fuzz/seldon.py [SECONDS [SEED]]`.

The contract, for any bytes: accepted, or DecodeError with an offset inside the message. The envelope is accepted if
and only if google.protobuf accepts it, payloads being bytes to both; but for varints over 64 bits, which google's
parser cuts and ours refuses. No buffer may be left behind.
"""

import random
import struct
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from executor import errors
from executor._native import buffer, codec_face, seldon
from executor._native import message as native
from executor._pb import seldon_pb2 as pb
from executor.types import Form

STRICTER = ("does not fit in 64 bits", "field number 0")
"""What ours refuses and google's parser does not."""
ODD_NUMBERS = [0, 1, 9, 10, 11, 17, 18, 26, 34, 42, 50, 58, 0x7F, 0x80, 0xFF]


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
    return dict(zip(Form, map(message_factory.GetMessageClass, found), strict=True))


def corpus() -> list[bytes]:
    """One message of every kind, with everything in its meta."""
    meta = {
        "puid": "p" * 20,
        "tags": {"a": [1.0, {"b": None}], "c": "text"},
        "routing": {"router": 1, "other": -1},
        "requestPath": {"node": "image:1"},
        "metrics": [{"key": "k", "type": "TIMER", "value": 2.5, "tags": {"x": "y"}}],
    }
    status = {"code": 400, "info": "info", "reason": "reason", "status": "FAILURE"}
    payloads = [
        ("tensor", [[1.0, 2.0], [3.0, 4.0]]),
        ("ndarray", [[1.0, 2.0], ["x", None]]),
        ("ndarray", [[1.0, 2.0], [3.0, 4.0]]),
        ("tftensor", [[1, 2], [3, 4]]),
        ("tftensor", [["a"], ["b"]]),
        ("tftensor", [1.5]),
        ("binData", b"\x00\x01\x02"),
        ("strData", "text"),
        ("jsonData", {"a": [1, 2, {"b": True}]}),
        ("customData", ("type", b"value")),
    ]
    built = [seldon.build(kind, value, ["a", "b"], meta, status) for kind, value in payloads]
    built += [seldon.build(kind, value) for kind, value in payloads]
    feedback = seldon.build_feedback(built[0], built[1], 0.5, built[2])
    return [bytes(one) for one in [*built, seldon.build_list(built[:3]), feedback]]


def mutated(rng: random.Random, seeds: list[bytes]) -> bytes:
    """A seed with a few things done to it."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice([0, 1, 1, 2, 3, 8])):
        at = rng.randrange(len(data) + 1)
        act = rng.randrange(7)
        if act == 0:
            data[at:at] = rng.randbytes(rng.randrange(1, 5))
        elif act == 1:
            del data[at : at + rng.choice([1, 1, 2, 8, len(data)])]
        elif act == 2 and at < len(data):
            data[at] = rng.choice([*ODD_NUMBERS, rng.randrange(256)])
        elif act == 3 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif act == 4:
            data += rng.choice(seeds)
        elif act == 5:
            data[at:at] = struct.pack("<Bq", 0x11, rng.randrange(-3, 3)) + b"\xff" * rng.choice([0, 4, 9, 10, 12])
        else:
            data[at:at] = bytes(rng.choice([0x0B, 0x13, 0x0C, 0x14]) for _ in range(rng.choice([1, 2, 99, 101, 300])))
    return bytes(data)


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


def run(seed: int, rounds: int, seconds: float = 1e9) -> tuple[int, int]:
    """Fuzzes for so many rounds or seconds, whichever ends first. How many inputs there were, and were accepted."""
    rng = random.Random(seed)
    seeds, oracles = corpus(), envelopes()
    before = buffer.live_buffers()
    end = time.monotonic() + seconds
    count = accepted = 0
    while count < rounds and time.monotonic() < end:
        data = mutated(rng, seeds)
        form = rng.choice([Form.MESSAGE, Form.MESSAGE, Form.LIST, Form.FEEDBACK])
        try:
            accepted += one(data, form, oracles[form])
        except BaseException:
            print(f"seed {seed}, form {form!r}, input {data!r}", file=sys.stderr)
            raise
        count += 1
    assert buffer.live_buffers() == before, "buffers were left behind"
    return count, accepted


if __name__ == "__main__":
    warnings.simplefilter("error")
    assert pb.SeldonMessage.FromString(corpus()[0]).meta.puid, "the corpus is no SeldonMessage"
    given = sys.argv[1:]
    chosen = int(given[1]) if len(given) > 1 else random.randrange(2**32)
    done, taken = run(chosen, 1 << 62, float(given[0]) if given else 10.0)
    print(f"seed {chosen}: {done} inputs, {taken} accepted, the rest refused with an offset")
