"""Owns how many CPUs this process may use, and so how many processes serve: by the container's quota, and by the CPUs
it is bound to.

Must not cache: a quota may change while a process runs.
"""

import argparse
import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
WORKERS_MAX = 256


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
