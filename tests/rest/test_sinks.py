"""Posting events to URLs: real receivers, and peers that misbehave."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web
from support.certificates import Scene
from support.containers import free_port
from support.receiver import Receiver, refuse
from support.rest import raw_server

from executor import errors
from executor.rest import sinks
from executor.rest.sinks import Sinks
from executor.settings import Address, Scheme
from executor.telemetry.payload_log import SendError

Make = Callable[..., Sinks]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    made: list[Sinks] = []

    def build(connections_max: int = 4, tls: ssl.SSLContext | None = None) -> Sinks:
        made.append(Sinks(connections_max, lambda: tls or ssl.create_default_context()))
        return made[-1]

    yield build
    for each in made:
        await each.close()


@pytest.mark.parametrize(
    ("url", "sink"),
    [
        ("http://default-broker", sinks.Sink(Address(Scheme.HTTP, "default-broker", 80), "default-broker", "/")),
        ("http://b:8080/a/b?c=d&e", sinks.Sink(Address(Scheme.HTTP, "b", 8080), "b:8080", "/a/b?c=d&e")),
        ("https://[::1]/x y", sinks.Sink(Address(Scheme.HTTPS, "::1", 443), "[::1]", "/x%20y")),
        ("http://h?q=1", sinks.Sink(Address(Scheme.HTTP, "h", 80), "h", "/?q=1")),
    ],
)
def test_urls(url: str, sink: sinks.Sink) -> None:
    assert sinks.parse(url, "sink") == sink


@pytest.mark.parametrize(
    "url", ["", "host", "ftp://x", "http://", "http://h:0", "http://h:99999", "http://u:p@h", "http://h/#x",
            "http://h\r\nX: y", "kafka://h:1", "http://h:port"],
)  # fmt: skip
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(errors.RequestError, match=r"node 'm': logger.url"):
        sinks.parse(url, "node 'm': logger.url")


async def test_bytes_arrive_as_they_are(make: Make) -> None:
    with Receiver() as receiver:
        posting = make()
        for _ in range(3):
            await posting.post(f"{receiver.url}a?b=c", [("Ce-Id", "1")], [memoryview(b"on"), memoryview(b"e")])
        await posting.post(receiver.url, [], [])
    assert [each.body for each in receiver.received] == [b"one"] * 3 + [b""]
    assert (receiver.received[0].path, receiver.received[0].headers["Ce-Id"]) == ("/a?b=c", "1")


async def test_a_large_body_arrives(make: Make) -> None:
    body = bytes(range(256)) * 20_000
    with Receiver() as receiver:
        await make().post(receiver.url, [], [memoryview(body)])
    assert receiver.received[0].body == body


async def test_any_answer_but_2xx_is_an_error(make: Make) -> None:
    with Receiver(refuse) as receiver, pytest.raises(SendError, match=r"http://127.*: answered 503"):
        await make().post(receiver.url, [], [memoryview(b"x")])


async def test_nobody_there(make: Make) -> None:
    with pytest.raises(SendError, match=r"http://127.0.0.1:\d+/: (Connection refused|Connect call failed)"):
        await make().post(f"http://127.0.0.1:{free_port()}/", [], [])


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"SSH-2.0-x\r\n", "not HTTP/1"),
        (b"", "ended before the answer"),
    ],
)
async def test_peers_that_are_no_receivers(make: Make, answer: bytes, told: str) -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with raw_server(peer) as port:
        with pytest.raises(SendError, match=told):
            await make().post(f"http://127.0.0.1:{port}/", [], [])


async def test_a_receiver_that_answers_at_length(make: Make) -> None:
    async def talk(_: web.Request) -> web.StreamResponse:
        return web.Response(body=bytes(sinks.REPLY_BYTES_MAX + 1))

    with Receiver(talk) as receiver, pytest.raises(SendError, match="its answer is larger than 1048576 bytes"):
        await make().post(receiver.url, [], [])


async def test_connections_are_bounded_for_each_sink(make: Make) -> None:
    with Receiver() as receiver:
        posting = make(connections_max=2)
        await asyncio.gather(*(posting.post(receiver.url, [], []) for _ in range(20)))
    assert len(receiver.received) == 20
    assert receiver.open_most <= 2


async def test_tls(make: Make, tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(scene.server.cert, scene.server.key)
    receiver = Receiver(ssl=context).__enter__()
    try:
        await make(tls=ssl.create_default_context(cafile=scene.ca)).post(receiver.url, [], [memoryview(b"x")])
        assert receiver.received[0].body == b"x"
        with pytest.raises(SendError, match="TLS failed"):
            await make().post(receiver.url, [], [])
    finally:
        # Both ends say good-bye, so both loops must run.
        await asyncio.to_thread(receiver.__exit__)
