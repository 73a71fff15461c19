"""Owns the process of the load generator: orders come as lines of JSON on its input, outcomes go out the same way.

Must not start or stop what it loads. `Generator` is the caller's side, `main` the process's.
"""

import base64
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Self

from bench.histogram import Pairs
from bench.processes import BenchError, cpu_s

CONNECT_S = 10.0


@dataclass(frozen=True)
class Order:
    """What to load: one server, one request."""

    name: str
    protocol: str
    """grpc, http or tcp."""
    host: str
    port: int
    path: str
    request: bytes
    connections: int = 1
    streams: int = 1
    accepted: tuple[bytes, ...] = ()
    keep: bool = False


@dataclass(frozen=True)
class Outcome:
    """What one run gave, and the CPU time that server, nodes and generator spent on it."""

    sent: int
    answered: int
    errors: int
    error_kinds: dict[str, int]
    first_error: str
    elapsed_s: float
    waited: int
    latency: Pairs
    lag: Pairs
    server_s: float
    node_s: float
    load_s: float
    samples: list[bytes] = field(default_factory=list)


class Generator:
    """The generator's process, on its own core. Leaving the `with` block ends it."""

    def __init__(self, core: int) -> None:
        root = str(Path(__file__).resolve().parent.parent)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "bench.generator"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))},
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def open(self, order: Order) -> None:
        """Connects anew. Raises BenchError."""
        fields = {**vars(order), "request": _text(order.request), "accepted": [_text(each) for each in order.accepted]}
        self._ask({"do": "open", **fields})

    def run(
        self, name: str, *, seconds: float = 0, rate: float = 0, count: int = 0,
        server: Sequence[int] = (), nodes: Sequence[int] = (),
    ) -> Outcome:  # fmt: skip
        """Loads the server called `name` and waits for the end. Raises BenchError."""
        given = {"seconds": seconds, "rate": rate, "count": count}
        found = self._ask({"do": "run", "name": name, "run": given, "server": list(server), "nodes": list(nodes)})
        found["samples"] = [base64.b64decode(each) for each in found["samples"]]
        return Outcome(**found)

    def close(self, name: str) -> None:
        """Ends the connections to the server called `name`."""
        self._ask({"do": "close", "name": name})

    def _ask(self, order: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = b""
        if not line:
            raise BenchError(f"the load generator ended with status {self._process.wait()}")
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


def fields_of(order: dict[str, Any]) -> list[tuple[str, str]]:
    """The HTTP/2 headers of a gRPC call."""
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", order["path"]),
        (":authority", f"{order['host']}:{order['port']}"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", "millrace-bench"),
    ]


def http_request(order: dict[str, Any], body: bytes) -> bytes:
    """A whole HTTP/1.1 request."""
    head = (
        f"POST {order['path']} HTTP/1.1\r\nHost: {order['host']}:{order['port']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def connect(host: str, port: int, count: int) -> list[int]:
    """File descriptors of connected sockets."""
    found = []
    for _ in range(count):
        sock = socket.create_connection((host, port), timeout=CONNECT_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        found.append(sock.detach())
    return found


class _Worker:
    """The process's side: one `Load` per server."""

    def __init__(self) -> None:
        self._loads: dict[str, Any] = {}

    def open(self, order: dict[str, Any]) -> bool:
        from executor._native import probe_load

        self.close(order)
        body = base64.b64decode(order["request"])
        request = http_request(order, body) if order["protocol"] == "http" else body
        self._loads[order["name"]] = probe_load.Load(
            order["protocol"],
            connect(order["host"], order["port"], order["connections"]),
            request,
            fields=fields_of(order) if order["protocol"] == "grpc" else (),
            streams=order["streams"],
            accepted=[base64.b64decode(each) for each in order["accepted"]],
            keep=order["keep"],
        )
        return True

    def run(self, order: dict[str, Any]) -> dict[str, Any]:
        groups = {"server_s": order["server"], "node_s": order["nodes"], "load_s": [os.getpid()]}
        before = {name: sum(map(cpu_s, pids)) for name, pids in groups.items()}
        outcome = self._loads[order["name"]].run(**order["run"])
        outcome |= {name: sum(map(cpu_s, pids)) - before[name] for name, pids in groups.items()}
        outcome["samples"] = [_text(each) for each in outcome["samples"]]
        return dict(outcome)

    def close(self, order: dict[str, Any]) -> bool:
        if order["name"] in self._loads:
            self._loads.pop(order["name"]).close()
        return True


def serve(orders: IO[bytes], answers: IO[bytes]) -> None:
    """Carries out orders until there are no more."""
    worker = _Worker()
    for line in orders:
        order = json.loads(line)
        try:
            answer = {"ok": getattr(worker, order["do"])(order)}
        except (OSError, ValueError, KeyError) as error:
            answer = {"error": f"{order['do']} {order['name']}: {error}"}
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


def main() -> None:
    """The process."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the loop runs without the GIL and would not see it
    with contextlib.suppress(OSError):
        # Sleeps end when they should: Linux otherwise rounds them by 50 µs to save wake-ups.
        Path("/proc/self/timerslack_ns").write_text("1")
    serve(sys.stdin.buffer, sys.stdout.buffer)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


if __name__ == "__main__":
    main()
