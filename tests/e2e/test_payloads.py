"""Payloads of every kind on edges of every kind: what a client sends in one encoding, a node gets in its own."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from support import foreign, serving
from support.clients import Client, Refused
from support.serving import node

from executor._pb import seldon_pb2

CLIENTS = pytest.mark.parametrize("client", ["grpc", "rest"])
EXACT = 2**53 + 1
"""An integer that no double holds."""

PAYLOADS: dict[str, Any] = {
    "tensor": {"data": {"names": ["a", "b"], "tensor": {"shape": [2, 2], "values": [1, 0.1, -1e300, 4]}}},
    "tensor of odd numbers": {"data": {"tensor": {"shape": [3], "values": ["NaN", "Infinity", "-Infinity"]}}},
    "ndarray": {"data": {"names": ["a", "b"], "ndarray": [[1.5, 2.0], [3.0, 4.0]]}},
    "mixed ndarray": {"data": {"ndarray": [["a", 1.5, True, None], [{"k": [2.0]}]]}},
    "strData": {"strData": "grüße <&> \u2028 \U0001f600"},
    "binData": {"binData": "AAH+/w=="},
    "jsonData": {"jsonData": {"k": [1.5, None, {"deep": "x"}], "flag": False}},
    "tftensor": {"data": {"tftensor": {"dtype": "DT_FLOAT", "tensorShape": {"dim": [{"size": "2"}]},
                                       "floatVal": [1.5, 2.0]}}},
    "tftensor of int64": {"data": {"tftensor": {"dtype": "DT_INT64", "tensorShape": {"dim": [{"size": "2"}]},
                                                "int64Val": [str(EXACT), str(-EXACT)]}}},
    "meta": {"meta": {"puid": "p", "tags": {"t": [1.5, None, "x"]}, "requestPath": {"n": "i:1"},
                      "metrics": [{"key": "k", "type": "GAUGE", "value": 0.5, "tags": {"a": "b"}}]}, "strData": "x"},
    "status": {"status": {"code": 7, "info": "i", "reason": "r", "status": "FAILURE"}, "strData": "x"},
    "nothing": {},
}  # fmt: skip
KINDS = ("grpcio", "http.server", "two of each")


def echo(method: str, content: Any, headers: Mapping[str, str]) -> Any:
    return content


@pytest.fixture(scope="module", params=KINDS)
def served(request: pytest.FixtureRequest) -> Iterator[serving.Served]:
    """A chain of nodes that are not ours and answer what they get, byte for byte."""
    with contextlib.ExitStack() as stack:
        grpc_url = stack.enter_context(foreign.grpc_node(echo))
        http_url = stack.enter_context(foreign.http_node(echo))
        urls = {"grpcio": [grpc_url], "http.server": [http_url]}.get(request.param) or [
            grpc_url, http_url, http_url, grpc_url
        ]  # fmt: skip
        root: dict[str, Any] = {}
        for index in reversed(range(len(urls))):
            root = node(f"n{index}", "model", *([root] if root else []))
        yield stack.enter_context(serving.graph(root, endpoints={f"n{i}": url for i, url in enumerate(urls)}))


@CLIENTS
@pytest.mark.parametrize("name", PAYLOADS)
def test_payload_comes_back_as_it_was(served: serving.Served, client: str, name: str) -> None:
    asked: Client = getattr(served, client)
    assert asked.predict(PAYLOADS[name]).said == PAYLOADS[name]


def test_any_message_passes_between_grpc_clients_and_nodes() -> None:
    with foreign.grpc_node(echo) as url, serving.graph(node("m", "model"), endpoints={"m": url}) as served:
        sent = {"customData": {"@type": "type.googleapis.com/seldon.protos.Status", "code": 3}}
        assert served.grpc.predict(sent).said == sent


def test_text_of_a_rest_request_reaches_a_rest_node_untouched() -> None:
    texts: list[bytes] = []

    def answer(method: str, content: Any, headers: Mapping[str, str]) -> Any:
        return 200, b' {"b" : 1.50, "strData":"\xc3\xa4", "a":12345678901234567890 }\n'

    with foreign.http_node(answer) as url, serving.graph(node("m", "model"), endpoints={"m": url}) as served:
        status, _, body = served.rest.ask("POST", "/api/v1.0/predictions", b'{"strData":"x"}')
        texts.append(body)
    assert status == 200
    assert texts == [b' {"b" : 1.50, "strData":"\xc3\xa4", "a":12345678901234567890 }\n']


OURS = ("process", "grpc", "rest")


@pytest.fixture(scope="module", params=OURS)
def echoing(request: pytest.FixtureRequest) -> Iterator[serving.Served]:
    """A component that answers what it gets, hosted by us."""
    with contextlib.ExitStack() as stack:
        root = node("t", "transformer", node("m", "model"))
        if request.param == "process":
            yield stack.enter_context(serving.graph(root, {"t": "Echo", "m": "Echo"}))
            return
        each = stack.enter_context(serving.component("Echo"))
        url = f"grpc://{each.target}" if request.param == "grpc" else f"http://127.0.0.1:{each.port}"
        yield stack.enter_context(serving.graph(root, endpoints={"t": url, "m": url}))


@CLIENTS
@pytest.mark.parametrize("name", sorted(PAYLOADS.keys() - {"mixed ndarray", "status", "nothing"}))
def test_component_answers_in_the_kind_that_it_was_asked_in(echoing: serving.Served, client: str, name: str) -> None:
    asked: Client = getattr(echoing, client)
    said = asked.predict(PAYLOADS[name]).said
    sent = PAYLOADS[name]
    assert said.keys() == sent.keys()
    if "data" in sent:
        (kind,) = sent["data"].keys() - {"names"}
        assert _numbers(said["data"][kind]) == _numbers(sent["data"][kind])
    else:
        assert said == sent


def _numbers(said: Any) -> Any:
    """The numbers of an array, in whichever field of a tftensor they are; odd ones with or without quotes."""
    if isinstance(said, dict) and "values" in said:
        return said["shape"], [str(float(value)) for value in said["values"]]
    if not isinstance(said, dict) or "dtype" not in said:
        return said
    from executor._native import message, seldon_json

    text = json.dumps({"data": {"tftensor": said}}).encode()
    array = seldon_json.open(message.Message(text, 1)).array()
    return said["dtype"], array.shape, array.tolist()


def test_large_payload(echoing: serving.Served) -> None:
    values = [index / 7 for index in range(200_000)]
    message = seldon_pb2.SeldonMessage(
        data=seldon_pb2.DefaultData(tensor=seldon_pb2.Tensor(shape=[2, 100_000], values=values))
    )
    answer = seldon_pb2.SeldonMessage.FromString(raw_predict(echoing, message.SerializeToString()))
    assert list(answer.data.tensor.shape) == [2, 100_000]
    assert list(answer.data.tensor.values) == values


# --- what an encoding cannot hold -----------------------------------------------------------------------------


def _nan() -> bytes:
    message = seldon_pb2.SeldonMessage()
    row = message.data.ndarray.values.add().list_value.values
    row.add().number_value = 1.0
    row.add().number_value = float("nan")
    data: bytes = message.SerializeToString()
    return data


def raw_predict(served: serving.Served, data: bytes) -> bytes:
    """The answer's bytes to a request's."""
    call = served.grpc.channel.unary_unary("/seldon.protos.Seldon/Predict")
    answer: bytes = call(data, timeout=20.0)
    return answer


def test_nan_in_an_ndarray_cannot_become_json() -> None:
    with foreign.http_node(echo) as url, serving.graph(node("m", "model"), endpoints={"m": url}) as served:
        with pytest.raises(grpc.RpcError) as caught:
            raw_predict(served, _nan())
        error: Any = caught.value
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "'m'" in error.details()
        assert "NaN" in error.details()


@pytest.mark.parametrize("kind", OURS)
def test_nan_of_a_component_comes_over_rest(kind: str) -> None:
    with contextlib.ExitStack() as stack:
        if kind == "process":
            served = stack.enter_context(serving.graph(node("m", "model"), {"m": "NotANumber"}))
        else:
            each = stack.enter_context(serving.component("NotANumber"))
            url = f"grpc://{each.target}" if kind == "grpc" else f"http://127.0.0.1:{each.port}"
            served = stack.enter_context(serving.graph(node("m", "model"), endpoints={"m": url}))
        # Over gRPC it comes as protobuf, whose JSON has no NaN but as text in a tensor.
        answer = served.rest.predict({"data": {"tensor": {"shape": [1], "values": [1.0]}}}).said
        assert str(answer["data"]["tensor"]["values"]) == ("['NaN']" if kind == "grpc" else "[nan]")
        if kind == "grpc":
            with pytest.raises(Refused, match="NaN") as caught:
                served.rest.predict({"data": {"ndarray": [[1.0]]}})
            assert caught.value.status == 500
        else:
            answer = served.rest.predict({"data": {"ndarray": [[1.0]]}}).said
            assert str(answer["data"]["ndarray"]) == "[nan]"


def test_int64_of_a_component_is_exact() -> None:
    """A Python integer in jsonData and ndarray is a double on the wire; in a tftensor it is what it is."""
    sent = json_format.ParseDict(PAYLOADS["tftensor of int64"], seldon_pb2.SeldonMessage())
    with serving.graph(node("m", "model"), {"m": "Echo"}) as served:
        answer = seldon_pb2.SeldonMessage.FromString(raw_predict(served, sent.SerializeToString()))
        said = served.rest.predict(PAYLOADS["tftensor of int64"]).said
    assert _numbers(json_format.MessageToDict(answer)["data"]["tftensor"]) == ("DT_INT64", (2,), [EXACT, -EXACT])
    assert _numbers(said["data"]["tftensor"]) == ("DT_INT64", (2,), [EXACT, -EXACT])
