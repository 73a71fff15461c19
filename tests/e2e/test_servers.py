"""Prepackaged servers in manifests as Seldon's users write them, and as nodes, over both protocols.

Tests `component.servers`, `prepackaged` and `storage.fetch` together.
"""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
from support import models, stores
from support.clients import clients
from support.containers import Container, predictor, unit
from support.foreign import http_node
from support.processes import Program, Programs

MANIFEST = """\
apiVersion: machinelearning.seldon.io/v1
kind: SeldonDeployment
metadata:
  name: iris
spec:
  name: iris
  predictors:
  - graph:
      children: []
      implementation: SKLEARN_SERVER
      modelUri: MODEL
      name: classifier
    name: default
    replicas: 1
    svcOrchSpec:
      env:
      - name: SELDON_LOG_LEVEL
        value: DEBUG
"""
ROW = [5.1, 3.5, 1.4, 0.2]
ASKED = {"data": {"ndarray": [ROW]}}


@pytest.fixture
def serve(programs: Programs, tmp_path: Path) -> Callable[..., Program]:
    """Starts `millrace run` with the manifest and this modelUri."""

    def served(uri: object, *arguments: str, text: str = MANIFEST, **environment: str) -> Program:
        path = tmp_path / "iris.yaml"
        path.write_text(text.replace("MODEL", str(uri)))
        told = {"MILLRACE_CACHE": str(tmp_path / "cache"), **environment}
        return programs.start("run", str(path), "--grpc-port", "0", "--http-port", "0", *arguments, environment=told)

    return served


def wanted(method: str = "predict_proba") -> Any:
    return getattr(models.logistic(), method)(numpy.array([ROW]))


def check(program: Program, expected: Any = None) -> None:
    """It answers with the probabilities, over gRPC and REST."""
    with clients(program.grpc, program.http_port) as both:
        for client in both.values():
            data = client.predict(ASKED).said["data"]
            assert data["names"] == ["t:0", "t:1", "t:2"]
            numpy.testing.assert_allclose(data["ndarray"], wanted() if expected is None else expected, atol=1e-5)


def test_seldon_s_iris_manifest(serve: Callable[..., Program], tmp_path: Path) -> None:
    program = serve(models.sklearn(tmp_path / "iris")).ready()
    assert "classifier  MODEL (SKLEARN_SERVER)  predict  in this process: SKLEARN_SERVER" in program.out
    assert "a joblib file is a pickle; loading it runs whatever code it brings" in program.err
    check(program)
    with clients(program.grpc, program.http_port) as both:
        assert [each.model_metadata("classifier")["versions"] for each in both.values()] == [["iris/v1"]] * 2


def test_parameters(serve: Callable[..., Program], tmp_path: Path) -> None:
    told = "      parameters: [{name: method, type: STRING, value: decision_function}]\n    name: default"
    text = MANIFEST.replace("    name: default", told)
    check(serve(models.sklearn(tmp_path / "iris"), text=text).ready(), wanted("decision_function"))
    bad = serve(tmp_path / "iris", text=text.replace("decision_function", "jump"))
    assert bad.ended() == 2
    assert "method of SKLEARN_SERVER cannot be 'jump'; allowed: predict_proba" in bad.err


def test_workers_fetch_a_model_once(serve: Callable[..., Program], tmp_path: Path) -> None:
    with stores.Web() as web:
        for path in models.sklearn(tmp_path / "iris").iterdir():
            web.files[f"iris/{path.name}"] = path.read_bytes()
        web.delay_s = 0.2
        check(serve(f"{web.url}/iris", "--workers", "2").ready())
        assert web.asked["iris/model.joblib"] == 1


def test_a_model_from_s3(serve: Callable[..., Program], programs: Programs, tmp_path: Path) -> None:
    folder = models.sklearn(tmp_path / "iris")
    with stores.s3() as s3:
        s3.put("models", {f"sklearn/iris/{path.name}": path.read_bytes() for path in folder.iterdir()})
        check(serve("s3://models/sklearn/iris", **s3.environment).ready())
        uri, folder = "s3://models/sklearn/iris/model.joblib", tmp_path / "out"
        fetch = programs.start("fetch", uri, str(folder), environment=s3.environment)
        assert fetch.ended() == 0
    assert fetch.out == f"{folder}/model.joblib\n"


def test_another_model_in_the_manifest_is_loaded(serve: Callable[..., Program], tmp_path: Path) -> None:
    program = serve(models.sklearn(tmp_path / "iris")).ready()
    other = models.onnx(tmp_path / "onnx")
    text = MANIFEST.replace("SKLEARN_SERVER", "ONNX_SERVER").replace("MODEL", str(other))
    (tmp_path / "iris.yaml").write_text(text)
    program.signal(signal.SIGHUP)
    program.wait_for(lambda: "reloaded" in program.err)
    check(program)
    (tmp_path / "iris.yaml").write_text(text.replace("/onnx", "/nothing"))
    program.signal(signal.SIGHUP)
    program.wait_for(lambda: "not reloaded" in program.err)
    check(program)


