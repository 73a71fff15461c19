"""Owns the process that times deadlines and cancels: a client and a node that never answers, on one clock.

Must not know who stands between the two. Both speak HTTP/2 through `h2`, which is slow but neither paces nor retries;
moments are taken when bytes come, before they are read.
"""

import argparse
import asyncio
import base64
import contextlib
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from h2 import config, connection, events

from bench import worker
from executor._native import probe_load

HOST = "127.0.0.1"
GAP_S = 0.002
"""Between two requests with a deadline."""
PATIENCE_S = 5.0
DEADLINE_EXCEEDED = "4"
SILENT = "no end came"

Take = Callable[[Any, float], None]


class Peer(asyncio.Protocol):
    """One HTTP/2 connection; its events go to `take`, each with the moment its bytes came."""

    def __init__(self, client: bool, take: Take) -> None:
        self._h2 = connection.H2Connection(config.H2Configuration(client_side=client, header_encoding="utf-8"))
        self._take = take
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._h2.initiate_connection()
        self.flush()

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        for event in self._h2.receive_data(data):
            if isinstance(event, events.DataReceived):
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            self._take(event, now)
        self.flush()

    def request(self, fields: list[tuple[str, str]], body: bytes) -> int:
        """Sends one; the number of its stream."""
        stream = int(self._h2.get_next_available_stream_id())
        self._h2.send_headers(stream, fields)
        self._h2.send_data(stream, b"\0" + len(body).to_bytes(4, "big") + body, end_stream=True)
        self.flush()
        return stream

    def cancel(self, stream: int) -> None:
        """Resets a stream."""
        self._h2.reset_stream(stream, 8)
        self.flush()

    def flush(self) -> None:
        """Hands to the socket what there is to send."""
        self._transport.write(self._h2.data_to_send())

    def close(self) -> None:
        """Ends it."""
        self._transport.close()


class Probe:
    """The node, listening, and a client for each order."""

    def __init__(self, port: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._arrived: asyncio.Event = asyncio.Event()
        self._reset: asyncio.Event = asyncio.Event()
        self._reset_at = 0.0
        self._resets = 0
        self._ends: dict[int, tuple[float, str]] = {}
        self._wanted = 0
        self._over = asyncio.Event()
        self._server = self._loop.run_until_complete(
            self._loop.create_server(lambda: Peer(False, self._at_node), HOST, port)
        )

    def carry_out(self, order: dict[str, Any]) -> dict[str, Any]:
        """Times `count` deadlines or cancels: a histogram of how late they were, and how requests ended."""
        return self._loop.run_until_complete(self._run(order))

    async def _run(self, order: dict[str, Any]) -> dict[str, Any]:
        self._ends, self._resets, self._wanted = {}, 0, order["count"]
        self._over.clear()
        _, client = await self._loop.create_connection(lambda: Peer(True, self._at_client), HOST, order["port"])
        body = base64.b64decode(order["request"])
        try:
            step = self._deadlines if order["do"] == "deadline" else self._cancels
            late, kinds = await step(client, order, body)
        finally:
            client.close()
        buckets = Counter(probe_load.bucket_of(max(0, round(1e9 * each))) for each in late)
        return {"late": sorted(buckets.items()), "kinds": kinds, "resets": self._resets}

    async def _deadlines(self, client: Peer, order: dict[str, Any], body: bytes) -> tuple[list[float], dict[str, int]]:
        """Staggered, so that they lie anywhere between two ticks of a clock."""
        due: dict[int, float] = {}
        for number in range(order["count"]):
            timeout = order["timeout_ms"] + number % 7
            begun = time.monotonic()
            due[client.request(_fields(order, ("grpc-timeout", f"{timeout}m")), body)] = begun + timeout / 1000
            await asyncio.sleep(GAP_S)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), PATIENCE_S)
        kinds = Counter(self._ends[stream][1] if stream in self._ends else SILENT for stream in due)
        return [self._ends[stream][0] - moment for stream, moment in due.items() if stream in self._ends], kinds

    async def _cancels(self, client: Peer, order: dict[str, Any], body: bytes) -> tuple[list[float], dict[str, int]]:
        """One at a time: each is known by being the only one."""
        late: list[float] = []
        for _ in range(order["count"]):
            self._arrived.clear()
            self._reset.clear()
            stream = client.request(_fields(order), body)
            await asyncio.wait_for(self._arrived.wait(), PATIENCE_S)
            begun = time.monotonic()
            client.cancel(stream)
            await asyncio.wait_for(self._reset.wait(), PATIENCE_S)
            late.append(self._reset_at - begun)
        return late, {"reset": len(late)}

    def _at_node(self, event: Any, now: float) -> None:
        if isinstance(event, events.StreamEnded):
            self._arrived.set()
        elif isinstance(event, events.StreamReset):
            self._reset_at = now
            self._resets += 1
            self._reset.set()
            self._look()

    def _at_client(self, event: Any, now: float) -> None:
        if isinstance(event, events.StreamReset):
            self._ends.setdefault(event.stream_id, (now, "reset"))
        elif isinstance(event, (events.TrailersReceived, events.ResponseReceived)):
            headers: Any = dict(event.headers)
            status = headers.get("grpc-status")
            if status is not None:
                kind = "DEADLINE_EXCEEDED" if status == DEADLINE_EXCEEDED else f"status {status}"
                self._ends.setdefault(event.stream_id, (now, kind))
        self._look()

    def _look(self) -> None:
        """The node hears of each deadline, too: that a call is over is seen there only by its reset."""
        if len(self._ends) >= self._wanted and self._resets >= self._wanted:
            self._over.set()


def _fields(order: dict[str, Any], *more: tuple[str, str]) -> list[tuple[str, str]]:
    return [
        *((":method", "POST"), (":scheme", "http"), (":path", order["path"]), (":authority", HOST)),
        *(("te", "trailers"), ("content-type", "application/grpc"), *more),
    ]


def main() -> None:
    """The process."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int, help="where the node listens")
    probe = Probe(parser.parse_args().port)
    worker.serve(sys.stdin.buffer, sys.stdout.buffer, probe.carry_out)


if __name__ == "__main__":
    main()
