"""How a channel finds and makes its connections, against grpcio servers."""

import asyncio
import socket
import threading
from pathlib import Path

import pytest
from support.graphs import text
from support.h2peer import listening
from support.servers import free_port, grpc_node, until, wait

from executor import errors
from executor._native import buffer, seldon, transport
from executor._native import message as native
from executor.rpc.channels import Channel
from executor.settings import Address, Scheme

PATH = "/seldon.protos.Model/Predict"

pytestmark = pytest.mark.timeout(60)


async def ask(channel: Channel, said: str = "x") -> str:
    return text(await channel.call(PATH, seldon.build("strData", said), timeout_s=10))


async def test_connects_when_the_first_call_comes() -> None:
    with grpc_node() as remote:
        channel = Channel(remote.target)
        assert channel.target == remote.target
        assert channel.endpoint.connections == 0
        assert await ask(channel) == "x"
        assert channel.endpoint.connections == 1
        assert await asyncio.gather(*(ask(channel, str(index)) for index in range(50))) == [str(i) for i in range(50)]
        assert channel.endpoint.connections == 1
        await channel.close()
        await channel.close()


async def test_connect_without_a_call() -> None:
    with grpc_node() as remote:
        channel = Channel(remote.target)
        await channel.connect()
        await channel.connect()
        assert channel.endpoint.connections == 1
        await channel.close()
    nobody = f"127.0.0.1:{free_port()}"
    with pytest.raises(errors.NodeError, match=f"^{nobody}: cannot connect: Connection refused$"):
        await Channel(nobody).connect()


async def test_connect_waits_until_the_server_speaks() -> None:
    async def shy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)

    async with listening(shy) as target:
        channel = Channel(target)
        with pytest.raises(errors.NodeError, match=f"^{target}: connection lost: closed by the peer"):
            await channel.connect()
        await channel.close()


async def test_connect_after_failures_waits_for_no_back_off() -> None:
    port = free_port()
    channel = Channel(f"127.0.0.1:{port}")
    for _ in range(4):
        with pytest.raises(errors.NodeError, match="refused"):
            await channel.connect()
    with grpc_node(address=f"127.0.0.1:{port}"):
        await channel.connect()
        assert await ask(channel) == "x"
        await channel.close()


async def test_unix_socket_that_is_not_there(tmp_path: Path) -> None:
    channel = Channel(f"unix:{tmp_path}/none")
    with pytest.raises(errors.NodeError, match=f"^unix:{tmp_path}/none: cannot connect: No such file"):
        await ask(channel)
    await channel.close()


async def test_unix_socket(tmp_path: Path) -> None:
    with grpc_node(address=f"unix:{tmp_path}/s") as remote:
        channel = Channel(Address(Scheme.UNIX, path=f"{tmp_path}/s"))
        assert await ask(channel, "u" * 100_000) == "u" * 100_000
        assert str(remote.calls[0].header("user-agent")).startswith("millrace")
        await channel.close()


async def test_names_are_looked_up() -> None:
    with grpc_node() as remote:
        channel = Channel(f"localhost:{remote.target.rpartition(':')[2]}")
        assert await ask(channel) == "x"
        await channel.close()


async def test_name_that_does_not_exist() -> None:
    channel = Channel("no-such-host.invalid:80")
    with pytest.raises(errors.NodeError, match=r"^no-such-host\.invalid:80: cannot connect: ") as caught:
        await ask(channel)
    assert "Unknown error" not in caught.value.message
    await channel.close()


async def test_address_that_needs_no_look_up_needs_no_thread() -> None:
    loop = asyncio.get_running_loop()
    with grpc_node() as remote:
        channel = Channel(remote.target)
        over = threading.Event()
        busy = [loop.run_in_executor(None, over.wait) for _ in range(40)]
        try:
            assert await asyncio.wait_for(ask(channel), 10) == "x"
        finally:
            over.set()
        await asyncio.gather(*busy)
        await channel.close()


