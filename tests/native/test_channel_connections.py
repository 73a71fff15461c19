"""The connections of client channels: how many, who waits for them, how they end."""

import asyncio
import socket
from contextlib import AbstractAsyncContextManager
from typing import Any

import h2.errors
import h2.settings
import pytest
from support.calling import ANSWER, MAX_STREAMS, always, ask, calling, refusal
from support.graphs import node, text
from support.h2peer import Peer, Stream, listening, scripted
from support.servers import serving, until

from executor import errors
from executor._native import buffer, channel, exits, program, seldon, transport
from executor._native import message as native
from executor.protocol import seldon as protocol
from executor.status import Status
from executor.types import Encoding, Method, Mode

PREDICT = "/seldon.protos.Model/Predict"


# --- connections ----------------------------------------------------------------------------------


async def test_more_connections_where_the_peer_allows_few_streams() -> None:
    peers: list[Peer] = []

    async def serve(peer: Peer) -> None:
        peers.append(peer)
        await always(slow_answer)(peer)

    async def slow_answer(peer: Peer, stream: Stream) -> None:
        await asyncio.sleep(0.005)
        peer.answer(stream, ANSWER)

    async with scripted(serve, {MAX_STREAMS: 1}) as target, calling(target) as made:
        assert await ask(made) == "answer"
        assert set(await asyncio.gather(*(ask(made) for _ in range(40)))) == {"answer"}
        assert 2 <= len(peers) <= 8
        assert made.endpoint.connections == len(peers)


async def test_those_that_wait_are_served_in_order() -> None:
    seen: list[bytes] = []

    def answer(peer: Peer, stream: Stream) -> None:
        seen.append(stream.messages[0][2:])
        peer.answer(stream, ANSWER)

    reactor = transport.Reactor()
    endpoint = channel.Channel(reactor, "t", "a", {})
    async with scripted(always(answer), {MAX_STREAMS: 1}) as target:
        tickets = [endpoint.call("/s/M", seldon.build("strData", str(index))) for index in range(20)]
        assert (endpoint.waiting, endpoint.active) == (20, 0)
        tickets[3].cancel()
        host, _, port = target.rpartition(":")
        sock = socket.create_connection((host, int(port)))
        sock.setblocking(False)
        endpoint.attach(sock.detach())
        for ticket in tickets[:3] + tickets[4:]:
            await asyncio.wait_for(ticket.future, 10)
        reactor.close()
    assert seen == [str(index).encode() for index in range(20) if index != 3]


async def test_waiting_is_bounded() -> None:
    endpoint = channel.Channel(transport.Reactor(), "far:1", "a", {}, waiting_max=2)
    tickets = [endpoint.call("/s/M", seldon.build("strData", "x")) for _ in range(3)]
    with pytest.raises(errors.LimitError, match="far:1: 2 calls wait for their turn already, which is the limit"):
        await asyncio.wait_for(tickets[2].future, 10)
    endpoint.refuse("no way")
    for ticket in tickets[:2]:
        with pytest.raises(errors.NodeError, match="far:1: no way"):
            await asyncio.wait_for(ticket.future, 10)
    endpoint.close()
    with pytest.raises(errors.NodeError, match="the channel is closed"):
        await endpoint.call("/s/M", seldon.build("strData", "x")).future


async def test_call_too_large_to_send_does_not_stand_in_the_way() -> None:
    async with scripted(always(lambda peer, stream: peer.answer(stream, ANSWER))) as target, calling(target) as made:
        huge = [("k", "v" * 50_000)]
        error, said = await asyncio.gather(refusal(made, headers=huge), ask(made))
        assert "at most 49152 can be sent" in error.message
        assert said == "answer"
        assert (await refusal(made, headers=huge)).status is Status.RESOURCE_EXHAUSTED
        assert await ask(made) == "answer"
        assert made.endpoint.waiting == 0


async def test_method_without_an_rpc() -> None:
    async with serving(node("r", "router", node("m"))) as served:
        endpoint = channel.Channel(served.bench.reactor, "t", "a", {Method.PREDICT: "/s/M"})
        assert endpoint.encoding == Encoding.SELDON_PROTO
        served.bench.program = program.Program(served.bench.plan.nodes, [endpoint, served.bench.endpoints["m"]])
        with pytest.raises(errors.Error, match="node 'r': its protocol has no RPC for this method"):
            await served.bench.predict("x")
        del endpoint


