"""Results become answers: payload, names and meta."""

from types import SimpleNamespace
from typing import Any

import numpy
import pytest
from support.components import BOTH, ask, content

from executor.component import answer
from executor.component.extras import NOTHING, Added
from executor.component.steps import STEPS, Call
from executor.errors import ComponentError
from executor.types import Encoding, Method

ROWS = {"data": {"names": ["a", "b"], "tensor": {"shape": [1, 2], "values": [1.0, 2.0]}}}


def built(result: Any, method: Method = Method.PREDICT, added: Added = NOTHING, encoding: int = 1) -> Any:
    step = next(step for step in STEPS if step.method is method)
    call = Call((None, ["a", "b"]), None, "tensor", ({"puid": "p"},) if step.inherits else ())
    return content(answer.build(step, call, result, added, {"n": "i:1"}, encoding, "n"))


@pytest.mark.parametrize(
    ("method", "names"),
    [
        (Method.PREDICT, ["t:0", "t:1"]),
        (Method.TRANSFORM_INPUT, ["t:0", "t:1"]),
        (Method.TRANSFORM_OUTPUT, ["t:0", "t:1"]),
        (Method.AGGREGATE, ["t:0", "t:1"]),
    ],
)
def test_names_where_the_component_gives_none(method: Method, names: list[str]) -> None:
    array = numpy.ones((1, 2))
    assert built(array, method)["data"]["names"] == names
    assert built(array, method, Added({}, [], ("x", "y")))["data"]["names"] == ["x", "y"]
    frame = SimpleNamespace(values=array, columns=["c", "d"])
    assert built(frame, method)["data"]["names"] == ["c", "d"]
    assert built(frame, method, Added({}, [], ("x", "y")))["data"]["names"] == ["x", "y"]


def test_one_dimension_has_no_default_names() -> None:
    assert not built(numpy.ones(2))["data"].get("names")


@pytest.mark.parametrize("encoding", BOTH)
def test_an_answer_may_carry_its_own_tags_and_metrics(encoding: int) -> None:
    class Model:
        def predict(self, X: Any, names: Any) -> Any:
            metric = {"key": "late", "type": "COUNTER", "value": 2}
            return SimpleNamespace(data=X, tags={"b": 2, "c": 2}, metrics=[metric])

        def tags(self) -> dict[str, int]:
            return {"a": 1, "b": 1}

        def metrics(self) -> list[Any]:
            return [{"key": "early", "type": "TIMER", "value": 1}]

    said = ask(Model(), {**ROWS, "meta": {"tags": {"a": 0, "z": 0}}}, encoding=encoding)
    assert said["meta"]["tags"] == {"a": 1, "b": 2, "c": 2, "z": 0}
    assert [metric["key"] for metric in said["meta"]["metrics"]] == ["early", "late"]
    assert said["data"]["tensor"]["values"] == [1, 2]


def test_an_answers_own_tags_and_metrics_are_checked() -> None:
    with pytest.raises(ComponentError, match="tags of predict's answer must be a dict"):
        built(SimpleNamespace(data="x", tags=[], metrics=None))
    with pytest.raises(ComponentError, match=r"metrics of predict's answer\[0\] must be a dict"):
        built(SimpleNamespace(data="x", tags=None, metrics=[1]))


@pytest.mark.parametrize("encoding", BOTH)
def test_meta_of_the_answer(encoding: int) -> None:
    assert built("x", encoding=encoding)["meta"] == {"puid": "p", "requestPath": {"n": "i:1"}}
    assert built(1, Method.ROUTE, encoding=encoding)["meta"] == {"requestPath": {"n": "i:1"}}
    assert built(None, Method.SEND_FEEDBACK, encoding=encoding)["meta"] == {"requestPath": {"n": "i:1"}}


def test_json_answers_have_a_meta_always() -> None:
    step = STEPS[0]
    call = Call((None, []), None, "", ())
    said = {each: content(answer.build(step, call, "x", NOTHING, {}, each, "n")) for each in BOTH}
    assert said[Encoding.SELDON_JSON] == {"strData": "x", "meta": {}}
    assert said[Encoding.SELDON_PROTO] == {"strData": "x"}


@pytest.mark.parametrize("encoding", BOTH)
@pytest.mark.parametrize("result", [{"a": object()}, {"a": {1, 2}}, numpy.array([b"bytes"], dtype=object)])
def test_what_no_payload_holds_is_named(encoding: int, result: Any) -> None:
    with pytest.raises(ComponentError, match=r"node 'n': predict answered \w+, which cannot be sent") as caught:
        built(result, encoding=encoding)
    assert caught.value.http_status == 500


def test_nan_in_an_ndarray_is_written_as_seldons_wrapper_does() -> None:
    said = ask(SimpleNamespace(predict=lambda X, names: X * numpy.nan), {"data": {"ndarray": [[1.0]]}})
    assert str(said["data"]["ndarray"]) == "[[nan]]"


@pytest.mark.parametrize("encoding", BOTH)
def test_health(encoding: int) -> None:
    said = content(answer.health("fine", Added({"t": 1}, [], None), {"n": "i:1"}, encoding, "n"))
    assert said == {"strData": "fine", "meta": {"tags": {"t": 1}, "requestPath": {"n": "i:1"}}}


@pytest.mark.parametrize("encoding", BOTH)
def test_feature_names_are_not_asked(encoding: int) -> None:
    class Model:
        def transform_input(self, X: Any, names: Any) -> Any:
            return X

        def feature_names(self) -> Any:
            raise AssertionError("nobody is to ask")

    said = ask(Model(), ROWS, Method.TRANSFORM_INPUT, encoding)
    assert said["data"]["names"] == ["t:0", "t:1"]


@pytest.mark.parametrize("encoding", BOTH)
@pytest.mark.parametrize(("method", "word"), [(Method.PREDICT, "predict"), (Method.TRANSFORM_INPUT, "inputtransform")])
def test_metrics_with_tags_say_the_method(encoding: int, method: Method, word: str) -> None:
    class Model:
        def predict(self, X: Any, names: Any) -> Any:
            return X

        transform_input = predict

        def metrics(self) -> Any:
            return [
                {"key": "a", "type": "GAUGE", "value": 1, "tags": {"t": "u"}},
                {"key": "b", "type": "GAUGE", "value": 2},
            ]

    first, second = ask(Model(), ROWS, method, encoding)["meta"]["metrics"]
    assert first["tags"] == {"t": "u", "method": word}
    assert "tags" not in second
