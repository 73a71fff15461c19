"""What clients of a class written for Seldon's wrapper see: each case over REST and gRPC, against a real server."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from support import serving
from support.clients import Refused
from support.serving import Served
from support.wrapping import Ask, Serve, asking, rest, rpc, serving_of

from executor import app, manifest
from executor._pb import reflection_v1_pb2, reflection_v1_pb2_grpc
from executor.settings import RunSettings

WRAPPED = Path(__file__).parent / "wrapped.py"
ROWS = {"data": {"names": ["a", "b"], "ndarray": [[1.0, 2.0]]}}
TENSOR = {"data": {"tensor": {"shape": [1, 2], "values": [1.0, 2.0]}}}
META = {"puid": "p", "tags": {"in": 1, "both": "in"}, "routing": {"r": 1}, "requestPath": {"before": "image:1"}}


@pytest.fixture
def serve() -> Iterator[Serve]:
    with serving_of(WRAPPED) as serve:
        yield serve


@pytest.fixture(params=["rest", "grpc"])
def ask(request: pytest.FixtureRequest, serve: Serve) -> Ask:
    return asking(request.param, serve)


@pytest.mark.parametrize("path", ["/predict", "/api/v1.0/predictions", "/api/v0.1/predictions"])
def test_a_model_with_all_that_there_is(ask: Ask, path: str) -> None:
    said = ask("Model", path, {**ROWS, "meta": META}, rate=3.0)
    assert said["data"] == {"names": ["x", "y"], "ndarray": [[3.0, 6.0]]}
    metrics = said["meta"].pop("metrics")
    assert [(each["key"], each["type"], each["value"]) for each in metrics] == [
        ("c", "COUNTER", 1), ("g", "GAUGE", 2.5), ("t", "TIMER", 20.5), ("r", "COUNTER", 1),
    ]  # fmt: skip
    assert said["meta"] == {
        "puid": "p",
        "tags": {"in": 1, "own": True, "runtime": 1, "both": "runtime"},
        "requestPath": {"before": "image:1", "n": "image:2"},
    }


def test_transformers(ask: Ask) -> None:
    said = ask("Transformer", "/transform-input", {**ROWS, "meta": META})
    assert said["data"] == {"names": ["t:0", "t:1"], "ndarray": [[2.0, 3.0]]}
    assert said["meta"]["tags"] == {"in": 1, "both": "in"}
    said = ask("Transformer", "/transform-output", {**TENSOR, "meta": {}})
    assert said["data"] == {"names": ["t:0", "t:1"], "tensor": {"shape": [1, 2], "values": [0.0, 1.0]}}
    assert said["meta"]["tags"] == {"seen": []}


@pytest.mark.parametrize("path", ["/transform-input", "/transform-output"])
@pytest.mark.parametrize("payload", [{"strData": "x"}, {"binData": "aGk="}, {"jsonData": {"a": [1]}}, ROWS, TENSOR])
def test_transforms_that_are_not_there_change_nothing(ask: Ask, path: str, payload: Any) -> None:
    said = ask("Empty", path, {**payload, "meta": {"puid": "p"}})
    (kind,) = payload
    said.get("data", {}).pop("names", None)
    wanted = {key: value for key, value in payload[kind].items() if key != "names"} if kind == "data" else payload[kind]
    assert said[kind] == wanted
    assert said["meta"] == {"puid": "p", "requestPath": {"n": "image:2"}}


@pytest.mark.parametrize(
    ("payload", "wanted"),
    [
        (ROWS, {"names": ["t:0"], "ndarray": [[1]]}),
        (TENSOR, {"names": ["t:0"], "tensor": {"shape": [1, 1], "values": [1]}}),
        ({"strData": "x"}, {"names": ["t:0"], "tensor": {"shape": [1, 1], "values": [1]}}),
    ],
)
def test_a_route_starts_from_empty_meta_but_for_the_puid(ask: Ask, payload: Any, wanted: Any) -> None:
    said = ask("Router", "/route", {**payload, "meta": META})
    assert said["data"] == wanted
    assert said["meta"] == {"puid": "p", "tags": {"router": 1}, "requestPath": {"n": "image:2"}}


def test_a_combiner_merges_the_meta_of_all(ask: Ask) -> None:
    second = {"puid": "q", "tags": {"in": 2, "z": 1}, "requestPath": {"other": "image:3"}}
    said = ask("Combiner", "/aggregate", [{**ROWS, "meta": META}, {**ROWS, "meta": second}])
    assert said["data"] == {"names": ["t:0", "t:1"], "ndarray": [[2.0, 4.0]]}
    assert said["meta"] == {
        "puid": "p",
        "tags": {"in": 2, "both": "in", "z": 1},
        "requestPath": {"before": "image:1", "other": "image:3", "n": "image:2"},
    }


def test_feedback(ask: Ask) -> None:
    given = {
        "request": {**ROWS, "meta": {"puid": "p"}},
        "response": {"meta": {"routing": {"n": 1, "m": 0}}},
        "reward": 0.5,
        "truth": {"data": {"ndarray": [[7.0]]}},
    }
    for path in ("/send-feedback", "/api/v1.0/feedback"):
        said = ask("Model", path, given)
        assert said["jsonData"] == {"features": [[1.0, 2.0]], "reward": 0.5, "truth": [[7.0]], "routing": 1}
        assert (said["meta"]["puid"], said["meta"]["tags"]["own"]) == ("p", True)
    said = ask("Empty", "/send-feedback", given)
    assert said["data"]["ndarray"] == []
    assert said["meta"] == {"puid": "p", "requestPath": {"n": "image:2"}}


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("list", {"data": {"names": ["t:0", "t:1"], "tensor": {"shape": [1, 2], "values": [1, 2]}}}),
        ("flat", {"data": {"tensor": {"shape": [2], "values": [1.5, 2.5]}}}),
        ("ints", {"data": {"names": ["t:0", "t:1"], "tensor": {"shape": [1, 2], "values": [1, 2]}}}),
        ("float32", {"data": {"names": ["t:0"], "tensor": {"shape": [1, 1], "values": [1.5]}}}),
        ("empty", {"data": {"tensor": {"shape": [0], "values": []}}}),
        ("texts", {"data": {"ndarray": ["a", "b"]}}),
        ("bool", {"data": {"names": ["t:0"], "ndarray": [[True]]}}),
        ("str", {"strData": "text"}),
        ("bytes", {"binData": "aGVsbG8="}),
        ("dict", {"jsonData": {"a": [1, None]}}),
    ],
)
def test_results_of_every_kind(ask: Ask, asked: str, wanted: Any) -> None:
    said = ask("Kinds", "/predict", {"strData": asked})
    del said["meta"]
    for each in (said, wanted):
        each.get("data", {}).setdefault("names", [])
        each["data"].get("tensor", {}).setdefault("values", []) if "data" in each else None
    assert said == wanted


def test_a_list_beside_text_keeps_its_numbers_in_json_alone(serve: Serve) -> None:
    served = serve("Kinds")
    assert rest(served.port, "/predict", {"strData": "mixed"})[1]["data"]["ndarray"] == [["a", 1]]
    assert rpc(served.grpc, "Model", "Predict", {"strData": "mixed"})["data"]["ndarray"] == [["a", "1"]]
    assert rest(served.port, "/predict", {"strData": "flat"})[1]["data"]["names"] == []


def test_in_place_changes_arrive(ask: Ask) -> None:
    assert ask("InPlace", "/predict", TENSOR)["data"]["tensor"]["values"] == [99.0, 2.0]
    assert ask("InPlace", "/predict", ROWS)["data"]["ndarray"] == [[99.0, 2.0]]


def test_raw_methods(serve: Serve) -> None:
    served = serve("Raw")
    asked = {**ROWS, "meta": {"puid": "p"}}
    feedback = {"request": ROWS, "reward": 2.0}
    assert rest(served.port, "/predict", asked) == (200, {"strData": "dict", "meta": {"puid": "p"}})
    assert rpc(served.grpc, "Model", "Predict", asked) == {"strData": "SeldonMessage", "meta": {"puid": "p"}}
    assert rest(served.port, "/send-feedback", feedback) == (200, {"strData": "Feedback 2"})
    assert rpc(served.grpc, "Seldon", "SendFeedback", feedback) == {"strData": "Feedback 2"}
    assert rest(served.port, "/aggregate", [ROWS])[1] == {"strData": "list"}
    assert rest(served.port, "/aggregate", {"seldonMessages": [ROWS]})[1] == {"strData": "dict"}
    assert rpc(served.grpc, "Combiner", "Aggregate", {"seldonMessages": [ROWS]})["strData"] == "SeldonMessageList"
    assert rest(served.port, "/transform-input", ROWS)[1]["strData"] == "plain"
    assert rpc(served.grpc, "Generic", "TransformInput", ROWS)["strData"] == "plain"


def test_deprecated_methods_go_first(serve: Serve) -> None:
    served = serve("Deprecated")
    assert rest(served.port, "/predict", ROWS)[1] == {"strData": "predict_rest"}
    assert rpc(served.grpc, "Model", "Predict", ROWS) == {"strData": "predict_grpc"}
    assert rest(served.port, "/transform-input", ROWS)[1] == {"strData": "dict"}
    assert rpc(served.grpc, "Transformer", "TransformInput", ROWS) == {"strData": "SeldonMessage"}
    assert rest(served.port, "/route", ROWS)[1] == {"data": {"ndarray": [[4]]}}
    assert rpc(served.grpc, "Router", "Route", ROWS)["data"]["ndarray"] == [[4]]


def status_of(body: Any) -> tuple[Any, ...]:
    return tuple(body["status"][key] for key in ("code", "reason", "status"))


@pytest.mark.parametrize(
    ("asked", "http_status", "reason", "words"),
    [
        ("value", 500, "MICROSERVICE_INTERNAL_ERROR", "boom"),
        ("type", 500, "MICROSERVICE_INTERNAL_ERROR", "inside, not of the call"),
        ("seldon", 402, "CHOSEN", "of choice"),
        ("badmetric", 500, "MICROSERVICE_BAD_METRIC", "COUNTER, GAUGE, TIMER"),
        ("none", 400, "MICROSERVICE_BAD_DATA", "predict answered NoneType"),
        ("int", 400, "MICROSERVICE_BAD_DATA", "predict answered int"),
        ("tuple", 400, "MICROSERVICE_BAD_DATA", "predict answered tuple"),
        ("object", 500, "MICROSERVICE_INTERNAL_ERROR", "predict answered dict"),
    ],
)
def test_what_goes_wrong_is_worded(
    serve: Serve,
    caplog: pytest.LogCaptureFixture,
    asked: str,
    http_status: int,
    reason: str,
    words: str,
) -> None:
    served = serve("Faulty")
    status, body = rest(served.port, "/predict", {"strData": asked})
    assert (status, status_of(body)) == (http_status, (-1, reason, 1))
    assert words in body["status"]["info"]
    with pytest.raises(Refused, match=words):
        rpc(served.grpc, "Model", "Predict", {"strData": asked})
    if words.startswith("predict answered"):
        (told, _) = [each for each in caplog.records if each.levelno == logging.ERROR]
        assert f"node 'n': {words}" in told.getMessage()


def test_a_class_may_word_its_errors_itself(serve: Serve) -> None:
    assert rest(serve("Faulty").port, "/predict", {"strData": "own"}) == (418, {"own": "mine"})


@pytest.mark.parametrize(
    ("path", "said", "http_status", "reason"),
    [
        ("/route", ROWS, 400, "MICROSERVICE_BAD_DATA"),
        ("/aggregate", [ROWS], 400, "MICROSERVICE_BAD_DATA"),
        ("/predict", {}, 400, "MICROSERVICE_BAD_DATA"),
        ("/predict", {"meta": {}}, 400, "MICROSERVICE_BAD_DATA"),
        ("/predict", "no json", 400, "MICROSERVICE_BAD_DATA"),
        ("/metadata", None, 500, "MICROSERVICE_BAD_METADATA"),
        ("/health/status", None, 500, "MICROSERVICE_INTERNAL_ERROR"),
        ("/nowhere", None, 500, "MICROSERVICE_INTERNAL_ERROR"),
        ("/api/v1.0/predictions", None, 500, "MICROSERVICE_INTERNAL_ERROR"),
    ],
)
def test_rows_of_the_error_table(serve: Serve, path: str, said: Any, http_status: int, reason: str) -> None:
    status, body = rest(serve("Faulty").port, path, said)
    assert (status, status_of(body)) == (http_status, (-1, reason, 1))


def test_a_route_must_be_an_int(serve: Serve) -> None:
    status, body = rest(serve("Router", route=-1).port, "/route", ROWS)
    assert (status, body["status"]["reason"]) == (400, "MICROSERVICE_BAD_DATA")
    assert "Routing response must be int but got" in body["status"]["info"]


def test_health_and_metadata(serve: Serve) -> None:
    served = serve("Model")
    for path in ("/health/status", "/api/v1.0/health/status"):
        status, said = rest(served.port, path)
        assert (status, said["strData"], said["meta"]["requestPath"]) == (200, "fine", {"n": "image:2"})
        assert said["meta"]["tags"] == {"own": True, "both": "own"}
    assert rest(served.port, "/health/ping") == (200, "pong")
    schema = {"messagetype": "tensor", "schema": {"names": ["a", "b"], "shape": [2]}}
    wanted = {"name": "model", "versions": ["v1"], "platform": "tests", "inputs": [schema], "custom": {"k": "v"}}
    for path in ("/metadata", "/api/v1.0/metadata"):
        assert rest(served.port, path) == (200, {**wanted, "outputs": []})
    assert served.grpc.model_metadata("") == wanted
    assert rest(serve("Empty").port, "/health/status")[1]["strData"] == "not implemented - assuming healthy"
    assert rest(served.port, "/metadata", verb="OPTIONS")[0] == 200


def test_all_services_are_served_and_reflected(serve: Serve) -> None:
    served = serve("Model")
    asked = reflection_v1_pb2.ServerReflectionRequest(list_services="")
    stub = reflection_v1_pb2_grpc.ServerReflectionStub(served.grpc.channel)
    (answer,) = stub.ServerReflectionInfo(iter([asked]), timeout=20)
    names = {each.name for each in answer.list_services_response.service}
    kinds = ("Seldon", "Model", "Transformer", "OutputTransformer", "Router", "Combiner", "Generic")
    assert {f"seldon.protos.{kind}" for kind in kinds} <= names
    assert rpc(served.grpc, "Generic", "TransformOutput", ROWS)["data"]["ndarray"] == ROWS["data"]["ndarray"]
    assert rpc(served.grpc, "Generic", "SendFeedback", {"request": ROWS, "reward": 1.0})["jsonData"]["reward"] == 1
    for name, given in (("Route", ROWS), ("Aggregate", {"seldonMessages": [ROWS]})):
        with pytest.raises(Refused, match="is not implemented"):
            rpc(served.grpc, "Generic", name, given)
    with pytest.raises(grpc.RpcError) as caught:
        served.grpc.stub.GraphMetadata(empty_pb2.Empty(), timeout=20)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_graph_of_such_classes_in_one_process(serve: Serve) -> None:
    root = serving.node("t", "transformer", serving.node("m", "model", rate=10.0))
    settings_of = {name: f"{WRAPPED}:{kind}" for name, kind in (("t", "Transformer"), ("m", "Model"))}
    settings = RunSettings("graph", components=settings_of, listen=serving.LISTEN)
    selected = manifest.load(serving.deployment(root), reached=[*settings_of])
    with Served(lambda process: app.graph(process, settings, selected)) as served:
        for client in (served.grpc, served.rest):
            said = client.predict(ROWS).said
            assert said["data"] == {"names": ["x", "y"], "ndarray": [[20.0, 30.0]]}
            assert said["meta"]["tags"]["own"] is True
