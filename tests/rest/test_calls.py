"""One HTTP call of a node: redirects, and bodies of any kind."""

import asyncio
import contextlib
import gzip
import json
from typing import Any

import pytest
from aiohttp import web
from support.rest import raw_server
from support.rest_nodes import BODY, Context, Waiting, call, run, web_node

from executor import errors
from executor._native import message as messages
from executor.rest import calls
from executor.settings import Address, Scheme
from executor.types import Encoding, Form, Method


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
    ("location", "said"),
    [
        ("/predict", "stopped after 10 redirects"),
        ("ftp://127.0.0.1/x", "leads to no HTTP server"),
        ("http://:80/x", "leads to no HTTP server"),
        ("https://127.0.0.1/x", "no TLS settings"),
        ("http://127.0.0.1:1/x", "Connect call failed|onnection refused"),
        ("http://[::1/", "no URL: Invalid IPv6"),
        ("//[/", "no URL: Invalid IPv6"),
        ("http://[zz]:80/", "no URL: 'zz'"),
        ("http://x:99999/", "no URL: Port out of range"),
        ("http://x:abc/", "no URL: Port"),
        ("http://a..b:80/", "'a..b' is not the name of a host"),
        (f"http://{'a' * 70}:80/", "a' is not the name of a host"),
        ("http://a b:80/", "is not HOST:PORT"),
    ],
)
def test_redirects_that_lead_nowhere(location: str, said: str) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=308, headers={"Location": location})

    async def test() -> None:
        async with web_node(handler) as node:
            with pytest.raises(errors.NodeError, match=said) as caught:
                await call(node)
            assert f"call of node 'n1' at {node.url} failed: /predict: " in caught.value.message
            assert f"(it redirects to {location!r})" in caught.value.message

    run(test())


def test_a_long_location_is_cut_in_the_error() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=308, headers={"Location": "ftp://x/" + "y" * 5000})

    async def test() -> None:
        async with web_node(handler) as node:
            with pytest.raises(errors.NodeError, match=r"it redirects to 'ftp://x/y{192}…'") as caught:
                await call(node)
            assert len(caught.value.message) < 400

    run(test())


def test_redirects_to_another_server_leave_secrets_behind() -> None:
    seen: list[Any] = []

    async def there(request: web.Request) -> web.Response:
        seen.append((request.headers.copy(), await request.read()))
        return web.Response(body=b'{"strData":"there"}')

    async def test() -> None:
        async with web_node(there) as other:

            async def here(request: web.Request) -> web.Response:
                return web.Response(status=307, headers={"Location": f"{other.url}/else"})

            async with web_node(here) as node:
                headers = (("authorization", "secret"), ("cookie", "c=1"), ("x-tag", "1"))
                for _ in range(2):
                    assert await call(node, Context(headers=headers)) == b'{"strData":"there"}'

    run(test())
    headers, body = seen[0]
    assert (body, headers["x-tag"], headers["Seldon-Puid"]) == (BODY, "1", "p1")
    assert not {"authorization", "cookie"} & {name.lower() for name in headers}


def test_a_node_may_redirect_to_ever_other_servers_as_long_as_few_are_at_work() -> None:
    async def there(request: web.Request) -> web.Response:
        return web.Response(body=str(request.url.port).encode())

    async def test() -> None:
        to: list[str] = []

        async def here(request: web.Request) -> web.Response:
            return web.Response(status=307, headers={"Location": to[-1]})

        async with web_node(here) as node, contextlib.AsyncExitStack() as servers:
            for _ in range(2 * calls.SITES_MAX):
                other = await servers.enter_async_context(web_node(there))
                to.append(f"{other.url}/else")
                assert (await call(node)).decode() in other.url
            assert len(node.report()) <= 1 + calls.SITES_MAX

    run(test())


def test_a_node_may_not_redirect_to_too_many_servers_at_a_time() -> None:
    release = asyncio.Event()

    async def there(request: web.Request) -> web.Response:
        await release.wait()
        return web.Response(body=BODY)

    async def test() -> None:
        to: list[str] = []

        async def here(request: web.Request) -> web.Response:
            return web.Response(status=307, headers={"Location": to.pop()})

        async with web_node(here) as node, contextlib.AsyncExitStack() as servers:
            others = [await servers.enter_async_context(web_node(there)) for _ in range(calls.SITES_MAX + 1)]
            to.extend(f"{other.url}/else" for other in others)
            asked = [asyncio.create_task(call(node)) for _ in others]
            done, waiting = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            with pytest.raises(errors.NodeError, match="to more than 8 other servers at a time"):
                done.pop().result()
            release.set()
            assert await asyncio.gather(*waiting) == [BODY] * calls.SITES_MAX

    run(test())


def test_a_foreign_body_goes_with_its_own_type() -> None:
    seen: list[Any] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.headers.copy(), await request.content.read()))
        return web.Response(body=BODY)

    async def test() -> None:
        packed = gzip.compress(BODY)
        headers = (("content-type", "text/x"), ("content-encoding", "identity"), ("x-tag", "1"))
        async with web_node(handler) as node:
            waiting = Waiting()
            message = messages.Message(packed, Encoding.SELDON_JSON, Form.FOREIGN)
            node.handlers[Method.PREDICT][1](message, Context(headers=headers), waiting)
            assert bytes(await waiting.future) == BODY
            assert seen[0][1] == packed
            assert seen[0][0].getall("content-type") == ["text/x"]
            assert seen[0][0].getall("content-encoding") == ["identity"]

    run(test())


def test_a_call_knows_that_it_was_sent_again_and_how_long_it_waited() -> None:
    async def quits(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b""):
            with contextlib.suppress(asyncio.IncompleteReadError):
                await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
        writer.close()

    async def ask(site: calls.Site) -> calls.Call:
        ended = asyncio.Event()
        made = calls.Call(site, calls.Request("GET", "/", b"", b"", None), lambda *_: ended.set())
        await asyncio.wait_for(ended.wait(), 10)
        return made

    async def test() -> None:
        async with raw_server(quits) as port:
            site = calls.Site(Address(Scheme.HTTP, "127.0.0.1", port), 1000, 5.0)
            first, second = await ask(site), await ask(site)
            assert (first.retries, second.retries) == (0, 1)
            assert first.waited > 0
            assert second.waited > 0
            assert site.report() == [(f"127.0.0.1:{port}", "ready")]
            await site.close()
            assert site.report() == []

    run(test())


def test_a_call_that_is_left_knows_how_long_it_waited() -> None:
    async def test() -> None:
        site = calls.Site(Address(Scheme.HTTP, "127.0.0.1", 1), 1000, 5.0)
        made = calls.Call(site, calls.Request("GET", "/", b"", b"", None), lambda *_: None)
        assert site.report() == [("127.0.0.1:1", "connecting")]
        made.cancel()
        waited = made.waited
        made.cancel()
        assert made.waited == waited > 0
        await site.close()

    run(test())
