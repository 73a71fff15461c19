"""Owns which names of stored files are let in: a name that a listing gives never leads out of the folder it is for.

Must not touch files.
"""

from pathlib import PurePosixPath

from executor.errors import FetchError

RECORD = ".millrace.json"
"""The file that says what was fetched."""
LENGTH_MAX = 1024


def checked(name: str, source: str) -> str:
    """`name` if it is one of a file below its folder. Raises FetchError."""
    wrong = _wrong(name)
    if wrong:
        raise FetchError(f"{source}: the file name {name[:200]!r} is refused: {wrong}")
    return name


def _wrong(name: str) -> str:
    parts = name.split("/")
    if not name or name.startswith("/"):
        return "it does not lie below the place that was asked for"
    if any(part in ("", ".", "..") for part in parts):
        return "it has an empty part, . or .. in it"
    if "\\" in name or any(ord(character) < 32 or ord(character) == 127 for character in name):
        return "it has a backslash or a control character in it"
    if len(name) > LENGTH_MAX:
        return f"it is longer than {LENGTH_MAX} characters"
    if parts[0] == RECORD:
        return "that name is ours"
    return ""


def below(path: str, root: str, source: str) -> str:
    """The name of `path` in the folder `root`, both as the store says them. Raises FetchError."""
    prefix = root.rstrip("/") + "/"
    if not path.startswith(prefix):
        raise FetchError(f"{source}: its listing has {path[:200]!r}, which does not lie below {root}")
    return checked(path[len(prefix) :], source)


def clash(names: list[str]) -> str | None:
    """A name that is a file and a folder at once, as an object store allows; None where there is none."""
    folders = {str(parent) for name in names for parent in PurePosixPath(name).parents}
    return next((name for name in names if name in folders), None)
