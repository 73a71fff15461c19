"""Owns ONNX_SERVER: an ONNX graph, run by onnxruntime.

Must not load onnxruntime before the model is loaded.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy

from executor.component.servers import model
from executor.errors import RequestError

NAME = "ONNX_SERVER"
FILE = "model.onnx"
PROBABILITIES = "probabilities"
_DTYPES = {
    "tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16", "tensor(bool)": "bool",
    "tensor(string)": "object", **{f"tensor({sign}int{bits})": f"{sign}int{bits}" for sign in ("", "u")
                                   for bits in (8, 16, 32, 64)},
}  # fmt: skip


class OnnxServer:
    """Answers one output of the graph: `output`, or that called probabilities, or the first. `threads` is how many
    one call computes with: several calls run side by side.
    """

    def __init__(self, model_uri: str = "", output: str = "", threads: int = 1) -> None:
        self.model_uri = model.needs_uri(NAME, model_uri)
        self.output = output
        self.threads = threads
        self._root: Path | None = None
        self._session: Any = None
        self._inputs: list[tuple[str, Any]] = []

    def load(self) -> None:
        """Called once, before the node is ready."""
        runtime = model.needed("onnxruntime", NAME, "onnxruntime")
        self._root = model.local(self.model_uri)
        path = model.file(self._root, FILE, self.model_uri)
        options = runtime.SessionOptions()
        options.intra_op_num_threads = self.threads
        try:
            # All that this build of onnxruntime has, the fastest first, as it lists them.
            session = runtime.InferenceSession(str(path), options, providers=runtime.get_available_providers())
        except Exception as error:
            raise model.bad(f"{path}: cannot be loaded: {error}") from error
        self._inputs = [(each.name, self._dtype(each, path)) for each in session.get_inputs()]
        self.output = self._chosen(session.get_outputs(), path)
        self._session = session

    def predict(self, X: Any, names: Sequence[str] = ()) -> Any:
        """The output of the graph. A graph of several inputs is given a column each, by name or else by place."""
        (answer,) = self._session.run([self.output], self._feeds(X, names))
        return answer

    def init_metadata(self) -> dict[str, Any]:
        """What is said beside the model."""
        return model.metadata(self._root)

    def _feeds(self, X: Any, names: Sequence[str]) -> dict[str, Any]:
        X = numpy.asarray(X)
        if len(self._inputs) == 1:
            ((name, dtype),) = self._inputs
            return {name: X.astype(dtype, copy=False)}
        if X.ndim != 2 or X.shape[1] != len(self._inputs):
            told = ", ".join(name for name, _ in self._inputs)
            raise RequestError(f"the model takes a column for each of {told}; the data have the shape {X.shape}")
        places = {name: place for place, name in enumerate(names)}
        known = all(name in places for name, _ in self._inputs)
        return {
            name: X[:, [places[name] if known else place]].astype(dtype)
            for place, (name, dtype) in enumerate(self._inputs)
        }

    def _dtype(self, declared: Any, path: Path) -> Any:
        if declared.type not in _DTYPES:
            allowed = ", ".join(_DTYPES)
            raise model.bad(f"{path}: its input {declared.name} is a {declared.type}; allowed are {allowed}")
        return numpy.dtype(_DTYPES[declared.type])

    def _chosen(self, declared: list[Any], path: Path) -> str:
        arrays = [each.name for each in declared if each.type in _DTYPES]
        wanted = self.output or next((name for name in arrays if name == PROBABILITIES), declared[0].name)
        if wanted in arrays:
            return str(wanted)
        kinds = ", ".join(f"{each.name} ({each.type})" for each in declared)
        raise model.bad(
            f"{path}: its output {wanted!r} is none that can be answered; it has {kinds}; name a tensor by the"
            " parameter `output` (models of scikit-learn: export them with zipmap=False)"
        )
