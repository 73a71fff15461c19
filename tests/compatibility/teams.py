"""Classes as teams have them for Seldon's wrapper: with pandas, Flask and what they import from `seldon_core`."""

import json
from pathlib import Path
from typing import Any

import numpy
import pandas  # type: ignore[import-untyped,unused-ignore]
import seldon_core  # type: ignore[import-not-found,unused-ignore]
from flask import Blueprint, abort, jsonify, request
from seldon_core import Storage
from seldon_core.metrics import create_gauge  # type: ignore[import-not-found,unused-ignore]
from seldon_core.user_model import SeldonComponent  # type: ignore[import-not-found,unused-ignore]
from seldon_core.utils import construct_response_json  # type: ignore[import-not-found,unused-ignore]

FRAME = pandas.DataFrame([[1.5, 2.0], [3.0, 4.5]], columns=["petal", "sepal"])


class Frames:
    """Answers what pandas makes."""

    def predict(self, X: Any, names: Any) -> Any:
        return {
            "numbers": FRAME,
            "texts": pandas.DataFrame([["rose", 1]], columns=["kind", "count"]),
            "bare": pandas.DataFrame([[1, 2]]),
            "column": FRAME["petal"],
            "values": FRAME.values,
            "records": FRAME.to_dict(orient="records"),
            "dict": FRAME.to_dict(),
        }[X if isinstance(X, str) else "numbers"]


class NamedFrames(Frames):
    """Names the columns itself."""

    def class_names(self) -> list[str]:
        return ["a", "b"]


class Scalars:
    """Answers a number alone, as `squeeze()` of one row makes it."""

    def predict(self, X: Any, names: Any) -> Any:
        return numpy.array([[5.5]]).squeeze() if not isinstance(X, str) else numpy.array(X)


class Seen:
    """Says what it is given."""

    def predict(self, X: Any, names: Any, meta: Any = None) -> Any:
        return {"type": type(X).__name__, "dtype": str(getattr(X, "dtype", "")), "meta": meta}

    def transform_input(self, X: Any, names: Any) -> Any:
        return X

    def send_feedback(self, features: Any, names: Any, reward: Any, truth: Any, routing: Any = None) -> Any:
        shapes = {"features": list(features.shape), "truth": list(truth.shape)}
        return {**shapes, "names": list(names), "reward": reward, "routing": routing}


class Undecided:
    """Routes to a truth value."""

    def route(self, features: Any, names: Any) -> Any:
        return True


class Sum:
    """The sum of all, of whom there is one at least."""

    def aggregate(self, features_list: Any, names_list: Any) -> Any:
        return features_list[0] + sum(features_list[1:])


class TooLate(Exception):
    """What the class's own handler words."""


class Refuses(SeldonComponent):  # type: ignore[misc,unused-ignore]
    """Aborts as Flask has it, and words one exception itself."""

    model_error_handler = Blueprint("errors", __name__)

    @staticmethod
    @model_error_handler.app_errorhandler(TooLate)
    def late(error: TooLate) -> Any:
        return jsonify({"late": str(error)}), 408

    def predict(self, X: Any, names: Any) -> Any:
        if X == "late":
            raise TooLate("by far")
        return abort(403)


class Fetched(SeldonComponent):  # type: ignore[misc,unused-ignore]
    """Loads its model by Seldon's function, and makes whole answers."""

    def __init__(self, model_uri: str = "", linked: str = "") -> None:
        super().__init__()
        self.model_uri, self.linked = model_uri, linked

    def load(self) -> None:
        self.weights = json.loads(Path(Storage.download(self.model_uri), "weights.json").read_text())
        self.there = sorted(each.name for each in Path(Storage.download(self.model_uri, self.linked)).iterdir())

    def predict_raw(self, msg: Any) -> Any:
        features = numpy.array(msg["data"]["ndarray"])
        said = construct_response_json(self, False, msg, features * self.weights["rate"], msg.get("meta"))
        said["meta"]["tags"]["there"] = self.there
        return said

    def tags(self) -> dict[str, Any]:
        return {"seldon": seldon_core.__version__}


class Gauges:
    """Has a metric that is a truth value."""

    def predict(self, X: Any, names: Any) -> Any:
        return X

    def metrics(self) -> list[dict[str, Any]]:
        return [create_gauge("drift", True)]


class Asks:
    """Reads the request that it came with."""

    def predict(self, X: Any, names: Any) -> Any:
        said = request.get_json()
        return {"path": request.path, "user": request.headers.get("X-User"), "said": said, "verb": request.method}

    def transform_input_raw(self, message: Any) -> Any:
        return {"strData": request.headers["x-user"]}

    async def transform_output(self, X: Any, names: Any) -> Any:
        return request.headers["x-user"]