def test_servers_side_by_side(serve: Callable[..., Program], tmp_path: Path) -> None:
    models.sklearn(tmp_path / "a")
    models.onnx(tmp_path / "b")
    booster = models.xgboost(tmp_path / "c")
    kinds = {"a": "SKLEARN_SERVER", "b": "ONNX_SERVER", "c": "XGBOOST_SERVER"}
    children = [
        {"name": name, "implementation": kind, "modelUri": f"file://{tmp_path}/{name}"} for name, kind in kinds.items()
    ]
    graph = {"name": "mean", "implementation": "AVERAGE_COMBINER", "children": children}
    text = json.dumps({"apiVersion": "machinelearning.seldon.io/v1", "kind": "SeldonDeployment",
                       "metadata": {"name": "d"}, "spec": {"predictors": [{"name": "p", "graph": graph}]}})  # fmt: skip
    expected = (2 * wanted() + booster.inplace_predict(numpy.array([ROW]))) / 3
    check(serve("", text=text).ready(), expected)


def test_pickles_are_refused_where_they_are_not_wanted(serve: Callable[..., Program], tmp_path: Path) -> None:
    models.sklearn(tmp_path / "iris")
    for program in (serve(tmp_path / "iris", "--no-pickle"), serve(tmp_path / "iris", MILLRACE_NO_PICKLE="1")):
        assert program.ended() == 2
        assert "a joblib file is a pickle, and --no-pickle (or MILLRACE_NO_PICKLE) refuses those" in program.err
        assert "Traceback" not in program.err
    text = MANIFEST.replace("SKLEARN_SERVER", "ONNX_SERVER")
    check(serve(models.onnx(tmp_path / "onnx"), "--no-pickle", text=text).ready())


def test_a_model_that_is_not_there(serve: Callable[..., Program], tmp_path: Path) -> None:
    program = serve(tmp_path / "nothing")
    assert program.ended() == 1
    assert program.err.endswith(f"millrace: {tmp_path}/nothing: there is no such file or folder\n")


def test_servers_of_containers_of_their_own(serve: Callable[..., Program]) -> None:
    program = serve("gs://models/cifar", text=MANIFEST.replace("SKLEARN_SERVER", "TENSORFLOW_SERVER"))
    assert program.ended() == 2
    assert "TENSORFLOW_SERVER runs in a container of its own; say where it is (--endpoint)" in program.err


def test_a_server_as_a_node(programs: Programs, tmp_path: Path) -> None:
    """Started as Seldon's operator does it."""
    models.sklearn(tmp_path)
    uri = {"name": "model_uri", "type": "STRING", "value": str(tmp_path)}
    told = {"PREDICTIVE_UNIT_PARAMETERS": json.dumps([uri]), "PREDICTIVE_UNIT_ID": "classifier"}
    program = programs.start("node", "SKLEARN_SERVER", "--grpc-port", "0", "--http-port", "0", environment=told).ready()
    assert "classifier  MODEL  SKLEARN_SERVER" in program.out
    check(program)
    refused = programs.serve("node", "SKLEARN_SERVER", "--parameters", json.dumps({"model_uri": str(tmp_path)}),
                             "--no-pickle")  # fmt: skip
    assert refused.ended() == 2
    assert "--no-pickle" in refused.err


def test_a_server_in_a_process_of_its_own(serve: Callable[..., Program], tmp_path: Path) -> None:
    models.sklearn(tmp_path / "iris")
    program = serve(tmp_path / "iris", "--component", "classifier=SKLEARN_SERVER", "--isolate", "classifier").ready()
    assert "in a process of its own: SKLEARN_SERVER" in program.out
    check(program)


def test_the_executor_asks_the_container_unless_told(programs: Programs, tmp_path: Path) -> None:
    models.sklearn(tmp_path)
    with http_node(lambda method, content, headers: {"strData": "remote"}) as url:
        graph = {**unit("m", rest=url), "implementation": "SKLEARN_SERVER", "modelUri": str(tmp_path)}
        told = {"ENGINE_PREDICTOR": predictor(graph)}
        remote = Container(programs, environment=told).ready()
        assert remote.rest.predict(ASKED).said["strData"] == "remote"
        here = Container(programs, "--prepackaged", "in-process", environment=told).ready()
        answer = here.rest.predict(ASKED).said["data"]["ndarray"]
        numpy.testing.assert_allclose(answer, wanted())
        assert here.rest.status("/ready") == 200
