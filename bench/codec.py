"""Owns what reading and building messages costs, ours against the usual way: `python -m bench.codec [FILTER]`.

Must not compare what does not do the same work: each case checks once that both sides agree, before it is timed.

What to read: the ratio. Times are of this machine and of one thread's CPU; the best of several rounds, since whatever
else runs here only adds. Another codec's cases are one more function in `TABLES`.
"""

import gc
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy
import orjson
from google.protobuf import json_format

from executor._native import codec_face, message, seldon, seldon_json
from executor._pb import seldon_pb2 as pb
from executor.types import Encoding

ROUNDS = 11
ROUND_S = 0.02
BIG = 150_528
"""Numbers in an image of 224 × 224 × 3."""


@dataclass(frozen=True)
class Case:
    """One comparison."""

    name: str
    ours: Callable[[], Any]
    theirs: Callable[[], Any]
    agree: Callable[[Any, Any], bool]
    """Whether both results are the same."""
    target_us: float | None = None
    """What the design asks for on our side, in microseconds."""
    most: float | None = None
    """What the design asks for as a ratio, ours to theirs."""


def time_us(step: Callable[[], Any]) -> float:
    """CPU microseconds of one call: the best round of several."""
    count, spent = 1, 0.0
    while spent < ROUND_S:
        count = max(count + 1, int(count * min(10.0, 1.2 * ROUND_S / max(spent, 1e-9)))) if spent else count * 4
        spent = _round_s(step, count)
    return min(_round_s(step, count) for _ in range(ROUNDS)) / count * 1e6


def _round_s(step: Callable[[], Any], count: int) -> float:
    began = time.thread_time()
    for _ in range(count):
        step()
    return time.thread_time() - began


def same_array(ours: Any, theirs: Any) -> bool:
    return bool(numpy.array_equal(ours, theirs))


def same_message(ours: message.Message, theirs: bytes) -> bool:
    return pb.SeldonMessage.FromString(bytes(ours)) == pb.SeldonMessage.FromString(theirs)


def _their_tensor(array: Any) -> bytes:
    tensor = pb.Tensor(shape=array.shape, values=array.ravel().tolist())
    return pb.SeldonMessage(data=pb.DefaultData(tensor=tensor)).SerializeToString()


def _their_ndarray(array: Any) -> bytes:
    given = pb.SeldonMessage()
    for row in array.tolist():
        given.data.ndarray.add_list().extend(row)
    return given.SerializeToString()


def _read_their_tensor(data: bytes) -> Any:
    tensor = pb.SeldonMessage.FromString(data).data.tensor
    return numpy.array(tensor.values).reshape(tensor.shape)


def _read_their_ndarray(data: bytes) -> Any:
    rows = pb.SeldonMessage.FromString(data).data.ndarray
    return numpy.array([[item.number_value for item in row.list_value.values] for row in rows.values])


def tensor_cases() -> Iterable[Case]:
    """Arrays to messages and back, in the kinds that carry numbers."""
    for count in (10, 1000, BIG):
        array = numpy.random.default_rng(0).random((1, count))
        built = seldon.build("tensor", array)
        data = bytes(built)
        big = count == BIG
        yield Case(
            f"tensor of {count}: wire -> array",
            lambda built=built: seldon.open(built).array(),  # type: ignore[misc]
            lambda data=data: _read_their_tensor(data),  # type: ignore[misc]
            same_array,
            2.0 if big else None,
        )
        # Bytes that others hold too, or that lie askew, as most that come off a wire do: one copy.
        shared = message.Message(data)
        yield Case(
            f"tensor of {count}: wire -> array, copied",
            lambda shared=shared: seldon.open(shared).array(),  # type: ignore[misc]
            lambda data=data: _read_their_tensor(data),  # type: ignore[misc]
            same_array,
        )
        yield Case(
            f"tensor of {count}: array -> wire",
            lambda array=array: seldon.build("tensor", array),  # type: ignore[misc]
            lambda array=array: _their_tensor(array),  # type: ignore[misc]
            same_message,
            60.0 if big else None,
        )
        listed = seldon.build("ndarray", array)
        yield Case(
            f"ndarray of {count}: wire -> array",
            lambda listed=listed: seldon.open(listed).array(),  # type: ignore[misc]
            lambda data=bytes(listed): _read_their_ndarray(data),  # type: ignore[misc]
            same_array,
        )
        yield Case(
            f"ndarray of {count}: array -> wire",
            lambda array=array: seldon.build("ndarray", array),  # type: ignore[misc]
            lambda array=array: _their_ndarray(array),  # type: ignore[misc]
            same_message,
        )


