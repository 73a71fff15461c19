"""Classes with every method of Seldon's wrapper, each odd in one way."""

from typing import Any

from seldon_core.flask_utils import SeldonMicroserviceException  # type: ignore[import-not-found,unused-ignore]
from seldon_core.user_model import SeldonNotImplementedError, SeldonResponse  # type: ignore[import-not-found,unused-ignore]

METHODS = ("predict", "transform_input", "transform_output", "route", "aggregate", "send_feedback")


class Plain:
    """Answers the first array that it gets; a route is 1."""

    def answer(self, data: Any) -> Any:
        return data

    def predict(self, X: Any, names: Any, meta: Any = None) -> Any:
        return self.answer(X)

    transform_input = transform_output = predict

    def route(self, X: Any, names: Any, meta: Any = None) -> Any:
        self.answer(X)
        return 1

    def aggregate(self, features: Any, names: Any) -> Any:
        return self.answer(features[0])

    def send_feedback(self, features: Any, names: Any, reward: Any, truth: Any, routing: Any = None) -> Any:
        return self.answer(features)


class Tagged(Plain):
    """Adds tags, metrics and names."""

    def tags(self) -> Any:
        return {"own": 1, "both": "own"}

    def metrics(self) -> Any:
        return [{"key": "k", "type": "GAUGE", "value": 2}]

    def class_names(self) -> Any:
        return ["x", "y"]


class Runtime(Tagged):
    """Says tags and metrics with the answer."""

    def answer(self, data: Any) -> Any:
        metrics = [{"key": "late", "type": "TIMER", "value": 3}]
        return SeldonResponse(data=data, tags={"both": "late"}, metrics=metrics)


class BadMetrics(Plain):
    """Has a metric without a type."""

    def metrics(self) -> Any:
        return [{"key": "k", "value": 1}]


class Refuses(Plain):
    """Says no, with a status."""

    def answer(self, data: Any) -> Any:
        raise SeldonMicroserviceException("not today", status_code=402, reason="CLOSED")


class Fails(Plain):
    """Breaks."""

    def answer(self, data: Any) -> Any:
        raise ValueError("broken")


class Raw(Plain):
    """Takes whole messages, and says of which type they came."""


class Shy(Plain):
    """Has raw methods that are not there."""


class Nothing:
    """Has no method at all."""

    def load(self) -> None:
        """Nothing."""


def _raw(self: Any, message: Any) -> Any:
    return {"strData": type(message).__name__}


def _shy(self: Any, message: Any) -> Any:
    raise SeldonNotImplementedError("not there")


for _name in METHODS:
    setattr(Raw, f"{_name}_raw", _raw)
    setattr(Shy, f"{_name}_raw", _shy)
