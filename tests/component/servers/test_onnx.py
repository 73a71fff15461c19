"""ONNX_SERVER with real graphs."""

from pathlib import Path
from typing import Any

import numpy
import pytest
from support import models

from executor.component import load
from executor.component.servers import onnx
from executor.errors import ComponentError, RequestError


@pytest.fixture(autouse=True)
def no_pickle(monkeypatch: pytest.MonkeyPatch) -> None:
    """It needs none."""
    monkeypatch.setenv("MILLRACE_NO_PICKLE", "1")


def loaded(folder: Path, **parameters: Any) -> onnx.OnnxServer:
    server = onnx.OnnxServer(str(folder), **parameters)
    server.load()
    return server


def test_it_answers_as_the_model_does(tmp_path: Path) -> None:
    rows = models.iris()[0]
    answer = loaded(models.onnx(tmp_path)).predict(rows, ["a", "b", "c", "d"])
    numpy.testing.assert_allclose(answer, models.logistic().predict_proba(rows), atol=1e-5)


def test_another_output(tmp_path: Path) -> None:
    rows = models.iris()[0]
    server = loaded(models.onnx(tmp_path), output="label", threads=2)
    assert numpy.array_equal(server.predict(rows), models.logistic().predict(rows))
    with pytest.raises(ComponentError, match=r"its output 'nothing' is none .* it has label .*, probabilities "):
        loaded(tmp_path, output="nothing")


def test_a_map_is_no_answer(tmp_path: Path) -> None:
    models.onnx(tmp_path, options={"zipmap": True})
    assert loaded(tmp_path).output == "label" or loaded(tmp_path).output == "output_label"
    with pytest.raises(ComponentError, match="zipmap=False"):
        loaded(tmp_path, output="output_probability")


def test_a_column_for_each_input(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    one, two = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in ("one", "two"))
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, [None, 1])
    graph = helper.make_graph([helper.make_node("Sub", ["one", "two"], ["out"])], "g", [one, two], [out])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "model.onnx").write_bytes(made.SerializeToString())
    server = loaded(tmp_path)
    rows = numpy.array([[5.0, 3.0], [1.0, 1.0]])
    assert server.predict(rows).tolist() == [[2.0], [0.0]]
    assert server.predict(rows, ["two", "one"]).tolist() == [[-2.0], [0.0]]
    with pytest.raises(RequestError, match=r"a column for each of one, two; the data have the shape \(1, 3\)"):
        server.predict(numpy.zeros((1, 3)))


def test_what_is_no_graph(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(ComponentError, match=r"model\.onnx: cannot be loaded"):
        loaded(tmp_path)


def test_metadata_and_parameters(tmp_path: Path) -> None:
    models.onnx(tmp_path)
    (tmp_path / "metadata.yaml").write_text("name: graph\n")
    assert loaded(tmp_path).init_metadata() == {"name": "graph"}
    with pytest.raises(ComponentError, match="unknown parameter method; allowed are: model_uri, output, threads"):
        load.component("ONNX_SERVER", {"model_uri": "/x", "method": "predict"})
