"""What the gRPC server counts of requests that the flow never had: refused, late, or given up by the client."""

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from support import h2peer
from support.graphs import node
from support.h2peer import connected, frame, grpc_head
from support.servers import PREDICT, message, serving, until

from executor._native import meters, stats
from executor.settings import ServeLimits

REASONS = ("in flight", "queue", "deadline", "message", "connections", "slow", "unread")
HELLO = frame(message("x").SerializeToString())


@dataclass
class Counting:
    """A client, and what the server counts of it: requests by status, and those rejected by reason."""

    peer: h2peer.Peer
    region: stats.Region

    def found(self) -> dict[str, float]:
        series: dict[Any, Any] = self.region.read(0.0)
        told = {key.decode(): sum(value[1]) for (kind, key), value in series.items() if kind == stats.HISTOGRAM}
        told |= {key.decode(): value for (kind, key), value in series.items() if kind == stats.COUNTER}
        return {key: value for key, value in told.items() if value}


@asynccontextmanager
async def counting(**more: Any) -> AsyncIterator[Counting]:
    region = stats.Region(0)
    segment = stats.Segment(region, 0)
    async with serving(node("m"), **more) as served:
        served.bench.engine.count(meters.EngineMeter(segment, b"running", [each.encode() for each in REASONS]))
        meter = meters.Meter(segment, lambda code: (f"status {code}".encode(), b"sketch"), (1.0,))
        served.server.native.count({PREDICT: meter})
        async with connected(served.port) as peer:
            yield Counting(peer, region)
    region.close()


async def test_a_deadline_that_comes_before_the_message_does() -> None:
    async with counting() as counted:
        stream = counted.peer.open(grpc_head(PREDICT, ("grpc-timeout", "20m")), end=False)
        await until(lambda: stream.ended)
        assert stream.status == "4"
        assert (await counted.peer.ask(grpc_head(PREDICT, ("grpc-timeout", "0m")), HELLO)).status == "4"
        assert counted.found() == {"status 4": 2, "deadline": 2}


async def test_messages_that_are_too_large_packed_or_not() -> None:
    large = message("x" * 5000).SerializeToString()
    async with counting(limits=ServeLimits(max_message_bytes=1000)) as counted:
        packed = frame(gzip.compress(large), 1)
        assert (await counted.peer.ask(grpc_head(PREDICT, ("grpc-encoding", "gzip")), packed)).status == "8"
        assert (await counted.peer.ask(grpc_head(PREDICT), frame(large))).status == "8"
        assert counted.found() == {"status 8": 2, "message": 2}


async def test_a_request_that_is_given_up_before_it_is_whole() -> None:
    async with counting() as counted:
        stream = counted.peer.open(grpc_head(PREDICT), HELLO[:4], end=False)
        counted.peer.h2.reset_stream(stream.id, 8)
        counted.peer.flush()
        await until(lambda: counted.found())
        assert (await counted.peer.ask(grpc_head(PREDICT), HELLO)).status == "0"
        assert counted.found() == {"status 1": 1, "status 0": 1}
