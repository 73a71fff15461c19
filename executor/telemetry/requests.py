"""Owns how requests are worded in the log: those that failed, and in the access log all of them.

Must not know how they were served, nor how lines are written.
"""

import logging
import time

from executor._native import journal
from executor.status import Status
from executor.telemetry import logs

log = logging.getLogger("millrace.requests")

ACCESS = "millrace.access"
_CLIENTS = frozenset({
    Status.INVALID_ARGUMENT, Status.NOT_FOUND, Status.ALREADY_EXISTS, Status.PERMISSION_DENIED,
    Status.UNAUTHENTICATED, Status.FAILED_PRECONDITION, Status.OUT_OF_RANGE, Status.UNIMPLEMENTED,
})  # fmt: skip
"""What the client has to put right."""
_NAMES = {int(status): status.name for status in Status}
Line = tuple[int, bool, int, float, float, int, int, bytes, bytes, bytes, bytes]
"""As `_native.journal` tells it."""
_OTHERS = -1
"""Status of failures of more kinds than are told apart."""


def take(lines: list[Line], lost: int) -> None:
    """Logs what a `Journal` has gathered."""
    now = time.time()
    output = logs.current()
    for line in lines:
        if line[0] != journal.SERVED:
            _failed(line)
        elif output is not None:
            _served(output, now, line)
    if lost:
        log.warning("%d lines on requests were dropped: there was no room for so many at once", lost)


def _failed(line: Line) -> None:
    what, http, code, _, seconds, count, _, path, puid, node, text = line
    level = logging.INFO if (400 <= code < 500 if http else code in _CLIENTS) else logging.WARNING
    if not log.isEnabledFor(level):
        return
    fields: dict[str, object] = {"protocol": "rest" if http else "grpc", "code": _code(http, code), "node": _read(node)}
    if what == journal.MORE:
        where = f" at node '{fields['node']}'" if node else ""
        kind = "of other kinds" if code == _OTHERS else f"with {fields['code']}{where}"
        fields = {"count": count} if code == _OTHERS else {**fields, "count": count}
        log.log(level, "and %d more requests failed %s", count, kind, extra={"fields": fields})
        return
    reason = logs.shown(_read(text))
    fields |= {"puid": _read(puid), "path": _read(path), "reason": reason, "duration_ms": round(seconds * 1e3, 3)}
    output = logs.current()
    if output is None or not output.json:
        del fields["reason"]  # the message says it
    log.log(level, "request failed: %s", reason, extra={"fields": fields})


def _served(output: logs.Output, now: float, line: Line) -> None:
    _, http, code, age, seconds, came, went, path, puid, _, _ = line
    fields = {
        "protocol": "rest" if http else "grpc",
        "path": _read(path),
        "code": code if http else _NAMES.get(code, code),
        "puid": _read(puid),
        "duration_ms": round(seconds * 1e3, 3),
        "bytes_in": came,
        "bytes_out": went,
    }
    output.write(now - age, "INFO", ACCESS, "request", fields)


def _code(http: bool, code: int) -> int | str:
    return code if http else _NAMES.get(code, str(code))


def _read(text: bytes) -> str:
    return logs.shown(text.decode("utf-8", "replace"))
