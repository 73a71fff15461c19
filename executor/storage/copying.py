"""Owns copying all files of a source into an empty folder: retries with back-off, sizes checked, progress told.

Must not know where the folder ends up. What fails leaves the folder to whoever made it.
"""

import contextlib
import errno
import logging
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from executor.errors import Error, FetchError
from executor.storage import sources
from executor.storage.sources import Entry, Source

log = logging.getLogger("millrace.fetch")

TRIES = 4
BACKOFF_S = 0.5
"""Before the second try; twice that before each further one, and by chance up to half more."""
PROGRESS_S = 5.0
_OF_DISK = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.ENAMETOOLONG, errno.EMFILE, errno.ENOTDIR)
)
_FINAL = (FileNotFoundError, PermissionError, FileExistsError, IsADirectoryError, NotADirectoryError, ImportError)

Result = TypeVar("Result")


def tried(work: Callable[[], Result], what: str, *, tries: int = TRIES, backoff_s: float = BACKOFF_S) -> Result:
    """What `work` answers, tried again where the network may be to blame. Raises FetchError."""
    for number in range(1, tries + 1):
        try:
            return work()
        except Error:
            raise
        except Exception as raised:
            error = reason(raised)
            if number == tries or is_final(error):
                raise FetchError(f"{what}: {said(error)}{_after(number)}") from error
            wait_s = backoff_s * 2 ** (number - 1) * random.uniform(1.0, 1.5)
            log.warning("%s: %s; trying again in %.1f s", what, said(error), wait_s)
            time.sleep(wait_s)
    raise AssertionError("unreachable")


def is_final(error: Exception) -> bool:
    """Whether another try can only fail the same way."""
    status = getattr(error, "status", None)
    if isinstance(status, int) and 400 <= status < 500 and status not in (408, 425, 429):
        return True
    return isinstance(error, _FINAL) or (isinstance(error, OSError) and error.errno in _OF_DISK)


def reason(error: Exception) -> Exception:
    """What is behind an error: fsspec says of all that goes wrong with a URL that it was not found."""
    while isinstance(error, FileNotFoundError) and isinstance(error.__cause__, Exception):
        error = error.__cause__
    return error


def said(error: Exception) -> str:
    """An error in words: those of libraries have no text at times, and those of a disk should say that they are."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file or folder"
    status = getattr(error, "status", None)
    if isinstance(status, int):  # the text has the whole URL in it, and that may have a token in it
        return f"HTTP {status} {getattr(error, 'message', '')}".rstrip()
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def copy_all(source: Source, entries: list[Entry], folder: Path, told: str, **again: float) -> None:
    """Copies `entries` into `folder`. Raises FetchError."""
    _check_room(entries, folder, told)
    progress = Progress(told, entries)
    for entry in entries:
        target = folder / entry.name
        tried(lambda target=target: target.parent.mkdir(parents=True, exist_ok=True), f"{told}: {entry.name}", tries=1)  # type: ignore[misc]
        tried(lambda entry=entry: _copy(source, entry, folder, progress), f"{told}: {entry.name}", **again)  # type: ignore[misc, arg-type]
        progress.ended()


def _copy(source: Source, entry: Entry, folder: Path, progress: "Progress") -> None:
    target = folder / entry.name
    target.unlink(missing_ok=True)
    progress.again()
    source.copy(entry, target, progress.moved)
    size = target.stat().st_size
    if entry.size is not None and size != entry.size:
        raise ConnectionError(f"{size} bytes came, not {entry.size}")


def _check_room(entries: list[Entry], folder: Path, told: str) -> None:
    needed = sum(entry.size or 0 for entry in entries)
    with contextlib.suppress(OSError):
        room = sources.free(folder)
        if needed > room:
            raise FetchError(f"{told}: {mebibytes(needed)} are needed, and {folder} has room for {mebibytes(room)}")


def _after(number: int) -> str:
    return f" ({number} tries)" if number > 1 else ""


def mebibytes(count: int) -> str:
    """A number of bytes for people."""
    return f"{count / 1048576:.1f} MiB"


class Progress:
    """How far the copying is, logged every few seconds. Stores tell from threads of their own."""

    def __init__(self, told: str, entries: list[Entry]) -> None:
        self._told = told
        self._files = len(entries)
        sizes = [entry.size for entry in entries]
        self._all = None if None in sizes else sum(size for size in sizes if size is not None)
        self._done = 0
        self._before = 0
        self._here = 0
        self._lock = threading.Lock()
        self._due = time.monotonic() + PROGRESS_S

    def again(self) -> None:
        """A file begins, for the first time or once more."""
        with self._lock:
            self._here = 0

    def moved(self, count: int) -> None:
        """More of it is here."""
        with self._lock:
            self._here += count
            now = time.monotonic()
            if now < self._due:
                return
            self._due = now + PROGRESS_S
            so_far = self._before + self._here
        of = f" of {mebibytes(self._all)}" if self._all is not None else ""
        log.info("%s: %s%s, %d of %d files", self._told, mebibytes(so_far), of, self._done, self._files)

    def ended(self) -> None:
        """A file is complete."""
        with self._lock:
            self._before += self._here
            self._here = 0
            self._done += 1
