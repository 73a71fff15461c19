"""Owns SKLEARN_SERVER: a model of scikit-learn in a joblib file.

Must not load scikit-learn before the model is loaded. A joblib file is a pickle.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from executor.component.servers import model
from executor.errors import Error
from executor.manifest import servers

NAME = "SKLEARN_SERVER"
FILE = "model.joblib"
_PACKAGES = "scikit-learn joblib"
_PICKLE = "a joblib file is a pickle"
METHODS = servers.PARAMETERS[NAME]["method"]


class SklearnServer:
    """Answers what the model's `method` does."""

    def __init__(self, model_uri: str = "", method: str = "predict_proba") -> None:
        self.model_uri = model.needs_uri(NAME, model_uri)
        self.method = model.option(NAME, "method", method, METHODS)
        self._root: Path | None = None
        self._call: Callable[[Any], Any] | None = None

    def load(self) -> None:
        """Called once, before the node is ready."""
        model.check_pickle(_PICKLE, self.model_uri)
        joblib = model.needed("joblib", NAME, _PACKAGES)
        model.needed("sklearn", NAME, _PACKAGES)
        self._root = model.local(self.model_uri)
        path = model.file(self._root, FILE, self.model_uri)
        model.tell_pickle(_PICKLE, self.model_uri)
        try:
            loaded = joblib.load(path)
        except Error:
            raise
        except Exception as error:
            raise model.bad(f"{path}: cannot be loaded: {type(error).__name__}: {error}") from error
        self._call = getattr(loaded, self.method, None)
        if self._call is None:
            has = ", ".join(each for each in METHODS if hasattr(loaded, each))
            told = f"{path}: a {type(loaded).__name__} has no {self.method}; set the parameter `method`"
            raise model.bad(f"{told} to one that it has: {has}" if has else f"{path}: is no model with {self.method}")

    def predict(self, X: Any, names: Sequence[str] = ()) -> Any:
        """The model's answer."""
        assert self._call is not None
        return self._call(X)

    def init_metadata(self) -> dict[str, Any]:
        """What is said beside the model."""
        return model.metadata(self._root)
