"""Owns a real Redis server for tests: on a unix socket in a folder of its own, ended with the test.

Must not talk to it: tests do that as the executor does.
"""

import contextlib
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from support.processes import poll


class RedisServer:
    """`redis-server`, which Debian's package of that name brings along. Writes each command to disk."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.path = str(Path(folder) / "s")
        self.url = f"redis+unix://{self.path}?db=0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it with what it wrote before, and waits until it listens."""
        program = shutil.which("redis-server")
        assert program is not None, "no redis-server; `make test` installs it where it can"
        said = Path(self._folder, "log").open("ab")  # noqa: SIM115 the process keeps it
        with said:
            self.process = subprocess.Popen(
                [program, "--port", "0", "--unixsocket", self.path, "--dir", self._folder, "--save", "",
                 "--appendonly", "yes", "--appendfsync", "always"],
                stdout=said, stderr=said, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        poll(self._listens, 20.0, "redis-server listens")

    def kill(self) -> None:
        """Ends it as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def _listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, Path(self._folder, "log").read_text()
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(self.path) != 0:
                return False
            probe.sendall(b"PING\r\n")
            return probe.recv(64).startswith(b"+PONG")


@contextlib.contextmanager
def redis_server() -> Iterator[RedisServer]:
    """One that runs."""
    with tempfile.TemporaryDirectory(prefix="millrace-redis-") as folder:
        server = RedisServer(folder)
        try:
            server.start()
            yield server
        finally:
            if server.process is not None and server.process.poll() is None:
                server.kill()
