"""Owns the stores that files come from: what is listed there, and one file's bytes copied to a path here.

Must not retry, nor decide where copies are kept. fsspec and what it needs are loaded when a store is first used.
"""

import importlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from executor.errors import FetchError, RequestError
from executor.storage import credentials, names, pages
from executor.storage.uri import HTTP, Uri

FILES_MAX = 10_000
"""A model has fewer. More are a wrong URI, such as that of a whole bucket."""
TIMEOUT_S = 60.0
"""How long a store may send nothing."""
_PAGE_MAX = 4 * 1024 * 1024
_CHUNK = 1024 * 1024
_NEEDS = {"s3": "s3fs", "gs": "gcsfs", "http": "aiohttp", "https": "aiohttp"}
"""What fsspec needs besides itself; packages have the names of their modules."""
_TAGS = ("ETag", "etag", "md5Hash", "generation", "LastModified", "Last-Modified", "updated", "mtime")

Moved = Callable[[int], None]
"""Told how many bytes more are here."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a store."""

    name: str
    """In the folder that was asked for, with slashes."""
    path: str
    """As its store calls it."""
    size: int | None
    tag: str
    """What the store says of its content: a checksum or a time; empty where it says nothing."""


class Source(Protocol):
    """A file or a folder in a store."""

    single: bool
    """Whether the URI is that of one file."""

    def entries(self) -> list[Entry]:
        """What is there now. Raises FetchError where nothing is."""

    def copy(self, entry: Entry, target: Path, moved: Moved) -> None:
        """Writes one file; raises whatever the store or the disk raises."""


def source_of(uri: Uri, timeout_s: float = TIMEOUT_S, environment: Mapping[str, str] = os.environ) -> Source:
    """The source at `uri`. Raises RequestError: a library is missing, or credentials are no credentials."""
    if uri.is_local:
        return LocalSource(uri)
    store, settings = credentials.store_of(uri.scheme, environment)
    if store in HTTP:
        return HttpSource(uri, _http(uri, timeout_s))
    if store == "s3":
        return ObjectSource(uri, _s3(uri, settings, timeout_s))
    system = _gcs(uri, settings, timeout_s)
    # The library would try wrong credentials for a minute.
    return ObjectSource(uri, system, system.credentials.maybe_refresh)


class LocalSource:
    """Files of this machine. Links to files are followed, links to folders are not."""

    def __init__(self, uri: Uri) -> None:
        self._root = Path(uri.path)
        self._told = uri.text
        self.single = self._root.is_file()

    def entries(self) -> list[Entry]:
        """See `Source`."""
        if self.single:
            return [self._entry(self._root, self._root.name)]
        if not self._root.is_dir():
            raise FetchError(f"{self._told}: there is no such file or folder")
        found = [Path(folder, name) for folder, _, files in os.walk(self._root) for name in files]
        entries = [self._entry(path, path.relative_to(self._root).as_posix()) for path in sorted(found)]
        return _some([each for each in entries if each.name != names.RECORD], self._told)

    def copy(self, entry: Entry, target: Path, moved: Moved) -> None:
        """See `Source`."""
        with open(entry.path, "rb") as read, target.open("xb") as write:
            while chunk := read.read(_CHUNK):
                write.write(chunk)
                moved(len(chunk))

    def _entry(self, path: Path, name: str) -> Entry:
        found = path.stat()
        return Entry(names.checked(name, self._told), str(path), found.st_size, str(found.st_mtime_ns))


class ObjectSource:
    """Objects of a bucket, through fsspec."""

    def __init__(self, uri: Uri, system: Any, sign_in: Callable[[], object] | None = None) -> None:
        self._system = system
        self._sign_in = sign_in
        self._root = uri.path
        self._told = uri.text
        self.single = False

    def entries(self) -> list[Entry]:
        """See `Source`."""
        if self._sign_in is not None:
            self._sign_in()
        found: dict[str, Any] = self._system.find(self._root, detail=True)
        self.single = list(found) == [self._root]
        if self.single:
            return [_entry(found[self._root], names.checked(self._root.rpartition("/")[2], self._told), self._root)]
        # Some tools keep an empty object where a folder is.
        real = {path: info for path, info in found.items() if not (path.endswith("/") or path == self._root)}
        entries = [_entry(info, names.below(path, self._root, self._told), path) for path, info in real.items()]
        return _some(entries, self._told)

    def copy(self, entry: Entry, target: Path, moved: Moved) -> None:
        """See `Source`."""
        self._system.get_file(entry.path, str(target), callback=_callback(moved))


