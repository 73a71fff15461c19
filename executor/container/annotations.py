"""Owns the pod's annotations: the file that Kubernetes' downward API writes, and what ours of them say.

Must not decide what a value does, nor log: what is wrong is handed back.
"""

from dataclasses import dataclass
from pathlib import Path

from executor import errors

REST_TIMEOUT = "seldon.io/rest-timeout"
GRPC_TIMEOUT = "seldon.io/grpc-timeout"
GRPC_MAX_MESSAGE_SIZE = "seldon.io/grpc-max-message-size"
SIZE_MAX = 1 << 20
"""Of the file; Kubernetes allows a quarter of that."""
MESSAGE_SIZE_MAX = 2**31 - 1
"""What gRPC can carry."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the annotations ask for; None where they do not."""

    rest_timeout_s: float | None = None
    grpc_timeout_s: float | None = None
    grpc_max_message_bytes: int | None = None


def read(path: Path) -> tuple[dict[str, str], list[str]]:
    """The annotations, and what is wrong with the file. A line that is wrong is passed over; so is a missing file."""
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_MAX + 1)
    except OSError as error:
        return {}, [f"{path}: no annotations are read: {error.strerror or error}"]
    if len(data) > SIZE_MAX:
        return {}, [f"{path}: no annotations are read: larger than {SIZE_MAX} bytes"]
    return parse(data.decode("utf-8", "replace"), str(path))


def parse(text: str, source: str) -> tuple[dict[str, str], list[str]]:
    """The same of a file's text: lines of `key="value"`."""
    found: dict[str, str] = {}
    wrong: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        key, separator, value = line.strip().partition("=")
        if key and separator:
            found[key.strip()] = value.strip().strip('"')
        elif line.strip():
            wrong.append(f'{source}: line {number} is passed over: {line.strip()[:60]!r} is not key="value"')
    return found, wrong


def bounds(found: dict[str, str]) -> tuple[Bounds, list[str]]:
    """What they ask for, and what is ignored. Raises `errors.RequestError` where Seldon's executor refuses to start."""
    rest_ms = _number(found, REST_TIMEOUT, 0)
    size = _number(found, GRPC_MAX_MESSAGE_SIZE, 1)
    ignored = []
    grpc_ms = None
    try:
        grpc_ms = _number(found, GRPC_TIMEOUT, 1)
    except errors.RequestError as error:
        ignored.append(f"{error.message}; it is ignored")
    return Bounds(
        rest_ms / 1e3 if rest_ms else None,  # 0 is no timeout
        grpc_ms / 1e3 if grpc_ms else None,
        min(size, MESSAGE_SIZE_MAX) if size else None,
    ), ignored


def _number(found: dict[str, str], key: str, least: int) -> int | None:
    text = found.get(key)
    if text is None:
        return None
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        unit = "bytes" if key == GRPC_MAX_MESSAGE_SIZE else "milliseconds"
        raise errors.RequestError(f"annotation {key} is {text!r}; allowed is a whole number of {unit} from {least} on")
    return number
