"""Calls to REST nodes: our own node server, an aiohttp one, and peers that misbehave."""

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import uvloop
from aiohttp import web
from support.inference import MemoryInference
from support.rest import listener, raw_server, served

from executor import errors
from executor._native import message as messages
from executor.protocol import seldon
from executor.rest.app import App
from executor.rest.client import RestNode
from executor.settings import Address, Scheme, ServeLimits
from executor.status import Status
from executor.types import Encoding, Form, Method, Mode

BODY = b'{"data":{"ndarray":[[1,2]]}}'


@dataclass
class Context:
    """A context with a deadline `left_s` from the start."""

    puid: str = "p1"
    headers: tuple[tuple[str, str], ...] = ()
    left_s: float | None = None

    def __post_init__(self) -> None:
        self.start = time.monotonic()

    def remaining(self) -> float | None:
        return None if self.left_s is None else self.left_s - (time.monotonic() - self.start)


def run(test: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(test, 20))


@asynccontextmanager
async def node_at(port: int, path: str = "", **more: Any) -> AsyncIterator[RestNode]:
    node = RestNode(Address(Scheme.HTTP, "127.0.0.1", port, path), name="n1", **more)
    try:
        yield node
    finally:
        await node.close()


@asynccontextmanager
async def web_node(handler: Any, **more: Any) -> AsyncIterator[RestNode]:
    """A node whose every path is served by `handler` in aiohttp."""
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    sock = listener()
    await web.SockSite(runner, sock).start()
    try:
        async with node_at(sock.getsockname()[1], **more) as node:
            yield node
    finally:
        await runner.cleanup()


async def call(
    node: RestNode, context: Context | None = None, method: Method = Method.PREDICT, body: bytes = BODY
) -> bytes:
    mode, handler = node.handlers[method]
    assert mode is Mode.ASYNC
    answer = await handler(messages.Message(body, Encoding.SELDON_JSON), context or Context())
    assert (answer.encoding, answer.form) == (Encoding.SELDON_JSON, Form.MESSAGE)
    return bytes(answer)


def test_every_method_reaches_our_own_node_server() -> None:
    async def test() -> None:
        inference = MemoryInference()
        async with served(App(inference, seldon.NODE_REST, node="n1")) as (server, port), node_at(port) as node:
            for method in Method:
                assert await call(node, method=method) == BODY
            assert [asked.method for asked in inference.asked] == list(Method)
            assert server.connections == 1
            assert dict(await node.metadata()) == {"name": "n1", "versions": ["v1"]}
            assert bytes(await node.status()) == b'{"strData":"healthy"}'

    run(test())


def test_headers_puid_and_deadline_travel() -> None:
    seen: list[Any] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.path, request.headers.copy(), await request.read()))
        return web.Response(body=BODY)

    async def test() -> None:
        headers = (
            ("authorization", "x"), ("x-tag", "1"), ("x-tag", "2"), ("content-type", "application/grpc"),
            ("grpc-timeout", "1S"), ("te", "trailers"), ("trace-bin", "AA=="), ("Connection", "close"),
        )  # fmt: skip
        async with web_node(handler, path="/prefix") as node:
            assert await call(node, Context("p7", headers, 5.0)) == BODY

    run(test())
    path, headers, body = seen[0]
    assert (path, body) == ("/prefix/predict", BODY)
    assert headers["Seldon-Puid"] == "p7"
    assert headers["Content-Type"] == "application/json"
    assert headers.getall("x-tag") == ["1", "2"]
    assert headers["authorization"] == "x"
    assert 4.0 < float(headers["Millrace-Timeout"]) <= 5.0
    assert not {"grpc-timeout", "te", "trace-bin", "user-agent"} & {name.lower() for name in headers}


def test_gzip_answers_are_inflated_within_the_limit() -> None:
    async def handler(request: web.Request) -> web.Response:
        text = BODY if request.headers.get("x-size") == "small" else b"0" * 1_000_000
        return web.Response(body=gzip.compress(text), headers={"Content-Encoding": "gzip"})

    async def test() -> None:
        async with web_node(handler, limits=ServeLimits(max_message_bytes=100_000)) as node:
            assert await call(node, Context(headers=(("x-size", "small"),))) == BODY
            with pytest.raises(errors.LimitError, match="larger than the 100000 bytes") as caught:
                await call(node)
            assert caught.value.node == "n1"

    run(test())


@pytest.mark.parametrize("chunked", [False, True])
def test_answers_over_the_limit(chunked: bool) -> None:
    async def handler(request: web.Request) -> web.Response:
        response = web.Response(body=b"0" * 200_000)
        if chunked:
            response.enable_chunked_encoding()
        return response

    async def test() -> None:
        async with web_node(handler, limits=ServeLimits(max_message_bytes=100_000)) as node:
            with pytest.raises(errors.LimitError):
                await call(node)

    run(test())


