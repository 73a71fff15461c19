"""Owns what a URI of stored files means: a path on this machine, or a place that is reached over the network.

Must not look at what is there.
"""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from executor.errors import RequestError

HTTP = ("http", "https")
SCHEMES = ("file", "s3", "gs", *HTTP)
_ALIASES = {"s3a": "s3", "gcs": "gs"}


@dataclass(frozen=True, slots=True)
class Uri:
    """One place. `scheme` is `file` for a path on this machine."""

    text: str
    """As it was written, less what should not be shown: credentials and what follows a `?`."""
    scheme: str
    path: str
    """For `file` a path; for HTTP the whole URL; otherwise `bucket/key`."""

    @property
    def is_local(self) -> bool:
        """Whether it can be opened as it is."""
        return self.scheme == "file"

    @property
    def name(self) -> str:
        """Its last part."""
        path = urlsplit(self.path).path if self.scheme in HTTP else self.path
        return unquote(path.rstrip("/").rpartition("/")[2]) if self.scheme in HTTP else Path(path).name


def parse(text: str, remotes: frozenset[str] = frozenset()) -> Uri:
    """`text` as a place; `remotes` are schemes that the environment defines. Raises RequestError."""
    scheme, separator, rest = text.partition("://")
    scheme = _ALIASES.get(scheme.lower(), scheme.lower())
    if not separator:
        return Uri(text, "file", _path(text, text))
    if scheme == "file":
        host, slash, path = rest.partition("/")
        if host not in ("", "localhost"):
            raise RequestError(f"{text}: a file:// URI has three slashes, as in file:///models/iris")
        return Uri(text, "file", _path(unquote(slash + path), text))
    if scheme in HTTP:
        return _http(text, scheme, rest)
    if scheme == "pvc":
        raise RequestError(f"{text}: a volume claim is mounted by the cluster; give the path where it is mounted")
    if scheme not in SCHEMES and scheme not in remotes:
        raise RequestError(f"{text}: {scheme}:// is not known; allowed are a path and {_listed()}")
    bucket, _, key = rest.partition("/")
    if not bucket:
        raise RequestError(f"{text}: the bucket is missing; write {scheme}://BUCKET/PATH")
    return Uri(text, scheme, f"{bucket}/{key}".rstrip("/"))


def _path(path: str, text: str) -> str:
    if not path or "\0" in path:
        raise RequestError(f"{text!r}: no path")
    return str(Path(path).expanduser())


def _http(text: str, scheme: str, rest: str) -> Uri:
    split = urlsplit(text)
    if not split.hostname:
        raise RequestError(f"{text}: the host is missing; write {scheme}://HOST/PATH")
    shown = f"{scheme}://{split.netloc.rpartition('@')[2]}{split.path}"
    return Uri(shown, scheme, f"{scheme}://{rest.partition('#')[0]}")


def _listed() -> str:
    return ", ".join(f"{scheme}://" for scheme in SCHEMES)
