"""Owns the processes that a measurement starts: where they run, what they cost, that they end.

Must not know what they serve.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
READY_S = 60.0
STOP_S = 5.0


class BenchError(Exception):
    """A measurement that cannot be made, and why."""


def cpu_s(pid: int) -> float:
    """CPU time of a process with all its threads, to the nanosecond (a stat file has ticks of 10 ms)."""
    try:
        return time.clock_gettime((~pid << 3) | 2)  # Linux's number for the CPU clock of another process
    except OSError:
        return 0.0


def descendants(pid: int) -> list[int]:
    """The process and those it started, and so on."""
    found = [pid]
    for each in found:
        for listing in Path(f"/proc/{each}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += [int(child) for child in listing.read_text().split()]
    return found


def peak_rss_bytes(pids: Sequence[int]) -> int:
    """The most memory that each has ever held, added up."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            match = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
            total += int(match.group(1)) * 1024 if match else 0
    return total


class Child:
    """One process with its log, on one core."""

    def __init__(self, name: str, command: Sequence[str], core: int, log: Path, env: Mapping[str, str]) -> None:
        self.name = name
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                command,
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **env},
                start_new_session=True,
                preexec_fn=lambda: os.sched_setaffinity(0, {core}),
            )

    @property
    def pids(self) -> list[int]:
        """The process and its descendants."""
        return descendants(self.process.pid)

    def wait_log(self, pattern: str) -> None:
        """Returns when its log matches."""
        self._wait(lambda: re.search(pattern, self.log.read_text(errors="replace"), re.M) is not None)

    def wait_port(self, port: int) -> None:
        """Returns when the port takes connections."""
        self._wait(lambda: _connects(port))

    def wait_answer(self, port: int, path: str) -> None:
        """Returns when it answers 200 over HTTP."""
        self._wait(lambda: _answers(port, path))

    def _wait(self, is_ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_S
        while not is_ready():
            if self.process.poll() is not None:
                raise BenchError(f"{self.name} ended with status {self.process.returncode}: {self.said()}")
            if time.monotonic() > deadline:
                raise BenchError(f"{self.name} was not ready within {READY_S:.0f} s: {self.said()}")
            time.sleep(0.02)

    def said(self) -> str:
        """The last lines of its log."""
        return self.log.read_text(errors="replace")[-1000:].strip()

    def stop(self) -> None:
        """Ends it and all it started, also what has left its group."""
        pids = self.pids
        for number, patience in ((signal.SIGTERM, STOP_S), (signal.SIGKILL, STOP_S)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(patience)
                break
        for pid in pids[1:]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class Children:
    """Processes that end together, when the `with` block is left."""

    def __init__(self) -> None:
        self.all: list[Child] = []
        self._folder = tempfile.TemporaryDirectory(prefix="millrace-bench-")

    @property
    def folder(self) -> Path:
        """Where their logs are; gone afterwards."""
        return Path(self._folder.name)

    def start(self, name: str, command: Sequence[str], core: int, env: Mapping[str, str] | None = None) -> Child:
        """Starts one."""
        child = Child(name, command, core, self.folder / f"{len(self.all)}-{name}.log", env or {})
        self.all.append(child)
        return child

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in reversed(self.all):
            child.stop()
        self._folder.cleanup()


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now; all are held until all are found, so that they differ."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]


def _answers(port: int, path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _connects(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True
