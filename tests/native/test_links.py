"""Connections of a channel, `links`, by hand: which one a call takes, when one ends, what is sent once more."""

import asyncio
import signal
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import h2.errors
import h2.events
import h2.settings
import pytest
from support.calling import ANSWER, always, ask, calling, refusal
from support.graphs import text
from support.h2peer import Peer, Stream, scripted
from support.servers import node_process, until

from executor._native import buffer, channel, seldon, transport
from executor.settings import ChannelSettings
from executor.status import Status

WINDOW = h2.settings.SettingCodes.INITIAL_WINDOW_SIZE
SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
ONE = ChannelSettings(connections=1)


@asynccontextmanager
async def bare(**options: Any) -> AsyncIterator[channel.Channel]:
    """A native channel to which the test attaches connections."""
    reactor = transport.Reactor()
    yield channel.Channel(reactor, "t", "a", {}, **options)
    reactor.close()
    assert reactor.timers == 0


def attach(endpoint: channel.Channel, target: str) -> int:
    host, _, port = target.rpartition(":")
    sock = socket.create_connection((host, int(port)))
    sock.setblocking(False)
    return endpoint.attach(sock.detach())


def call(endpoint: channel.Channel, **options: Any) -> channel.Ticket:
    return endpoint.call("/s/M", seldon.build("strData", "x"), **options)


async def said(ticket: channel.Ticket) -> str:
    return text(await asyncio.wait_for(ticket.future, 10))


async def hold(peer: Peer) -> None:
    await peer.wait(lambda: peer.closed, 30)


def answering(peer: Peer, stream: Stream) -> None:
    peer.answer(stream, ANSWER)


# --- which one --------------------------------------------------------------------------------------


async def test_the_connection_with_the_fewest_calls_is_taken_and_equals_take_turns() -> None:
    async with scripted(hold) as target, bare() as endpoint:
        numbers = [attach(endpoint, target) for _ in range(3)]
        assert [state for _, state, _ in endpoint.links()] == ["starting"] * 3
        await until(lambda: endpoint.ready == 3)
        tickets = [call(endpoint) for _ in range(30)]
        assert sorted(endpoint.links()) == [(number, "ready", 10) for number in numbers]
        for ticket in tickets[:9]:
            ticket.cancel()
        await until(lambda: endpoint.active == 21)
        tickets += [call(endpoint) for _ in range(9)]
        assert sorted(streams for _, _, streams in endpoint.links()) == [10, 10, 10]
        assert (endpoint.take_peak(), endpoint.sent) == (30, 39)
        for ticket in tickets:
            ticket.cancel()
        await until(lambda: endpoint.active == 0)
        assert endpoint.take_peak() == 30
        assert endpoint.take_peak() == 0


async def test_one_at_a_time_visits_all() -> None:
    seen: list[int] = []
    numbers = iter(range(3))

    async def serve(peer: Peer) -> None:
        mine = next(numbers)

        def answer(peer: Peer, stream: Stream) -> None:
            seen.append(mine)
            peer.answer(stream, ANSWER)

        await always(answer)(peer)

    async with scripted(serve) as target, bare() as endpoint:
        for _ in range(3):
            attach(endpoint, target)
        await until(lambda: endpoint.ready == 3)
        for _ in range(9):
            assert await said(call(endpoint)) == "answer"
    assert sorted(seen) == [0, 0, 0, 1, 1, 1, 2, 2, 2]


async def test_python_is_asked_when_calls_crowd() -> None:
    asked: list[int] = []
    async with scripted(hold) as target, bare() as endpoint:
        attach(endpoint, target)
        await until(lambda: endpoint.ready == 1)
        endpoint.on_change = lambda: asked.append(endpoint.active)
        endpoint.steer(2, False)
        tickets = [call(endpoint) for _ in range(4)]
        assert asked == [3, 4]
        endpoint.steer(2, True)
        tickets.append(call(endpoint))
        endpoint.steer(0, False)
        tickets.append(call(endpoint))
        assert asked == [3, 4]
        for ticket in tickets:
            ticket.cancel()
        await until(lambda: endpoint.active == 0)
        endpoint.on_change = None


# --- retiring ---------------------------------------------------------------------------------------


