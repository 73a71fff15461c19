"""Owns counting the system calls and instructions of a process while it is loaded, by `perf`.

Must not run together with a timed sample. Many virtual machines have no counter of instructions: then there are none.
"""

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence

ATTACH_S = 0.15
_EVENT = "raw_syscalls:sys_enter"
_INSTRUCTIONS = "instructions:u"


def unavailable() -> str:
    """Why calls cannot be counted here; empty when they can."""
    if shutil.which("perf") is None:
        return "perf is not installed (apt-get install linux-perf): system calls are not counted"
    done = subprocess.run(["perf", "stat", "-x,", "-e", _EVENT, "true"], capture_output=True, text=True)
    if done.returncode or parse(done.stderr) is None:
        return "perf may not count system calls here (it takes root, or kernel.perf_event_paranoid = -1)"
    return ""


def per_request(pids: Sequence[int], load: Callable[[], int]) -> tuple[float | None, float | None]:
    """System calls and instructions (of user code) of the processes per request that `load` says were answered."""
    command = ["perf", "stat", "-x,", "-e", f"{_EVENT},{_INSTRUCTIONS}", "-p", ",".join(map(str, pids))]
    counter = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    time.sleep(ATTACH_S)
    try:
        answered = load()
    finally:
        counter.send_signal(signal.SIGINT)
        _, text = counter.communicate(timeout=10)
    totals = parse(text), parse(text, _INSTRUCTIONS)
    calls, instructions = (total / answered if total is not None and answered else None for total in totals)
    return calls, instructions


def parse(text: str, event: str = _EVENT) -> int | None:
    """The count of an event in perf's output; None where it was not counted."""
    match = re.search(rf"^(\d+),.*{event}", text, re.M)
    return int(match.group(1)) if match else None
