"""Results become payloads: numbers as they were asked for, other things by their type, the rest is refused by name."""

from datetime import date
from types import SimpleNamespace
from typing import Any

import numpy
import pytest
from google.protobuf import any_pb2, wrappers_pb2
from support.components import BOTH, ask

from executor.component import convert
from executor.errors import ComponentError, RequestError
from executor.types import Encoding


def payload(value: Any, asked: str = "ndarray") -> convert.Payload:
    return convert.payload_of(value, asked, "n", "predict")


@pytest.mark.parametrize("asked", ["tensor", "ndarray", "tftensor"])
@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "i8", "u1"])
def test_numbers_go_as_they_were_asked_for(asked: str, dtype: str) -> None:
    array = numpy.ones((2, 3), dtype)
    assert payload(array, asked) == convert.Payload(asked, array, 3)
    assert payload([1, 2], asked).kind == asked


def test_a_number_alone_is_a_tensor_without_dimensions_or_a_list_of_one() -> None:
    alone = numpy.array(5.5)
    assert payload(alone, "tensor") == convert.Payload("tensor", alone, None)
    assert payload(alone, "") == convert.Payload("tensor", alone, None)
    sent = payload(alone, "ndarray")
    assert (sent.kind, sent.value.tolist(), sent.width) == ("ndarray", [5.5], None)
    assert payload(numpy.array("x"), "tensor") == convert.Payload("ndarray", ["x"], None)


@pytest.mark.parametrize("asked", ["", "strData", "binData", "jsonData", "customData"])
def test_numbers_in_answer_to_something_else_are_a_tensor(asked: str) -> None:
    assert payload(numpy.ones(2), asked).kind == "tensor"
    assert payload(numpy.ones(2), asked).width is None


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (numpy.array([["a", "b"]]), [["a", "b"]]),
        (numpy.array([True, False]), [True, False]),
        (numpy.array([1, None], dtype=object), [1, None]),
        ([["s", 2]], [["s", "2"]]),
        ([[1, 2], [3]], [[1, 2], [3]]),
        ([{"a": 1}, None], [{"a": 1}, None]),
        ([True], [True]),
    ],
)
def test_other_arrays_and_lists_are_an_ndarray(value: Any, sent: Any) -> None:
    assert (payload(value, "tensor").kind, payload(value, "tensor").value) == ("ndarray", sent)


@pytest.mark.parametrize(
    ("value", "kind", "sent"),
    [
        ("text", "strData", "text"),
        (b"raw", "binData", b"raw"),
        (bytearray(b"raw"), "binData", b"raw"),
        ({"a": [1]}, "jsonData", {"a": [1]}),
        (any_pb2.Any(type_url="t", value=b"v"), "customData", ("t", b"v")),
    ],
)
def test_other_types(value: Any, kind: str, sent: Any) -> None:
    assert (payload(value).kind, payload(value).value) == (kind, sent)


def test_a_data_frame_brings_its_names() -> None:
    frame = SimpleNamespace(values=numpy.ones((2, 2)), columns=["a", 7])
    assert payload(frame).names == ("a", "7")
    assert payload(frame).kind == "ndarray"


def test_arrays_of_other_libraries_go_through_numpy() -> None:
    class Other:
        ndim = 1

        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            return numpy.array([1.0, 2.0])

    class OnDevice(Other):
        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            raise TypeError("copy it to the host first")

    assert payload(Other()).value.tolist() == [1, 2]
    with pytest.raises(ComponentError, match="OnDevice, which numpy cannot read: copy it to the host first"):
        payload(OnDevice())


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "answered NoneType"),
        (3.5, "answered float"),
        (numpy.float64(3.5), "answered float64 of float64 ()"),
        (numpy.array([1j]), "ndarray of complex128 (1,), which no payload holds"),
        (numpy.array([1], dtype="m8[s]"), "ndarray of timedelta64[s] (1,)"),
        ((1, 2), "answered tuple"),
        (object(), "answered object"),
    ],
)
def test_what_cannot_be_sent_is_named(value: Any, words: str) -> None:
    with pytest.raises(ComponentError) as caught:
        payload(value)
    assert caught.value.message.startswith("node 'n': predict answered")
    assert words in caught.value.message
    assert "allowed are numpy arrays" in caught.value.message
    unknown = not isinstance(value, numpy.ndarray)  # a type that the wrapper knows nothing of is 400 there
    assert (caught.value.http_status, caught.value.node) == (400 if unknown else 500, "n")


def test_default_names() -> None:
    assert convert.default_names(None) == ()
    assert convert.default_names(3) == ("t:0", "t:1", "t:2")


class Echo:
    """Answers what it is given, and keeps it."""

    def predict(self, X: Any, names: Any) -> Any:
        self.given = X
        return X


KINDS: list[tuple[Any, Any]] = [
    ({"data": {"tensor": {"shape": [1, 2], "values": [1.5, 2.5]}}}, [[1.5, 2.5]]),
    ({"data": {"ndarray": [[1.5, 2.5]]}}, [[1.5, 2.5]]),
    ({"data": {"ndarray": [["a", "b"]]}}, [["a", "b"]]),
    ({"strData": "text"}, "text"),
    ({"binData": "AAEC"}, b"\0\1\2"),
    ({"jsonData": {"a": [1, None]}}, {"a": [1, None]}),
]


@pytest.mark.parametrize("encoding", BOTH)
@pytest.mark.parametrize(("asked", "given"), KINDS)
def test_every_kind_comes_in_and_goes_out(encoding: int, asked: Any, given: Any) -> None:
    echo = Echo()
    said = ask(echo, asked, encoding=encoding)
    got = echo.given.tolist() if isinstance(echo.given, numpy.ndarray) else echo.given
    assert got == given
    said.pop("meta", None)
    if "data" in asked:
        assert said["data"].pop("names") == ["t:0", "t:1"]
    assert said == asked


@pytest.mark.parametrize("encoding", BOTH)
def test_a_tftensor_keeps_its_kind(encoding: int) -> None:
    tensor = {"dtype": "DT_FLOAT", "tensorShape": {"dim": [{"size": "2"}]}, "floatVal": [1, 2]}
    echo = Echo()
    said = ask(echo, {"data": {"tftensor": tensor}}, encoding=encoding)
    assert echo.given.dtype == numpy.float32
    assert said["data"]["tftensor"]["dtype"] == "DT_FLOAT"


def test_custom_data_comes_as_protobufs_any() -> None:
    echo = Echo()
    url = f"type.googleapis.com/{wrappers_pb2.StringValue.DESCRIPTOR.full_name}"
    custom = {"customData": {"@type": url, "value": "x"}}
    assert ask(echo, custom, encoding=Encoding.SELDON_PROTO) == custom
    assert echo.given.type_url == url


@pytest.mark.parametrize("encoding", BOTH)
def test_a_message_without_data_is_refused(encoding: int) -> None:
    with pytest.raises(RequestError, match="node 'node': the message has no data") as caught:
        ask(Echo(), {"meta": {"puid": "x"}}, encoding=encoding)
    assert (caught.value.http_status, caught.value.reason) == (400, "MICROSERVICE_BAD_DATA")


def test_dates_are_an_ndarray_of_dates() -> None:
    days = numpy.array([["2020-01-02", "2020-01-03"]], dtype="M8[D]")
    assert payload(days) == ("ndarray", [[date(2020, 1, 2), date(2020, 1, 3)]], 2, None)
