"""Owns what all prepackaged servers do with the place of a model: fetch it, find its file, read its metadata.

Must not read a model: each server does that, with a library of its own.
"""

import importlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from executor.errors import ComponentError, FetchError
from executor.settings import NO_PICKLE
from executor.storage import fetch

log = logging.getLogger("millrace.servers")

METADATA = "metadata.yaml"
_OFF = ("", "0", "f", "false", "no", "off")


def needed(module: str, server: str, packages: str) -> Any:
    """The library `module`. Raises ComponentError with what to install: `packages`."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        lacking = error.name or module
        raise bad(f"{server} needs {lacking}, which is not there: pip install {packages}") from error


def file(root: Path, name: str, uri: str) -> Path:
    """The model's file: `name` in the folder `root`, or `root` itself where that is one. Raises FetchError."""
    path = root if root.is_file() else root / name
    if path.is_file():
        return path
    there = sorted(each.name for each in root.iterdir() if not each.name.startswith("."))[:10]
    raise FetchError(f"{uri}: there is no {name}; there are {', '.join(there) or 'no files'}")


def local(uri: str) -> Path:
    """Where the model's files are on this machine: fetched, where they were not."""
    return fetch.local(uri)


def metadata(root: Path | None) -> dict[str, Any]:
    """What `metadata.yaml` beside the model says; nothing where there is none."""
    if root is None:
        return {}
    path = (root.parent if root.is_file() else root) / METADATA
    try:
        told = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise bad(f"{path}: cannot be read: {error}") from error
    if not isinstance(told, dict):
        raise bad(f"{path}: must be a mapping, not {type(told).__name__}")
    return told


def check_pickle(what: str, uri: str, environment: Mapping[str, str] = os.environ) -> None:
    """Raises ComponentError where `what`, which runs code that it brings along when it is loaded, is not wanted."""
    if environment.get(NO_PICKLE, "").strip().lower() not in _OFF:
        raise bad(
            f"{uri}: {what}, and --no-pickle (or {NO_PICKLE}) refuses those: loading one runs whatever code it brings;"
            " XGBOOST_SERVER and ONNX_SERVER need none"
        )


def tell_pickle(what: str, uri: str) -> None:
    """Logs that `what` is about to be loaded, which runs code that it brings along."""
    log.warning("%s: %s; loading it runs whatever code it brings: use models from places you trust", uri, what)


def option(server: str, name: str, value: Any, allowed: tuple[str, ...]) -> str:
    """`value` if it is allowed for the parameter `name`. Raises ComponentError."""
    if value not in allowed:
        raise bad(f"{server}: {name} is {value!r}; allowed are {', '.join(allowed)}")
    return str(value)


def needs_uri(server: str, value: Any) -> str:
    """`value` if it can be a URI. Raises ComponentError."""
    if not isinstance(value, str) or not value:
        raise bad(f"{server}: model_uri is missing; it says where the model is (in a manifest the node's modelUri)")
    return value


def bad(message: str) -> ComponentError:
    """For a model that cannot be loaded."""
    return ComponentError(message, reason="BAD_COMPONENT")
