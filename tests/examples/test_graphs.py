"""The example graphs are right manifests, and their components do what the graphs say."""

import sys
from pathlib import Path
from typing import Any

import numpy
import pytest
from support.components import BOTH, ask

from executor import manifest
from executor.component import load
from executor.graph import plan as plans
from executor.types import Method

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def graph(name: str, **reached: str) -> plans.Plan:
    """The plan of an example's manifest, with components for the nodes in `reached`."""
    path = EXAMPLES / name / "graph.yaml"
    selected = manifest.load(path, manifest.Profile.LOCAL, reached=list(reached))
    return plans.compile_plan(selected.predictor, selected.deployment.name)


def arguments(plan: plans.Plan, node: str) -> dict[str, Any]:
    found = plan.find(node)
    assert found is not None
    return found.arguments


def shape(plan: plans.Plan) -> list[tuple[str, str, tuple[int, ...]]]:
    return [(node.name, str(node.type), node.children) for node in plan.nodes]


DIGITS = {"labels": "x", "scaler": "x", "by-ink": "x", "logistic": "x", "mlp": "x"}
WINE = {"vote": "x", "logistic": "x", "forest": "x", "neighbours": "x"}
STEPS = {"step_one": "x", "step_two": "x", "step_three": "x"}


def test_the_graphs_are_what_they_say() -> None:
    assert shape(graph("digits", **DIGITS)) == [
        ("labels", "OUTPUT_TRANSFORMER", (1,)),
        ("scaler", "TRANSFORMER", (2,)),
        ("by-ink", "ROUTER", (3, 4)),
        ("logistic", "MODEL", ()),
        ("mlp", "MODEL", ()),
    ]
    assert shape(graph("wine", **WINE))[0] == ("vote", "COMBINER", (1, 2, 3))
    steps = graph("steps", **STEPS)
    assert [node.children for node in steps.nodes] == [(1,), (2,), ()]
    assert [str(node.endpoint.type) for node in steps.nodes] == ["REST"] * 3


def test_the_iris_model_is_what_its_server_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES / "iris"))
    monkeypatch.delitem(sys.modules, "train", raising=False)
    import train  # type: ignore[import-not-found] # found on the path that was just set

    train.train(tmp_path)
    monkeypatch.delitem(sys.modules, "train")
    path = EXAMPLES / "iris" / "graph.yaml"
    root = manifest.load(path, manifest.Profile.LOCAL, reached=[], prepackaged=True).predictor.graph
    assert root.model_uri == "examples/iris/model"
    server = load.component(root.implementation, {"model_uri": str(tmp_path)})
    server.load()
    assert server.predict(numpy.array([[5.1, 3.5, 1.4, 0.2]])).argmax() == 0
    assert server.init_metadata()["versions"] == ["v1"]


@pytest.mark.parametrize("encoding", BOTH)
def test_the_digits_components(encoding: int) -> None:
    plan = graph("digits", **DIGITS)
    scaler = load.component(str(EXAMPLES / "digits/scaler.py:Scaler"), arguments(plan, "scaler"))
    router = load.component(str(EXAMPLES / "digits/router.py:InkRouter"), arguments(plan, "by-ink"))
    labels = load.component(str(EXAMPLES / "digits/labels.py:Labels"), {})
    bold, faint = ({"data": {"ndarray": [[ink] * 64]}} for ink in (16.0, 1.0))
    scaled = ask(scaler, bold, Method.TRANSFORM_INPUT, encoding)
    assert scaled["data"]["ndarray"] == [[1.0] * 64]
    assert ask(router, scaled, Method.ROUTE, encoding)["data"]["ndarray"] == [[1]]
    assert ask(router, ask(scaler, faint, Method.TRANSFORM_INPUT, encoding), Method.ROUTE, encoding)["data"][
        "ndarray"
    ] == [[0]]
    probabilities = {"data": {"tensor": {"shape": [1, 10], "values": [0.0] * 9 + [1.0]}}}
    named = ask(labels, probabilities, Method.TRANSFORM_OUTPUT, encoding)
    assert named["data"]["ndarray"] == ["nine"]
    assert named["meta"]["tags"] == {"confidence": [1.0]}


@pytest.mark.parametrize("encoding", BOTH)
def test_the_router_counts_what_comes_back(encoding: int) -> None:
    router = load.component(str(EXAMPLES / "digits/router.py:InkRouter"), {})
    for route in (1, 1, 0):
        feedback = {"response": {"meta": {"routing": {"by-ink": route}}}, "reward": 1.0}
        ask(router, feedback, Method.SEND_FEEDBACK, encoding, name="by-ink")
    assert router.health_status() == {"rewards": [1.0, 2.0]}


@pytest.mark.parametrize("encoding", BOTH)
def test_the_steps(encoding: int) -> None:
    said: Any = {"data": {"ndarray": [[1.0, 2.0]]}}
    for name in ("StepOne", "StepTwo", "StepThree"):
        said = ask(load.component(str(EXAMPLES / f"steps/steps.py:{name}"), {}), said, encoding=encoding)
    assert said["data"]["ndarray"] == [[20.0, 29.0]]
    assert said["meta"]["tags"] == {"chain": "complete"}


def test_the_vote() -> None:
    vote = load.component(str(EXAMPLES / "wine/vote.py:Vote"), arguments(graph("wine", **WINE), "vote"))
    assert vote.aggregate([numpy.array([1.0]), numpy.array([0.0]), numpy.array([1.0])], []).tolist() == [0.5]


def test_a_model_that_is_not_trained_says_what_to_do() -> None:
    model = load.component(str(EXAMPLES / "onnx_model.py:OnnxModel"), {"model": "gone/model.onnx"})
    with pytest.raises(FileNotFoundError, match=r"train\.py in the graph's folder makes it"):
        model.load()


def test_the_trained_models_know_the_held_out_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES / "digits"))
    monkeypatch.delitem(sys.modules, "train", raising=False)
    import train

    held_out = train.train()
    for name in ("logistic", "mlp"):
        plan = graph("digits", **DIGITS)
        model = load.component(str(EXAMPLES / "onnx_model.py:OnnxModel"), arguments(plan, name))
        model.load()
        found = model.predict(held_out.rows / 16.0, []).argmax(axis=1)
        assert (found == held_out.digits).mean() > 0.9