class HttpSource:
    """A file of a web server, or the folder that one of its pages lists: one whose URL ends with a slash."""

    def __init__(self, uri: Uri, system: Any) -> None:
        self._system = system
        self._uri = uri
        self.single = not uri.path.endswith("/")

    def entries(self) -> list[Entry]:
        """See `Source`."""
        if not self.single:
            return self._folder(self._uri.path)
        info = self._info(self._uri.path)
        if str(info.get("mimetype")).startswith("text/html"):  # a model is no page: this is the listing of a folder
            self.single = False
            return self._folder(self._uri.path + "/")
        return [_entry(info, names.checked(self._uri.name, self._uri.text), self._uri.path)]

    def copy(self, entry: Entry, target: Path, moved: Moved) -> None:
        """See `Source`."""
        self._system.get_file(entry.path, str(target), callback=_callback(moved))

    def _folder(self, root: str) -> list[Entry]:
        found = []
        for url in self._walk(root, 1):
            name = names.checked(pages.name_in(url, root), self._uri.text)
            found.append(_entry(self._info(url), name, url))
            _bounded(len(found), self._uri.text)
        return _some(found, self._uri.text)

    def _walk(self, url: str, depth: int) -> Iterator[str]:
        if depth > pages.DEPTH_MAX:
            raise FetchError(f"{self._uri.text}: folders are more than {pages.DEPTH_MAX} deep")
        with closing(self._system.open(url, "rb", size=None)) as page:
            text = page.read(_PAGE_MAX).decode("utf-8", "replace")
        for target in pages.listed(text, url):
            if target.endswith("/"):
                yield from self._walk(target, depth + 1)
            else:
                yield target

    def _info(self, url: str) -> dict[str, Any]:
        return dict(self._system.info(url))


def _entry(info: Mapping[str, Any], name: str, path: str) -> Entry:
    size = info.get("size")
    tags = [f"{key}={info[key]}" for key in _TAGS if info.get(key) is not None]
    return Entry(name, path, int(size) if size is not None else None, tags[0] if tags else "")


def _some(entries: list[Entry], told: str) -> list[Entry]:
    if not entries:
        raise FetchError(f"{told}: there is nothing there")
    _bounded(len(entries), told)
    both = names.clash([each.name for each in entries])
    if both is not None:
        raise FetchError(f"{told}: {both!r} is a file and a folder there, which cannot be kept on a disk")
    return sorted(entries, key=lambda entry: entry.name)


def _bounded(count: int, told: str) -> None:
    if count > FILES_MAX:
        raise FetchError(f"{told}: more than {FILES_MAX} files are there; name the folder of one model")


def _http(uri: Uri, timeout_s: float) -> Any:
    fsspec, aiohttp = _needed(uri, "fsspec", "http"), _needed(uri, _NEEDS["http"], "http")
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=credentials.CONNECT_S, sock_read=timeout_s)
    return fsspec.filesystem("http", **_FRESH, client_kwargs={"timeout": timeout, "trust_env": True})


def _s3(uri: Uri, settings: dict[str, Any], timeout_s: float) -> Any:
    _needed(uri, "fsspec", "s3")
    settings["config_kwargs"]["read_timeout"] = timeout_s
    return _needed(uri, _NEEDS["s3"], "s3").S3FileSystem(**_FRESH, **settings)


def _gcs(uri: Uri, settings: dict[str, Any], timeout_s: float) -> Any:
    _needed(uri, "fsspec", "gs")
    library, aiohttp = _needed(uri, _NEEDS["gs"], "gs"), _needed(uri, "aiohttp", "gs")
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=credentials.CONNECT_S, sock_read=timeout_s)
    try:
        # The one it offers by default asks about buckets over gRPC first, and waits minutes where that is shut.
        return library.core.GCSFileSystem(**_FRESH, access="read_only", requests_timeout=timeout, **settings)
    except Exception as error:  # whatever is wrong with the key of an account; its text may be in the error's
        told = f"{uri.text}: Google's library cannot read these credentials ({type(error).__name__})"
        raise RequestError(told) from None


_FRESH = {"skip_instance_cache": True, "use_listings_cache": False}


def _needed(uri: Uri, module: str, store: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        told = f"{uri.text}: {uri.scheme}:// needs {error.name or module}: pip install fsspec {_NEEDS[store]}"
        raise RequestError(told) from error


def _callback(moved: Moved) -> Any:
    from fsspec.callbacks import Callback

    class Telling(Callback):
        """fsspec's way to tell progress."""

        def relative_update(self, inc: int = 1) -> None:
            """Called for each piece."""
            moved(inc)

    return Telling()


def free(folder: Path) -> int:
    """Bytes that the disk of a folder still takes."""
    return shutil.disk_usage(folder).free
