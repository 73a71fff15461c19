"""Owns Prometheus' own programs as tests use them: its check of what is told, and a server that scrapes.

Must not know what is counted.
"""

import json
import re
import shutil
import socket
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote
from urllib.request import urlopen

from support.processes import poll

_LINE = re.compile(r"^(?P<name>[^{ ]+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$")
_SELDONS = re.compile(r"seldon_api_executor_\w+_summary metric name should not include type 'summary'")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def program(name: str) -> str:
    """One of the programs in Debian's package of that name."""
    found = shutil.which(name)
    assert found is not None, f"no {name}; `make test` installs Debian's package prometheus where it can"
    return found


def check(text: bytes) -> list[str]:
    """What `promtool check metrics` has to say against a text, but for names that are Seldon's."""
    done = subprocess.run([program("promtool"), "check", "metrics"], input=text, capture_output=True, timeout=60)
    told = (done.stdout + done.stderr).decode().splitlines()
    assert told or done.returncode == 0
    return [line for line in told if not _SELDONS.fullmatch(line)]


def samples(text: str, name: str, **labels: str) -> list[float]:
    """The values of the series of that name which have these labels."""
    found = []
    for line in text.splitlines():
        match = _LINE.match(line)
        if match and match["name"] == name and labels.items() <= dict(_LABEL.findall(match["labels"] or "")).items():
            found.append(float(match["value"]))
    return found


class Server(AbstractContextManager["Server"]):
    """A Prometheus server that scrapes `path` of a port each second. Leaving the `with` block ends it."""

    def __init__(self, folder: Path, port: int, path: str = "/metrics") -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        target = {"job_name": "millrace", "metrics_path": path, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
        said = {"global": {"scrape_interval": "1s"}, "scrape_configs": [target]}
        config = folder / "prometheus.yml"
        config.write_text(json.dumps(said))
        self._command = [
            *(program("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"),
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]
        self._log = folder / "prometheus.log"

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def ask(self, query: str) -> list[dict[str, Any]]:
        """The series that a query finds now; none while the server starts."""
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/api/v1/query?query={quote(query)}", timeout=5) as answer:
                found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
                return found
        except OSError:
            return []

    def wait_for(self, query: str) -> list[dict[str, Any]]:
        """The series that a query finds, once it finds any."""
        poll(lambda: self.ask(query), 30.0, f"{query}\n{self._log.read_text(errors='replace')[-2000:]}")
        return self.ask(query)
