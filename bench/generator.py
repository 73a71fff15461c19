"""Owns the process of the load generator: what it is ordered to load, and how it connects.

Must not start or stop what it loads. `Generator` is the caller's side, `main` the process's.
"""

import base64
import contextlib
import os
import signal
import socket
import ssl
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import worker
from bench.histogram import Pairs
from bench.processes import cpu_s
from bench.worker import Worker

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
    ca: str = ""
    """Who has signed the server's certificate, a file; empty: no TLS."""


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


class Generator(Worker):
    """The generator's process, on its own core. Leaving the `with` block ends it."""

    def __init__(self, core: int) -> None:
        super().__init__("bench.generator", core)

    def open(self, order: Order) -> None:
        """Connects anew. Raises BenchError."""
        fields = {**vars(order), "request": _text(order.request), "accepted": [_text(each) for each in order.accepted]}
        self.ask({"do": "open", **fields})

    def run(
        self, name: str, *, seconds: float = 0, rate: float = 0, count: int = 0,
        server: Sequence[int] = (), nodes: Sequence[int] = (),
    ) -> Outcome:  # fmt: skip
        """Loads the server called `name` and waits for the end. Raises BenchError."""
        given = {"seconds": seconds, "rate": rate, "count": count}
        found = self.ask({"do": "run", "name": name, "run": given, "server": list(server), "nodes": list(nodes)})
        found["samples"] = [base64.b64decode(each) for each in found["samples"]]
        return Outcome(**found)

    def close(self, name: str) -> None:
        """Ends the connections to the server called `name`."""
        self.ask({"do": "close", "name": name})


def fields_of(order: dict[str, Any]) -> list[tuple[str, str]]:
    """The HTTP/2 headers of a gRPC call."""
    return [
        (":method", "POST"),
        (":scheme", "https" if order.get("ca") else "http"),
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
        sock = _connected(host, port)
        sock.setblocking(False)
        found.append(sock.detach())
    return found


def connect_tls(host: str, port: int, count: int, ca: str, protocol: str) -> list[ssl.SSLSocket]:
    """Sockets that have agreed on TLS and on a protocol. Raises OSError."""
    context = ssl.create_default_context(cafile=ca)
    context.set_alpn_protocols([protocol])
    with contextlib.ExitStack() as undone:
        found = []
        for _ in range(count):
            sock = undone.enter_context(context.wrap_socket(_connected(host, port), server_hostname=host))
            if sock.selected_alpn_protocol() != protocol:
                raise OSError(f"the server did not agree to speak {protocol}")
            sock.setblocking(False)
            found.append(sock)
        undone.pop_all()
    return found


def _connected(host: str, port: int) -> socket.socket:
    sock = socket.create_connection((host, port), timeout=CONNECT_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


class _Loads:
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
            _sockets(order),
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


def _sockets(order: dict[str, Any]) -> Sequence[int | ssl.SSLSocket]:
    place = order["host"], order["port"], order["connections"]
    if not order["ca"]:
        return connect(*place)
    return connect_tls(*place, order["ca"], "h2" if order["protocol"] == "grpc" else "http/1.1")


def main() -> None:
    """The process."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the loop runs without the GIL and would not see it
    with contextlib.suppress(OSError):
        # Sleeps end when they should: Linux otherwise rounds them by 50 µs to save wake-ups.
        Path("/proc/self/timerslack_ns").write_text("1")
    loads = _Loads()
    worker.serve(sys.stdin.buffer, sys.stdout.buffer, lambda order: getattr(loads, order["do"])(order))


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


if __name__ == "__main__":
    main()
