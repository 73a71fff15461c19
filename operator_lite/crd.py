"""Owns the custom resource definition: made of the manifest's own types, so that what is applied is what is checked.

Must not forbid what Seldon's own definition takes: values are checked by the webhook, with better words.

Usage: python -m operator_lite.crd [--check]
"""

import argparse
import ast
import inspect
import sys
import types
import typing
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel

from executor.manifest import seldon_shape
from operator_lite.resource import GROUP, PLURAL, SERVED, STORED
from operator_lite.scope import Object

FILE = Path(__file__).parent / "manifests" / "crd.yaml"
ANY: Object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
LEFT_OUT = {"componentSpec", "protocol", "transport"}
"""Fields of predictors that files may have, and clusters never had."""
HEAD = "# Made by `python -m operator_lite.crd` from executor/manifest/seldon_shape.py: change that.\n"


def definition() -> Object:
    """The whole object."""
    version = {
        "served": True,
        "schema": {"openAPIV3Schema": _resource()},
        "subresources": {
            "status": {},
            "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
        },
        "additionalPrinterColumns": _columns(),
    }
    spec = {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {
            "kind": "SeldonDeployment",
            "listKind": "SeldonDeploymentList",
            "plural": PLURAL,
            "singular": "seldondeployment",
            "shortNames": ["sdep"],
        },
        "conversion": {"strategy": "None"},
        "versions": [{"name": name, "storage": name == STORED, **version} for name in SERVED],
    }
    metadata = {"name": f"{PLURAL}.{GROUP}"}
    api_version = "apiextensions.k8s.io/v1"
    return {"apiVersion": api_version, "kind": "CustomResourceDefinition", "metadata": metadata, "spec": spec}


def _columns() -> list[Object]:
    return [
        {"name": "State", "type": "string", "jsonPath": ".status.state"},
        {"name": "Replicas", "type": "integer", "jsonPath": ".status.replicas"},
        {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]


def _resource() -> Object:
    return {
        "type": "object",
        "description": "Inference graphs, and how they are served.",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": schema(seldon_shape.DeploymentSpecModel),
            "status": _status(),
        },
    }


def schema(annotation: Any) -> Object:
    """The structural schema of a type."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return schema(arguments[0])
    if origin is Literal:
        return {"type": "string"}
    if origin in (types.UnionType, typing.Union):
        if {int, str} <= set(arguments):
            return {"x-kubernetes-int-or-string": True}
        return schema(next(each for each in arguments if each is not type(None)))
    if origin is list:
        return {"type": "array", "items": schema(arguments[0])}
    if origin is dict:
        plain = arguments[1] is str
        return {"type": "object", "additionalProperties": {"type": "string"}} if plain else dict(ANY)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _model(annotation)
    return {int: {"type": "integer", "format": "int32"}, bool: {"type": "boolean"}}.get(annotation, {"type": "string"})


def _model(model: type[BaseModel]) -> Object:
    said = descriptions().get(model.__name__, {})
    properties = {}
    for name, field in model.model_fields.items():
        if model is seldon_shape.PredictorModel and name in LEFT_OUT:
            continue
        # A schema cannot contain itself: how deep a graph may be, and what is in it, the webhook says.
        nested = model is seldon_shape.UnitModel and name == "children"
        found = {"type": "array", "items": dict(ANY)} if nested else schema(field.annotation)
        properties[name] = {**({"description": said[name]} if name in said else {}), **found}
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


@cache
def descriptions() -> dict[str, dict[str, str]]:
    """What stands under each field, by model and name."""
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(inspect.getsource(seldon_shape)).body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = dict(_described(node))
    return found


def _described(node: ast.ClassDef) -> typing.Iterator[tuple[str, str]]:
    for field, below in zip(node.body, node.body[1:], strict=False):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                yield name, " ".join(said.split())


def _status() -> Object:
    text, number = {"type": "string"}, {"type": "integer", "format": "int32"}
    counts = {"replicas": number, "availableReplicas": number}
    reached = dict.fromkeys(("svcName", "httpEndpoint", "grpcEndpoint", "explainerFor"), text)
    condition = dict.fromkeys(("type", "status", "severity", "reason", "message"), text)
    times = {"lastTransitionTime": {"type": "string", "format": "date-time"}}
    generation = {"observedGeneration": {"type": "integer", "format": "int64"}}
    return {
        "type": "object",
        "description": "How it stands.",
        "properties": {
            "state": {"description": "Available, Creating or Failed.", **text},
            "description": {"description": "Why it is not Available.", **text},
            "replicas": {"description": "Pods of the first predictor's first Deployment.", **number},
            "deploymentStatus": _by_name("Deployments, by name.", counts),
            "serviceStatus": _by_name("Services, by name.", reached),
            "address": {
                "description": "Where the first predictor is reached.",
                "type": "object",
                "properties": {"url": text},
            },
            "conditions": {
                "description": "How each kind of object stands.",
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["type", "status"],
                    "properties": {**condition, **times, **generation},
                },
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
            },
        },
    }


def _by_name(description: str, properties: Object) -> Object:
    return {
        "description": description,
        "type": "object",
        "additionalProperties": {"type": "object", "properties": properties},
    }


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def text() -> str:
    """The file."""
    return HEAD + yaml.dump(definition(), Dumper=_Plain, sort_keys=False, width=120)


def main(arguments: list[str] | None = None) -> int:
    """Writes the file, or says whether it is as it should be; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m operator_lite.crd", description="write the resource's definition")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if the file is out of date")
    if not parser.parse_args(arguments).check:
        FILE.write_text(text())
        return 0
    if FILE.is_file() and FILE.read_text() == text():
        return 0
    print(f"{FILE} is not what the manifest's types say; run `python -m operator_lite.crd`", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
