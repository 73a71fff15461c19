"""Owns what a component says of itself: its metadata and its health.

Must not fail a prediction: what is said here is asked for apart.
"""

import inspect
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import yaml

from executor.aside import in_thread
from executor.component import faults, methods
from executor.component.methods import UserMethod
from executor.errors import ComponentError
from executor.types import Mode

logger = logging.getLogger(__name__)

TYPES = (
    ["BOOL"]
    + [f"{sign}INT{bits}" for sign in ("U", "") for bits in (8, 16, 32, 64)]
    + ["FP16", "FP32", "FP64", "BYTES"]
)
_ARRAY_TYPES = ("tensor", "ndarray", "tftensor")
_KEYS = ("name", "versions", "platform", "inputs", "outputs", "custom")


async def ask(method: UserMethod, node: str, *arguments: Any) -> Any:
    """The answer of `method`, run in the way it wants to be. None where it says that it is not implemented."""
    try:
        if method.mode is Mode.BLOCKING:
            return await in_thread(partial(method.call, *arguments), f"component {method.name}")
        answer = method.call(*arguments)
        return await answer if inspect.isawaitable(answer) else answer
    except BaseException as exc:
        faults.let_pass(exc)
        if faults.says_not_implemented(exc):
            return None
        raise faults.raised(exc, node, method.name) from exc


async def metadata(
    component: Any, node: str, image: str, environ: Mapping[str, str], asked: Callable[[UserMethod], Awaitable[Any]]
) -> dict[str, Any]:
    """What the image says, overruled by `init_metadata()`, overruled by the environment's MODEL_METADATA."""
    name, _, version = image.rpartition(":") if ":" in image.rpartition("/")[2] else (image, "", "")
    said: dict[str, Any] = {"name": name or node, "versions": [version] if version else [], "platform": ""}
    said.update({"inputs": [], "outputs": [], "custom": {}})
    try:
        method = methods.find(component, "init_metadata")
        if method is not None:
            said.update(_mapping(await asked(method), "init_metadata()"))
        said.update(_mapping(_environment(environ), "MODEL_METADATA"))
        return checked(said)
    except ValueError as exc:
        logger.error("node %s: metadata: %s", node, exc)
        message = f"node {node!r}: metadata: {exc}"
        raise ComponentError(message, reason=faults.BAD_METADATA, node=node) from exc


def _environment(environ: Mapping[str, str]) -> Any:
    try:
        return yaml.safe_load(environ.get("MODEL_METADATA", ""))
    except yaml.YAMLError as exc:
        raise ValueError(f"MODEL_METADATA is not YAML: {exc}") from exc


def _mapping(value: Any, source: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(f"{source} must be a mapping, not {type(value).__name__}")
    return value


def checked(said: dict[str, Any]) -> dict[str, Any]:
    """`said` if it is metadata; ValueError with the place and what is allowed there if not."""
    _only(said, _KEYS, "metadata")
    for key in ("name", "platform"):
        _want(isinstance(said[key], str), key, "text", said[key])
    _want(_is_texts(said["versions"]), "versions", "a list of text", said["versions"])
    custom = said["custom"]
    _want(isinstance(custom, Mapping) and _is_texts([*custom, *custom.values()]), "custom", "text to text", custom)
    for key in ("inputs", "outputs"):
        _want(isinstance(said[key], list), key, "a list", said[key])
        for index, each in enumerate(said[key]):
            _check_port(each, f"{key}[{index}]")
    return said


def _check_port(port: Any, where: str) -> None:
    """One input or output, in Seldon's form (messagetype, schema) or the open protocol's (name, datatype, shape)."""
    _want(isinstance(port, Mapping), where, "a mapping", port)
    if "messagetype" not in port:
        _only(port, ("name", "datatype", "shape"), where)
        _want(isinstance(port.get("name"), str), f"{where}.name", "text", port.get("name"))
        _want(port.get("datatype") in TYPES, f"{where}.datatype", f"one of {', '.join(TYPES)}", port.get("datatype"))
        _want(_is_shape(port.get("shape")), f"{where}.shape", "a list of whole numbers", port.get("shape"))
        return
    kind = port["messagetype"]
    _want(isinstance(kind, str), f"{where}.messagetype", "text", kind)
    bare = kind in ("strData", "binData")
    _only(port, ("messagetype",) if bare else ("messagetype", "schema"), where)
    if bare:
        return
    if kind in _ARRAY_TYPES:
        _check_array_schema(port.get("schema"), f"{where}.schema")
    else:
        _want("schema" in port, f"{where}.schema", "a schema", None)


def _check_array_schema(schema: Any, where: str) -> None:
    _want(isinstance(schema, Mapping), where, "a mapping with names and shape", schema)
    _only(schema, ("names", "shape"), where)
    _want(_is_texts(schema.get("names", [])), f"{where}.names", "a list of text", schema.get("names"))
    _want(_is_shape(schema.get("shape", [])), f"{where}.shape", "a list of whole numbers", schema.get("shape"))


def _only(value: Mapping[str, Any], allowed: tuple[str, ...], where: str) -> None:
    for key in value:
        if key not in allowed:
            raise ValueError(f"{where} has the unknown key {key!r}; allowed are {', '.join(allowed)}")


def _want(right: bool, where: str, allowed: str, value: Any) -> None:
    if not right:
        raise ValueError(f"{where} must be {allowed}, not {json.dumps(value, default=repr)}")


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, int) and not isinstance(each, bool) for each in value)
