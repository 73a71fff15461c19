"""`construct_response` and its JSON form make the answers that Seldon's package makes of the same arguments."""

from typing import Any

import numpy
import pytest

from executor.component.seldon_core import utils
from executor.component.seldon_core.metrics import create_counter

NDARRAY = {"data": {"names": ["a", "b"], "ndarray": [[1, 2]]}, "meta": {"puid": "q"}}
TENSOR = {"data": {"names": ["a", "b"], "tensor": {"shape": [1, 2], "values": [1, 2]}}}
META = {"puid": "p", "tags": {"in": 1, "own": 0}, "requestPath": {"x": "y:1"}, "routing": {"a": 1}}
PATH = {"requestPath": {"n": "i:1"}}


class Bare:
    """Has nothing of its own."""


class Own:
    """Has all that an answer takes."""

    def tags(self) -> dict[str, Any]:
        return {"own": 1}

    def class_names(self) -> list[str]:
        return ["c"]

    def feature_names(self) -> list[str]:
        return ["f"]

    def metrics(self) -> list[dict[str, Any]]:
        return [create_counter("unasked", 1)]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREDICTIVE_UNIT_ID", "n")
    monkeypatch.setenv("PREDICTIVE_UNIT_IMAGE", "i:1")


@pytest.mark.parametrize("proto", [False, True])
@pytest.mark.parametrize(
    ("model", "is_request", "request_", "result", "more", "wanted"),
    [
        (Bare(), False, NDARRAY, numpy.array([[1.5, 2.0]]), {},
         {"data": {"names": ["t:0", "t:1"], "ndarray": [[1.5, 2.0]]}, "meta": {"puid": "q", **PATH}}),
        (Bare(), True, TENSOR, [[1, 2]], {},
         {"data": {"names": ["a", "b"], "tensor": {"shape": [1, 2], "values": [1, 2]}}, "meta": PATH}),
        (Bare(), True, {"strData": "x"}, "s", {}, {"strData": "s", "meta": PATH}),
        (Own(), False, TENSOR, b"b", {}, {"binData": "Yg==", "meta": {"tags": {"own": 1}, **PATH}}),
        (Own(), True, NDARRAY, [[1]], {"meta": META},
         {"data": {"names": ["f"], "ndarray": [[1]]},
          "meta": {"puid": "q", "tags": {"in": 1, "own": 1}, "requestPath": {"n": "i:1", "x": "y:1"}}}),
        (Own(), False, NDARRAY, [[1]], {"runtime_tags": {"own": "now"}, "custom_metrics": [create_counter("k", 1)]},
         {"data": {"names": ["c"], "ndarray": [[1]]},
          "meta": {"puid": "q", "tags": {"own": "now"}, "metrics": [create_counter("k", 1)], **PATH}}),
        (Own(), False, {"strData": "x"}, {"d": 1}, {}, {"jsonData": {"d": 1}, "meta": {"tags": {"own": 1}, **PATH}}),
    ],
)  # fmt: skip
def test_as_seldons(
    proto: bool, model: Any, is_request: bool, request_: Any, result: Any, more: dict[str, Any], wanted: Any
) -> None:
    if proto:
        made = utils.construct_response(model, is_request, utils.json_to_seldon_message(request_), result, **more)
        said = utils.seldon_message_to_json(made)
        for metric in said["meta"].get("metrics", ()):
            metric.setdefault("type", "COUNTER")
    else:
        said = utils.construct_response_json(model, is_request, request_, result, **more)
    assert said == wanted
