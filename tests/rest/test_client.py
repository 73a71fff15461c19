"""Calls to REST nodes: our own node server, an aiohttp one, and peers that misbehave."""

import asyncio
import gzip
import json
from typing import Any

import pytest
from aiohttp import web
from support.inference import MemoryInference
from support.rest import listener, raw_server, served
from support.rest_nodes import BODY, Context, call, node_at, run, web_node

from executor import errors
from executor.protocol import seldon
from executor.rest.app import App
from executor.settings import ServeLimits
from executor.status import Status
from executor.types import Method


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


def test_a_call_that_has_no_time_left_is_not_made() -> None:
    async def test() -> None:
        async with node_at(1) as node:
            for left_s in (0.0, -1.0):
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
