"""Owns the second opinion: the same load from h2load, an independent generator. Must not replace our own numbers."""

import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from typing import Any

from bench.generator import Order
from bench.machine import cores, find_tool
from bench.processes import cpu_s

HOW = "h2load is not installed (apt-get install nghttp2-client): no cross-check"


def available() -> bool:
    """Whether h2load is there."""
    return find_tool("h2load") is not None


def measure(order: Order, count: int, server: Sequence[int]) -> dict[str, Any]:
    """`count` gRPC requests from h2load: the server's CPU per request, requests per second, failures."""
    with tempfile.NamedTemporaryFile(suffix=".grpc") as body:
        body.write(b"\0" + len(order.request).to_bytes(4, "big") + order.request)
        body.flush()
        before = sum(map(cpu_s, server))
        done = subprocess.run(
            command(order, count, body.name),
            capture_output=True,
            text=True,
            timeout=120,
            preexec_fn=lambda: os.sched_setaffinity(0, {cores()[1]}),
        )
        spent = sum(map(cpu_s, server)) - before
    return {**parse(done.stdout), "cpu_us_per_request": round(1e6 * spent / count, 3)}


def command(order: Order, count: int, body: str) -> list[str]:
    """The same shape of load as `order`."""
    program = find_tool("h2load") or "h2load"
    return [
        program,
        *("-n", str(count), "-c", str(order.connections), "-m", str(order.streams), "-w", "24", "-W", "26"),
        *("-H", "content-type: application/grpc", "-H", "te: trailers", "-d", body),
        f"{'https' if order.ca else 'http'}://{order.host}:{order.port}{order.path}",
    ]


def parse(text: str) -> dict[str, Any]:
    """What h2load says. It counts HTTP statuses, not gRPC's."""
    rate = re.search(r"finished in [\d.]+\w+, ([\d.]+) req/s", text)
    failed = re.search(r"(\d+) failed, (\d+) errored, (\d+) timeout", text)
    return {
        "requests_per_s": float(rate.group(1)) if rate else None,
        "errors": sum(map(int, failed.groups())) if failed else None,
    }
