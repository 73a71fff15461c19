"""Owns how a component's constructor arguments are read from text: an object, or Seldon's list of typed parameters.

Must not know whether they come from the command line or the environment, nor what the component takes.
"""

import json
from typing import NoReturn

from executor import errors

REASON = "MICROSERVICE_BAD_PARAMETER"
ENVIRONMENT = "PREDICTIVE_UNIT_PARAMETERS"
_TRUE, _FALSE = ("y", "yes", "t", "true", "on", "1"), ("n", "no", "f", "false", "off", "0")


def parse(text: str) -> dict[str, int | float | str | bool]:
    """Constructor arguments from `{"name": value}` or Seldon's `[{"name", "value", "type"}]`. Raises `RequestError`."""
    try:
        given = json.loads(text)
    except ValueError as cause:
        _refuse(f"--parameters: not JSON: {cause}; names and values are written '{{\"rate\": 0.5}}'")
    if isinstance(given, list):
        return dict(_parameter(entry) for entry in given)
    if not isinstance(given, dict):
        _refuse("--parameters: must be an object of names and values, or a list of Seldon's parameters")
    for name, value in given.items():
        if not isinstance(value, int | float | str | bool):
            _refuse(f"--parameters: {name!r} must be a number, a text, true or false")
    return given


def _parameter(entry: object) -> tuple[str, int | float | str | bool]:
    if not isinstance(entry, dict) or not {"name", "value", "type"} <= entry.keys():
        _refuse('--parameters: each entry of a list must have "name", "value" and "type"')
    name, value, kind = str(entry["name"]), entry["value"], entry["type"]
    try:
        if kind == "INT":
            return name, int(value)
        if kind in ("FLOAT", "DOUBLE"):
            return name, float(value)
        if kind == "BOOL" and str(value).lower() in (*_TRUE, *_FALSE):
            return name, str(value).lower() in _TRUE
    except (ValueError, TypeError):
        kind = f"a {kind}"
    if kind == "STRING":
        return name, str(value)
    if kind in ("BOOL", "a INT", "a FLOAT", "a DOUBLE"):
        _refuse(f"--parameters: {name!r} is {value!r}, which is not {kind.replace('a I', 'an I')}")
    return _refuse(f"--parameters: {name!r} has type {kind!r}; allowed are INT, FLOAT, DOUBLE, STRING, BOOL")


def _refuse(message: str) -> NoReturn:
    raise errors.RequestError(message, reason=REASON) from None
