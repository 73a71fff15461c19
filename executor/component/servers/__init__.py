"""Owns the prepackaged servers: ordinary component classes, one file each, found by the name a manifest gives them.

Must not load what a server needs before its model is loaded.

As Seldon's, each takes `model_uri`, reads `metadata.yaml` beside the model, and answers `predict`.
"""

import importlib

CLASSES = {
    "SKLEARN_SERVER": "sklearn:SklearnServer",
    "XGBOOST_SERVER": "xgboost:XgboostServer",
    "MLFLOW_SERVER": "mlflow:MlflowServer",
    "ONNX_SERVER": "onnx:OnnxServer",
}


def class_of(name: str) -> type:
    """The class of the server `name`, one of `CLASSES`."""
    module, _, attribute = CLASSES[name].partition(":")
    found: type = getattr(importlib.import_module(f"{__name__}.{module}"), attribute)
    return found
