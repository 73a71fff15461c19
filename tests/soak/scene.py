"""Owns the processes of the soak: an executor and its nodes, restarted and reloaded while they are asked.

Must not ask them anything.

    pass ─ spread ┬ ours     `millrace node` over gRPC
                  ├ theirs   a grpcio server, killed and started again from time to time
                  ├ rest     the same `millrace node` over REST
                  └ average ┬ here    in the executor's process
                            └ again   `ours` once more
"""

import contextlib
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

from support import serving
from support.processes import Program, Programs, children
from support.servers import ECHO_NODE, free_port, wait_for_port
from support.serving import node

PARTS = Path(__file__).with_name("parts.py")
QUIET = ("--log-level", "error")
"""Garbage and restarts are warnings, of which there are many here."""
GRACE_S = 3.0
"""After a node is back: channels try again within about a second, and a busy machine takes its time."""
GRAPH = node(
    "pass",
    "transformer",
    node(
        "spread",
        "router",
        node("ours", "model"),
        node("theirs", "model"),
        node("rest", "model"),
        node("average", "combiner", node("here", "model"), node("again", "model"), implementation="AVERAGE_COMBINER"),
        routes=4,
    ),
)


class Scene:
    """All processes. Leaving the `with` block ends them."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._programs = Programs()
        self._folder = tempfile.TemporaryDirectory(prefix="millrace-soak-")
        self._port = free_port()
        self._theirs: subprocess.Popen[bytes] | None = None
        self._outages: list[list[float]] = []
        self.restarts = 0
        self.reloads = 0

    def __enter__(self) -> Self:
        self._start_theirs()
        self.ours: Program = self._programs.serve("node", f"{PARTS}:Echo", "--name", "ours", *QUIET).ready()
        path = Path(self._folder.name, "graph.yaml")
        path.write_text(serving.deployment(GRAPH))
        components = {"pass": "Pass", "spread": "Spread", "here": "Echo"}
        endpoints = {
            "ours": f"grpc://{self.ours.grpc}",
            "again": f"grpc://{self.ours.grpc}",
            "theirs": f"grpc://127.0.0.1:{self._port}",
            "rest": f"http://127.0.0.1:{self.ours.http_port}",
        }
        self.executor: Program = self._programs.serve(
            "run", str(path), "--workers", str(self._workers), *QUIET,
            *(each for name, kind in components.items() for each in ("--component", f"{name}={PARTS}:{kind}")),
            *(each for name, url in endpoints.items() for each in ("--endpoint", f"{name}={url}")),
        ).ready()  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        self._kill_theirs()
        self._programs.__exit__()
        self._folder.cleanup()

    @property
    def watched(self) -> dict[str, int]:
        """Processes that must stay as they are, by name."""
        found = {"executor": self.executor.pid, "node": self.ours.pid}
        for number, pid in enumerate(sorted(children(self.executor.pid))):
            found[f"worker {number + 1}"] = pid
        return found

    def reload(self) -> None:
        """Loads the graph anew; nobody may notice."""
        self.executor.signal(signal.SIGHUP)
        self.reloads += 1

    def restart(self) -> None:
        """Kills the grpcio node and starts it again. Until shortly after that it is out."""
        self._outages.append([time.monotonic(), float("inf")])
        self._kill_theirs()
        self._start_theirs()
        self._outages[-1][1] = time.monotonic() + GRACE_S
        self.restarts += 1

    def was_out(self, begun: float) -> bool:
        """Whether the grpcio node was out at some time since `begun`."""
        return any(begun <= until and since <= time.monotonic() for since, until in self._outages)

    def end(self) -> list[str]:
        """Asks executor and node to end; what was wrong with how they did, or with what they logged."""
        wrong = []
        for name, program in (("executor", self.executor), ("node", self.ours)):
            program.signal(signal.SIGTERM)
            with contextlib.suppress(AssertionError):
                program.ended()
            if program.process.returncode != 0:
                wrong.append(f"{name}: ended with {program.process.returncode}")
            if program.err:
                wrong.append(f"{name}: it logged errors:\n{program.err[-4000:]}")
        return wrong

    def _start_theirs(self) -> None:
        # A session of its own: Ctrl-C is ours alone to handle.
        self._theirs = subprocess.Popen(
            [sys.executable, str(ECHO_NODE), f"127.0.0.1:{self._port}", "86400"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        wait_for_port(self._port, 60)

    def _kill_theirs(self) -> None:
        if self._theirs is not None:
            self._theirs.kill()
            self._theirs.wait()
