"""MLFLOW_SERVER with real models."""

import logging
from pathlib import Path
from typing import Any

import numpy
import pytest
import yaml
from support import models

from executor.component.servers import mlflow
from executor.errors import ComponentError, FetchError

# MLflow warns of its own type hints when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning")

LOADER = """\
class Model:
    def predict(self, data):
        import pandas
        kind = type(data).__name__
        if kind == "DataFrame":
            return pandas.DataFrame({"sum": data.sum(axis=1), "first": data[data.columns[0]]})
        return data.sum(axis=1)

def _load_pyfunc(path):
    return Model()
"""


def pyfunc(folder: Path, name: str) -> Path:
    """A model whose code lies beside it, as MLflow's own format has it."""
    (folder / "code").mkdir(parents=True)
    (folder / "code" / f"{name}.py").write_text(LOADER)
    (folder / "data").mkdir()
    flavour = {"loader_module": name, "code": "code", "data": "data", "python_version": "3.11.0"}
    (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": {"python_function": flavour}}))
    return folder


def loaded(folder: Path, **parameters: Any) -> mlflow.MlflowServer:
    server = mlflow.MlflowServer(str(folder), **parameters)
    server.load()
    return server


def test_arrays(tmp_path: Path) -> None:
    server = loaded(pyfunc(tmp_path / "m", "adds_arrays"))
    rows = models.iris()[0]
    assert numpy.array_equal(server.predict(rows, ["a", "b", "c", "d"]), rows.sum(axis=1))


def test_data_frames(tmp_path: Path) -> None:
    server = loaded(pyfunc(tmp_path / "m", "adds_frames"), xtype="DataFrame")
    answer = server.predict(numpy.array([[1.0, 2.0], [3.0, 4.0]]), ["x", "y"])
    assert list(answer.columns) == ["sum", "first"]
    assert answer.values.tolist() == [[3.0, 1.0], [7.0, 3.0]]
    assert server.predict([[1, 2]]).values.tolist() == [[3, 1]]


@pytest.mark.parametrize("xtype", ["ndarray", "DataFrame"])
def test_a_model_that_mlflow_saved(tmp_path: Path, xtype: str) -> None:
    from mlflow import sklearn as flavour

    flavour.save_model(
        models.logistic(), str(tmp_path / "m"), serialization_format="cloudpickle", pip_requirements=["scikit-learn"]
    )
    rows = models.iris()[0]
    server = loaded(tmp_path / "m", xtype=xtype)
    assert numpy.array_equal(server.predict(rows), models.logistic().predict(rows))


def test_it_is_told_to_be_code_and_can_be_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = pyfunc(tmp_path / "m", "is_refused")
    with caplog.at_level(logging.WARNING):
        loaded(folder)
    assert "a python_function of MLflow is code" in caplog.text
    monkeypatch.setenv("MILLRACE_NO_PICKLE", "1")
    with pytest.raises(ComponentError, match="--no-pickle"):
        loaded(folder)


def test_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="there is no MLmodel"):
        loaded(tmp_path)
    (tmp_path / "MLmodel").write_text("flavors: {}\n")
    with pytest.raises(ComponentError, match="cannot be loaded: "):
        loaded(tmp_path)
    with pytest.raises(ComponentError, match="xtype is 'table'; allowed are ndarray, DataFrame"):
        loaded(tmp_path, xtype="table")


def test_metadata(tmp_path: Path) -> None:
    folder = pyfunc(tmp_path / "m", "has_metadata")
    (folder / "metadata.yaml").write_text("name: wine\n")
    assert loaded(folder).init_metadata() == {"name": "wine"}
