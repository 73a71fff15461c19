"""Owns the Python model of both steps of the Triton ensemble: it divides by what its configuration says.

Must not import the executor: Triton's Python backend runs it, in a process of its own.
"""

import json
from importlib import import_module
from typing import Any

# By name: only Triton's own processes have it.
utils: Any = import_module("triton_python_backend_utils")


class TritonPythonModel:
    """Answers Y = X / divisor; X itself where there is none to divide by."""

    def initialize(self, args: dict[str, str]) -> None:
        parameters = json.loads(args["model_config"])["parameters"]
        self._divisor = float(parameters["divisor"]["string_value"])

    def execute(self, requests: list[Any]) -> list[Any]:
        return [utils.InferenceResponse([self._answer(request)]) for request in requests]

    def _answer(self, request: Any) -> Any:
        array = utils.get_input_tensor_by_name(request, "X").as_numpy()
        return utils.Tensor("Y", array if self._divisor == 1.0 else array / self._divisor)