def _round_trip(given: message.Message) -> message.Message:
    parts = seldon.open(given)
    return seldon.build("tensor", parts.array(), parts.names, parts.meta if parts.has_meta else None)


def _their_round_trip(data: bytes) -> bytes:
    given = pb.SeldonMessage.FromString(data)
    tensor = given.data.tensor
    array = numpy.array(tensor.values).reshape(tensor.shape)
    answer = pb.SeldonMessage(meta=given.meta if given.HasField("meta") else None)
    answer.data.names.extend(given.data.names)
    answer.data.tensor.shape.extend(array.shape)
    answer.data.tensor.values.extend(array.ravel().tolist())
    return answer.SerializeToString()


def _their_edit(data: bytes) -> bytes:
    given = pb.SeldonMessage.FromString(data)
    given.meta.routing["router"] = 1
    return given.SerializeToString()


def message_cases() -> Iterable[Case]:
    """What happens to whole messages: a component that does nothing, and an edit on the way."""
    array = numpy.random.default_rng(0).random((1, 500))
    meta = {"puid": "0123456789abcdef", "tags": {"version": "1"}, "routing": {"a": 1}}
    given = seldon.build("tensor", array, ["x"], meta)
    bare = seldon.build("tensor", array)
    large = message.Message(bytes(seldon.build("binData", b"x" * (4 << 20), meta=meta)))
    data, bare_data, large_data = bytes(given), bytes(bare), bytes(large)
    yield Case(
        "4 KiB in and out again, no meta",
        lambda: _round_trip(bare),
        lambda: _their_round_trip(bare_data),
        same_message,
        6.0,
    )
    yield Case(
        "4 KiB in and out again, with meta",
        lambda: _round_trip(given),
        lambda: _their_round_trip(data),
        same_message,
    )
    for size, one, bytes_of_one in (("4 KiB", given, data), ("4 MiB", large, large_data)):
        yield Case(
            f"{size}: a route into meta",
            lambda one=one: codec_face.edit_meta(one, {"router": 1}),  # type: ignore[misc]
            lambda bytes_of_one=bytes_of_one: _their_edit(bytes_of_one),  # type: ignore[misc]
            same_message,
        )
        yield Case(
            f"{size}: the envelope",
            lambda one=one: codec_face.scan(one),  # type: ignore[misc]
            lambda bytes_of_one=bytes_of_one: pb.SeldonMessage.FromString(bytes_of_one),  # type: ignore[misc]
            lambda ours, theirs: ours is None and theirs.meta.puid == meta["puid"],
        )


def _their_json_ndarray(text: bytes) -> Any:
    return numpy.array(orjson.loads(text)["data"]["ndarray"])


def _their_json_tensor(text: bytes) -> Any:
    tensor = orjson.loads(text)["data"]["tensor"]
    return numpy.array(tensor["values"]).reshape(tensor["shape"])


def _their_json_build(array: Any) -> bytes:
    return orjson.dumps({"data": {"ndarray": array}}, option=orjson.OPT_SERIALIZE_NUMPY)


def _to_proto(text: bytes) -> message.Message:
    return codec_face.transcode(message.Message(text, Encoding.SELDON_JSON), Encoding.SELDON_PROTO)


