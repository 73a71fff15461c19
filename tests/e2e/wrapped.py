"""Classes written for Seldon's Python wrapper, with its own imports; `millrace` loads this file by its path."""

from collections.abc import Iterable
from typing import Any

import numpy
from flask import Blueprint, jsonify  # type: ignore[import-not-found,unused-ignore]
from seldon_core.flask_utils import SeldonMicroserviceException  # type: ignore[import-not-found,unused-ignore]
from seldon_core.metrics import create_counter, create_gauge, create_timer  # type: ignore[import-not-found,unused-ignore]
from seldon_core.proto import prediction_pb2  # type: ignore[import-not-found,unused-ignore]
from seldon_core.user_model import (  # type: ignore[import-not-found,unused-ignore]
    SeldonComponent,
    SeldonNotImplementedError,
    SeldonResponse,
)


class Empty(SeldonComponent):  # type: ignore[misc,unused-ignore]
    """Has nothing of its own."""


class Model(SeldonComponent):  # type: ignore[misc,unused-ignore]
    """Doubles, and says all that there is to say."""

    def __init__(self, rate: float = 2.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = rate
        self.loaded = False

    def load(self) -> None:
        self.loaded = True

    def predict(self, X: Any, names: Iterable[str], meta: dict[str, Any] | None = None) -> Any:
        assert self.loaded
        return SeldonResponse(X * self.rate, tags={"runtime": 1, "both": "runtime"}, metrics=[create_counter("r", 1)])

    def tags(self) -> dict[str, Any]:
        return {"own": True, "both": "own"}

    def metrics(self) -> list[dict[str, Any]]:
        return [create_counter("c", 1), create_gauge("g", 2.5), create_timer("t", 20.5)]

    def class_names(self) -> list[str]:
        return ["x", "y"]

    def send_feedback(self, features: Any, names: Any, reward: float, truth: Any, routing: Any = None) -> Any:
        return {"features": features.tolist(), "reward": reward, "truth": truth.tolist(), "routing": routing}

    def health_status(self) -> str:
        return "fine"

    def init_metadata(self) -> dict[str, Any]:
        shape = {"messagetype": "tensor", "schema": {"names": ["a", "b"], "shape": [2]}}
        return {"name": "model", "versions": ["v1"], "platform": "tests", "inputs": [shape], "custom": {"k": "v"}}


class Transformer:
    """In and out, without the optional argument."""

    def transform_input(self, X: Any, names: Any) -> Any:
        return X + 1

    def transform_output(self, X: Any, names: Any, meta: Any) -> Any:
        if meta is not None:  # over REST it may be
            meta.setdefault("tags", {})["seen"] = sorted(meta)
        return X - 1


class Router:
    """Routes to what it was made with."""

    def __init__(self, route: int = 1) -> None:
        self._route = route

    def route(self, features: Any, names: Any) -> Any:
        return self._route if self._route >= 0 else str(self._route)

    def tags(self) -> dict[str, Any]:
        return {"router": 1}


class Combiner:
    """The sum of all."""

    def aggregate(self, features_list: Any, names_list: Any) -> Any:
        return sum(features_list)


class Raw:
    """Whole messages: a dict over REST, protobuf over gRPC; and none at all for the rest."""

    def predict_raw(self, msg: Any) -> Any:
        if isinstance(msg, dict):
            return {"strData": "dict", "meta": msg.get("meta", {})}
        return prediction_pb2.SeldonMessage(strData=type(msg).__name__, meta=msg.meta)

    def transform_input_raw(self, msg: Any) -> Any:
        raise SeldonNotImplementedError("no")

    def transform_input(self, X: Any, names: Any) -> Any:
        return "plain"

    def send_feedback_raw(self, feedback: Any) -> Any:
        return prediction_pb2.SeldonMessage(strData=f"{type(feedback).__name__} {feedback.reward:g}")

    def aggregate_raw(self, msgs: Any) -> Any:
        if isinstance(msgs, list | dict):
            return {"strData": type(msgs).__name__}
        return prediction_pb2.SeldonMessage(strData=type(msgs).__name__)


class Deprecated:
    """The forms that go before all others."""

    def predict_rest(self, request: Any) -> Any:
        return {"strData": "predict_rest"}

    def predict_grpc(self, request: Any) -> Any:
        return prediction_pb2.SeldonMessage(strData="predict_grpc")

    def predict_raw(self, msg: Any) -> Any:
        raise AssertionError("not asked")

    def transform_input_rest(self, request: Any) -> Any:
        return {"strData": type(request).__name__}

    def transform_input_grpc(self, request: Any) -> Any:
        raise AssertionError("not asked")

    def route_grpc(self, request: Any) -> Any:
        return {"data": {"ndarray": [[4]]}}


class OwnError(Exception):
    """What the class's own handler words."""


class Faulty:
    """Goes wrong in the way that the text says."""

    model_error_handler = Blueprint("error_handlers", __name__)

    @staticmethod
    @model_error_handler.app_errorhandler(OwnError)  # type: ignore[untyped-decorator,unused-ignore]
    def word(error: OwnError) -> Any:
        answer = jsonify({"own": str(error)})
        answer.status_code = 418
        return answer

    def __init__(self) -> None:
        self._metrics: Any = []

    def predict(self, X: Any, names: Any) -> Any:
        results: dict[str, Any] = {"none": None, "int": 5, "tuple": (1, 2), "object": {"a": object()}}
        self._metrics = {"badmetric": [{"key": "c", "type": "X", "value": 1}]}.get(X, [])
        if X == "seldon":
            raise SeldonMicroserviceException("of choice", status_code=402, reason="CHOSEN")
        if X == "own":
            raise OwnError("mine")
        if X == "value":
            raise ValueError("boom")
        if X == "type":
            raise TypeError("inside, not of the call")
        return results.get(X, "fine")

    def metrics(self) -> Any:
        return self._metrics

    def init_metadata(self) -> Any:
        return {"versions": "no list"}

    def health_status(self) -> Any:
        raise ValueError("ill")


class Kinds:
    """Answers what the text says."""

    def predict(self, X: Any, names: Any) -> Any:
        return {
            "list": [[1, 2]],
            "flat": [1.5, 2.5],
            "str": "text",
            "bytes": b"hello",
            "dict": {"a": [1, None]},
            "texts": ["a", "b"],
            "mixed": [["a", 1]],
            "ints": numpy.array([[1, 2]]),
            "float32": numpy.array([[1.5]], dtype="float32"),
            "bool": numpy.array([[True]]),
            "empty": [],
        }[X]


class InPlace:
    """Changes what it is given."""

    def predict(self, X: Any, names: Any) -> Any:
        X[0, 0] = 99
        return X
