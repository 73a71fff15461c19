"""SKLEARN_SERVER with real models."""

import logging
from pathlib import Path
from typing import Any

import joblib
import numpy
import pytest
from support import models

from executor.component import host, load
from executor.component.servers import sklearn
from executor.errors import ComponentError, FetchError
from executor.types import Method, Mode


def loaded(folder: Path, **parameters: Any) -> sklearn.SklearnServer:
    server = sklearn.SklearnServer(str(folder), **parameters)
    server.load()
    return server


@pytest.mark.parametrize("method", ["", "predict_proba", "predict", "decision_function"])
def test_it_answers_as_the_model_does(tmp_path: Path, method: str) -> None:
    server = loaded(models.sklearn(tmp_path), **({"method": method} if method else {}))
    rows = models.iris()[0]
    wanted = getattr(models.logistic(), method or "predict_proba")(rows)
    assert numpy.array_equal(server.predict(rows, ["a"]), wanted)
    assert server.init_metadata()["versions"] == ["iris/v1"]


def test_a_joblib_file_is_told_to_be_a_pickle(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        loaded(models.sklearn(tmp_path))
    assert "a joblib file is a pickle" in caplog.text


def test_no_pickle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_NO_PICKLE", "1")
    with pytest.raises(ComponentError, match="--no-pickle"):
        loaded(models.sklearn(tmp_path))


def test_a_method_that_the_model_has_not(tmp_path: Path) -> None:
    with pytest.raises(ComponentError, match=r"a RidgeClassifier has no predict_proba; .* predict, decision_function"):
        loaded(models.sklearn(tmp_path, models.ridge()))
    rows = models.iris()[0]
    server = loaded(tmp_path, method="decision_function")
    assert numpy.array_equal(server.predict(rows), models.ridge().decision_function(rows))


def test_what_is_no_model(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(FetchError, match="there is no such file or folder"):
        loaded(tmp_path / "nowhere")
    with pytest.raises(FetchError, match=r"there is no model\.joblib; there are no files"):
        loaded(tmp_path)
    assert caplog.text == ""  # nothing was loaded, so nothing is told of pickles
    (tmp_path / "model.joblib").write_bytes(b"not a pickle")
    with pytest.raises(ComponentError, match=r"model\.joblib: cannot be loaded: "):
        loaded(tmp_path)
    joblib.dump({"a": 1}, tmp_path / "model.joblib")
    with pytest.raises(ComponentError, match="is no model with predict_proba"):
        loaded(tmp_path)


def test_parameters_are_checked() -> None:
    with pytest.raises(ComponentError, match="method is 'jump'; allowed are predict_proba, predict, decision_function"):
        load.component("SKLEARN_SERVER", {"model_uri": "/x", "method": "jump"})
    with pytest.raises(ComponentError, match="unknown parameter depth; allowed are: model_uri, method"):
        load.component("SKLEARN_SERVER", {"model_uri": "/x", "depth": 1})
    with pytest.raises(ComponentError, match="model_uri is missing"):
        load.component("SKLEARN_SERVER", {})


def test_it_computes_in_the_pool() -> None:
    hosted = host.Host(load.component("SKLEARN_SERVER", {"model_uri": "/x"}), "m", methods=[Method.PREDICT])
    assert hosted.handlers[Method.PREDICT][0] is Mode.BLOCKING
