"""Owns the processes of a test's cluster: started with a log file each, awaited, ended by pid.

Must not know what they are for.
"""

import contextlib
import os
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from support.processes import poll

READY_S = 90.0
STOP_S = 10.0
SHOWN_LINES = 60


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_listening(port: int, host: str = "127.0.0.1") -> bool:
    """Whether somebody listens on a port."""
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


class Daemon:
    """One process."""

    def __init__(self, name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **environment}
            )

    @property
    def said(self) -> str:
        """The end of what it logged."""
        lines = self._log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-SHOWN_LINES:])

    def wait_for(self, condition: Callable[[], object], timeout_s: float = READY_S) -> None:
        """Waits until `condition` holds; fails when the process ends before."""

        def holds() -> object:
            assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}:\n{self.said}"
            return condition()

        try:
            poll(holds, timeout_s, self.name)
        except AssertionError as error:
            raise AssertionError(f"{error}\n--- {self.name}\n{self.said}") from None

    def stop(self) -> None:
        """Ends it, whatever it does."""
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_S)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Daemons:
    """All of a cluster. Leaving the `with` block ends them, the last first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.all: list[Daemon] = []

    def start(self, name: str, *command: str, environment: Mapping[str, str] | None = None) -> Daemon:
        """Starts one."""
        self.all.append(Daemon(name, command, self.folder, environment or {}))
        return self.all[-1]

    def check(self) -> None:
        """Fails when one has ended by itself."""
        for each in self.all:
            assert each.process.poll() is None, f"{each.name} ended with {each.process.returncode}:\n{each.said}"

    def show(self) -> None:
        """Prints the end of each log; pytest shows that with a test that failed."""
        for each in self.all:
            print(f"--- {each.name}\n{each.said}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in reversed(self.all):
            each.stop()
