"""Owns small real models for tests of prepackaged servers, made on the spot from scikit-learn's own data.

Must not know the servers.
"""

from functools import cache
from pathlib import Path
from typing import Any

import joblib
import numpy
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression, RidgeClassifier

METADATA = """\
name: iris
versions: [iris/v1]
platform: sklearn
inputs: [{messagetype: tensor, schema: {names: [a, b, c, d], shape: [4]}}]
outputs: [{messagetype: tensor, schema: {shape: [3]}}]
"""


@cache
def iris() -> tuple[Any, Any]:
    """The data: 150 rows of 4 numbers, and their classes."""
    data = load_iris()
    return data.data, data.target


@cache
def logistic() -> Any:
    """A classifier with probabilities."""
    return LogisticRegression(max_iter=1000).fit(*iris())


@cache
def ridge() -> Any:
    """A classifier without."""
    return RidgeClassifier().fit(*iris())


def sklearn(folder: Path, model: Any = None, metadata: str | None = METADATA) -> Path:
    """A folder as SKLEARN_SERVER takes it."""
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(logistic() if model is None else model, folder / "model.joblib")
    if metadata is not None:
        (folder / "metadata.yaml").write_text(metadata)
    return folder


def onnx(folder: Path, **options: Any) -> Path:
    """A folder as ONNX_SERVER takes it; `options` go to the conversion."""
    from skl2onnx import to_onnx

    folder.mkdir(parents=True, exist_ok=True)
    made = to_onnx(logistic(), iris()[0][:1].astype(numpy.float32), **(options or {"options": {"zipmap": False}}))
    (folder / "model.onnx").write_bytes(made.SerializeToString())
    return folder


def xgboost(folder: Path, form: str = "json", **parameters: Any) -> Any:
    """A folder as XGBOOST_SERVER takes it, in one of its formats; the booster."""
    import xgboost as library

    folder.mkdir(parents=True, exist_ok=True)
    data, target = iris()
    told = {"objective": "multi:softprob", "num_class": 3, "nthread": 1, **parameters}
    booster = library.train(told, library.DMatrix(data, target), num_boost_round=5)
    (folder / "model.bst").write_bytes(booster.save_raw(raw_format=form))
    return booster


def frame() -> Any:
    """The rows of the data as a data frame."""
    import pandas

    return pandas.DataFrame(iris()[0], columns=["a", "b", "c", "d"])
