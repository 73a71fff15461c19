"""Owns the program's log for tests: written to a file, or wherever they say, and put back as it was afterwards."""

import contextlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from executor.telemetry import logs


class Logged:
    """A log that is being written to a file."""

    def __init__(self, output: logs.Output, path: Path) -> None:
        self.output = output
        self._path = path

    @property
    def lines(self) -> list[str]:
        """What it has."""
        self.output.flush()
        return self._path.read_text().splitlines()

    @property
    def said(self) -> list[dict[str, Any]]:
        """The same of a log in JSON."""
        return [json.loads(line) for line in self.lines]


@contextlib.contextmanager
def to_stream(stream: TextIO, level: str, form: str = "console", worker: int | None = None) -> Iterator[logs.Output]:
    """What `logs.start` makes of these arguments."""
    root = logging.getLogger()
    handlers, before = list(root.handlers), root.level
    root.handlers.clear()
    output = logs.start(level, form, worker, stream)
    try:
        yield output
    finally:
        for each in list(root.handlers):
            each.close()
        root.handlers[:] = handlers
        root.setLevel(before)


@contextlib.contextmanager
def to_file(path: Path, *arguments: Any) -> Iterator[Logged]:
    """The same to a file."""
    with path.open("w") as stream, to_stream(stream, *arguments) as output:
        yield Logged(output, path)
