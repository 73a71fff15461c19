"""Requests that wait for memory at the gRPC `server`: how they go on, and every way in which they may end before."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import h2.errors
import pytest
from support.graphs import node
from support.h2peer import Peer, connected, frame, grpc_head
from support.refusals import Refusals
from support.servers import GrpcNode, Served, aio_client, grpc_node, message, serving, until

from executor._native import budget, buffer, exits, program
from executor._native import message as native
from executor._pb import seldon_pb2
from executor.settings import ServeLimits
from executor.types import Method, Mode

TEXT = "x" * 100_000
LARGE = frame(message(TEXT).SerializeToString())
ROOM = buffer.room(len(LARGE) - 5)
SMALL = frame(message("x").SerializeToString())


@asynccontextmanager
async def short_of_memory(**more: Any) -> AsyncIterator[tuple[Served, Peer, budget.Hold]]:
    """A server with room for eight large messages, all of it taken, and a connection to it."""
    memory = budget.Budget(64 * ROOM, 8 * ROOM)
    async with serving(node("m"), memory=memory, **more) as served:
        held = memory.hold()
        assert held.add(8 * ROOM)
        async with connected(served.port) as peer:
            yield served, peer, held
        held.close()
        await until(lambda: memory.used == 0)
    assert (memory.used, memory.waiting, memory.held) == (0, 0, 0)


async def waiting(served: Served, count: int = 1) -> None:
    await until(lambda: served.bench.reactor.budget.waiting == count)


def said(stream: Any) -> str:
    assert stream.status == "0", stream.field("grpc-message")
    return seldon_pb2.SeldonMessage.FromString(stream.messages[0]).strData


async def answered(peer: Peer, stream: Any) -> str:
    await peer.wait(lambda: stream.ended)
    return said(stream)


@pytest.mark.parametrize("thread", [False, True], ids=["here", "by another thread"])
async def test_request_waits_until_memory_is_given_back(thread: bool) -> None:
    async with short_of_memory() as (served, peer, held):
        streams = []
        for _ in range(3):
            streams.append(peer.open(grpc_head(), LARGE[:20_000], end=False))
            await waiting(served, len(streams))
        assert said(await peer.ask(grpc_head(), SMALL)) == "m.predict(x)", "small ones do not wait behind large ones"
        assert served.bench.calls == ["m.predict(x)"]
        if thread:
            await asyncio.to_thread(held.close)
        else:
            held.close()
        for stream in streams:
            peer.send(stream, LARGE[20_000:40_000])
        await waiting(served, 0)
        for stream in streams:
            peer.send(stream, LARGE[40_000:], end=True)
        assert [await answered(peer, stream) for stream in streams] == [f"m.predict({TEXT})"] * 3


async def test_request_that_had_come_whole_goes_on_by_itself() -> None:
    async with short_of_memory() as (served, peer, held):
        stream = peer.open(grpc_head(), LARGE[:60_000], end=False)
        peer.send(stream, LARGE[60_000:], end=True)
        await waiting(served)
        held.close()
        assert await answered(peer, stream) == f"m.predict({TEXT})"


async def test_deadline_of_a_request_that_waits() -> None:
    async with short_of_memory() as (served, peer, _):
        stream = await peer.ask([*grpc_head(), ("grpc-timeout", "100m")], LARGE[:60_000])
        assert stream.status == "4"
        await waiting(served, 0)
        assert served.bench.calls == []


async def test_cancelled_while_it_waits() -> None:
    async with short_of_memory() as (served, peer, held):
        stream = peer.open(grpc_head(), LARGE[:60_000], end=False)
        await waiting(served)
        peer.reset(stream, h2.errors.ErrorCodes.CANCEL)
        await waiting(served, 0)
        held.close()
        assert said(await peer.ask(grpc_head(), SMALL)) == "m.predict(x)"


async def test_connection_that_is_lost_while_requests_wait() -> None:
    async with short_of_memory() as (served, peer, held):
        async with connected(served.port) as other:
            for _ in range(2):
                other.open(grpc_head(), LARGE[:30_000], end=False)
            await waiting(served, 2)
        await waiting(served, 0)
        held.close()
        assert said(await peer.ask(grpc_head(), SMALL)) == "m.predict(x)"
        assert served.bench.calls == ["m.predict(x)"]


async def test_drain_lets_requests_that_wait_finish() -> None:
    async with short_of_memory() as (served, peer, held):
        await peer.close()
        async with aio_client(served.target) as stub:
            asked = asyncio.ensure_future(stub.Predict(message(TEXT), timeout=10))
            await waiting(served)
            draining = asyncio.create_task(served.server.drain(10))
            await asyncio.sleep(0.1)
            assert not draining.done()
            held.close()
            assert (await asked).strData == f"m.predict({TEXT})"
        assert await draining


async def test_request_that_waits_runs_on_the_program_of_its_start() -> None:
    async with short_of_memory() as (served, peer, held):
        stream = peer.open(grpc_head(), LARGE, end=True)
        await waiting(served)
        # Nothing ran on the old program yet; what is loaded meanwhile serves it.
        served.server.native.use(program.Program(served.bench.plan.nodes, [served.bench.endpoints["m"]], 0))
        held.close()
        assert await answered(peer, stream) == f"m.predict({TEXT})"


async def test_no_rate_is_asked_of_those_that_wait() -> None:
    async with short_of_memory(limits=ServeLimits(receive_grace_s=0.05, receive_rate=10_000_000)) as (
        served,
        peer,
        held,
    ):
        stream = peer.open(grpc_head(), LARGE, end=True)
        await waiting(served)
        await asyncio.sleep(0.3)
        held.close()
        assert await answered(peer, stream) == f"m.predict({TEXT})"


async def test_who_has_memory_and_brings_nothing_makes_way_for_those_that_wait() -> None:
    limits = ServeLimits(receive_rate=0, body_timeout_s=0.2)
    async with short_of_memory(limits=limits) as (served, peer, held):
        held.close()
        refused = Refusals(served.bench.engine)
        async with connected(served.port) as idle:
            for _ in range(8):
                idle.open(grpc_head(), LARGE[:10], end=False)
            await until(lambda: served.bench.reactor.budget.used == 8 * ROOM)
            assert await answered(peer, peer.open(grpc_head(), LARGE)) == f"m.predict({TEXT})"
            await idle.wait(lambda: all(stream.ended for stream in idle.streams.values()))
            texts = [stream.field("grpc-message") or "" for stream in idle.streams.values()]
            assert all("while others wait for memory, 0.2 s are allowed" in text for text in texts)
            assert refused() == {"slow": 8}


async def test_answer_that_is_read_too_long_makes_way_for_those_that_wait() -> None:
    async def same(asked: native.Message, context: exits.Context) -> native.Message:
        return asked

    # Any progress would do, as no rate is asked for: but not while others wait.
    limits = ServeLimits(receive_rate=0, body_timeout_s=0.3)
    echo = {"m": {Method.PREDICT: (Mode.ASYNC, same)}}
    async with short_of_memory(limits=limits, replaced=echo) as (served, peer, held):
        held.close()
        refused = Refusals(served.bench.engine)
        async with connected(served.port) as slow:
            slow.h2.update_settings({4: 0})
            slow.h2.acknowledge_received_data = lambda size, number: None  # type: ignore[assignment]
            slow.flush()
            streams = [slow.open(grpc_head(), LARGE) for _ in range(8)]
            await slow.wait(lambda: all(stream.headers for stream in streams))
            assert served.bench.reactor.budget.used == 8 * ROOM
            asked = asyncio.ensure_future(peer.ask(grpc_head(), LARGE))
            while not asked.done():
                for stream in streams:
                    if stream.reset is None:
                        slow.h2.increment_flow_control_window(1, stream.id)
                slow.flush()
                await asyncio.sleep(0.02)
            assert said(await asked) == TEXT
            await slow.wait(lambda: all(stream.reset is not None for stream in streams))
            assert {stream.reset for stream in streams} == {int(h2.errors.ErrorCodes.ENHANCE_YOUR_CALM)}
            assert not slow.closed
            assert refused() == {"unread": 8}


async def test_small_ones_do_not_keep_a_large_one_out() -> None:
    async with short_of_memory() as (served, peer, held):
        held.close()
        memory = served.bench.reactor.budget
        text = "x" * (8 * ROOM - 1000)
        small = [memory.hold() for _ in range(4)]
        assert all(each.add(ROOM // 2) for each in small[:3])
        waits = peer.open(grpc_head(), frame(message(text).SerializeToString())[:100], end=False)
        await waiting(served)
        assert not small[3].add(1), "no more than their own while a large one waits"
        small[0].close()
        await waiting(served, 0)
        assert 9 * ROOM - 1000 < memory.used <= 9 * ROOM  # with sanitizers memory is taken to the byte
        small[1].close()
        assert said(await peer.ask(grpc_head(), SMALL)) == "m.predict(x)"
        peer.reset(waits, h2.errors.ErrorCodes.CANCEL)
        small[2].close()


async def test_large_one_gets_its_turn_while_small_ones_keep_coming() -> None:
    async def slow(asked: native.Message, context: exits.Context) -> native.Message:
        await asyncio.sleep(0.02)
        return asked

    replaced = {"m": {Method.PREDICT: (Mode.ASYNC, slow)}}
    async with short_of_memory(replaced=replaced) as (served, peer, held), connected(served.port) as other:
        held.close()
        done: list[str] = []
        stop = asyncio.Event()

        async def little() -> None:
            while not stop.is_set():
                done.append(said(await other.ask(grpc_head(), SMALL)))

        tasks = [asyncio.create_task(little()) for _ in range(4)]
        await until(lambda: len(done) > 4)
        # As much as there is for all: it found no room as long as there was always a small one.
        declared = b"\0" + (8 * ROOM - 1000).to_bytes(4, "big")
        large = peer.open(grpc_head(), declared, end=False)
        await until(lambda: served.bench.reactor.budget.used >= 8 * ROOM - 1000)
        await waiting(served, 0)
        before = len(done)
        await until(lambda: len(done) > before + 4)
        peer.reset(large, h2.errors.ErrorCodes.CANCEL)
        assert await answered(peer, peer.open(grpc_head(), LARGE)) == TEXT
        stop.set()
        await asyncio.gather(*tasks)


async def test_messages_are_charged_until_their_answer_has_left() -> None:
    with grpc_node() as remote:
        await check_charges(remote)


async def check_charges(remote: GrpcNode) -> None:
    memory = budget.Budget(64 * ROOM)
    async with serving(node("m"), memory=memory, remotes={"m": remote.target}) as served:
        async with connected(served.port) as peer:
            peer.h2.update_settings({4: 0})
            peer.flush()
            stream = peer.open(grpc_head(), LARGE)
            await peer.wait(lambda: stream.headers)
            assert memory.used == ROOM, "the answer's: the request's went with the call"
            peer.h2.update_settings({4: 1 << 20})
            peer.flush()
            assert await answered(peer, stream) == TEXT
        await until(lambda: memory.used == 0)


async def test_answer_over_the_hard_limit_is_refused_by_name_of_its_node() -> None:
    with grpc_node(lambda call, context: message("y" * 300_000).SerializeToString()) as remote:
        memory = budget.Budget(4 * ROOM)
        async with serving(node("m"), memory=memory, remotes={"m": remote.target}) as served:
            with memory.hold() as held:
                assert held.add(2 * ROOM)
                async with connected(served.port) as peer:
                    stream = await peer.ask(grpc_head(), SMALL)
            assert stream.status == "8"
            text = stream.field("grpc-message") or ""
            assert remote.target in text
            assert "no memory for a message of 3000" in text
        assert memory.used == 0


async def test_inflated_messages_are_charged() -> None:
    memory = budget.Budget(64 * ROOM)
    async with serving(node("m"), memory=memory) as served, connected(served.port) as peer:
        packed = gzip.compress(message(TEXT).SerializeToString())
        head = [*grpc_head(), ("grpc-encoding", "gzip")]
        stream = peer.open(head, frame(packed, 1), end=False)
        await until(lambda: memory.used == ROOM)
        peer.h2.end_stream(stream.id)
        peer.flush()
        assert await answered(peer, stream) == f"m.predict({TEXT})"
        small = budget.Budget(ROOM // 2)
    async with serving(node("m"), memory=small) as served, connected(served.port) as peer:
        stream = await peer.ask(head, frame(packed, 1))
        assert (stream.status, "once inflated" in (stream.field("grpc-message") or "")) == ("8", True)
    assert (memory.used, small.used) == (0, 0)