async def test_a_retired_connection_finishes_what_it_has() -> None:
    peers: list[Peer] = []
    release = asyncio.Event()

    async def answer(peer: Peer, stream: Stream) -> None:
        peers.append(peer)
        await release.wait()
        peer.answer(stream, ANSWER)

    async with scripted(always(answer)) as target, bare() as endpoint:
        number = attach(endpoint, target)
        await until(lambda: endpoint.ready == 1)
        first = call(endpoint)
        await until(lambda: peers)
        endpoint.retire(number)
        endpoint.retire(number)
        endpoint.retire(99)
        assert endpoint.links() == [(number, "leaving", 1)]
        second = call(endpoint)
        assert endpoint.waiting == 1
        assert not peers[0].goaways
        release.set()
        assert await said(first) == "answer"
        await until(lambda: endpoint.links() == [])
        assert peers[0].goaways[0].error_code == h2.errors.ErrorCodes.NO_ERROR
        attach(endpoint, target)
        assert await said(second) == "answer"


async def test_an_idle_connection_retires_at_once() -> None:
    async with scripted(hold) as target, bare() as endpoint:
        numbers = [attach(endpoint, target) for _ in range(2)]
        endpoint.retire(numbers[0])  # before a word of the peer
        await until(lambda: endpoint.ready == 1)
        endpoint.retire(numbers[1])
        await until(lambda: endpoint.links() == [])


# --- calls that nobody wants any more ---------------------------------------------------------------

MANY = {h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 10_000}


async def test_cancelled_calls_of_a_node_that_never_answers_are_all_reset_in_time() -> None:
    peers: list[Peer] = []

    async def serve(peer: Peer) -> None:
        peers.append(peer)
        await hold(peer)

    before = buffer.live_buffers()
    async with scripted(serve, MANY) as target, bare() as endpoint:
        attach(endpoint, target)
        await until(lambda: endpoint.ready == 1)
        tickets = [call(endpoint) for _ in range(800)]
        await until(lambda: len(peers[0].streams) == 800)
        for ticket in tickets:
            ticket.cancel()
        assert buffer.live_buffers() == before, "what was asked is not kept"
        await until(lambda: endpoint.active < 800)
        assert endpoint.active > 0, "not all in one go"
        await until(lambda: endpoint.active == 0)
        await until(lambda: all(each.reset is not None for each in peers[0].streams.values()))
        assert {each.reset for each in peers[0].streams.values()} == {int(h2.errors.ErrorCodes.CANCEL)}
        assert len(endpoint.links()) == 1


@pytest.mark.parametrize("how", ["answered", "lost"])
async def test_cancelled_calls_may_end_before_their_turn(how: str) -> None:
    peers: list[Peer] = []

    async def serve(peer: Peer) -> None:
        peers.append(peer)
        await hold(peer)

    async with scripted(serve, MANY) as target, bare() as endpoint:
        attach(endpoint, target)
        await until(lambda: endpoint.ready == 1)
        tickets = [call(endpoint) for _ in range(700)]
        await until(lambda: len(peers[0].streams) == 700)
        for ticket in tickets:
            ticket.cancel()
        if how == "lost":
            peers[0].writer.transport.abort()
        else:
            for number in range(1, 1401, 2):
                stream = peers[0].streams[number]
                if stream.reset is None and number % 3:
                    peers[0].answer(stream, ANSWER)
        await until(lambda: endpoint.active == 0)
        assert len(endpoint.links()) == (how == "answered")


# --- what is sent once more -------------------------------------------------------------------------


async def test_a_refused_call_goes_elsewhere_with_its_headers_and_deadline() -> None:
    heads: list[dict[str, str]] = []

    def serving(answer: Callable[[Peer, Stream], None]) -> Any:
        def note(peer: Peer, stream: Stream) -> None:
            heads.append(stream.headers)
            answer(peer, stream)

        return scripted(always(note))

    def refuse(peer: Peer, stream: Stream) -> None:
        peer.reset(stream, h2.errors.ErrorCodes.REFUSED_STREAM)

    async with serving(refuse) as bad, serving(answering) as good, bare() as endpoint:
        for target in (bad, good):
            attach(endpoint, target)
        await until(lambda: endpoint.ready == 2)
        for _ in range(10):
            ticket = call(endpoint, headers=[("k", "v")], deadline=time.monotonic() + 10)
            assert await said(ticket) == "answer"
    assert 12 <= len(heads) <= 20
    assert {head["k"] for head in heads} == {"v"}
    assert all(head["grpc-timeout"].endswith("u") for head in heads)


