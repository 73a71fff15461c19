"""Owns the stand-in for `seldon_core.user_model`: the base class of user classes, and the answer that carries meta.

Must not run anything: methods that a class inherits from here count as absent (see `executor.component.methods`).
"""

from collections.abc import Iterable
from typing import Any, NoReturn

from executor.component.seldon_core.flask_utils import SeldonMicroserviceException


class SeldonNotImplementedError(SeldonMicroserviceException):
    """A method's way to say that it is not there."""

    def __init__(self, message: str = "not implemented") -> None:
        super().__init__(message)


class SeldonResponse:
    """An answer with tags and metrics of its own."""

    def __init__(
        self, data: Any, tags: dict[str, Any] | None = None, metrics: list[dict[str, Any]] | None = None
    ) -> None:
        self.data = data
        self.tags = {} if tags is None else tags
        self.metrics = [] if metrics is None else metrics

    @classmethod
    def create(cls, data: Any) -> "SeldonResponse":
        """`data` if it is one already, else one around it."""
        return data if isinstance(data, cls) else cls(data)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SeldonResponse):
            return NotImplemented
        return (self.data, self.tags, self.metrics) == (other.data, other.tags, other.metrics)

    __hash__ = None  # type: ignore[assignment]


def _absent(name: str) -> NoReturn:
    raise SeldonNotImplementedError(f"{name} is not implemented")


class SeldonComponent:
    """The base class of user classes. It takes any parameter, and says of each method that it is not implemented."""

    def __init__(self, **kwargs: Any) -> None:
        pass

    def load(self) -> None:
        """Called once, before the first request."""

    def predict(self, X: Any, names: Iterable[str], meta: dict[str, Any] | None = None) -> Any:
        """The answer to features."""
        _absent("predict")

    def predict_raw(self, msg: Any) -> Any:
        """The answer to a whole message."""
        _absent("predict_raw")

    def transform_input(self, X: Any, names: Iterable[str], meta: dict[str, Any] | None = None) -> Any:
        """Features on their way to the children."""
        _absent("transform_input")

    def transform_input_raw(self, msg: Any) -> Any:
        """The same for a whole message."""
        _absent("transform_input_raw")

    def transform_output(self, X: Any, names: Iterable[str], meta: dict[str, Any] | None = None) -> Any:
        """The children's answer on its way back."""
        _absent("transform_output")

    def transform_output_raw(self, msg: Any) -> Any:
        """The same for a whole message."""
        _absent("transform_output_raw")

    def route(self, features: Any, feature_names: Iterable[str]) -> Any:
        """The number of the child to ask."""
        _absent("route")

    def route_raw(self, msg: Any) -> Any:
        """The same for a whole message."""
        _absent("route_raw")

    def aggregate(self, features_list: list[Any], feature_names_list: list[Any]) -> Any:
        """One answer from those of all children."""
        _absent("aggregate")

    def aggregate_raw(self, msgs: Any) -> Any:
        """The same for whole messages."""
        _absent("aggregate_raw")

    def send_feedback(
        self, features: Any, feature_names: Iterable[str], reward: float, truth: Any, routing: int | None = None
    ) -> Any:
        """A reward for an answer."""
        _absent("send_feedback")

    def send_feedback_raw(self, feedback: Any) -> Any:
        """The same for a whole message."""
        _absent("send_feedback_raw")

    def tags(self) -> dict[str, Any]:
        """Tags for the answer's meta."""
        _absent("tags")

    def metrics(self) -> list[dict[str, Any]]:
        """Metrics for the answer's meta."""
        _absent("metrics")

    def class_names(self) -> Iterable[str]:
        """Names of the answer's columns."""
        _absent("class_names")

    def feature_names(self) -> Iterable[str]:
        """Names of the columns that `transform_input` answers."""
        _absent("feature_names")

    def health_status(self) -> Any:
        """What a health check is answered with."""
        _absent("health_status")

    def health_status_raw(self) -> Any:
        """The same as a whole message."""
        _absent("health_status_raw")

    def init_metadata(self) -> dict[str, Any]:
        """What the class says of itself."""
        _absent("init_metadata")
