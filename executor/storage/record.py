"""Owns the record of a fetched folder: where it came from, and the size and checksum of each file; written last.

Must not fetch. A folder whose record is missing or does not fit is not what was fetched.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from executor.errors import FetchError
from executor.storage import names
from executor.storage.sources import Entry

_VERSION = 1


def fingerprint(entries: Iterable[Entry], single: bool) -> str:
    """Tells one state of a store from another: by names, sizes and what the store says of their content."""
    told = [[entry.name, entry.size, entry.tag] for entry in sorted(entries, key=lambda entry: entry.name)]
    return hashlib.sha256(json.dumps([single, told]).encode()).hexdigest()


def checksum(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class File:
    """One file as it was when it was fetched."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Record:
    """A fetched folder."""

    uri: str
    fingerprint: str
    single: bool
    files: dict[str, File]
    """By name."""

    @classmethod
    def of(cls, uri: str, print_: str, single: bool, folder: Path, entries: Iterable[Entry]) -> Self:
        """The record of what has been copied to `folder`."""
        paths = {entry.name: folder / entry.name for entry in entries}
        files = {name: File(path.stat().st_size, checksum(path)) for name, path in paths.items()}
        return cls(uri, print_, single, files)

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """The record that lies in `folder`; None where there is none that can be read."""
        try:
            told = json.loads((folder / names.RECORD).read_text())
            if told.pop("version") != _VERSION:
                return None
            files = {names.checked(name, str(folder)): File(**each) for name, each in told.pop("files").items()}
            return cls(files=files, **told)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, FetchError):
            return None

    def write(self, folder: Path) -> None:
        """Puts it into `folder`, complete or not at all."""
        part = folder / f"{names.RECORD}.part"
        with part.open("w") as file:
            json.dump({"version": _VERSION, **asdict(self)}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        part.rename(folder / names.RECORD)

    def fault(self, folder: Path) -> str | None:
        """What of `folder` is not as it was fetched, in words; None where all is."""
        for name, file in self.files.items():
            path = folder / name
            if path.is_symlink() or not path.is_file():
                return f"{name} is missing"
            if path.stat().st_size != file.size:
                return f"{name} has {path.stat().st_size} bytes, not {file.size}"
            if checksum(path) != file.sha256:
                return f"the checksum of {name} is another one"
        return None

    def path(self, folder: Path) -> Path:
        """What was asked for: the folder, or the one file in it."""
        return folder / next(iter(self.files)) if self.single else folder
