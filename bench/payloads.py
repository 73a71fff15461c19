"""Owns what is sent and how an answer is recognised as right: requests of a given size, and checks of answers.

Must not use the executor's codecs to check: answers are read by protobuf and json, independent of what is measured.
"""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy

from executor._pb import inference_pb2, seldon_pb2

Check = Callable[[bytes], str]
"""Says what is wrong with an answer; empty when it is right."""

RequestOf = Callable[[int], bytes]
"""Makes a request for a payload of so many bytes."""

_UNITS = {"": 1, "b": 1, "kib": 1 << 10, "k": 1 << 10, "mib": 1 << 20, "m": 1 << 20}


def parse_size(text: str) -> int:
    """`64`, `4KiB`, `4 MiB` in bytes. Raises ValueError."""
    match = re.fullmatch(r"(\d+)\s*([a-z]*)", text.strip().lower())
    if match is None or match.group(2) not in _UNITS:
        raise ValueError(f"{text!r} is not a size; write it like 64, 4KiB or 4MiB")
    return int(match.group(1)) * _UNITS[match.group(2)]


def show_size(size: int) -> str:
    """A size as people write it."""
    for unit, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} B"


def array_of(size: int) -> "numpy.ndarray[Any, numpy.dtype[numpy.float64]]":
    """Doubles of `size` bytes, in a shape whose answer has four names whatever its size."""
    count = max(4, size // 8 // 4 * 4)
    return (numpy.arange(count, dtype=numpy.float64) % 251 / 8).reshape(1, 4, count // 4)


def tensor_request(size: int) -> bytes:
    """A SeldonMessage with a tensor of `size` bytes of doubles."""
    array = array_of(size)
    message: Any = seldon_pb2.SeldonMessage()
    message.data.tensor.shape.extend(array.shape)
    message.data.tensor.values.extend(array.ravel().tolist())
    return bytes(message.SerializeToString())


def tensor_check(size: int, divisor: float = 1.0) -> Check:
    """The same tensor has to come back, divided; names and meta are the node's affair."""

    def check(answer: bytes) -> str:
        tensor: Any = seldon_pb2.SeldonMessage.FromString(answer).data.tensor
        return _differs(tensor.shape, numpy.array(tensor.values), size, divisor)

    return check


def _differs(shape: Iterable[int], values: Any, size: int, divisor: float) -> str:
    wanted = array_of(size) / divisor
    if tuple(shape) != wanted.shape:
        return f"a tensor of shape {tuple(shape)} instead of {wanted.shape}"
    return "" if numpy.array_equal(values, wanted.ravel()) else "a tensor with other values"


def infer_request(size: int) -> bytes:
    """The tensor of `tensor_request` as the Open Inference Protocol has it, raw, for a model called compose."""
    array = array_of(size)
    message: Any = inference_pb2.ModelInferRequest(model_name="compose")
    message.inputs.add(name="X", datatype="FP64", shape=array.shape)
    message.raw_input_contents.append(array.tobytes())
    return bytes(message.SerializeToString())


def infer_check(size: int, divisor: float = 1.0) -> Check:
    """`tensor_check` for that protocol; answers may be raw or not."""

    def check(answer: bytes) -> str:
        message: Any = inference_pb2.ModelInferResponse.FromString(answer)
        (output,) = message.outputs
        raw = message.raw_output_contents
        values = numpy.frombuffer(raw[0]) if raw else numpy.array(output.contents.fp64_contents)
        return _differs(output.shape, values, size, divisor)

    return check


def feedback_request(size: int) -> bytes:
    """Feedback on a request of `size` bytes."""
    message: Any = seldon_pb2.Feedback(reward=1.0)
    message.request.ParseFromString(tensor_request(size))
    message.response.ParseFromString(tensor_request(64))
    return bytes(message.SerializeToString())


def message_check(size: int) -> Check:
    """Any SeldonMessage without a failure in it."""

    def check(answer: bytes) -> str:
        message: Any = seldon_pb2.SeldonMessage.FromString(answer)
        return "a failure status" if message.status.status else ""

    return check


def json_request(size: int) -> bytes:
    """JSON of about `size` bytes: one row of numbers."""
    row: list[float] = []
    while len(_json_text(row)) < size:
        row += [round(0.1 + 0.37 * (len(row) % 97), 2) for _ in range(4)]
    return _json_text(row)


def numbers_request(size: int) -> bytes:
    """JSON with a tensor of 1 000 numbers, whatever `size` says beside naming it."""
    values = [round(0.1 + 0.37 * (index % 97), 2) for index in range(1000)]
    return json.dumps({"data": {"tensor": {"shape": [1, 4, 250], "values": values}}}, separators=(",", ":")).encode()


def json_check(request: RequestOf, divisor: float = 1.0) -> Callable[[int], Check]:
    """The numbers of the request have to come back, divided."""

    def check_of(size: int) -> Check:
        sent = _numbers(json.loads(request(size))) / divisor

        def check(answer: bytes) -> str:
            found = _numbers(json.loads(answer))
            return "" if numpy.array_equal(found, sent) else f"{len(found)} numbers that are not those sent"

        return check

    return check_of


def instances_request(size: int) -> bytes:
    """The numbers of `json_request` as KServe's V1 has them."""
    rows = json.loads(json_request(size))["data"]["ndarray"]
    return json.dumps({"instances": rows}, separators=(",", ":")).encode()


def probabilities_check(size: int) -> Check:
    """Ten probabilities that add up to one."""

    def check(answer: bytes) -> str:
        values = numpy.array(seldon_pb2.SeldonMessage.FromString(answer).data.tensor.values)
        good = values.shape == (10,) and abs(float(values.sum()) - 1.0) < 1e-4
        return "" if good else f"{values.tolist()} instead of ten probabilities"

    return check


def digits_request(size: int) -> bytes:
    """One image of 8 × 8 pixels."""
    message: Any = seldon_pb2.SeldonMessage()
    message.data.tensor.shape.extend([1, 64])
    message.data.tensor.values.extend([float(index % 17) for index in range(64)])
    return bytes(message.SerializeToString())


def _json_text(row: list[float]) -> bytes:
    return json.dumps({"data": {"ndarray": [row]}}, separators=(",", ":")).encode()


def _numbers(message: dict[str, Any]) -> "numpy.ndarray[Any, numpy.dtype[numpy.float64]]":
    data = message.get("data", {})
    if "instances" in message or "predictions" in message:
        data = {"ndarray": message.get("instances") or message.get("predictions")}
    values = data["tensor"]["values"] if "tensor" in data else data.get("ndarray", [])
    return numpy.asarray(values, dtype=numpy.float64).ravel()
