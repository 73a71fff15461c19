"""Owns reading a predictor's JSON as Seldon's executor does, which is written in Go: what it takes, and what it means.

Must not refuse anything: what Go would refuse too is left as it is, and told by whoever holds it against its shape.

Go passes over unknown fields and nulls, finds names whatever their case, and keeps any text where only a few mean
something: what means nothing then has no effect.
"""

import contextlib
import typing
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

from executor.manifest.document import Path, dotted
from executor.manifest.parameters import typed
from executor.manifest.seldon_shape import (
    EndpointModel,
    LoggerModel,
    PredictorModel,
    UnitModel,
)

AB_TEST = "RANDOM_ABTEST"
LOCALHOST = "localhost"
_NOT_IN_GO = ("componentSpec", "protocol", "transport")
"""Fields of `PredictorModel` that Go's has not."""
_NAMELESS = "-"
_PORTS = ("service_port", "httpPort", "grpcPort")


@dataclass(slots=True)
class Read:
    """What was read, and what of it Seldon's executor goes by otherwise than it is written."""

    value: Any = None
    name: str = ""
    """The predictor's, which may have none."""
    unknown: list[str] = field(default_factory=list)
    """Paths of fields that are not known."""
    remarks: list[str] = field(default_factory=list)


def predictor(said: Any) -> Read:
    """JSON as Go reads it into a predictor, in the names of `PredictorModel`."""
    read = Read()
    read.value = _folded(said, PredictorModel, (), read)
    if isinstance(read.value, dict):
        for name in _NOT_IN_GO:
            read.value.pop(name, None)
        read.name = str(read.value.get("name") or "")
        read.value["name"] = read.value.get("name") or _NAMELESS
        _unit(read.value.get("graph"), ("graph",), read)
    return read


# --- names ------------------------------------------------------------------------------------------------------


def _folded(said: Any, model: type[BaseModel], path: Path, read: Read) -> Any:
    if isinstance(said, list):
        return [_folded(each, model, (*path, index), read) for index, each in enumerate(said)]
    if not isinstance(said, dict):
        return said
    names = {name.lower(): name for name in model.model_fields}
    found = _zeros(model)
    for key, each in said.items():
        name = key if key in model.model_fields else names.get(key.lower())
        if name is None:
            read.unknown.append(dotted((*path, key)))
        elif each is not None:
            found[name] = _member(each, model.model_fields[name].annotation, (*path, name), read)
    return found


def _zeros(model: type[BaseModel]) -> dict[str, Any]:
    """What stands for numbers and lists that have to be written in a manifest, and are not."""
    needed = {name: each.annotation for name, each in model.model_fields.items() if each.is_required()}
    numbers = {name: 0 for name, each in needed.items() if each is int}
    return numbers | {name: [] for name, each in needed.items() if typing.get_origin(each) is list}


def _member(said: Any, annotation: Any, path: Path, read: Read) -> Any:
    inner = _model_in(annotation)
    if inner is not None:
        return _folded(said, inner, path, read)
    if annotation == dict[str, str] and isinstance(said, dict):
        return {key: "" if each is None else each for key, each in said.items()}
    return said


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that an annotation is, or has around it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, typing.get_args(annotation))), None)


# --- what means nothing -------------------------------------------------------------------------------------------


def _unit(unit: Any, path: Path, read: Read) -> None:
    """A node, changed in place to what it comes to, and all below it."""
    if not isinstance(unit, dict):
        return
    if not unit.get("name"):
        unit["name"] = dotted(path)
        read.remarks.append(f"{dotted(path)} has no name, and is called that")
    if isinstance(methods := unit.get("methods"), list):
        unit["methods"] = [each for each in methods if _means(each, UnitModel, "methods", (*path, "methods"), read)]
    unit.setdefault("type", "")
    if isinstance(unit["type"], str) and unit["type"] not in _words(UnitModel, "type"):
        _settle_type(unit, read)
    _endpoint(unit.get("endpoint"), (*path, "endpoint"), read)
    if isinstance(parameters := unit.get("parameters"), list):
        unit["parameters"] = [each for each in parameters if _parameter(each)]
        if unit.get("implementation") == AB_TEST:
            _clamp_ratio(unit["parameters"], (*path, "parameters"), read)
    if isinstance(logger := unit.get("logger"), dict):
        mode = logger.get("mode", "")
        if not _means(mode, LoggerModel, "mode", (*path, "logger", "mode"), read):
            del unit["logger"]
    children = unit.get("children")
    for index, child in enumerate(children if isinstance(children, list) else ()):
        _unit(child, (*path, "children", index), read)


def _settle_type(unit: dict[str, Any], read: Read) -> None:
    said = f'type "{unit["type"]}" is unknown' if unit["type"] else "there is no type"
    unit["type"] = "UNKNOWN_TYPE"
    if not unit.get("methods") and unit.get("implementation", "") in ("", "UNKNOWN_IMPLEMENTATION"):
        read.remarks.append(f'node "{unit["name"]}" is not called: {said}{_allowed(UnitModel, "type")}')


def _endpoint(endpoint: Any, path: Path, read: Read) -> None:
    if not isinstance(endpoint, dict):
        return
    if not _means(endpoint.get("type", "REST"), EndpointModel, "type", (*path, "type"), read):
        del endpoint["type"]
    if not endpoint.get("service_host", "") and any(endpoint.get(port) for port in _PORTS):
        endpoint["service_host"] = LOCALHOST  # which an empty host is to Go's dialler


def _parameter(said: Any) -> bool:
    """Whether a parameter has a name; its value is text alone where it does not fit its type, since nobody looks."""
    if not isinstance(said, dict):
        return True
    value, kind = said.setdefault("value", ""), said.setdefault("type", "STRING")
    if isinstance(value, str) and isinstance(kind, str):
        try:
            typed(kind, value)
        except ValueError:
            said["type"] = "STRING"
    return bool(said.get("name"))


def _clamp_ratio(parameters: list[Any], path: Path, read: Read) -> None:
    """A share beyond 0 to 1 is met by each draw, or by none."""
    for index, each in enumerate(parameters):
        if isinstance(each, dict) and each.get("name") == "ratioA" and isinstance(each["value"], str):
            with contextlib.suppress(ValueError):
                share = float(each["value"])
                if not 0 <= share <= 1:  # a NaN is none either, and no draw is below it
                    each["value"], each["type"] = "1" if share > 1 else "0", "FLOAT"
                    read.remarks.append(f"{dotted((*path, index))}: ratioA {share:g} means {each['value']}")


def _means(said: Any, model: type[BaseModel], name: str, path: Path, read: Read) -> bool:
    """Whether a text means something there. What is no text is left to be refused."""
    if not isinstance(said, str) or said in _words(model, name):
        return True
    if said:
        read.remarks.append(f'{dotted(path)}: "{said}" has no effect{_allowed(model, name)}')
    return False


def _words(model: type[BaseModel], name: str) -> tuple[str, ...]:
    return _literals(model.model_fields[name].annotation)


def _literals(annotation: Any) -> tuple[str, ...]:
    inner = typing.get_args(annotation)
    if typing.get_origin(annotation) is Literal:
        return inner
    return next(filter(None, map(_literals, inner)), ())


def _allowed(model: type[BaseModel], name: str) -> str:
    return f"; allowed: {', '.join(_words(model, name))}"
