"""Owns what is recorded of the machine: what it is, and how much others disturbed a measurement.

Must not measure the contenders themselves (`bench.processes` does).
"""

import os
import platform
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PACKAGES = ("grpcio", "protobuf", "numpy", "uvloop", "uvicorn", "Cython", "onnxruntime")


def facts() -> dict[str, Any]:
    """What this machine is: stored with each result, since numbers mean nothing without it."""
    return {
        "cpu": _cpu_field("model name") or platform.processor(),
        "cpus": os.cpu_count(),
        "usable_cpus": sorted(os.sched_getaffinity(0)),
        "cpu_mhz": _number(_cpu_field("cpu MHz")),
        "cache": _cpu_field("cache size"),
        "virtual": "hypervisor" in (_cpu_field("flags") or "").split(),
        "governor": _text(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
        "system": _system(),
        "python": platform.python_version(),
        "versions": versions(),
        "commit": commit(),
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def versions() -> dict[str, str]:
    """Versions of what takes part and is installed here."""
    from importlib import metadata

    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    module = Path(__file__).resolve().parent / "baselines" / "goproxy" / "go.mod"
    if match := re.search(r"google\.golang\.org/grpc v([\d.]+)", module.read_text()):
        found["grpc-go"] = match.group(1)
    for tool, pattern in (("go", r"go([\d.]+)"), ("nghttpx", r"nghttp2/([\d.]+)"), ("h2load", r"nghttp2/([\d.]+)")):
        text = tool_version(tool)
        if match := re.search(pattern, text):
            found[tool] = match.group(1)
    return found


def find_tool(name: str) -> str | None:
    """Where a program is, also where distributions and Go's own archive put what is not on every PATH."""
    return shutil.which(name) or shutil.which(name, path="/usr/local/go/bin:/usr/sbin:/usr/local/sbin")


def tool_version(name: str) -> str:
    """What a program says of its version; empty when it is not there."""
    path = find_tool(name)
    if path is None:
        return ""
    done = subprocess.run([path, "version" if name == "go" else "--version"], capture_output=True, text=True)
    return done.stdout.strip()


def commit() -> str:
    """The commit that was measured, `+` where files differ from it; empty outside a repository."""
    root = Path(__file__).resolve().parent.parent
    ask = ["git", "-C", str(root)]
    head = subprocess.run([*ask, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True)
    if head.returncode:
        return ""
    changed = subprocess.run([*ask, "status", "--porcelain"], capture_output=True, text=True)
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")


@dataclass(frozen=True)
class Busy:
    """CPU time that the whole machine has spent, and the moment it was read."""

    when: float
    busy_s: float
    steal_s: float


def busy(text: str | None = None) -> Busy:
    """Reads /proc/stat (or its `text`)."""
    lines = (Path("/proc/stat").read_text() if text is None else text).splitlines()
    user, nice, system, _idle, _wait, irq, softirq, steal = (int(field) for field in lines[0].split()[1:9])
    return Busy(time.monotonic(), (user + nice + system + irq + softirq) * _TICK_S, steal * _TICK_S)


def disturbance(before: Busy, after: Busy, ours_s: float) -> dict[str, float]:
    """How many cores others kept busy meanwhile, and how many the host took away."""
    wall = max(after.when - before.when, 1e-9)
    return {
        "foreign_cores": round(max(0.0, after.busy_s - before.busy_s - ours_s) / wall, 3),
        "steal_cores": round((after.steal_s - before.steal_s) / wall, 3),
    }


def cores() -> tuple[int, int]:
    """The core of the server under test, and the core of the generator and the nodes; the same if there is one."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[1 % len(usable)]


def _cpu_field(name: str) -> str | None:
    text = _text(Path("/proc/cpuinfo")) or ""
    match = re.search(rf"^{name}\s*:\s*(.*)$", text, re.M)
    return match.group(1).strip() if match else None


def _number(text: str | None) -> float | None:
    return float(text) if text else None


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return platform.system()
