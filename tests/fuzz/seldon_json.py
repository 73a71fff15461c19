"""Owns the fuzzer of the seldon-JSON codec: `python tests/fuzz/seldon_json.py [SECONDS [SEED]]`.

The contract, for any text: accepted, or DecodeError with an offset inside the text. What is accepted becomes protobuf
that google.protobuf reads, and JSON again that means the same. An edited message is still JSON. No buffer may be left.
"""

import json
import random
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

from google.protobuf import json_format

from executor import errors
from executor._native import buffer, codec_face, seldon_json
from executor._native import message as native
from executor._pb import seldon_pb2 as pb
from executor.types import Encoding, Form

CLASSES: dict[Form, Any] = {Form.MESSAGE: pb.SeldonMessage, Form.LIST: pb.SeldonMessageList, Form.FEEDBACK: pb.Feedback}
TOKENS = [
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b'"',
    b"\\",
    b"null",
    b"true",
    b"1",
    b"-",
    b"0",
    b".",
    b"e9",
    b"NaN",
    b" ",
]
TOKENS += [
    b'"NaN"',
    b"1e999",
    b"\\ud83d",
    b"\\u0061",
    b"\xff",
    b"\xc3\xa9",
    b'"meta":',
    b'"data":',
    b'"tensor":',
    b"\x00",
]
TOKENS += [
    b"9223372036854775808",
    b"[" * 120,
    b"{" + b'"a":' * 3,
    b'"ndarray":[[1,2],[3,4]]',
    b'"values":[1,2]',
    b"[1]",
]


def corpus() -> list[bytes]:
    """One message of every kind, with everything in its meta; a list and a feedback."""
    meta = {
        "puid": "p",
        "tags": {"a": [1.5, {"b": None}], "é": "text"},
        "routing": {"router": 1, "other": "-1"},
        "requestPath": {"node": "image:1"},
        "metrics": [{"key": "k", "type": "TIMER", "value": 2.5, "tags": {"x": "y"}}],
    }
    tftensor = {
        "dtype": "DT_FLOAT",
        "tensorShape": {"dim": [{"size": "2"}]},
        "floatVal": [1, "NaN"],
        "int64Val": ["7"],
        "stringVal": ["AAE="],
    }
    payloads: list[dict[str, Any]] = [
        {"data": {"names": ["a", "b"], "tensor": {"shape": [2, 2], "values": [1, 2.5, "NaN", 1e-7]}}},
        {"data": {"names": ["a"], "ndarray": [[1, 2], [3, 4]]}},
        {"data": {"ndarray": [[1, 2], ["x", None, [True]]]}},
        {"data": {"tftensor": tftensor}},
        {"binData": "AAECAw=="},
        {"strData": 'te"xt\n'},
        {"jsonData": {"a": [1, 2, {"b": True}], "c": {}}},
        {"customData": {"@type": "x/google.protobuf.Struct", "value": {"a": 1}}},
        {"customData": {"@type": "x/seldon.protos.Metric", "key": "k"}},
    ]
    built = [{"status": {"code": 400, "info": "i", "status": "FAILURE"}, "meta": meta, **one} for one in payloads]
    whole: list[Any] = [*built, *payloads, [1], {"seldonMessages": built[:2]}, payloads[:3]]
    whole.append({"request": built[0], "response": built[1], "reward": 0.5, "truth": payloads[5]})
    return [json.dumps(one, ensure_ascii=index % 2 == 0).encode() for index, one in enumerate(whole)]


def mutated(rng: random.Random, seeds: list[bytes]) -> bytes:
    """A seed with a few things done to it."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
        at = rng.randrange(len(data) + 1)
        act = rng.randrange(5)
        if act == 0:
            data[at:at] = rng.choice(TOKENS)
        elif act == 1:
            del data[at : at + rng.choice([1, 1, 2, 8, len(data)])]
        elif act == 2:
            data[at : at + 1] = rng.choice(TOKENS)
        elif act == 3 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        else:
            other = rng.choice(seeds)
            begin = rng.randrange(len(other))
            data[at:at] = other[begin : begin + rng.randrange(30)]
    return bytes(data)


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
    text = bytes(codec_face.transcode(made[0], Encoding.SELDON_JSON))
    again = codec_face.transcode(native.Message(text, Encoding.SELDON_JSON, message.form), Encoding.SELDON_PROTO)
    second = CLASSES[Form(message.form)].FromString(bytes(again))
    assert json_format.MessageToDict(theirs) == json_format.MessageToDict(second)
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


def run(seed: int, rounds: int, seconds: float = 1e9) -> tuple[int, int]:
    """Fuzzes for so many rounds or seconds, whichever ends first. How many inputs there were, and were accepted."""
    rng = random.Random(seed)
    seeds = corpus()
    before = buffer.live_buffers()
    end = time.monotonic() + seconds
    count = accepted = 0
    while count < rounds and time.monotonic() < end:
        data = mutated(rng, seeds)
        form = rng.choice([Form.MESSAGE, Form.MESSAGE, Form.LIST, Form.FEEDBACK])
        try:
            accepted += one(data, form)
        except BaseException:
            print(f"seed {seed}, form {form!r}, input {data!r}", file=sys.stderr)
            raise
        count += 1
    assert buffer.live_buffers() == before, "buffers were left behind"
    return count, accepted


if __name__ == "__main__":
    warnings.simplefilter("error")
    given = sys.argv[1:]
    chosen = int(given[1]) if len(given) > 1 else random.randrange(2**32)
    done, taken = run(chosen, 1 << 62, float(given[0]) if given else 10.0)
    print(f"seed {chosen}: {done} inputs, {taken} accepted, the rest refused with an offset")
