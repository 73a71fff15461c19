"""Owns MLFLOW_SERVER: a model of MLflow with its `python_function` flavour.

Must not load MLflow before the model is loaded. Such a model brings code of its own, pickled or not.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from executor.component.servers import model
from executor.errors import Error
from executor.manifest import servers

NAME = "MLFLOW_SERVER"
FILE = "MLmodel"
_PACKAGES = "mlflow-skinny pandas"
_PICKLE = "a python_function of MLflow is code, most often a pickle"
TYPES = servers.PARAMETERS[NAME]["xtype"]


class MlflowServer:
    """Answers what the model predicts; `xtype` says what it is given."""

    def __init__(self, model_uri: str = "", xtype: str = "ndarray") -> None:
        self.model_uri = model.needs_uri(NAME, model_uri)
        self.xtype = model.option(NAME, "xtype", xtype, TYPES)
        self._root: Path | None = None
        self._model: Any = None
        self._frames: Any = None

    def load(self) -> None:
        """Called once, before the node is ready."""
        model.check_pickle(_PICKLE, self.model_uri)
        pyfunc = model.needed("mlflow.pyfunc", NAME, _PACKAGES)
        self._frames = model.needed("pandas", NAME, _PACKAGES)
        root = model.local(self.model_uri)
        self._root = root.parent if root.is_file() else root
        model.file(self._root, FILE, self.model_uri)
        model.tell_pickle(_PICKLE, self.model_uri)
        try:
            self._model = pyfunc.load_model(str(self._root))
        except Error:
            raise
        except Exception as error:
            raise model.bad(f"{self._root}: cannot be loaded: {type(error).__name__}: {error}") from error

    def predict(self, X: Any, names: Sequence[str] = ()) -> Any:
        """The model's answer; a data frame's columns give it its names."""
        if self.xtype == "DataFrame":
            X = self._frames.DataFrame(X, columns=list(names) or None)
        answer = self._model.predict(X)
        if isinstance(answer, self._frames.Series):
            return answer.to_numpy()
        return answer

    def init_metadata(self) -> dict[str, Any]:
        """What is said beside the model."""
        return model.metadata(self._root)
