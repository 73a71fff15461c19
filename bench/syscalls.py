"""Owns counting the system calls of a process while it is loaded. Must not run together with a timed sample."""

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence

ATTACH_S = 0.15
_EVENT = "raw_syscalls:sys_enter"


def unavailable() -> str:
    """Why calls cannot be counted here; empty when they can."""
    if shutil.which("perf") is None:
        return "perf is not installed (apt-get install linux-perf): system calls are not counted"
    done = subprocess.run(["perf", "stat", "-x,", "-e", _EVENT, "true"], capture_output=True, text=True)
    if done.returncode or parse(done.stderr) is None:
        return "perf may not count system calls here (it takes root, or kernel.perf_event_paranoid = -1)"
    return ""


def per_request(pids: Sequence[int], load: Callable[[], int]) -> float | None:
    """System calls of the processes per request, over what `load` sends; it returns how many were answered."""
    command = ["perf", "stat", "-x,", "-e", _EVENT, "-p", ",".join(map(str, pids))]
    counter = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    time.sleep(ATTACH_S)
    try:
        answered = load()
    finally:
        counter.send_signal(signal.SIGINT)
        _, text = counter.communicate(timeout=10)
    total = parse(text)
    return total / answered if total is not None and answered else None


def parse(text: str) -> int | None:
    """The count in perf's output."""
    match = re.search(rf"^(\d+),.*{_EVENT}", text, re.M)
    return int(match.group(1)) if match else None
