"""REST over TLS: the front, and nodes at https."""

import asyncio
import ssl
from pathlib import Path

import pytest
from support.certificates import Authority, Scene
from support.inference import MemoryInference
from support.rest import ask, head, read_reply, served

from executor import errors, tls
from executor.protocol import seldon
from executor.rest import server as rest_server
from executor.rest.app import App
from executor.rest.client import RestNode
from executor.settings import Address, NodeTlsSettings, Scheme

PREDICT = "/api/v1.0/predictions"

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def app() -> App:
    return App(MemoryInference(), seldon.EXECUTOR_REST)


async def live(port: int, settings: NodeTlsSettings, body: bytes = b'{"strData":"a"}') -> tuple[int, bytes]:
    """The status of a request over TLS, and the server's certificate."""
    context = tls.client_context(settings, tls.HTTP1)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        writer.write(head("POST", PREDICT, body=body))
        reply = await asyncio.wait_for(read_reply(reader), 10)
        return reply.status, writer.get_extra_info("ssl_object").getpeercert(True)
    finally:
        writer.close()


async def test_the_front(scene: Scene) -> None:
    async with served(app(), tls=tls.server_source(scene.serving())) as (_, port):
        assert (await live(port, scene.reaching()))[0] == 200
        large = b'{"strData":"%s"}' % (b"x" * (5 << 20))
        assert (await live(port, scene.reaching(), large))[0] == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            await live(port, NodeTlsSettings())
        with pytest.raises((OSError, asyncio.IncompleteReadError)):
            await ask(port, head("GET", "/live"))


async def test_client_certificates(scene: Scene, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger").pair("strange")
    async with served(app(), tls=tls.server_source(scene.serving(mutual=True))) as (_, port):
        assert (await live(port, scene.reaching(scene.client)))[0] == 200
        for pair in (None, stranger):
            with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
                await live(port, scene.reaching(pair))


async def test_a_renewed_certificate_is_shown_to_new_connections(scene: Scene) -> None:
    source = tls.server_source(scene.serving())
    async with served(app(), tls=source) as (_, port):
        _, first = await live(port, scene.reaching())
        scene.authority.pair("server")
        assert source.check()
        status, second = await live(port, scene.reaching())
        assert status == 200
        assert second != first


async def test_half_a_handshake_times_out(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest_server, "HANDSHAKE_TIMEOUT_S", 0.3)
    async with served(app(), tls=tls.server_source(scene.serving())) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x16\x03\x01")
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


def node(port: int, settings: NodeTlsSettings) -> RestNode:
    context = tls.client_context(settings, tls.HTTP1)
    return RestNode(Address(Scheme.HTTPS, "127.0.0.1", port), name="n", tls=lambda: context)


async def test_nodes(scene: Scene, tmp_path: Path) -> None:
    async with served(app(), tls=tls.server_source(scene.serving(mutual=True))) as (_, port):
        good = node(port, scene.reaching(scene.client))
        with pytest.raises(errors.NodeError, match="no such path"):  # so it was asked
            await good.status()
        await good.close()
        nobody = node(port, scene.reaching())
        with pytest.raises(errors.NodeError, match=r"over TLS: does it require a client certificate \(--node-cert\)"):
            await nobody.status()
        await nobody.close()
        stranger = node(port, NodeTlsSettings(Authority(tmp_path, "stranger").file))
        with pytest.raises(errors.NodeError, match="TLS failed: certificate verify failed"):
            await stranger.status()
        await stranger.close()


async def test_a_plain_node_at_https(scene: Scene) -> None:
    async with served(app()) as (_, port):
        plain = node(port, scene.reaching())
        with pytest.raises(errors.NodeError, match="node 'n' at https://127"):
            await plain.status()
        await plain.close()
