"""Owns the form of a result file and its checks. Must not measure, nor draw."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FORMAT = 1
NUMBERS = ("cpu_us_per_request", "requests_per_s", "p50_us", "p99_us", "p999_us")
RUN: dict[str, Any] = {
    "scenario": str,
    "payload_bytes": int,
    "target": str,
    **dict.fromkeys(NUMBERS, (int, float, type(None))),
    "errors": int,
}
"""The fields that every run has; more may stand beside them."""

Run = dict[str, Any]
Result = dict[str, Any]


class ResultError(Exception):
    """A file that is no result of this suite."""


def make(
    machine: Mapping[str, Any],
    options: Mapping[str, Any],
    runs: list[Run],
    skipped: list[dict[str, str]],
    instructions: Mapping[str, float] | None = None,
) -> Result:
    """A result, checked. `instructions` are those that the guard counts for each request of its scenarios."""
    result = {
        "format": FORMAT,
        "machine": dict(machine),
        "options": dict(options),
        "runs": runs,
        "skipped": skipped,
        **({"instructions": dict(instructions)} if instructions else {}),
    }
    check(result)
    return result


def check(result: object) -> None:
    """Raises ResultError, with the place, when something does not have the form of a result."""
    if not isinstance(result, dict) or not isinstance(result.get("runs"), list):
        raise ResultError('not a result: an object with "machine" and a list "runs" is wanted')
    if not isinstance(result.get("machine"), dict):
        raise ResultError("machine: an object is wanted")
    if result.get("format", FORMAT) != FORMAT:
        raise ResultError(f"format {result['format']!r}; this version reads {FORMAT}")
    for index, run in enumerate(result["runs"]):
        for name, kind in RUN.items():
            if not isinstance(run, dict) or not isinstance(run.get(name, ()), kind) or isinstance(run[name], bool):
                raise ResultError(f"runs[{index}].{name}: {run.get(name, 'missing')!r} is not allowed")


def write(result: Result, path: Path) -> None:
    """Stores a result."""
    check(result)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")


def read(path: Path) -> Result:
    """Loads a result. Raises ResultError."""
    try:
        result: Result = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ResultError(f"{path}: {error}") from None
    try:
        check(result)
    except ResultError as error:
        raise ResultError(f"{path}: {error}") from None
    return result


def key(run: Run) -> tuple[str, int, str]:
    """What identifies a run within a result."""
    return run["scenario"], run["payload_bytes"], run["target"]
