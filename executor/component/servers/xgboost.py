"""Owns XGBOOST_SERVER: a booster of XGBoost, in whichever of its formats.

Must not load XGBoost before the model is loaded, nor unpickle anything.
"""

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from executor.component.servers import model

NAME = "XGBOOST_SERVER"
FILE = "model.bst"


class XgboostServer:
    """Answers what the booster predicts."""

    def __init__(self, model_uri: str = "") -> None:
        self.model_uri = model.needs_uri(NAME, model_uri)
        self._root: Path | None = None
        self._library: Any = None
        self._booster: Any = None
        self._linear = False
        self._lock = Lock()

    def load(self) -> None:
        """Called once, before the node is ready."""
        self._library = model.needed("xgboost", NAME, "xgboost")
        self._root = model.local(self.model_uri)
        path = model.file(self._root, FILE, self.model_uri)
        booster = self._library.Booster()
        try:
            # From memory the format is told by the content; from a file by its name, where .bst says nothing.
            booster.load_model(bytearray(path.read_bytes()))
        except self._library.core.XGBoostError as error:
            said = " ".join(str(error).partition("Stack trace")[0].split())
            hint = "save it again with save_model of the XGBoost that made it, as JSON or UBJSON"
            raise model.bad(f"{path}: XGBoost {self._library.__version__} cannot load it: {said}; {hint}") from error
        self._linear = '"name":"gblinear"' in booster.save_config().replace(" ", "")
        self._booster = booster

    def predict(self, X: Any, names: Sequence[str] = ()) -> Any:
        """The booster's answer."""
        if not self._linear:
            return self._booster.inplace_predict(X)  # no copy, and safe in several threads
        with self._lock:
            return self._booster.predict(self._library.DMatrix(X), validate_features=False)

    def init_metadata(self) -> dict[str, Any]:
        """What is said beside the model."""
        return model.metadata(self._root)
