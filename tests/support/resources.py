"""Owns SeldonDeployments for tests of the operator, and their objects. Must not hold expectations."""

from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from operator_lite import resource
from operator_lite.config import Config
from operator_lite.desired import desired, scopes
from operator_lite.scope import Scope

CONFIG = Config(image="millrace:test")
ONE = """\
predictors:
- name: main
  componentSpecs:
  - spec: {containers: [{name: model, image: "model:1"}]}
  graph: {name: model, type: MODEL}
"""


def sdep(spec: str = ONE, **metadata: Any) -> dict[str, Any]:
    """A resource, as the API server has it."""
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": "iris", "namespace": "ml", "generation": 3, **metadata},
        "spec": yaml.safe_load(spec),
    }


def made(spec: str = ONE, config: Config = CONFIG, **metadata: Any) -> list[dict[str, Any]]:
    """What it becomes."""
    return desired(scopes(resource.read(sdep(spec, **metadata), config), config))


def scope_of(spec: str = ONE, config: Config = CONFIG, index: int = 0, **metadata: Any) -> Scope:
    """One of its predictors, in full."""
    return scopes(resource.read(sdep(spec, **metadata), config), config)[index]


def of_kind(objects: Iterable[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """The objects of a kind, by name."""
    return {each["metadata"]["name"]: each for each in objects if each["kind"] == kind}


def pod(deployment: dict[str, Any]) -> dict[str, Any]:
    """The spec of a Deployment's pods."""
    found: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return found


def container(deployment: dict[str, Any], name: str) -> dict[str, Any]:
    """A container of a Deployment, by name."""
    found: dict[str, Any] = next(each for each in pod(deployment)["containers"] if each["name"] == name)
    return found


def variables(container: dict[str, Any]) -> dict[str, Any]:
    """The environment of a container."""
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}


def values(found: Any) -> Iterator[Any]:
    """Everything in a value, itself included."""
    yield found
    for each in found.values() if isinstance(found, dict) else found if isinstance(found, list) else ():
        yield from values(each)
