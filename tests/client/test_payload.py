"""What a client's values become on the wire, read back by google.protobuf, and what answers give."""

from typing import Any

import numpy
import pytest
from google.protobuf import json_format

from executor import errors
from executor._native import message as messages
from executor._pb import seldon_pb2
from executor.client.payload import Response, feedback_message, kind_of, request_message
from executor.types import Encoding


def read(message: messages.Message) -> Any:
    return seldon_pb2.SeldonMessage.FromString(bytes(message))


def shown(message: messages.Message) -> dict[str, Any]:
    return json_format.MessageToDict(read(message))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ("text", "strData"),
        (b"bytes", "binData"),
        (bytearray(b"bytes"), "binData"),
        ({"a": 1}, "jsonData"),
        (None, "jsonData"),
        (1.5, "jsonData"),
        ([[1, 2]], "ndarray"),
        ((1, 2), "ndarray"),
        (numpy.zeros((2, 2)), "tensor"),
        (numpy.zeros(2, "int8"), "tensor"),
        (numpy.array(["a"]), "ndarray"),
        (numpy.array([object()]), "ndarray"),
    ],
)
def test_kinds(data: Any, kind: str) -> None:
    assert kind_of(data) == kind


def test_what_cannot_be_sent() -> None:
    for data in ({1, 2}, object()):
        with pytest.raises(errors.EncodeError, match="cannot be sent; allowed are arrays, lists"):
            request_message(data)


def test_arrays_keep_shape_names_and_meta() -> None:
    message = read(request_message(numpy.arange(6).reshape(2, 3), ["a", "b", "c"], {"tags": {"t": 1}}))
    assert list(message.data.tensor.shape) == [2, 3]
    assert list(message.data.tensor.values) == [0, 1, 2, 3, 4, 5]
    assert list(message.data.names) == ["a", "b", "c"]
    assert json_format.MessageToDict(message.meta) == {"tags": {"t": 1.0}}


def test_each_kind_on_the_wire() -> None:
    assert shown(request_message("x")) == {"strData": "x"}
    assert shown(request_message(bytearray(b"\x00"))) == {"binData": "AA=="}
    assert shown(request_message({"a": [1, None]})) == {"jsonData": {"a": [1.0, None]}}
    assert shown(request_message([[1, "s"]])) == {"data": {"ndarray": [[1.0, "s"]]}}
    assert read(request_message([[1, 2]], kind="tensor")).data.tensor.shape == [1, 2]
    tf = read(request_message(numpy.array([1, 2], "float32"), kind="tftensor")).data.tftensor
    assert tf.dtype == 1
    assert tf.tensor_shape.dim[0].size == 2


@pytest.mark.parametrize(
    ("data", "more", "said"),
    [
        ("x", {"names": ["a"]}, "names go with tensor, ndarray, tftensor; the data is sent as strData"),
        ([[1], [1, 2]], {"kind": "tensor"}, "rows differ in length"),
        (["a"], {"kind": "tensor"}, "tensor holds numbers, not <U1"),
        (request_message("x"), {"kind": "strData"}, "a whole message is sent as it is"),
        ("x", {"kind": "strdata"}, "strdata"),
    ],
)
def test_wrong_combinations(data: Any, more: dict[str, Any], said: str) -> None:
    with pytest.raises(errors.EncodeError) as caught:
        request_message(data, **more)
    assert said in caught.value.message


def test_json_messages_are_sent_as_protobuf() -> None:
    text = b'{"meta":{"puid":"p"},"data":{"names":["a"],"tensor":{"shape":[1,1],"values":[2]}}}'
    message = read(request_message(messages.Message(text, Encoding.SELDON_JSON)))
    assert (message.meta.puid, message.data.names[0], message.data.tensor.values[0]) == ("p", "a", 2.0)
    message = read(request_message(messages.Message(b'{"data":{"ndarray":[["x",1]]}}', Encoding.SELDON_JSON)))
    assert json_format.MessageToDict(message) == {"data": {"ndarray": [["x", 1.0]]}}


def response(**fields: Any) -> Response:
    return Response(messages.Message(seldon_pb2.SeldonMessage(**fields).SerializeToString()), "p1")


def test_an_answer() -> None:
    meta = seldon_pb2.Meta(routing={"r": 1})
    meta.tags["t"].number_value = 2
    meta.metrics.add(key="k", value=1.0)
    data = seldon_pb2.DefaultData(names=["a"], tensor=seldon_pb2.Tensor(shape=[1, 2], values=[1, 2]))
    answer = response(meta=meta, data=data)
    assert (answer.kind, answer.names, answer.puid) == ("tensor", ["a"], "p1")
    assert (answer.routing, answer.tags) == ({"r": 1}, {"t": 2.0})
    assert answer.metrics[0]["key"] == "k"
    assert answer.status is None
    numpy.testing.assert_array_equal(answer.array(), [[1.0, 2.0]])
    numpy.testing.assert_array_equal(answer.value, [[1.0, 2.0]])
    assert "tensor" in repr(answer)
    assert "p1" in repr(answer)


def test_answers_that_are_no_arrays() -> None:
    assert response(strData="x").value == "x"
    assert response(binData=b"x").value == b"x"
    empty = response()
    assert (empty.kind, empty.value, empty.meta, empty.routing) == ("", None, {}, {})
    for answer, kind in ((response(strData="x"), "strData"), (empty, "no payload")):
        with pytest.raises(errors.RequestError, match=f"holds {kind}, which is no array"):
            answer.array()


def test_feedback() -> None:
    asked = request_message("q")
    answered = Response(request_message("a"), "p", asked)
    feedback = seldon_pb2.Feedback.FromString(bytes(feedback_message(None, answered, 0.5, [[1]])))
    assert (feedback.request.strData, feedback.response.strData, feedback.reward) == ("q", "a", 0.5)
    assert json_format.MessageToDict(feedback.truth) == {"data": {"ndarray": [[1.0]]}}
    feedback = seldon_pb2.Feedback.FromString(bytes(feedback_message("other", answered.message, 1, None)))
    assert (feedback.request.strData, feedback.response.strData) == ("other", "a")
    assert not feedback.HasField("truth")
    assert bytes(feedback_message(None, None, 0, None)) == b""
