"""Owns the training of the digits models: scikit-learn's digits, two classifiers, exported to ONNX.

Must not be needed to serve: it writes the model folder and is done.
"""

import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy
from numpy.typing import NDArray

FOLDER = Path(__file__).parent / "model"
HELD_OUT = FOLDER / "held_out.npz"
FILES = (FOLDER / "logistic.onnx", FOLDER / "mlp.onnx", HELD_OUT)


class HeldOut(NamedTuple):
    """Rows that no model has seen, and which digit each one is."""

    rows: NDArray[numpy.float64]
    digits: NDArray[numpy.int64]


def train() -> HeldOut:
    """Train both models unless they are there already. The rows that were kept from them come back."""
    if all(file.exists() for file in FILES):
        print(f"digits: models are there already, in {FOLDER}")
    else:
        _train()
    with numpy.load(HELD_OUT) as kept:
        return HeldOut(kept["rows"], kept["digits"])


def _train() -> None:
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier

    rows, digits = load_digits(return_X_y=True)
    seen, kept, seen_digits, kept_digits = train_test_split(rows, digits, test_size=0.25, random_state=7)
    FOLDER.mkdir(exist_ok=True)
    models = {
        "logistic": LogisticRegression(max_iter=500),
        "mlp": MLPClassifier(hidden_layer_sizes=(48,), max_iter=120, random_state=7),
    }
    for name, model in models.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the small network stops before it has fully converged, on purpose
            model.fit(seen / 16.0, seen_digits)
        (FOLDER / f"{name}.onnx").write_bytes(_exported(model))
        accuracy = model.score(kept / 16.0, kept_digits)
        print(f"digits: trained {name}, accuracy {accuracy:.3f} on {len(kept)} held-out rows")
    numpy.savez(HELD_OUT, rows=kept, digits=kept_digits)


def _exported(model: Any) -> bytes:
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    options = {id(model): {"zipmap": False}}  # probabilities as one array, not a list of dicts
    onnx = to_onnx(model, initial_types=[("X", FloatTensorType([None, 64]))], options=options, target_opset=15)
    return bytes(onnx.SerializeToString())


if __name__ == "__main__":
    train()
