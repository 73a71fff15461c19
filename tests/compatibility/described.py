"""A component that describes what it takes and gives in the forms that Seldon's documentation has."""

from typing import Any

TENSOR = {"messagetype": "tensor", "schema": {"names": ["a", "b"], "shape": [2, 2]}}
JSON = {"messagetype": "jsonData", "schema": {"type": "object", "properties": {"k": {"type": "string"}}}}
TEXT = {"messagetype": "strData"}


class Described:
    """Takes `takes` and gives `gives`."""

    def __init__(self, takes: str, gives: str) -> None:
        kinds = {"tensor": TENSOR, "json": JSON, "text": TEXT}
        self._said = {"versions": ["v1"], "inputs": [kinds[takes]], "outputs": [kinds[gives]]}

    def init_metadata(self) -> dict[str, Any]:
        return self._said

    def predict(self, X: Any, names: Any) -> Any:
        return X

    def transform_input(self, X: Any, names: Any) -> Any:
        return X

    def route(self, X: Any, names: Any) -> int:
        return 0

    def aggregate(self, features_list: Any, names_list: Any) -> Any:
        return features_list[0]