def _their_to_proto(text: bytes) -> bytes:
    return json_format.Parse(text, pb.SeldonMessage()).SerializeToString()


def _to_json(data: bytes) -> message.Message:
    return codec_face.transcode(message.Message(data), Encoding.SELDON_JSON)


def _their_to_json(data: bytes) -> bytes:
    return orjson.dumps(json_format.MessageToDict(pb.SeldonMessage.FromString(data)))


def same_json(ours: message.Message, theirs: bytes) -> bool:
    return bool(orjson.loads(bytes(ours)) == orjson.loads(theirs))


def _json_reads(label: str, array: Any) -> Iterable[Case]:
    for kind, theirs in (("ndarray", _their_json_ndarray), ("tensor", _their_json_tensor)):
        text = bytes(seldon_json.build(kind, array))
        yield Case(
            f"{kind}, {label}: JSON -> array",
            lambda text=text: seldon_json.open(message.Message(text, Encoding.SELDON_JSON)).array(),  # type: ignore[misc]
            lambda text=text, theirs=theirs: theirs(text),  # type: ignore[misc]
            same_array,
            most=1 / 3 if array.size == BIG else None,
        )


def json_cases() -> Iterable[Case]:
    """JSON text to arrays and to protobuf, and the ways back."""
    rng = numpy.random.default_rng(0)
    image = rng.integers(0, 256, (224, 672))
    kinds = {
        "doubles": rng.random((224, 672)),
        "pixels / 255": image / 255,
        "4 digits": rng.random((224, 672)).round(4),
    }
    for label, array in {**kinds, "integers": image, "1000 doubles": rng.random((1, 1000))}.items():
        yield from _json_reads(label, array)
    for label, array in (
        ("4", numpy.arange(4.0).reshape(2, 2)),
        ("1000", rng.random((1, 1000))),
        (str(BIG), image / 255),
    ):
        text = bytes(seldon_json.build("ndarray", array, meta={"puid": "p"}))
        data = _their_to_proto(text)
        yield Case(
            f"ndarray of {label}: JSON -> protobuf",
            lambda text=text: _to_proto(text),  # type: ignore[misc]
            lambda text=text: _their_to_proto(text),  # type: ignore[misc]
            same_message,
        )
        yield Case(
            f"ndarray of {label}: protobuf -> JSON",
            lambda data=data: _to_json(data),  # type: ignore[misc]
            lambda data=data: _their_to_json(data),  # type: ignore[misc]
            same_json,
        )
        yield Case(
            f"ndarray of {label}: array -> JSON",
            lambda array=array: seldon_json.build("ndarray", array),  # type: ignore[misc]
            lambda array=array: _their_json_build(array),  # type: ignore[misc]
            same_json,
        )


TABLES: list[tuple[str, Callable[[], Iterable[Case]]]] = [
    ("protobuf: ours against google.protobuf", tensor_cases),
    ("protobuf, whole messages: ours against google.protobuf", message_cases),
    ("JSON: ours against orjson and numpy, between encodings against google.protobuf", json_cases),
]


def run(wanted: str) -> None:
    """Runs the cases whose name holds `wanted` and prints the table."""
    for title, cases in TABLES:
        print(f"\n{title}\n{'':44}{'ours µs':>10}{'theirs µs':>12}{'ratio':>9}   target")
        for case in cases():
            if wanted not in case.name:
                continue
            if not case.agree(case.ours(), case.theirs()):
                raise SystemExit(f"{case.name}: the two sides do not agree")
            ours, theirs = time_us(case.ours), time_us(case.theirs)
            target = "" if case.target_us is None else f"≤ {case.target_us:g} µs"
            target = target if case.most is None else f"≤ {case.most:.3f} of theirs"
            print(f"{case.name:44}{ours:10.2f}{theirs:12.2f}{ours / theirs:9.4f}   {target}")


if __name__ == "__main__":
    gc.disable()
    run(sys.argv[1] if len(sys.argv) > 1 else "")
