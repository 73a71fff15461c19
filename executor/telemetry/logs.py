"""Owns the program's log: how its lines look, in console or JSON form, and how they reach standard error.

Must not know what is logged, nor make anybody wait: a thread writes, and when nobody reads what it writes, lines are
dropped and counted.
"""

import collections
import contextlib
import json
import logging
import os
import select
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

from executor import errors

LEVELS = ("debug", "info", "warning", "error", "critical")
FORMATS = ("console", "json")
WAITING_BYTES = 4 * 1024 * 1024
"""Of lines that may wait to be written."""
LINES_BYTES = 4096
"""Written at once at most, unless one line is longer: a pipe keeps so much together, whatever other processes write."""
TRACEBACKS = 5
"""Of one kind, which is a place in the code and what was raised, told in a second."""
KINDS_MAX = 64
FLUSH_S = 1.0
"""How long lines that wait may take at the end."""
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
_SIMPLE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:/{}")

_TIMES = ("%s,%03d", "%s.%03dZ")
ACCESS = "millrace.access"
_ACCESS_CONSOLE = (
    f"%s INFO {ACCESS}: %srequest (protocol=%s path=%s code=%s puid=%s duration_ms=%.3f bytes_in=%d bytes_out=%d)\n"
)
_ACCESS_JSON = (
    f'{{"timestamp": "%s", "level": "info", "logger": "{ACCESS}", "message": "request", %s, "protocol": "%s", '
    '"path": %s, "code": %s, "puid": %s, "duration_ms": %.3f, "bytes_in": %d, "bytes_out": %d}\n'
)

Fields = Mapping[str, Any]
Served = tuple[float, tuple[str, str, str, str, float, int, int]]
"""When a request was over, and its protocol, path, code and puid as they are written, ms and bytes in and out."""


def start(level: str, form: str = "console", worker: int | None = None, stream: TextIO | None = None) -> "Output":
    """Sets logging up, in the place of what was before. `worker` is which of several processes this is."""
    output = Output(stream or sys.stderr, form, worker)
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    root.addHandler(output)
    set_level(level)
    return output


def current() -> "Output | None":
    """What `start` has set up."""
    return next((each for each in logging.getLogger().handlers if isinstance(each, Output)), None)


def level() -> str:
    """The level that is logged at."""
    return logging.getLevelName(logging.getLogger().level).lower()


def set_level(name: str) -> str:
    """Logs at another level from now on, which is returned. Raises RequestError that says what is allowed."""
    known = name.strip().lower()
    if known not in LEVELS:
        raise errors.RequestError(f"log level {name[:40]!r}: allowed are {', '.join(LEVELS)}")
    logging.getLogger().setLevel(known.upper())
    return known


def shown(text: str) -> str:
    """Text of somebody else's, without what would end a line or steer a terminal."""
    return text.translate(_CONTROLS)


