"""Owns JSON texts of seldon.protos messages for tests, and google's reading of them. Must not use our own codecs."""

import base64
import json
import math
from typing import Any

import numpy
from google.protobuf import json_format
from google.protobuf.message import Message
from hypothesis import strategies as st

from executor._pb import seldon_pb2 as pb
from executor.types import Form

CLASSES: dict[Form, Any] = {Form.MESSAGE: pb.SeldonMessage, Form.LIST: pb.SeldonMessageList, Form.FEEDBACK: pb.Feedback}

texts = st.text(max_size=12)
reals = st.floats(allow_nan=False, allow_infinity=False)
int32s = st.integers(-(2**31), 2**31 - 1)
int64s = st.integers(-(2**63), 2**63 - 1)
float32s = st.floats(width=32, allow_nan=False, allow_infinity=False)
special = st.sampled_from(["NaN", "Infinity", "-Infinity"])
numbers = st.one_of(reals, st.integers(-(2**63), 2**64), st.integers(-9, 9))
values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def quoted(numbers: st.SearchStrategy[int]) -> st.SearchStrategy[int | str | float]:
    """Integers in the ways proto3 lets them be written."""
    return numbers | numbers.map(str) | st.integers(-99, 99).map(float)


@st.composite
def grids(draw: st.DrawFn) -> Any:
    """Rectangles of numbers, nested lists."""
    shape = draw(st.lists(st.integers(0, 3), min_size=1, max_size=4))
    array = numpy.array(draw(st.lists(numbers, min_size=math.prod(shape), max_size=math.prod(shape))), dtype=object)
    return array.reshape(shape).tolist()


@st.composite
def binaries(draw: st.DrawFn) -> str:
    """Base64, in either alphabet, with or without padding."""
    data = draw(st.binary(max_size=20))
    text = (draw(st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]))(data)).decode()
    return text if draw(st.booleans()) else text.rstrip("=")


def members(required: dict[str, Any], **optional: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects in which any of the optional members may be absent or null."""
    return st.fixed_dictionaries(required, optional={key: one | st.none() for key, one in optional.items()})


metrics = members(
    {},
    key=texts,
    type=st.sampled_from(["COUNTER", "GAUGE", "TIMER", 0, 1, 2, 77]),
    value=float32s | special | st.integers(-9, 9),
    tags=st.dictionaries(texts, texts, max_size=3),
)
metas = members(
    {},
    puid=texts,
    tags=st.dictionaries(texts, values, max_size=3),
    routing=st.dictionaries(texts, quoted(st.integers(-9, 9)), max_size=3),
    requestPath=st.dictionaries(texts, texts, max_size=3),
    metrics=st.lists(metrics, max_size=3),
)
statuses = members(
    {}, code=quoted(st.integers(-9, 9)), info=texts, reason=texts, status=st.sampled_from(["SUCCESS", "FAILURE", 1, 5])
)
tensors = members({}, shape=st.lists(quoted(st.integers(0, 9)), max_size=3), values=st.lists(numbers | special))
shapes = members({}, dim=st.lists(members({}, size=quoted(int64s), name=texts), max_size=3), unknownRank=st.booleans())
tftensors = members(
    {},
    dtype=st.sampled_from(["DT_FLOAT", "DT_INT64", "DT_HALF", "DT_STRING_REF", 1, 999]),
    tensor_shape=shapes,
    versionNumber=quoted(st.integers(-9, 9)),
    tensorContent=binaries(),
    floatVal=st.lists(float32s | special),
    double_val=st.lists(numbers | special),
    intVal=st.lists(quoted(int32s)),
    stringVal=st.lists(binaries()),
    int64Val=st.lists(quoted(int64s)),
    boolVal=st.lists(st.booleans()),
    halfVal=st.lists(int32s),
    uint32Val=st.lists(st.integers(0, 2**32 - 1)),
    uint64_val=st.lists(quoted(st.integers(0, 2**64 - 1).filter(lambda number: number >= 0)) | st.integers(0, 9)),
).map(lambda one: {**one, "uint64_val": [abs(int(item)) for item in one.get("uint64_val") or []]})
lists = grids() | st.lists(values, max_size=5)
datas = st.one_of(
    members({}, names=st.lists(texts, max_size=3), tensor=tensors),
    members({}, names=st.lists(texts, max_size=3), ndarray=lists),
    members({}, tftensor=tftensors),
)
customs = st.one_of(
    st.just({}),
    st.builds(lambda value: {"@type": "type.googleapis.com/google.protobuf.Value", "value": value}, values),
    st.builds(lambda one: {**one, "@type": "x/seldon.protos.Meta"}, metas),
)
payloads = st.one_of(
    st.just({}),
    st.builds(lambda value: {"data": value}, datas),
    st.builds(lambda value: {"binData": value}, binaries()),
    st.builds(lambda value: {"strData": value}, texts),
    st.builds(lambda value: {"jsonData": value}, values),
    st.builds(lambda value: {"customData": value}, customs),
)
messages = st.builds(lambda one, payload: {**one, **payload}, members({}, status=statuses, meta=metas), payloads)
feedbacks = members({}, request=messages, response=messages, reward=float32s, truth=messages)
objects = st.one_of(
    st.tuples(st.just(Form.MESSAGE), messages),
    st.tuples(st.just(Form.LIST), st.builds(lambda items: {"seldonMessages": items}, st.lists(messages, max_size=3))),
    st.tuples(st.just(Form.FEEDBACK), feedbacks),
)
layouts = st.fixed_dictionaries(
    {
        "indent": st.sampled_from([None, 0, 2]),
        "ensure_ascii": st.booleans(),
        "separators": st.sampled_from([(",", ":"), (" , ", "\t:\r\n")]),
    }
)


def parse(text: str | bytes, form: Form = Form.MESSAGE) -> Message:
    """What google's mapping reads. Raises json_format.ParseError."""
    message: Message = json_format.Parse(text, CLASSES[form]())
    return message


def shown(message: Message) -> dict[str, Any]:
    """The message as google's mapping writes it, but with the members of metrics that we write always."""
    found = json_format.MessageToDict(message)
    _fill(message, found)
    return found


def _fill(message: Message, found: Any) -> None:
    name = message.DESCRIPTOR.full_name
    if name == "google.protobuf.Any":
        inner: Any = getattr(pb, message.type_url.rpartition(".")[2], None)  # type: ignore[attr-defined]
        if inner is not None and "seldon.protos" in message.type_url:  # type: ignore[attr-defined]
            _fill(inner.FromString(message.value), found)  # type: ignore[attr-defined]
        return
    if name == "seldon.protos.Metric":
        found.setdefault("type", "COUNTER")
        found.setdefault("value", 0.0)
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        if field.message_type.name != "Any" and field.message_type.full_name.startswith("google."):
            continue
        said = found[field.json_name] if isinstance(found, dict) and field.json_name in found else None
        for one, its in zip(value, said, strict=True) if isinstance(said, list) else [(value, said)]:
            if its is not None:
                _fill(one, its)


def same_numbers(ours: Any, theirs: Any) -> bool:
    """Equal, but for floats, of which google prints the first of six to nine digits that reads back the same."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same_numbers(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same_numbers, ours, theirs))
    if isinstance(ours, float) and isinstance(theirs, float):
        return ours == theirs or numpy.float32(ours) == numpy.float32(theirs)
    return type(ours) is type(theirs) and bool(ours == theirs)


def dumps(value: Any, layout: dict[str, Any] | None = None) -> str:
    """JSON text."""
    return json.dumps(value, **(layout or {}))
