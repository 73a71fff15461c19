"""A component's metadata: from its image, its class and its environment, each over the one before; checked."""

import asyncio
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from executor.component import describe
from executor.errors import ComponentError

EMPTY: dict[str, Any] = {"versions": [], "platform": "", "inputs": [], "outputs": [], "custom": {}}


def said(component: Any = None, image: str = "", **environ: str) -> dict[str, Any]:
    asked = partial(describe.ask, node="node")
    return asyncio.run(describe.metadata(component or SimpleNamespace(), "node", image, environ, asked))


def test_without_a_word_from_the_user() -> None:
    assert said() == {"name": "node", **EMPTY}
    assert said(image="some/model:1.2") == {"name": "some/model", **EMPTY, "versions": ["1.2"]}
    assert said(image="host:5000/model")["name"] == "host:5000/model"


def test_the_class_over_the_image_and_the_environment_over_the_class() -> None:
    async def init_metadata() -> dict[str, Any]:
        return {"name": "mine", "platform": "py", "versions": ["v1"]}

    component = SimpleNamespace(init_metadata=init_metadata)
    assert said(component, "model:1") == {"name": "mine", **EMPTY, "platform": "py", "versions": ["v1"]}
    changed = said(component, MODEL_METADATA="name: theirs\ncustom: {a: b}")
    assert changed == {"name": "theirs", **EMPTY, "platform": "py", "versions": ["v1"], "custom": {"a": "b"}}


def test_ports_in_both_forms() -> None:
    ports = [
        {"messagetype": "tensor", "schema": {"names": ["a"], "shape": [1, -1]}},
        {"messagetype": "jsonData", "schema": {"type": "object"}},
        {"messagetype": "strData"},
        {"messagetype": "something of mine", "schema": None},
        {"name": "x", "datatype": "FP32", "shape": [-1, 4]},
    ]
    component = SimpleNamespace(init_metadata=lambda: {"inputs": ports})
    assert said(component)["inputs"] == ports


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ([], "init_metadata() must be a mapping, not list"),
        ({"nam": "x"}, "metadata has the unknown key 'nam'; allowed are name, versions, platform"),
        ({"name": 3}, "name must be text, not 3"),
        ({"versions": "v1"}, 'versions must be a list of text, not "v1"'),
        ({"custom": {"a": 1}}, "custom must be text to text"),
        ({"inputs": {}}, "inputs must be a list, not {}"),
        ({"outputs": ["x"]}, 'outputs[0] must be a mapping, not "x"'),
        ({"inputs": [{"name": "x", "datatype": "FLOAT", "shape": []}]}, "inputs[0].datatype must be one of BOOL"),
        ({"inputs": [{"name": "x", "datatype": "BOOL", "shape": ["1"]}]}, "inputs[0].shape must be a list of whole"),
        ({"inputs": [{"messagetype": "strData", "schema": {}}]}, "inputs[0] has the unknown key 'schema'"),
        ({"inputs": [{"messagetype": "jsonData"}]}, "inputs[0].schema must be a schema"),
        ({"inputs": [{"messagetype": "tensor"}]}, "inputs[0].schema must be a mapping with names and shape"),
        ({"inputs": [{"messagetype": "tensor", "schema": {"names": "a"}}]}, "inputs[0].schema.names"),
    ],
)
def test_wrong_metadata_says_where(metadata: Any, words: str) -> None:
    with pytest.raises(ComponentError) as caught:
        said(SimpleNamespace(init_metadata=lambda: metadata))
    assert words in caught.value.message
    assert (caught.value.reason, caught.value.http_status) == ("MICROSERVICE_BAD_METADATA", 500)


@pytest.mark.parametrize("text", ["[1]", "{a: "])
def test_a_wrong_environment_says_so(text: str) -> None:
    with pytest.raises(ComponentError, match="MODEL_METADATA"):
        said(MODEL_METADATA=text)