class Output(logging.Handler):
    """Writes lines to a stream: through a thread where that is a file, else at once."""

    def __init__(self, stream: TextIO, form: str = "console", worker: int | None = None) -> None:
        super().__init__()
        self.json = form == "json"
        self._worker = worker
        self._who = "" if worker is None else f"worker {worker}: "
        self._same = {"pid": os.getpid()} if worker is None else {"worker": worker, "pid": os.getpid()}
        self._before = json.dumps(self._same)[1:-1]
        self._second = (0, "")
        self._floods = Floods()
        self._stream = stream
        self._writer: Writer | None = None
        with contextlib.suppress(AttributeError, OSError, ValueError):
            self._writer = Writer(stream.fileno(), self._told_lost)

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one record; `extra={"fields": {...}}` brings its fields."""
        try:
            for told, count in self._floods.over(record.created):
                self.write(record.created, told.levelname, told.name, f"and {count} more like: {told.getMessage()}", {})
            if record.exc_info and not self._floods.admits(record):
                return
            fields: Fields = getattr(record, "fields", {})
            message = record.getMessage()
            trace = self._trace(record)
            self.write(record.created, record.levelname, record.name, message, fields, trace)
        except Exception:
            self.handleError(record)

    def write(self, when: float, name: str, logger: str, message: str, fields: Fields, trace: str = "") -> None:
        """Writes one line."""
        text = (self._json if self.json else self._console)(when, name, logger, message, fields, trace)
        self._put(text.encode("utf-8", "replace"))

    def access(self, served: Iterable[Served]) -> None:
        """Writes lines of the access log, many at once and in their one form: each request pays for its own."""
        form, who = (_ACCESS_JSON, self._before) if self.json else (_ACCESS_CONSOLE, self._who)
        lines: list[bytes] = []
        size = 0
        for when, fields in served:
            line = (form % (self._time(when), who, *fields)).encode("utf-8", "replace")
            size += len(line)
            if size > LINES_BYTES and lines:
                self._put(b"".join(lines), len(lines))
                lines, size = [], len(line)
            lines.append(line)
        self._put(b"".join(lines), len(lines))

    def _put(self, data: bytes, count: int = 1) -> None:
        if self._writer is not None:
            self._writer.put(data, count)
        else:
            self._stream.write(data.decode())
            self._stream.flush()

    def flush(self) -> None:
        """Waits until what waits is written, for a while."""
        if self._writer is not None:
            self._writer.flush(FLUSH_S)

    def close(self) -> None:
        """Writes what waits, as far as somebody reads it, and ends. Call it once or often."""
        if self._writer is not None:
            self._writer.close(FLUSH_S)
        super().close()

    @property
    def lost(self) -> int:
        """Lines that were dropped and not told of yet."""
        return 0 if self._writer is None else self._writer.lost

    # --- how lines look ---------------------------------------------------------------------------------------

    def _console(self, when: float, name: str, logger: str, message: str, fields: Fields, trace: str) -> str:
        told = " ".join(f"{key}={word(value)}" for key, value in fields.items() if value != "")
        behind = (f" ({told})" if told else "") + (f"\n{trace}" if trace else "")
        return f"{self._time(when)} {name} {logger}: {self._who}{message}{behind}\n"

    def _json(self, when: float, name: str, logger: str, message: str, fields: Fields, trace: str) -> str:
        told = {"timestamp": self._time(when), "level": name.lower(), "logger": logger, "message": message}
        line = {**told, **self._same, **fields, **({"exception": trace} if trace else {})}
        return json.dumps(line, default=str, ensure_ascii=False) + "\n"

    def _time(self, when: float) -> str:
        whole = int(when)
        if self._second[0] != whole:
            # Local time for people, as ever; UTC for machines.
            form, told = ("%Y-%m-%dT%H:%M:%S", time.gmtime) if self.json else ("%Y-%m-%d %H:%M:%S", time.localtime)
            self._second = (whole, time.strftime(form, told(whole)))
        return _TIMES[self.json] % (self._second[1], (when - whole) * 1000)

    def _trace(self, record: logging.LogRecord) -> str:
        told = []
        if record.exc_info and record.exc_info[0] is not None:
            told.append(_FORMATTER.formatException(record.exc_info))
        if record.stack_info:
            told.append(record.stack_info)
        return "\n".join(told)

    def _told_lost(self, count: int) -> bytes:
        message = f"{count} lines of this log were dropped, since nobody read them"
        form = self._json if self.json else self._console
        return form(time.time(), "WARNING", "millrace.logs", message, {"count": count}, "").encode()


class Floods:
    """Which tracebacks are told: of one kind a few in each second. The others are counted."""

    def __init__(self) -> None:
        self._since = 0.0
        self._counts: dict[tuple[object, ...], int] = {}
        self._last: dict[tuple[object, ...], logging.LogRecord] = {}

    def admits(self, record: logging.LogRecord) -> bool:
        """Whether this record is told."""
        raised = record.exc_info[0] if record.exc_info else None
        kind: tuple[object, ...] = (record.name, record.lineno, raised)
        if len(self._counts) >= KINDS_MAX and kind not in self._counts:
            kind = ()
        self._counts[kind] = count = self._counts.get(kind, 0) + 1
        if count <= TRACEBACKS:
            return True
        record.exc_info = None  # which would keep what it was raised with
        self._last[kind] = record
        return False

    def over(self, now: float) -> list[tuple[logging.LogRecord, int]]:
        """What was not told in the second before, once that is over: the last of each kind, and how many."""
        if not 0 <= now - self._since < 1.0:
            found = [(record, self._counts[kind] - TRACEBACKS) for kind, record in self._last.items()]
            self._since = now
            self._counts.clear()
            self._last.clear()
            return found
        return []


_FORMATTER = logging.Formatter()


def word(value: Any) -> str:
    """A field's value where a space or a quote would be taken for something else."""
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if text and _SIMPLE.issuperset(text) else json.dumps(text, ensure_ascii=False)


class Writer:
    """Writes lines to a file descriptor on a thread of its own. `told_lost(count)` is the line on lines dropped."""

    def __init__(self, fd: int, told_lost: Any) -> None:
        self._fd = fd
        self._told_lost = told_lost
        self._lines: collections.deque[bytes] = collections.deque()
        self._bytes = 0
        self.lost = 0
        self._writing = self._closed = False
        self._change = threading.Condition()  # whose lock may be taken twice: a finaliser may log inside of `put`
        self._thread = threading.Thread(target=self._run, name="millrace-log", daemon=True)
        self._thread.start()

    def put(self, line: bytes, count: int = 1) -> None:
        """Has a line written some time, or so many that go together; drops it when too much waits already."""
        with self._change:
            if self._closed or self._bytes + len(line) > WAITING_BYTES:
                self.lost += count
                return
            self._lines.append(line)
            self._bytes += len(line)
            if not self._writing:
                self._change.notify_all()

    def flush(self, timeout_s: float) -> None:
        """Returns when all is written, or after so long."""
        with self._change:
            self._change.wait_for(lambda: not self._lines and not self._writing, timeout_s)

    def close(self, timeout_s: float) -> None:
        """The same, and ends."""
        self.flush(timeout_s)
        with self._change:
            self._closed = True
            self._change.notify_all()

    def _run(self) -> None:
        while True:
            with self._change:
                self._writing = False
                self._change.notify_all()
                self._change.wait_for(lambda: self._lines or self._closed)
                if not self._lines:
                    return
                self._writing = True
                data = self._take()
            self._write(data)

    def _take(self) -> bytes:
        """The next lines, as many as go together; first of all the one on those dropped."""
        taken = []
        if self.lost:
            taken.append(self._told_lost(self.lost))
            self.lost = 0
        size = sum(map(len, taken))
        while self._lines and (not taken or size + len(self._lines[0]) <= LINES_BYTES):
            line = self._lines.popleft()
            self._bytes -= len(line)
            size += len(line)
            taken.append(line)
        return b"".join(taken)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:  # somebody else has made the descriptor so
                with contextlib.suppress(OSError, ValueError):
                    select.select([], [self._fd], [], FLUSH_S)
            except OSError:  # nobody is there to read it
                return
