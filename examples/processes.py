"""Owns the processes that the demo starts: each with its ports, its log, and its end.

Must not know what they serve.
"""

import contextlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
READY_S = 60.0
STOP_S = 10.0


class DemoError(Exception):
    """Something did not turn out as it should."""


@dataclass
class Child:
    """One `millrace` process."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    grpc_port: int
    http_port: int

    @property
    def text(self) -> str:
        """All that it said so far."""
        return self.log.read_text(errors="replace")

    @property
    def ready(self) -> bool:
        """Whether it answers that it is ready. Raises `DemoError` if it has ended instead."""
        if self.process.poll() is not None:
            raise DemoError(f"{self.name} ended with status {self.process.returncode} before it was ready")
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.http_port}/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.HTTPError):
            return False


class Children:
    """The processes of one part of the demo. Leaving the `with` block ends them all."""

    def __init__(self) -> None:
        self.all: list[Child] = []
        self._folder = tempfile.TemporaryDirectory(prefix="millrace-demo-")

    def start(self, name: str, *arguments: str) -> Child:
        """Start `millrace` with `arguments`, and with ports of its own."""
        grpc_port, http_port = free_ports(2)
        log = Path(self._folder.name) / f"{name}.log"
        ports = ["--host", HOST, "--grpc-port", str(grpc_port), "--http-port", str(http_port)]
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*_millrace(), *arguments, *ports], stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
            )
        child = Child(name, process, log, grpc_port, http_port)
        self.all.append(child)
        return child

    def wait(self) -> None:
        """Return when all are ready."""
        deadline = time.monotonic() + READY_S
        for child in self.all:
            while not child.ready:
                if time.monotonic() > deadline:
                    raise DemoError(f"{child.name} was not ready within {READY_S:.0f} s")
                time.sleep(0.05)

    def stop(self) -> None:
        """Ask all to end, as Ctrl-C does; what does not is killed."""
        for child in self.all:
            if child.process.poll() is None:
                child.process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + STOP_S
        late = []
        for child in self.all:
            try:
                child.process.wait(timeout=max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                late.append(child.name)
                child.process.kill()
                child.process.wait()
        if late:
            raise DemoError(f"{', '.join(late)} did not end within {STOP_S:.0f} s of being asked to")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                return self.stop()
            with contextlib.suppress(DemoError):
                self.stop()
            if issubclass(kind, Exception):
                self._show_logs()
        finally:
            self._folder.cleanup()

    def _show_logs(self) -> None:
        for child in self.all:
            print(f"--- what {child.name} said ---\n{child.text[-4000:].rstrip()}", file=sys.stderr)


def _millrace() -> list[str]:
    """The installed command; else the package itself, without the working directory going before it on the path."""
    command = Path(sys.executable).with_name("millrace")
    return [str(command)] if command.exists() else [sys.executable, "-P", "-m", "executor"]


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now. All are held until all are found, so that they differ."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]
