"""Owns fetching: the files at a URI put into a folder, whole or not at all, and kept in a cache for the next time.

Must not know stores (see `sources`) nor what files are for. Processes that fetch the same at once wait for one another.
"""

import contextlib
import errno
import fcntl
import hashlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

from executor.errors import FetchError, RequestError
from executor.settings import MODEL_CACHE
from executor.storage import copying, credentials, names, sources, uri
from executor.storage.record import Record, fingerprint
from executor.storage.sources import Entry, Source
from executor.storage.uri import Uri

log = logging.getLogger("millrace.fetch")

STATES_KEPT = 3
"""How many states of one URI the cache holds."""
OLD_S = 86400.0
"""After that, what a process has begun and not ended counts as left by one that was killed."""
_POLL_S = 0.1
_PART = ".part-"
_ENDED = "fetched %s: %d files, %s in %.1f s"


def local(text: str, environment: Mapping[str, str] = os.environ) -> Path:
    """Where the files at a URI are on this machine: a path as it is, all else fetched into the cache.

    Raises RequestError and FetchError.
    """
    where = uri.parse(text, credentials.remotes(environment))
    if where.is_local:
        path = Path(where.path)
        if not path.exists():
            raise FetchError(f"{text}: there is no such file or folder")
        return path
    source = sources.source_of(where, environment=environment)
    entries = _entries(source, where)
    print_ = fingerprint(entries, source.single)
    name = hashlib.sha256(where.text.encode()).hexdigest()[:16]
    folder = cache_folder(environment) / f"{name}-{print_[:16]}"
    found = _fetched(source, entries, print_, where, folder)
    _prune(folder, name)
    return found


def fetch(
    text: str, target: Path, timeout_s: float = sources.TIMEOUT_S, environment: Mapping[str, str] = os.environ
) -> Path:
    """Puts the files at a URI into the folder `target`; its path, or that of the one file in it.

    The folder may be there if it is empty, or if an earlier fetch made it. Raises RequestError and FetchError.
    """
    where = uri.parse(text, credentials.remotes(environment))
    source = sources.source_of(where, timeout_s, environment)
    if target.exists() and not target.is_dir():
        raise RequestError(f"{target}: is a file; name a folder, which may be a new one")
    entries = _entries(source, where)
    return _fetched(source, entries, fingerprint(entries, source.single), where, target)


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where fetched models are kept."""
    if environment.get(MODEL_CACHE):
        return Path(environment[MODEL_CACHE]).expanduser()
    base = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME") or "~").expanduser() / ".cache"
    return Path(base) / "millrace"


def _entries(source: Source, where: Uri) -> list[Entry]:
    return copying.tried(source.entries, where.text)


def _fetched(source: Source, entries: list[Entry], print_: str, where: Uri, folder: Path) -> Path:
    kept = _kept(folder, print_)  # needs no lock, nor a disk that can be written to: folders come and go as a whole
    if kept is not None:
        log.info("%s: %s is up to date", where.text, folder)
        return kept.path(folder)
    with _disk(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        # A folder that is mounted by itself may have a parent that cannot be written to.
        inside = folder.is_dir() and (os.path.ismount(folder) or not os.access(folder.parent, os.W_OK))
        beside = folder if inside else folder.parent
        with _locked(beside / f".{folder.name or 'model'}.lock"):
            kept = _kept(folder, print_)
            if kept is not None:
                return kept.path(folder)  # whoever had the lock has fetched it
            _check_empty(folder)
            _sweep(beside, folder.name)
            part = Path(tempfile.mkdtemp(prefix=f".{folder.name}{_PART}", dir=beside))
            try:
                record = _filled(source, entries, print_, where, part)
                _moved_in(part, folder) if inside else _swapped_in(part, folder)
            finally:
                shutil.rmtree(part, ignore_errors=True)
        return record.path(folder)


def _filled(source: Source, entries: list[Entry], print_: str, where: Uri, part: Path) -> Record:
    began = time.monotonic()
    copying.copy_all(source, entries, part, where.text)
    record = Record.of(where.text, print_, source.single, part, entries)
    record.write(part)
    part.chmod(0o755)
    size = sum(file.size for file in record.files.values())
    log.info(_ENDED, where.text, len(entries), copying.mebibytes(size), time.monotonic() - began)
    return record


def _kept(folder: Path, print_: str) -> Record | None:
    """The record of an earlier fetch, if it is still what is wanted and all there."""
    record = Record.read(folder)
    if record is None or record.fingerprint != print_:
        return None
    fault = record.fault(folder)
    if fault is not None:
        log.warning("%s: %s; it is fetched again", folder, fault)
        return None
    return record


def _prune(folder: Path, name: str) -> None:
    """Removes the states of a model that were not used for longest; a newer one is what processes begin with."""
    with contextlib.suppress(OSError):
        os.utime(folder)
        states = sorted(folder.parent.glob(f"{name}-*"), key=lambda each: each.stat().st_mtime, reverse=True)
        left = [each for each in folder.parent.glob(f".{name}-*{_PART}*") if each.stat().st_mtime < time.time() - OLD_S]
        for each in [*states[STATES_KEPT:], *left]:
            shutil.rmtree(each, ignore_errors=True)


def _check_empty(folder: Path) -> None:
    """Refuses a folder with files that no fetch put there: they would be lost."""
    if not folder.is_dir() or (folder / names.RECORD).exists():
        return
    others = sorted(each.name for each in folder.iterdir() if not _is_ours(each.name, folder.name))
    if others:
        raise RequestError(f"{folder}: has files in it that were not fetched, such as {others[0]}; name another folder")


def _is_ours(name: str, folder: str) -> bool:
    return name.startswith(f".{folder}{_PART}") or name in (f".{folder or 'model'}.lock", "lost+found")


def _sweep(beside: Path, name: str) -> None:
    """Removes what processes that were killed have left. Whoever holds the lock is alone with these names."""
    for each in beside.glob(f".{name}{_PART}*"):
        shutil.rmtree(each, ignore_errors=True)


def _swapped_in(part: Path, folder: Path) -> None:
    """Makes `part` the folder. One that is there and not empty goes aside first."""
    try:
        part.rename(folder)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        old = Path(tempfile.mkdtemp(prefix=f".{folder.name}{_PART}", dir=folder.parent))
        folder.rename(old)
        part.rename(folder)
        shutil.rmtree(old, ignore_errors=True)


def _moved_in(part: Path, folder: Path) -> None:
    """Moves what is in `part` up into the folder it lies in; the record goes last, and says that all is there."""
    (folder / names.RECORD).unlink(missing_ok=True)
    for each in list(folder.iterdir()):
        if not _is_ours(each.name, folder.name):
            shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink()
    for each in sorted(part.iterdir(), key=lambda path: path.name == names.RECORD):
        each.rename(folder / each.name)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Alone with what the lock file stands for; the system lets go of it when a process ends."""
    waiting = False
    while (file := _lock(path)) is None:
        if not waiting:
            log.info("another process is fetching the same; waiting for it")
        waiting = True
        time.sleep(_POLL_S)
    with file:
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _lock(path: Path) -> TextIO | None:
    """The lock file, held; None where somebody else holds it, or has just removed the one that was opened."""
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.stat().st_ino == os.fstat(file.fileno()).st_ino:
            return file
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        file.close()
        raise
    file.close()
    return None


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """What the disk says becomes an error of ours."""
    try:
        yield
    except OSError as error:
        raise FetchError(f"{folder}: cannot be written: {error.strerror or error}") from error
