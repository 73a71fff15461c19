"""Owns the stand-in for `seldon_core.storage`, by which classes get their model: a path here for a URI.

Must not know stores: `executor.storage` does, and so more URIs than `file://` work.
"""

from pathlib import Path

from executor.storage import fetch


class Storage:
    """Holds the one function."""

    @staticmethod
    def download(uri: str, out_dir: str | None = None) -> str:
        """Where the files of `uri` are. With `out_dir` they are put there; what is on this machine is linked."""
        found = fetch.local(uri)
        if out_dir is None:
            return str(found)
        folder = Path(out_dir)
        folder.mkdir(parents=True, exist_ok=True)
        for each in found.iterdir() if found.is_dir() else [found]:
            (folder / each.name).symlink_to(each.resolve())
        return out_dir
