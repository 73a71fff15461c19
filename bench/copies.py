"""Owns counting the bytes that a server copies in its own memory, by a library that stands before memcpy.

Must not be in a process that is timed: counting costs time. Copies by the kernel (socket to memory and back) are not
in it, nor those of Go programs, which do not use the C library.
"""

import struct
from pathlib import Path

from bench import build, peer_targets

UNSEEN = ("go-proxy", "go-server", "go-http", *peer_targets.CONTENDERS)
"""Contenders whose copies cannot be seen: programs without the C library, and those of many processes."""


class Counter:
    """The count of the processes started with `environment`."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "copies"
        self._file.write_bytes(bytes(8))
        self.environment = {"LD_PRELOAD": str(library()), "MILLRACE_BENCH_COPIES": str(self._file)}

    @property
    def bytes(self) -> int:
        """All that was copied so far."""
        return int(struct.unpack("=Q", self._file.read_bytes())[0])


def library() -> Path:
    """The library, built. Raises Missing."""
    source = build.SOURCES / "copies.c"
    compiler = build.tool("cc", "apt-get install gcc")
    target = build.cache() / f"copies-{build.digest([source])}.so"
    if not target.exists():
        flags = ["-O2", "-shared", "-fPIC", "-fno-builtin", "-o", str(target), str(source), "-ldl"]
        build.make("the counter of copies", [compiler, *flags], build.SOURCES)
    return target
