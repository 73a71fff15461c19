"""Owns how many CPUs this process may use, and so how many processes serve: by the container's limits, and by the CPUs
it is bound to.

Must not cache: a quota may change while a process runs.
"""

import argparse
import contextlib
import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
WORKERS_MAX = 256
WORKERS_UNASKED_MAX = 8
"""Without a quota: a pod on a large machine is not meant to take all of it."""
WORKER_BYTES = 128 << 20
"""Memory that one more worker may need."""


def cpus(cgroup: Path = CGROUP) -> int:
    """At least 1. A quota of a part of a CPU counts as a whole one."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(cgroup)
    return max(1, bound if quota is None else min(bound, math.ceil(quota)))


def processes(text: str) -> int:
    """How many `--workers` are meant: a number, or `auto` for as many as CPUs."""
    if text == "auto":
        return cpus()
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= WORKERS_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is neither auto nor a whole number from 1 to {WORKERS_MAX}")
    return int(text)


def container_workers(asked: str, notes: list[str], cgroup: Path = CGROUP) -> int:
    """How many a container runs by itself: as many as `asked` (GOMAXPROCS), else as its limits have CPUs and memory
    for. What is wrong with `asked` is added to `notes`.
    """
    if asked.isascii() and asked.isdigit() and 1 <= int(asked) <= WORKERS_MAX:
        return int(asked)
    if asked:
        notes.append(f"GOMAXPROCS {asked!r} is no whole number from 1 to {WORKERS_MAX}; it is ignored")
    count = cpus(cgroup)
    if _quota(cgroup) is None:
        count = min(count, WORKERS_UNASKED_MAX)
    memory = _memory(cgroup)
    return count if memory is None else max(1, min(count, memory // WORKER_BYTES))


def _memory(cgroup: Path) -> int | None:
    """The bytes that the control group may use, in version 2, else 1; None where there is no limit."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            return int((cgroup / name).read_text())
    return None


def _quota(cgroup: Path) -> float | None:
    """Of control groups in version 2, else 1; None where there is none."""
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        pass
    try:
        quota = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text()
        period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text()
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
