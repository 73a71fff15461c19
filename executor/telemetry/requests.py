"""Owns how requests are worded in the log: those that failed, and in the access log all of them.

Must not know how they were served, nor how lines are written.
"""

import json
import logging
import re
import time
from collections.abc import Iterable, Iterator
from functools import lru_cache

from executor._native import journal
from executor.status import Status
from executor.telemetry import logs

log = logging.getLogger("millrace.requests")

_CLIENTS = frozenset({
    Status.INVALID_ARGUMENT, Status.NOT_FOUND, Status.ALREADY_EXISTS, Status.PERMISSION_DENIED,
    Status.UNAUTHENTICATED, Status.FAILED_PRECONDITION, Status.OUT_OF_RANGE, Status.UNIMPLEMENTED,
})  # fmt: skip
"""What the client has to put right."""
_NAMES = {int(status): status.name for status in Status}
_CONSOLE_CODES = _NAMES
_JSON_CODES = {code: f'"{name}"' for code, name in _NAMES.items()}
_SAFE = re.compile(rb"[0-9A-Za-z_.-]+").fullmatch
Line = tuple[int, bool, int, float, float, int, int, bytes, bytes, bytes, bytes]
"""As `_native.journal` tells it."""
_OTHERS = -1
"""Status of failures of more kinds than are told apart."""


def take(lines: list[Line], lost: int) -> None:
    """Logs what a `Journal` has gathered."""
    output = logs.current()
    failed = [line for line in lines if line[0] != journal.SERVED]
    if output is not None and len(failed) < len(lines):
        output.access(_served(lines, output.json))
    for line in failed:
        _failed(line)
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


def _served(lines: Iterable[Line], form_is_json: bool) -> Iterator[logs.Served]:
    now = time.time()
    texts, codes = (_quoted, _JSON_CODES) if form_is_json else (_plain, _CONSOLE_CODES)
    for what, http, code, age, seconds, came, went, path, puid, _, _ in lines:
        if what == journal.SERVED:
            # Paths are few, and puids as good as never the same.
            told = ('"%s"' if form_is_json else "%s") % puid.decode() if _SAFE(puid) else texts(puid)
            named = codes.get(code, str(code)) if not http else str(code)
            protocol = "rest" if http else "grpc"
            yield now - age, (protocol, texts(path), named, told, seconds * 1e3, came, went)


@lru_cache(maxsize=256)
def _quoted(text: bytes) -> str:
    return json.dumps(_read(text), ensure_ascii=False)


@lru_cache(maxsize=256)
def _plain(text: bytes) -> str:
    return logs.word(_read(text))


def _code(http: bool, code: int) -> int | str:
    return code if http else _NAMES.get(code, str(code))


def _read(text: bytes) -> str:
    return logs.shown(text.decode("utf-8", "replace"))
