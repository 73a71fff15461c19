"""Owns real `millrace` processes for tests: started on free ports, awaited, stopped by pid, their output shown.

Must not know what they serve.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

READY_S = 30.0
STOP_S = 20.0
PYTHON = (sys.executable, "-P", "-W", "error")
COMMAND = (*PYTHON, "-m", "executor")


def poll(condition: Callable[[], object], timeout_s: float = 10.0, what: str = "") -> None:
    """Waits until `condition` holds; fails the test when it does not in time."""
    due = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > due:
            raise AssertionError(f"not within {timeout_s} s: {what or condition}")
        time.sleep(0.005)


class Program:
    """One `millrace` process; its standard output and error are kept apart, in files."""

    def __init__(
        self, folder: Path, arguments: tuple[str, ...], environment: Mapping[str, str] | None, script: str = ""
    ) -> None:
        self.arguments = arguments
        command = (*PYTHON, "-c", script) if script else COMMAND
        self._out = folder / "out"
        self._err = folder / "err"
        self._shown = 0
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [*command, *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                env={**os.environ, "PYTHONUNBUFFERED": "1", "TMPDIR": str(folder.parent), **(environment or {})},
            )  # fmt: skip

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def out(self) -> str:
        """What it printed so far."""
        return self._out.read_text(errors="replace")

    @property
    def err(self) -> str:
        """What it logged so far."""
        return self._err.read_text(errors="replace")

    @property
    def grpc(self) -> str:
        """Where it serves gRPC over TCP: `host:port`."""
        return self._told(r"^gRPC on ([^u].*)$")

    @property
    def http_port(self) -> int:
        """The port where it serves REST."""
        return int(self._told(r"^REST on https?://.*:(\d+)$"))

    def ready(self) -> Self:
        """Waits until it says where it listens, which it does when it serves."""
        self.wait_for(lambda: re.search(r"^(gRPC|REST) on .*\n$", self.out, re.M))
        return self

    def wait_for(self, condition: Callable[[], object], timeout_s: float = READY_S) -> None:
        """Waits until `condition` holds; fails the test when the process ends before."""

        def holds() -> bool:
            ended = self.process.poll() is not None
            if condition():
                return True
            assert not ended, f"{self} ended with {self.process.returncode}:\n{self.out}{self.err}"
            return False

        poll(holds, timeout_s, f"{self}:\n{self.out}{self.err}")

    def signal(self, number: signal.Signals) -> None:
        """Sends it a signal."""
        if number is signal.SIGSTOP:
            freeze(self.pid)
        else:
            self.process.send_signal(number)

    def ended(self, timeout_s: float = STOP_S) -> int:
        """Its exit status; fails the test when it does not end in time."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self} did not end within {timeout_s} s:\n{self.out}{self.err}") from None

    def stop(self) -> None:
        """Ends it, whatever it does."""
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_S)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def show(self) -> None:
        """Prints what it said since it was last shown; pytest shows that with a test that failed."""
        text = self.out + self.err
        if len(text) > self._shown:
            print(f"--- {self}\n{text[self._shown :].rstrip()}")
        self._shown = len(text)

    def _told(self, pattern: str) -> str:
        found = re.search(pattern, self.out, re.M)
        assert found, f"{self} did not say {pattern}:\n{self.out}{self.err}"
        return found[1]

    def __str__(self) -> str:
        return f"millrace {' '.join(self.arguments)} (pid {self.process.pid})"


class Programs:
    """The processes of a test, or of several. Leaving the `with` block ends them all."""

    def __init__(self) -> None:
        self.all: list[Program] = []
        self._folder = tempfile.TemporaryDirectory(prefix="millrace-test-")

    def start(self, *arguments: str, environment: Mapping[str, str] | None = None, script: str = "") -> Program:
        """Starts `millrace` with these arguments; or Python with a `script`, for what no option asks for."""
        folder = Path(self._folder.name, str(len(self.all)))
        folder.mkdir()
        self.all.append(Program(folder, arguments, environment, script))
        return self.all[-1]

    def serve(self, command: str, *arguments: str) -> Program:
        """Starts `millrace run` or `millrace node` on free ports of loopback; `ready()` then waits for it."""
        return self.start(command, *arguments, "--grpc-port", "0", "--http-port", "0")

    def show(self) -> None:
        """Prints what is new in the output of all."""
        for each in self.all:
            each.show()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self.all:
            if each.process.poll() is None:
                each.process.terminate()  # all at once, so that they end side by side
        for each in self.all:
            each.stop()
        self.show()
        self._folder.cleanup()


def run(*arguments: str, timeout_s: float = READY_S) -> subprocess.CompletedProcess[str]:
    """What a command that ends by itself says."""
    return subprocess.run(
        [*COMMAND, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s, check=False
    )


def freeze(pid: int) -> None:
    """Stops a process; returns when it does nothing any more. The signal reaches one of its threads, and the others go
    on until that one has had its turn.
    """
    os.kill(pid, signal.SIGSTOP)
    threads = Path(f"/proc/{pid}/task")
    poll(lambda: all(_state(each) in "TZ" for each in threads.iterdir()), what=f"process {pid} stops")


def is_alive(pid: int) -> bool:
    """Whether there is such a process, and it has not ended."""
    return _state(Path(f"/proc/{pid}")) != "Z"


def _state(process: Path) -> str:
    """The letter that the kernel has for what a process or thread does; that of one that has ended when it is gone."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def children(pid: int) -> set[int]:
    """The processes that a process has started, and that have not ended."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid and fields[0] != "Z":
                found.add(int(path.parent.name))
    return found
