"""Owns the training of the wine models: scikit-learn's wine data, three pipelines, exported to ONNX.

Must not be needed to serve: it writes the model folder and is done.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy
from numpy.typing import NDArray

FOLDER = Path(__file__).parent / "model"
HELD_OUT = FOLDER / "held_out.npz"
NAMES = ("logistic", "forest", "neighbours")


class HeldOut(NamedTuple):
    """Rows that no model has seen, and which cultivar each one is."""

    rows: NDArray[numpy.float64]
    kinds: NDArray[numpy.int64]


def train() -> HeldOut:
    """Train the models unless they are there already. The rows that were kept from them come back."""
    if HELD_OUT.exists() and all((FOLDER / f"{name}.onnx").exists() for name in NAMES):
        print(f"wine: models are there already, in {FOLDER}")
    else:
        _train()
    with numpy.load(HELD_OUT) as kept:
        return HeldOut(kept["rows"], kept["kinds"])


def _models() -> dict[str, Any]:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier

    return {
        "logistic": LogisticRegression(max_iter=500),
        "forest": RandomForestClassifier(n_estimators=30, max_depth=4, random_state=7),
        "neighbours": KNeighborsClassifier(n_neighbors=7),
    }


def _train() -> None:
    from sklearn.datasets import load_wine
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows, kinds = load_wine(return_X_y=True)
    seen, kept, seen_kinds, kept_kinds = train_test_split(rows, kinds, test_size=0.3, random_state=7, stratify=kinds)
    FOLDER.mkdir(exist_ok=True)
    for name, classifier in _models().items():
        model = make_pipeline(StandardScaler(), classifier).fit(seen, seen_kinds)
        (FOLDER / f"{name}.onnx").write_bytes(_exported(model, classifier))
        accuracy = model.score(kept, kept_kinds)
        print(f"wine: trained {name}, accuracy {accuracy:.3f} on {len(kept)} held-out rows")
    numpy.savez(HELD_OUT, rows=kept, kinds=kept_kinds)


def _exported(model: Any, classifier: Any) -> bytes:
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    options = {id(classifier): {"zipmap": False}}  # probabilities as one array, not a list of dicts
    onnx = to_onnx(model, initial_types=[("X", FloatTensorType([None, 13]))], options=options, target_opset=15)
    return bytes(onnx.SerializeToString())


if __name__ == "__main__":
    train()
