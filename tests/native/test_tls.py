"""TLS under sessions: handshakes that end, that never end, and what is moved."""

import asyncio
import logging
import socket
import ssl
from pathlib import Path

import pytest
from support.certificates import DAY, Authority, Pair, Scene
from support.graphs import node
from support.h2peer import connected
from support.servers import PREDICT, Served, grpc_node, no_more_buffers_than, serving, until, wait

from executor import errors, tls
from executor._native import buffer, seldon, transport
from executor._native import tls as veils
from executor.rpc.channels import Channel
from executor.settings import NodeTlsSettings

pytestmark = pytest.mark.timeout(60)


def channel(target: str | Served, settings: NodeTlsSettings, **options: object) -> Channel:
    context = tls.client_context(settings, tls.HTTP2)
    return Channel(target if isinstance(target, str) else target.target, tls=lambda: context, **options)  # type: ignore[arg-type]


async def ask(channel: Channel, value: str = "x", timeout_s: float = 10) -> bytes:
    return bytes(await channel.call(PREDICT, seldon.build("strData", value), timeout_s=timeout_s))


async def refused(target: str | Served, settings: NodeTlsSettings) -> str:
    """What a call fails with."""
    one = channel(target, settings)
    with pytest.raises(errors.NodeError) as failed:
        await ask(one)
    await one.close()
    return failed.value.message


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


# --- moving bytes -------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_both_ends_ours(scene: Scene, version: ssl.TLSVersion) -> None:
    source = tls.server_source(scene.serving())
    source.current.grpc.maximum_version = version
    async with serving(node("m"), tls=source) as served:
        one = channel(served, scene.reaching())
        answers = await asyncio.gather(*(ask(one, f"v{index}") for index in range(100)))
        assert all(b"v%d" % index in answer for index, answer in enumerate(answers))
        assert one.endpoint.connections == 1
        await one.close()
        await until(lambda: served.server.native.connections == 0)


@pytest.mark.parametrize("size", [1 << 14, (1 << 18) - 1, 8 << 20])
async def test_large_messages_both_ways(scene: Scene, size: int) -> None:
    async with serving(node("m"), tls=tls.server_source(scene.serving())) as served:
        one = channel(served, scene.reaching())
        text = "".join(map(chr, range(32, 127))) * (size // 95)
        for _ in range(2):
            assert text.encode() in await ask(one, text, 20)
        await one.close()


async def test_no_buffer_or_timer_is_left(scene: Scene) -> None:
    before = buffer.live_buffers()
    reactor = transport.Reactor()
    with grpc_node(wait, credentials=scene.grpc_server()) as remote:
        one = channel(remote.target, scene.reaching(), reactor=reactor)
        call = asyncio.create_task(ask(one))
        await until(lambda: remote.calls)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await one.close()
    assert (reactor.timers, reactor.open_connections) == (0, 0)
    reactor.close()
    del call
    await no_more_buffers_than(before)


async def test_more_than_sockets_hold_at_once(scene: Scene) -> None:
    source = tls.server_source(scene.serving())
    async with serving(node("m"), tls=source) as served:
        one = channel(served, scene.reaching())
        answers = await asyncio.gather(*(ask(one, "x" * (4 << 20), 20) for _ in range(6)))
        assert [len(answer) > 4 << 20 for answer in answers] == [True] * 6
        await one.close()


async def test_clients_are_told_good_bye(scene: Scene) -> None:
    async with serving(node("m"), tls=tls.server_source(scene.serving())) as served:
        context = tls.client_context(scene.reaching(), tls.HTTP2)
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port, ssl=context)
        assert len(await asyncio.wait_for(reader.readexactly(9), 5)) == 9
        served.server.close()
        # A connection that is cut off instead raises here.
        await asyncio.wait_for(reader.read(), 5)
        writer.close()


# --- handshakes ---------------------------------------------------------------------------------


async def test_a_certificate_of_another_authority(scene: Scene, tmp_path: Path) -> None:
    other = NodeTlsSettings(Authority(tmp_path, "other").file)
    async with serving(node("m"), tls=tls.server_source(scene.serving())) as served:
        told = await refused(served, other)
        assert "TLS handshake failed: certificate verify failed: unable to get local issuer certificate" in told
        assert told.startswith(served.target)


