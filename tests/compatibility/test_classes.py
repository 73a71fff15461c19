"""Classes as teams have them, with the real pandas and Flask: what clients see over REST and over gRPC."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import flask
import pandas
import pytest
from support.clients import Refused
from support.serving import Served
from support.wrapping import rest, rpc, serving_of

X = {"strData": "x"}
ROWS = {"data": {"names": ["a", "b"], "ndarray": [[1, 2]]}}
TENSOR = {"data": {"tensor": {"shape": [1, 2], "values": [1, 2]}}}
BOTH = pytest.mark.parametrize("how", ["rest", "grpc"])
Node = Callable[..., Served]


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """A class being served; once for all tests."""
    with serving_of(Path(__file__).parent / "teams.py") as serve:
        made: dict[Any, Served] = {}

        def node(kind: str, **parameters: Any) -> Served:
            key = (kind, *parameters.items())
            made[key] = made.get(key) or serve(kind, **parameters)
            return made[key]

        yield node


def asked(
    served: Served, how: str, said: Any, path: str = "/predict", call: tuple[str, str] = ("Model", "Predict")
) -> Any:
    """The answer without meta, and without names that are empty."""
    if how == "grpc":
        answer = rpc(served.grpc, *call, said)
    else:
        status, answer = rest(served.port, path, said)
        assert status == 200, answer
    answer.pop("meta", None)
    if not answer.get("data", {"names": 1}).get("names"):
        answer["data"].pop("names", None)
    return answer


def test_the_packages_are_the_real_ones(node: Node) -> None:
    node("Frames")
    teams = next(module for name, module in sys.modules.items() if name.startswith("_millrace_teams"))
    assert teams.Blueprint is flask.Blueprint
    assert teams.pandas is pandas


@BOTH
@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("numbers", {"names": ["petal", "sepal"], "tensor": {"shape": [2, 2], "values": [1.5, 2.0, 3.0, 4.5]}}),
        ("texts", {"names": ["kind", "count"], "ndarray": [["rose", 1]]}),
        ("bare", {"names": ["0", "1"], "tensor": {"shape": [1, 2], "values": [1, 2]}}),
        ("column", {"tensor": {"shape": [2], "values": [1.5, 3.0]}}),
        ("values", {"names": ["t:0", "t:1"], "tensor": {"shape": [2, 2], "values": [1.5, 2.0, 3.0, 4.5]}}),
        ("records", {"ndarray": [{"petal": 1.5, "sepal": 2.0}, {"petal": 3.0, "sepal": 4.5}]}),
    ],
)
def test_data_frames(node: Node, how: str, said: str, wanted: Any) -> None:
    assert asked(node("Frames"), how, {"strData": said}) == {"data": wanted}


@BOTH
def test_a_data_frame_goes_as_it_was_asked_for(node: Node, how: str) -> None:
    wanted = {"names": ["petal", "sepal"], "ndarray": [[1.5, 2.0], [3.0, 4.5]]}
    assert asked(node("Frames"), how, ROWS) == {"data": wanted}
    assert asked(node("NamedFrames"), how, ROWS)["data"]["names"] == ["a", "b"]


def test_a_data_frame_as_a_dict_has_its_rows_numbers_as_text_in_json(node: Node) -> None:
    wanted = {"petal": {"0": 1.5, "1": 3.0}, "sepal": {"0": 2.0, "1": 4.5}}
    assert asked(node("Frames"), "rest", {"strData": "dict"}) == {"jsonData": wanted}


@BOTH
def test_a_number_alone(node: Node, how: str) -> None:
    scalar = asked(node("Scalars"), how, TENSOR)["data"]["tensor"]
    assert (scalar.get("shape", []), scalar["values"]) == ([], [5.5])
    assert asked(node("Scalars"), how, ROWS) == {"data": {"ndarray": [5.5]}}
    assert asked(node("Scalars"), how, {"strData": "x"}) == {"data": {"ndarray": ["x"]}}


def test_whole_numbers_in_json_stay_whole(node: Node) -> None:
    served = node("Seen")
    for said, dtype in ((TENSOR, "int64"), (ROWS, "int64"), ({"data": {"tensor": {"values": [1, 2.5]}}}, "float64")):
        assert asked(served, "rest", said)["jsonData"]["dtype"] == dtype
    assert asked(served, "grpc", TENSOR)["jsonData"]["dtype"] == "float64"
    kind = [("Content-Type", "application/json")]
    _, _, body = served.rest.ask("POST", "/transform-input", json.dumps(TENSOR).encode(), kind)
    assert b'"values":[1,2]' in body


def test_meta_of_a_request_without_any_is_none_over_rest_and_empty_over_grpc(node: Node) -> None:
    assert asked(node("Seen"), "rest", ROWS)["jsonData"]["meta"] is None
    assert asked(node("Seen"), "rest", {**ROWS, "meta": {}})["jsonData"]["meta"] == {}
    assert asked(node("Seen"), "grpc", ROWS)["jsonData"]["meta"] == {}


@BOTH
@pytest.mark.parametrize(
    ("part", "shape"),
    [(ROWS, [1, 2]), (TENSOR, [1, 2]), ({"strData": "x"}, [0]), ({"jsonData": {"a": 1}}, [0]), ({}, [0])],
)
def test_feedback_gives_arrays_and_nothing_else(node: Node, how: str, part: Any, shape: list[int]) -> None:
    said = {"request": part, "truth": part, "reward": 0.5, "response": {"meta": {"routing": {"n": 2}}}}
    names = part.get("data", {}).get("names", [])
    wanted = {"features": shape, "truth": shape, "names": names, "reward": 0.5, "routing": 2}
    assert asked(node("Seen"), how, said, "/send-feedback", ("Model", "SendFeedback")) == {"jsonData": wanted}


@BOTH
def test_a_truth_value_is_sent_as_a_route_as_it_is(node: Node, how: str) -> None:
    for said in (ROWS, TENSOR):
        told = asked(node("Undecided"), how, said, "/route", ("Router", "Route"))
        assert told == {"data": {"names": ["t:0"], "ndarray": [[True]]}}


@pytest.mark.parametrize("said", [{}, {"a": 1}, {"meta": {"puid": "p"}}])
def test_an_object_without_messages_cannot_be_combined(node: Node, said: Any) -> None:
    assert rest(node("Sum").port, "/aggregate", [ROWS, ROWS])[1]["data"]["ndarray"] == [[2, 4]]
    status, told = rest(node("Sum").port, "/aggregate", said)
    assert (status, told["status"]["reason"]) == (400, "MICROSERVICE_BAD_DATA")


def test_flasks_own_exceptions_are_like_others(node: Node) -> None:
    status, said = rest(node("Refuses").port, "/predict", {"strData": "x"})
    assert (status, said["status"]["code"], said["status"]["reason"]) == (500, -1, "MICROSERVICE_INTERNAL_ERROR")
    assert "403 Forbidden" in said["status"]["info"]
    assert rest(node("Refuses").port, "/predict", {"strData": "late"}) == (408, {"late": "by far"})


def test_a_class_may_read_flasks_request(node: Node) -> None:
    served, headers = node("Asks"), {"Content-Type": "application/json", "X-User": "me", "x-tag": "1"}
    status, said = rest(served.port, "/predict", {"strData": "x"}, headers)
    assert (status, said["jsonData"]) == (200, {"path": "/predict", "user": "me", "said": X, "verb": "POST"})
    for path in ("/transform-input", "/transform-output"):
        assert rest(served.port, path, X, headers)[1]["strData"] == "me"
    with pytest.raises(Refused, match="Working outside of request context"):
        rpc(served.grpc, "Model", "Predict", X)


def test_a_class_gets_its_model_and_makes_whole_answers_by_seldons_functions(node: Node, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights.json").write_text('{"rate": 2.5}')
    served = node("Fetched", model_uri=f"file://{tmp_path}/model", linked=str(tmp_path / "here"))
    status, said = rest(served.port, "/predict", {**ROWS, "meta": {"puid": "p", "tags": {"in": 1}}})
    assert (status, said["data"]) == (200, {"names": ["t:0", "t:1"], "ndarray": [[2.5, 5.0]]})
    assert said["meta"] == {
        "puid": "p",
        "tags": {"in": 1, "seldon": "1.18.2", "there": ["weights.json"]},
        "requestPath": {"n": "image:2"},
    }
    assert (tmp_path / "here" / "weights.json").is_symlink()


@BOTH
def test_a_truth_value_is_a_number_of_a_metric(node: Node, how: str) -> None:
    served = node("Gauges")
    said = rpc(served.grpc, "Model", "Predict", ROWS) if how == "grpc" else rest(served.port, "/predict", ROWS)[1]
    assert said["meta"]["metrics"] == [{"key": "drift", "type": "GAUGE", "value": 1}]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"strData": 1}', "strData: expected str, found int"),
        ('{"data": {"ndarray": 5}}', "ndarray: expected list, found int"),
        ('{"data": [[1, 2]]}', "expected an object"),
        ('{"data": {"ndarray": [[1, 2], [3]]}}', "ndarray: no array"),
        ('{"data": {"tensor": {"shape": [3], "values": [1, 2]}}}', "tensor: shape [3] needs 3 values"),
        ('{"data": {"names": "x", "ndarray": [[1]]}}', "data.names: expected list"),
        ('{"strData": "x", "jsonData": 1}', "a second payload"),
        ('{"strData": "x", "meta": {"tags": [1]}}', "meta.tags: expected dict"),
        ('{"binData": "!!"}', "is not base64"),
        ('{"customData": {"@type": "type.googleapis.com/google.protobuf.Value", "value": 1}}', "customData in JSON"),
        ('{"data": {"ndarray": [[Nan]]}}', "Expecting value"),
        ('{"data": {"ndarray": null}}', "the message has no data"),
    ],
)
def test_messages_that_are_not_as_protobufs_json_are_bad_data(node: Node, body: str, words: str) -> None:
    status, said = rest(node("Seen").port, "/predict", body.encode())
    assert (status, said["status"]["reason"]) == (400, "MICROSERVICE_BAD_DATA")
    assert words in said["status"]["info"]
