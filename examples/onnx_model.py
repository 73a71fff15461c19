"""Owns the models of the digits and the wine graph: an ONNX file that is run by onnxruntime.

Must not train (see train.py in each folder).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy
import onnxruntime
from numpy.typing import NDArray

FOLDER = Path(__file__).parent


class OnnxModel:
    """A classifier; answers the probability of each class. `model` is a path that starts in this file's folder."""

    def __init__(self, model: str) -> None:
        self.path = FOLDER / model
        self.session: Any = None

    def load(self) -> None:
        """Called once, before the node is ready."""
        if not self.path.exists():
            raise FileNotFoundError(f"{self.path} is not there; train.py in the graph's folder makes it")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # one row is too little work to share
        self.session = onnxruntime.InferenceSession(str(self.path), options, providers=["CPUExecutionProvider"])

    def predict(self, X: NDArray[numpy.float64], names: Sequence[str]) -> NDArray[numpy.float64]:
        (probabilities,) = self.session.run(["probabilities"], {"X": X.astype(numpy.float32)})
        return numpy.asarray(probabilities, dtype=numpy.float64)