async def test_a_certificate_for_another_host(scene: Scene) -> None:
    scene.server = scene.authority.pair("elsewhere", "elsewhere.example")
    async with serving(node("m"), tls=tls.server_source(scene.serving())) as served:
        told = await refused(served, scene.reaching())
        assert "certificate verify failed: IP address mismatch" in told


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_client_certificates(
    scene: Scene, tmp_path: Path, version: ssl.TLSVersion, caplog: pytest.LogCaptureFixture
) -> None:
    stranger = Authority(tmp_path, "stranger").pair("strange")
    expired = scene.authority.pair("expired", age=3 * DAY)
    source = tls.server_source(scene.serving(mutual=True))
    source.current.grpc.maximum_version = version
    caplog.set_level(logging.INFO, "millrace.tls")
    async with serving(node("m"), tls=source) as served:
        good = channel(served, scene.reaching(scene.client))
        assert b"x" in await ask(good)
        await good.close()
        cases: list[tuple[Pair | None, str, str]] = [
            (None, "", "peer did not return a certificate"),
            (stranger, "", "certificate verify failed: unable to get local issuer certificate"),
            (expired, "certificate expired", "certificate verify failed: certificate has expired"),
        ]
        for pair, client_told, logged in cases:
            told = await refused(served, scene.reaching(pair))
            assert "TLS" in told
            assert client_told in told
            assert f"TLS handshake failed: {logged}" in caplog.text
        await until(lambda: served.server.native.connections == 0)


@pytest.mark.parametrize("offered", [None, ["http/1.1"]])
async def test_a_client_without_h2_is_refused(
    scene: Scene, offered: list[str] | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "millrace.tls")
    async with serving(node("m"), tls=tls.server_source(scene.serving())) as served:
        context = ssl.create_default_context(cafile=scene.ca)
        if offered is not None:
            context.set_alpn_protocols(offered)
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port, ssl=context)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        await until(lambda: served.server.native.connections == 0)
    assert "the peer did not agree to speak HTTP/2 (ALPN h2)" in caplog.text


async def test_a_server_without_h2_is_refused(scene: Scene) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(scene.server.cert, scene.server.key)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    told = await refused(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", scene.reaching())
    assert "TLS handshake failed: the peer did not agree to speak HTTP/2 (ALPN h2)" in told
    server.close()


async def test_a_plain_client_at_a_tls_port(scene: Scene) -> None:
    async with serving(node("m"), tls=tls.server_source(scene.serving())) as served:
        one = Channel(served.target)
        with pytest.raises(errors.NodeError, match="connection lost"):
            await ask(one)
        await one.close()
        await until(lambda: served.server.native.connections == 0)


async def test_a_tls_client_at_a_plain_port(scene: Scene) -> None:
    async with serving(node("m")) as served:
        assert "the peer does not speak TLS" in await refused(served, scene.reaching())
        async with connected(served.port) as peer:
            assert peer.settled


async def test_half_a_handshake_times_out(scene: Scene) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    half = tls.client_context(scene.reaching(), tls.HTTP2).wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with pytest.raises(ssl.SSLWantReadError):
        half.do_handshake()
    hello = outgoing.read()
    async with serving(node("m"), tls=tls.server_source(scene.serving())) as served:
        ends = [await asyncio.open_connection("127.0.0.1", served.port) for _ in range(20)]
        for _, writer in ends:
            writer.write(hello[: len(hello) // 2])
        await until(lambda: served.server.native.connections == 20)
        one = channel(served, scene.reaching())
        assert b"x" in await ask(one)
        await asyncio.gather(*(asyncio.wait_for(reader.read(), 8) for reader, _ in ends))
        assert served.server.native.connections == 1
        for _, writer in ends:
            writer.close()
        await one.close()


async def test_a_server_that_says_nothing_times_out(scene: Scene) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        told = await refused(f"127.0.0.1:{silent.getsockname()[1]}", scene.reaching())
    assert "TLS handshake failed: not complete within 4 s" in told


async def test_garbage_inside_tls_ends_the_connection(scene: Scene) -> None:
    async with serving(node("m"), tls=tls.server_source(scene.serving())) as served:
        context = tls.client_context(scene.reaching(), tls.HTTP2)
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port, ssl=context)
        writer.write(b"GET / HTTP/1.1\r\n\r\n" * 9)
        assert b"\x00\x00" in await asyncio.wait_for(reader.read(), 5)
        writer.close()
        await until(lambda: served.server.native.connections == 0)


def test_words() -> None:
    assert veils.words_of(OSError("gone")) == "gone"
    assert veils.words_of(ValueError()) == "ValueError"