async def test_a_call_of_which_no_byte_left_is_sent_once_more() -> None:
    async with scripted(always(answering)) as target, bare() as endpoint:
        with socket.create_server(("127.0.0.1", 0)) as server:
            for _ in range(2):
                attach(endpoint, f"127.0.0.1:{server.getsockname()[1]}")
            taken = [server.accept()[0] for _ in range(2)]
        for sock in taken:
            sock.sendall(SETTINGS)
        await until(lambda: endpoint.ready == 2)
        for sock in taken:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()  # a reset, of which the channel learns as it writes
        once, twice = call(endpoint), call(endpoint)
        assert endpoint.active == 0
        attach(endpoint, target)
        assert await said(once) == "answer"
        assert await said(twice) == "answer"


async def test_calls_behind_a_full_socket_are_sent_once_more_and_no_others() -> None:
    peers: list[Peer] = []

    async def serve(peer: Peer) -> None:
        peers.append(peer)
        if len(peers) > 1:
            await always(answering)(peer)
        await peer.wait(lambda: peer.settled)
        peer.pause()
        await hold(peer)

    async with scripted(serve, {WINDOW: 1 << 30}) as target, calling(target, settings=ONE) as made:
        await made.connect()
        await until(lambda: peers and peers[0].settled)
        large = asyncio.ensure_future(refusal_of_large(made))
        await until(lambda: made.endpoint.active == 1)
        await asyncio.sleep(0.05)
        small = [asyncio.ensure_future(ask(made)) for _ in range(3)]
        await until(lambda: made.endpoint.active == 4)
        peers[0].writer.transport.abort()
        assert await asyncio.gather(*small) == ["answer"] * 3
        assert (await large)[0] is Status.UNAVAILABLE
        assert [len(stream.messages) for stream in peers[1].streams.values()] == [1, 1, 1]


async def refusal_of_large(made: Any) -> tuple[Status, str]:
    ticket = made.endpoint.call("/s/M", seldon.build("strData", "x" * (30 << 20)))
    with pytest.raises(Exception, match="connection lost") as caught:
        await asyncio.wait_for(ticket.future, 20)
    return caught.value.status, str(caught.value)  # type: ignore[attr-defined]


# --- whether the peer still lives -------------------------------------------------------------------


async def test_a_silent_peer_that_answers_pings_is_left_alone() -> None:
    pings: list[float] = []

    async def answer(peer: Peer, stream: Stream) -> None:
        take = peer._take

        def note(event: h2.events.Event) -> None:
            if isinstance(event, h2.events.PingReceived):
                pings.append(time.monotonic())
            take(event)

        peer._take = note  # type: ignore[method-assign]
        await peer.wait(lambda: len(pings) >= 3)
        peer.answer(stream, ANSWER)

    quick = ChannelSettings(keepalive_s=0.02)
    async with scripted(always(answer)) as target, calling(target, settings=quick, pong_s=5.0) as made:
        assert await ask(made) == "answer"
        await asyncio.sleep(0.1)
        assert len(pings) == 3  # none while nothing is asked
        assert made.endpoint.ready == 1


async def test_a_peer_that_swallows_everything_is_given_up() -> None:
    async def swallow(peer: Peer) -> None:
        await peer.wait(lambda: peer.settled)
        peer.pause()
        await hold(peer)

    quick = ChannelSettings(keepalive_s=0.05)
    async with scripted(swallow) as target, calling(target, settings=quick, pong_s=0.1) as made:
        error = await refusal(made)
        assert error.status is Status.UNAVAILABLE
        assert error.message == f"{target}: connection lost: no answer to a PING within 0.1 s"


async def test_a_stopped_process_is_given_up_and_used_again_when_it_goes_on() -> None:
    quick = ChannelSettings(keepalive_s=0.1)
    async with node_process() as remote, calling(remote.target, settings=quick, pong_s=0.3) as made:
        assert await ask(made) == "question"
        remote.signal(signal.SIGSTOP)
        error = await refusal(made)
        assert (error.status, "PING" in error.message) == (Status.UNAVAILABLE, True)
        remote.signal(signal.SIGCONT)
        await until(lambda: made.endpoint.ready == 1)
        assert await ask(made) == "question"
