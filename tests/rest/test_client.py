"""Calls to REST nodes: our own node server, an aiohttp one, and peers that misbehave."""

import asyncio
import contextlib
import gc
import gzip
import json
from typing import Any

import pytest
from aiohttp import web
from support.inference import MemoryInference
from support.rest import listener, raw_server, served, until
from support.rest_nodes import BODY, Context, Waiting, call, node_at, run, web_node

from executor import errors
from executor._native import budget
from executor._native import message as messages
from executor.protocol import seldon
from executor.rest.app import App
from executor.settings import ServeLimits
from executor.status import Status
from executor.types import Encoding, Method


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
            ("grpc-metadata-shop", "1"), ("te", "trailers"), ("trace-bin", "AA=="), ("Connection", "close"),
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
    assert (headers["grpc-metadata-shop"], headers["trace-bin"]) == ("1", "AA==")
    assert not {"te", "connection", "user-agent"} & {name.lower() for name in headers}


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
            with pytest.raises(errors.NodeError, match="metadata of node 'n1'") as caught:
                await node.metadata()
            assert caught.value.http_status == 500
            assert bytes(await node.metadata_text()) == body.encode()
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


# --- memory


def answering(whole: bytes, pause: asyncio.Event | None = None) -> Any:
    """What a raw server does that answers each request with `whole`; before its second half it waits for `pause`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(len(BODY))
                half = len(whole) - len(whole) // 2
                writer.write(whole[:half])
                if pause is not None:
                    await pause.wait()
                writer.write(whole[half:])
        writer.close()

    return serve


TEXT = b'"' + b"x" * 3000 + b'"'
KNOWN = b"HTTP/1.1 200 OK\r\nContent-Length: 3002\r\n\r\n" + TEXT
OTHER = b"HTTP/1.1 200 OK\r\nConnection: x\r\nContent-Length: 3002\r\n\r\n" + TEXT  # not plain
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n%b\r\n7d2\r\n%b\r\n0\r\n\r\n" % (
    TEXT[:1000], TEXT[1000:],
)  # fmt: skip
UNTOLD = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (
    len(gzip.compress(TEXT)), gzip.compress(TEXT),
)  # fmt: skip


@pytest.mark.parametrize("whole", [KNOWN, OTHER, CHUNKED, UNTOLD])
def test_answers_are_charged_until_their_memory_is_free(whole: bytes) -> None:
    async def test() -> None:
        memory = budget.Budget(8000, 1000)
        async with raw_server(answering(whole)) as port, node_at(port, memory=memory) as node:
            waiting = Waiting()
            node.handlers[Method.PREDICT][1](messages.Message(BODY, Encoding.SELDON_JSON), Context(), waiting)
            answer = await waiting.future
            assert (bytes(answer), memory.used) == (TEXT, len(TEXT))
            part = answer.parts()[0]
            del answer, waiting
            await asyncio.sleep(0.02)
            assert memory.used == len(TEXT)
            del part
            assert memory.used == 0

    run(test())


@pytest.mark.parametrize("whole", [KNOWN, OTHER, CHUNKED, UNTOLD])
def test_answers_over_the_hard_limit_fail(whole: bytes) -> None:
    async def test() -> None:
        memory = budget.Budget(4000, 2000)
        async with raw_server(answering(whole)) as port, node_at(port, memory=memory) as node:
            with memory.hold() as held:
                assert held.add(1500)
                with pytest.raises(errors.LimitError, match=f"answer of node 'n1' at {node.url}: no memory") as caught:
                    await call(node)
                assert "of the 4000 bytes for messages are in use" in caught.value.message
                assert caught.value.status is Status.RESOURCE_EXHAUSTED
                assert memory.used == 1500
            assert await call(node) == TEXT
            await until(lambda: memory.used == 0)

    run(test())


@pytest.mark.parametrize("whole", [KNOWN, OTHER])
def test_answers_are_charged_whole_once_their_size_is_known_and_given_back_when_cancelled(whole: bytes) -> None:
    async def test() -> None:
        memory = budget.Budget(8000, 1000)
        pause = asyncio.Event()
        async with raw_server(answering(whole, pause)) as port, node_at(port, memory=memory) as node:
            asked = messages.Message(BODY, Encoding.SELDON_JSON)
            begun = node.handlers[Method.PREDICT][1](asked, Context(), Waiting())
            await until(lambda: memory.used == len(TEXT))
            begun.cancel()
            await until(lambda: memory.used == 0)
            pause.set()
            assert memory.used == 0

    run(test())


@pytest.mark.parametrize("whole", [KNOWN, OTHER, CHUNKED])
def test_refusals_and_redirects_leave_nothing_charged(whole: bytes) -> None:
    async def test() -> None:
        for line in (b"503 No", b"302 Found\r\nLocation: ftp://x"):
            memory = budget.Budget(8000, 1000)
            said = whole.replace(b"200 OK", line)
            async with raw_server(answering(said)) as port, node_at(port, memory=memory) as node:
                with pytest.raises(errors.NodeError):
                    await call(node)
                await until(lambda memory=memory: memory.used == 0)  # type: ignore[misc]

    gc.disable()  # charges must not wait for the collector
    try:
        run(test())
    finally:
        gc.enable()


def test_a_node_whose_refusal_is_nested_too_deep_is_answered_for() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=500, body=b"[" * 200_000)

    async def test() -> None:
        async with web_node(handler) as node:
            with pytest.raises(errors.NodeError, match=r"status code 500$"):
                await call(node)
            with pytest.raises(errors.NodeError, match=r"status code 500$"):
                await node.metadata()

    run(test())