@pytest.mark.parametrize(
    ("status", "grpc_status"),
    [(400, Status.INVALID_ARGUMENT), (409, Status.ABORTED), (500, Status.INTERNAL), (503, Status.UNAVAILABLE),
     (201, Status.UNKNOWN)],
)  # fmt: skip
def test_anything_but_200_is_an_error_with_the_nodes_body(status: int, grpc_status: Status) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.json_response({"status": {"code": status, "info": "no good"}}, status=status)

    async def test() -> None:
        async with web_node(handler) as node:
            with pytest.raises(errors.NodeError) as caught:
                await call(node)
            error = caught.value
            assert (error.http_status, error.status, error.node) == (status, grpc_status, "n1")
            assert json.loads(error.body or b"")["status"]["info"] == "no good"
            assert (error.body_type or "").startswith("application/json")
            assert error.message.endswith(f"/predict status code {status}: no good")
            with pytest.raises(errors.NodeError) as caught:
                await call(node, method=Method.ROUTE)
            assert (caught.value.http_status, caught.value.body) == (status, None)

    run(test())


def test_timeouts_are_deadline_errors() -> None:
    async def handler(request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response(body=BODY)

    async def test() -> None:
        async with web_node(handler) as node:
            for left_s in (0.1, 0.0, -1.0):
                with pytest.raises(errors.DeadlineError, match=r"'n1' at http://127.*/predict") as caught:
                    await call(node, Context(left_s=left_s))
                assert caught.value.node == "n1"

    run(test())


def test_cancelling_closes_the_connection() -> None:
    gone = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        while await reader.read(1000):
            pass
        gone.set()
        writer.close()

    async def test() -> None:
        async with raw_server(hold) as port, node_at(port) as node:
            task = asyncio.create_task(call(node))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.wait_for(gone.wait(), 5)

    run(test())


def test_nobody_listens() -> None:
    async def test() -> None:
        sock = listener()
        port = sock.getsockname()[1]
        sock.close()
        async with node_at(port) as node:
            with pytest.raises(errors.NodeError, match=f"'n1' at http://127.0.0.1:{port} failed") as caught:
                await call(node)
            assert (caught.value.status, caught.value.http_status) == (Status.UNAVAILABLE, 500)
            with pytest.raises(errors.NodeError):
                await node.metadata()

    run(test())


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
    ],
)
def test_garbage_answers_are_node_errors(answer: bytes) -> None:
    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await reader.read(1000)
        writer.write(answer)
        writer.close()

    async def test() -> None:
        async with raw_server(reply) as port, node_at(port) as node:
            with pytest.raises(errors.NodeError, match="n1") as caught:
                await call(node)
            assert caught.value.http_status == 500

    run(test())


@pytest.mark.parametrize("header", [b"Connection: close\r\n", b""])
def test_peers_that_close_after_each_answer(header: bytes) -> None:
    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len(BODY))
        writer.write(b"HTTP/1.1 200 OK\r\n" + header + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY)
        writer.close()

    async def test() -> None:
        async with raw_server(reply) as port, node_at(port) as node:
            for _ in range(5):
                assert await call(node) == BODY
                await asyncio.sleep(0.01)

    run(test())


@pytest.mark.parametrize("body", ["[1]", "nonsense"])
def test_metadata_that_is_none(body: str) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=body)

    async def test() -> None:
        async with web_node(handler) as node:
            with pytest.raises(errors.DecodeError, match="metadata of node 'n1'"):
                await node.metadata()
            assert await call(node, method=Method.ROUTE) == body.encode()

    run(test())


def test_close_is_idempotent_and_methods_can_be_few() -> None:
    async def test() -> None:
        async with node_at(1, methods=[Method.PREDICT]) as node:
            assert list(node.handlers) == [Method.PREDICT]
            await node.close()
            await node.close()

    run(test())


@pytest.mark.parametrize(("status", "verb"), [(308, "POST"), (307, "POST"), (302, "GET")])
def test_redirects_within_the_node(status: int, verb: str) -> None:
    async def handler(request: web.Request) -> web.Response:
        if request.path == "/predict":
            return web.Response(status=status, headers={"Location": "/pre%20dict/?x=1"})
        return web.json_response([request.method, request.path, request.query_string, await request.text()])

    async def test() -> None:
        async with web_node(handler) as node:
            told = json.loads(await call(node))
            assert told == [verb, "/pre dict/", "x=1", BODY.decode() if verb == "POST" else ""]

    run(test())


@pytest.mark.parametrize(
    ("location", "said"), [("/predict", "more than 4 redirects"), ("http://elsewhere.test/x", "which is not this node")]
)
def test_redirects_that_lead_nowhere(location: str, said: str) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=308, headers={"Location": location})

    async def test() -> None:
        async with web_node(handler) as node:
            with pytest.raises(errors.NodeError, match=said):
                await call(node)

    run(test())


@pytest.mark.parametrize("value", ["a\r\nX: 1", "a\nb", "a\0b"])
def test_headers_cannot_be_smuggled_in(value: str) -> None:
    async def test() -> None:
        async with node_at(1) as node:
            with pytest.raises(errors.RequestError, match="line break"):
                await call(node, Context(headers=(("x-a", value),)))

    run(test())


def test_a_failing_status_or_metadata() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=503, text="not now")

    async def test() -> None:
        async with web_node(handler) as node:
            for look in (node.status, node.metadata):
                with pytest.raises(errors.NodeError) as caught:
                    await look()
                assert (caught.value.http_status, caught.value.body) == (503, b"not now")

    run(test())
