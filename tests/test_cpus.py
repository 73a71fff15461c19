"""How many CPUs a process may use, from control groups as they look in files."""

import argparse
import os
from pathlib import Path

import pytest

from executor import cpus

BOUND = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "20000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, BOUND),
        ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, BOUND),
        ({"cpu.max": "what"}, BOUND),
        ({}, BOUND),
    ],
)
def test_the_quota_bounds_the_cpus(tmp_path: Path, files: dict[str, str], quota: int) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert cpus.cpus(tmp_path) == min(quota, BOUND)


def test_workers_are_a_number_or_auto() -> None:
    assert cpus.processes("3") == 3
    assert cpus.processes("auto") == cpus.cpus()
    for text in ("0", "-1", "257", "x", ""):
        with pytest.raises(argparse.ArgumentTypeError, match=r"neither auto nor a whole number from 1 to 256"):
            cpus.processes(text)


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({"cpu.max": "300000 100000"}, min(3, BOUND)),
        ({"cpu.max": "max 100000"}, min(cpus.WORKERS_UNASKED_MAX, BOUND)),
        ({}, min(cpus.WORKERS_UNASKED_MAX, BOUND)),
        ({"cpu.max": "50000 100000", "memory.max": "max"}, 1),
        ({"cpu.max": "900000 100000", "memory.max": str(150 << 20)}, 1),
        ({"memory.max": "1000"}, 1),
        ({"memory/memory.limit_in_bytes": str(100 << 20)}, 1),
    ],
)
def test_a_container_runs_as_many_workers_as_its_limits_allow(
    tmp_path: Path, files: dict[str, str], count: int
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    notes: list[str] = []
    assert cpus.container_workers("", notes, tmp_path) == count
    assert cpus.container_workers("5", notes, tmp_path) == 5
    assert notes == []
    assert cpus.container_workers("-5", notes, tmp_path) == count
    assert notes == ["GOMAXPROCS '-5' is no whole number from 1 to 256; it is ignored"]