async def test_back_off_grows_and_spares_the_network() -> None:
    tries = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        tries += 1

    async with listening(serve) as target:
        channel = Channel(target)
        for _ in range(60):
            with pytest.raises(errors.NodeError, match="connection lost"):
                await ask(channel)
            await asyncio.sleep(0.01)
        assert 2 <= tries <= 10
        await channel.close()


async def test_server_that_takes_no_connections_in_time() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(0)
        address = sock.getsockname()
        crowd = [socket.socket() for _ in range(4)]
        for each in crowd:
            each.setblocking(False)
            each.connect_ex(address)
        channel = Channel(f"127.0.0.1:{address[1]}", connect_timeout_s=0.2)
        with pytest.raises(errors.NodeError, match=r"no answer within 0\.2 s"):
            await ask(channel)
        await channel.close()
        for each in crowd:
            each.close()


async def test_closing_while_connecting() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(0)
        address = sock.getsockname()
        crowd = [socket.socket() for _ in range(4)]
        for each in crowd:
            each.setblocking(False)
            each.connect_ex(address)
        channel = Channel(f"127.0.0.1:{address[1]}")
        call = asyncio.ensure_future(ask(channel))
        await asyncio.sleep(0.05)
        assert channel.endpoint.waiting == 1
        await channel.close()
        with pytest.raises(errors.NodeError, match="the channel is closed"):
            await call
        for each in crowd:
            each.close()


async def test_cancelling_connect_leaves_those_who_wait_alone() -> None:
    with grpc_node() as remote:
        channel = Channel(remote.target)
        call = asyncio.ensure_future(ask(channel))
        await asyncio.sleep(0)
        connect = asyncio.ensure_future(channel.connect())
        await asyncio.sleep(0)
        connect.cancel()
        assert await call == "x"
        await channel.close()


async def test_timeout_and_cancel_reset_the_call() -> None:
    with grpc_node(wait) as remote:
        channel = Channel(remote.target)
        with pytest.raises(errors.DeadlineError, match=f"{remote.target}{PATH}: no answer within 0.1 s"):
            await channel.call(PATH, native.Message(b""), timeout_s=0.1)
        call = asyncio.ensure_future(channel.call(PATH, native.Message(b"")))
        await until(lambda: len(remote.calls) == 2)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        for asked in remote.calls:
            assert await asyncio.to_thread(asked.over.wait, 20)
        await until(lambda: channel.endpoint.active == 0)
        assert remote.calls[1].remaining is None
        await channel.close()


async def test_headers_travel() -> None:
    with grpc_node() as remote:
        channel = Channel(remote.target)
        await channel.call(PATH, native.Message(b""), [("a", "1"), ("b-bin", "AP8=")], timeout_s=10)
        assert (remote.calls[0].header("a"), remote.calls[0].header("b-bin")) == ("1", b"\x00\xff")
        await channel.close()


async def test_two_channels_on_one_reactor() -> None:
    reactor = transport.Reactor()
    with grpc_node() as one, grpc_node() as two:
        made = [Channel(remote.target, reactor=reactor) for remote in (one, two)]
        assert await asyncio.gather(*(ask(each) for each in made)) == ["x", "x"]
        assert reactor.open_connections == 2
        await made[0].close()
        assert await ask(made[1]) == "x"
        await made[1].close()
        assert reactor.open_connections == 0
    assert reactor.timers == 0
    reactor.close()


async def test_large_messages_leave_no_buffers() -> None:
    before = buffer.live_buffers()
    with grpc_node() as remote:
        channel = Channel(remote.target)
        for size in (0, 1, 16_384, 5_000_000):
            assert len(await ask(channel, "l" * size)) == size
        await channel.close()
    await asyncio.sleep(0)
    assert buffer.live_buffers() <= before


@pytest.mark.parametrize("target", ["nowhere", "http://a:1", "a:0", "unix:relative"])
async def test_targets_that_are_none(target: str) -> None:
    with pytest.raises(errors.RequestError):
        Channel(target)
