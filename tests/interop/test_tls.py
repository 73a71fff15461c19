"""TLS and mutual TLS between us and grpcio, as client and as node."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from support.certificates import DAY, Authority, Scene
from support.graphs import node
from support.servers import UNLIMITED, GrpcNode, Served, grpc_node, message, serving

from executor import errors, tls
from executor._native import seldon
from executor._pb import seldon_pb2_grpc
from executor.rpc.channels import Channel
from executor.settings import NodeTlsSettings

PREDICT = "/seldon.protos.Model/Predict"

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@asynccontextmanager
async def client(served: Served, credentials: grpc.ChannelCredentials) -> AsyncIterator[seldon_pb2_grpc.SeldonStub]:
    """A grpcio client over TLS."""
    async with grpc.aio.secure_channel(served.target, credentials, options=UNLIMITED) as channel:
        yield seldon_pb2_grpc.SeldonStub(channel)


async def ask(remote: GrpcNode, settings: NodeTlsSettings, value: str = "x") -> str:
    """The answer of a grpcio node to our channel."""
    context = tls.client_context(settings, tls.HTTP2)
    channel = Channel(remote.target, tls=lambda: context)
    try:
        return bytes(await channel.call(PREDICT, seldon.build("strData", value), timeout_s=10)).decode("latin-1")
    finally:
        await channel.close()


@pytest.mark.parametrize("mutual", [False, True])
async def test_grpcio_clients(scene: Scene, mutual: bool) -> None:
    async with serving(node("m"), tls=tls.server_source(scene.serving(mutual))) as served:
        async with client(served, scene.grpc_client(scene.client if mutual else None)) as stub:
            answers = await asyncio.gather(*(stub.Predict(message(f"v{index}.")) for index in range(100)))
            assert all(f"v{index}." in answer.strData for index, answer in enumerate(answers))
            large = "x" * (5 << 20)
            assert large in (await stub.Predict(message(large))).strData


async def test_grpcio_clients_with_certificates_that_are_not_good(scene: Scene, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger").pair("strange")
    expired = scene.authority.pair("expired", age=3 * DAY)
    async with serving(node("m"), tls=tls.server_source(scene.serving(mutual=True))) as served:
        for pair in (None, stranger, expired):
            async with client(served, scene.grpc_client(pair)) as stub:
                with pytest.raises(grpc.aio.AioRpcError) as failed:
                    await stub.Predict(message("x"), timeout=5)
                assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
        async with client(served, scene.grpc_client(scene.client)) as stub:
            assert "x" in (await stub.Predict(message("x"))).strData


async def test_a_plain_grpcio_client_is_refused(scene: Scene) -> None:
    async with serving(node("m"), tls=tls.server_source(scene.serving())) as served:
        async with grpc.aio.insecure_channel(served.target) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await seldon_pb2_grpc.SeldonStub(channel).Predict(message("x"), timeout=5)
            assert failed.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_grpcio_nodes(scene: Scene) -> None:
    with grpc_node(credentials=scene.grpc_server()) as remote:
        assert "hello" in await ask(remote, scene.reaching(), "hello")
        large = "x" * (5 << 20)
        assert large in await ask(remote, scene.reaching(), large)


async def test_grpcio_nodes_that_ask_for_a_certificate(scene: Scene, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger").pair("strange")
    with grpc_node(credentials=scene.grpc_server(mutual=True)) as remote:
        assert "hello" in await ask(remote, scene.reaching(scene.client), "hello")
        for pair in (None, stranger):
            with pytest.raises(errors.NodeError, match=r"connection lost: "):
                await ask(remote, scene.reaching(pair))


async def test_a_plain_grpcio_node(scene: Scene) -> None:
    with grpc_node() as remote:
        with pytest.raises(errors.NodeError, match="the peer does not speak TLS"):
            await ask(remote, scene.reaching())


async def test_certificates_are_renewed_under_load(scene: Scene) -> None:
    source = tls.server_source(scene.serving())
    async with serving(node("m"), tls=source) as served:
        ending = asyncio.Event()
        answered = 0

        async def load() -> None:
            nonlocal answered
            async with client(served, scene.grpc_client()) as stub:
                while not ending.is_set():
                    assert "x" in (await stub.Predict(message("x"))).strData
                    answered += 1

        tasks = [asyncio.create_task(load()) for _ in range(4)]
        for _ in range(5):
            await asyncio.sleep(0.1)
            before = source.current
            scene.server = scene.authority.pair("server")
            assert source.check()
            assert source.current is not before
            tasks.append(asyncio.create_task(load()))
        await asyncio.sleep(0.1)
        ending.set()
        await asyncio.gather(*tasks)
        assert answered > 20
