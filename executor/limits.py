"""Owns how much memory a process may use for messages: by the container's limit, or by what the user asked for.

Must not hold memory, nor count any: `_native.budget` does.
"""

import argparse
import re
from dataclasses import dataclass
from pathlib import Path

from executor import errors
from executor.settings import MEBIBYTE, ServeLimits

CGROUP = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")
UNKNOWN_MEMORY = 1024 * MEBIBYTE
"""Taken where the system does not say how much memory there is."""
UNLIMITED = 1 << 60
"""Control groups in version 1 say a number above this where there is no limit."""
LARGEST_SHELF = 8 * MEBIBYTE
_UNITS = {"": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40}
_SIZE = re.compile(r"(\d{1,15})\s*([A-Za-z]*)")


@dataclass(frozen=True, slots=True)
class Budget:
    """The memory of one process for messages, in bytes."""

    hard: int
    """Nothing is let in above it."""
    soft: int
    """Requests wait above it."""
    unread: int
    """Answers that one connection may leave unread."""


def budget(limits: ServeLimits) -> Budget:
    """What `limits` say, or the container's memory where they say nothing."""
    largest = room(limits.max_message_bytes)
    hard = limits.memory_budget_bytes or max(memory() // 2, 2 * largest)
    if hard < 2 * largest:
        raise errors.RequestError(
            f"memory budget of {told(hard)} in this process: allowed are at least {told(2 * largest)}, "
            f"two messages of the largest size allowed"
        )
    return Budget(hard, hard // 2, limits.unread_bytes or max(hard // 8, limits.max_message_bytes))


def room(size: int) -> int:
    """The memory that a message of `size` bytes takes: sizes up to 8 MiB are rounded up to powers of two."""
    return size if size > LARGEST_SHELF else 1 << max(8, (size - 1).bit_length())


def memory(cgroup: Path = CGROUP, meminfo: Path = MEMINFO) -> int:
    """Bytes that this process and its siblings may use: the control group's limit, or the machine's memory."""
    found = [each for each in (_number(cgroup / "memory.max"), _first_limit(cgroup)) if each is not None]
    return min([*found, _machine(meminfo)])


def size(text: str) -> int:
    """Reads an option such as `512MiB`, `2GiB` or `1000000`."""
    match = _SIZE.fullmatch(text.strip()) if text.isascii() else None
    unit = match and _UNITS.get(match[2].lower())
    if match is None or unit is None or int(match[1]) * unit < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: allowed are bytes, or numbers with KiB, MiB, GiB, TiB")
    return int(match[1]) * unit


def told(size: int) -> str:
    """A number of bytes as `size` reads it, in the largest unit that shows it in full."""
    for unit, number in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size and size % number == 0:
            return f"{size // number} {unit}"
    return f"{size} bytes"


def add(parser: "argparse._ActionsContainer") -> None:
    """The option of the commands that serve."""
    parser.add_argument("--memory-budget", type=size, metavar="SIZE",
                        help="for messages under way, like 512MiB (default: half of the container's)")  # fmt: skip


def share(asked: int | None, max_message_bytes: int, processes: int) -> int | None:
    """Each process's part of what was asked for, or of half the container's memory. None: one process, to which
    nothing was said. Raises `errors.RequestError`.
    """
    largest = room(max_message_bytes)
    if asked is None:
        return None if processes == 1 else max(memory() // 2 // processes, 2 * largest)
    if asked // processes < 2 * largest:
        among = f" among {processes} processes" if processes > 1 else ""
        raise errors.RequestError(
            f"--memory-budget {told(asked)}{among}: allowed are at least {told(2 * largest * processes)}, two "
            f"messages of the largest size (--max-message-bytes, now {told(max_message_bytes)}) for each process"
        )
    return asked // processes


def _number(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text) < UNLIMITED else None


def _first_limit(cgroup: Path) -> int | None:
    """Of control groups in version 1."""
    return _number(cgroup / "memory" / "memory.limit_in_bytes")


def _machine(meminfo: Path) -> int:
    try:
        found = re.search(r"^MemTotal:\s+(\d+) kB", meminfo.read_text(), re.M)
    except OSError:
        found = None
    return int(found[1]) << 10 if found else UNKNOWN_MEMORY