def saying(answer: bytes, close: bool) -> AbstractAsyncContextManager[str]:
    """A server that is deaf to what it is asked."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        if not close:
            await reader.read()

    return listening(serve)


@pytest.mark.parametrize(
    ("answer", "close"),
    [
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", True),
        (b"\x15\x03\x01\x00\x02\x02\x0a", True),
        (b"\x00" * 300, False),
        (b"", True),
    ],
)
async def test_servers_that_do_not_speak_http2(answer: bytes, close: bool) -> None:
    async with saying(answer, close) as target, calling(target) as made:
        for _ in range(2):
            error = await refusal(made)
            assert error.status is Status.UNAVAILABLE
            assert error.message.startswith(f"{target}: connection lost: ")


async def test_server_that_says_nothing_costs_the_deadline_alone() -> None:
    async with saying(b"", False) as target, calling(target) as made:
        error = await refusal(made, timeout_s=0.1)
        assert error.status is Status.DEADLINE_EXCEEDED
        assert error.message == f"{target}/s/M: no answer within 0.1 s"


async def test_ticket_is_cancelled_once_and_resets_the_stream() -> None:
    seen: list[Stream] = []

    async def answer(peer: Peer, stream: Stream) -> None:
        seen.append(stream)
        await peer.wait(lambda: stream.reset is not None)

    async with scripted(always(answer)) as target, calling(target) as made:
        ticket = made.endpoint.call("/s/M", seldon.build("strData", "x"))
        await until(lambda: seen)
        ticket.cancel()
        ticket.cancel()
        await until(lambda: seen[0].reset == h2.errors.ErrorCodes.CANCEL)
        assert not ticket.future.done()


async def test_closing_fails_calls_under_way_and_later_ones() -> None:
    async def answer(peer: Peer, stream: Stream) -> None:
        await peer.wait(lambda: peer.closed)

    async with scripted(always(answer)) as target, calling(target) as made:
        waiting = asyncio.ensure_future(refusal(made))
        await until(lambda: made.endpoint.active == 1)
        await made.close()
        error = await waiting
        assert error.status is Status.UNAVAILABLE
        assert error.message == f"{target}: connection lost: the channel was closed"
        assert (await refusal(made)).message == f"{target}: the channel is closed"


async def test_loss_is_told() -> None:
    told: list[tuple[str, bool]] = []
    async with scripted(always(lambda peer, stream: peer.writer.close())) as target, calling(target) as made:
        made.endpoint.on_lost = lambda number, reason, was_ready: told.append((reason, was_ready))
        assert (await refusal(made)).status is Status.UNAVAILABLE
        await until(lambda: told)
    assert told[0][0] in ("closed by the peer", "Connection reset by peer")
    assert told[0][1] is True


# --- headers from Python --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "kind", "said"),
    [
        ([("a b", "v")], errors.RequestError, "header 'a b'"),
        ([("", "v")], errors.RequestError, "header ''"),
        ([(":path", "/x")], errors.RequestError, "header ':path'"),
        ([("k", "line\nbreak")], errors.RequestError, "not what HTTP/2 can carry"),
        ([("k", "漢")], errors.RequestError, "'漢' cannot be sent"),
        ([("ü", "v")], errors.RequestError, "'ü' cannot be sent"),
        ([("k", "v")] * 113, errors.LimitError, "at most 112"),
    ],
)
async def test_headers_that_cannot_be_sent(headers: Any, kind: type[errors.Error], said: str) -> None:
    endpoint = channel.Channel(transport.Reactor(), "t", "a", {})
    before = buffer.live_buffers()
    with pytest.raises(kind, match=said):
        endpoint.call("/s/M", native.Message(b""), headers)
    assert endpoint.waiting == 0
    assert buffer.live_buffers() == before


async def test_many_cancellations_do_not_cost_the_connection() -> None:
    # Our own server, as others do, ends a connection with more than a thousand resets in one go.
    async def doze(message: native.Message, context: exits.Context) -> native.Message:
        await asyncio.sleep(0.3)
        return message

    lost: list[str] = []
    offered = {"m": dict.fromkeys(Method, (Mode.ASYNC, doze))}
    async with serving(node("m"), replaced=offered, rpcs=protocol.NODE_RPCS) as served:
        async with calling(served.target) as made:
            made.endpoint.on_lost = lambda number, reason, was_ready: lost.append(reason)
            await made.connect()
            for _ in range(2):
                tickets = [made.endpoint.call(PREDICT, seldon.build("strData", "x")) for _ in range(600)]
                await until(lambda: served.server.native.rpcs >= 600)
                for ticket in tickets:
                    ticket.cancel()
                await until(lambda: made.endpoint.active < 600)
            await until(lambda: made.endpoint.active == 0)
            assert lost == []
            assert made.endpoint.connections == 1
            assert text(await made.call(PREDICT, seldon.build("strData", "x"), timeout_s=10)) == "x"
