"""Owns the processes that work for a measurement: an order is a line of JSON on their input, its answer one line back.

Must not know what is ordered. `Worker` is the caller's side, `serve` the process's.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Self

from bench.processes import BenchError


class Worker:
    """A process that runs a module, on one core. Leaving the `with` block ends it."""

    def __init__(self, module: str, core: int, *arguments: str) -> None:
        root = str(Path(__file__).resolve().parent.parent)
        self._module = module
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))},
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def ask(self, order: dict[str, Any]) -> Any:
        """Gives an order and waits for what comes of it. Raises BenchError."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = b""
        if not line:
            raise BenchError(f"{self._module} ended with status {self._process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise BenchError(answer["error"])
        return answer["ok"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.terminate()
        self._process.wait()


def serve(orders: IO[bytes], answers: IO[bytes], carry_out: Callable[[dict[str, Any]], Any]) -> None:
    """Carries out orders until there are no more."""
    for line in orders:
        order = json.loads(line)
        try:
            answer = {"ok": carry_out(order)}
        except (OSError, ValueError, KeyError) as error:
            answer = {"error": f"{order['do']} {order['name']}: {error}"}
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()
