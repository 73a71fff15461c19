"""Owns the names of Seldon's prepackaged servers, and of ours: an `implementation` that a manifest may give. Of those
that run here also their parameters.

Must not know how any of them works.
"""

from collections.abc import Mapping

HERE = ("SKLEARN_SERVER", "XGBOOST_SERVER", "MLFLOW_SERVER", "ONNX_SERVER")
"""Those that can run in this process."""
PARAMETERS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "SKLEARN_SERVER": {"method": ("predict_proba", "predict", "decision_function")},
    "XGBOOST_SERVER": {},
    "MLFLOW_SERVER": {"xtype": ("ndarray", "DataFrame")},
    "ONNX_SERVER": {"output": (), "threads": ()},
}
"""What each of these takes, and the values allowed; none are listed where that depends on the model."""
ELSEWHERE = ("TENSORFLOW_SERVER", "TRITON_SERVER", "HUGGINGFACE_SERVER", "TEMPO_SERVER")
"""Those that run in a container of their own."""
OURS = ("ONNX_SERVER",)
"""Those that Seldon does not have."""
SELDON = tuple(name for name in (*HERE, *ELSEWHERE) if name not in OURS)
MODEL_URI = "model_uri"
"""The parameter that a server is told where its model is by."""
