"""Through which proxy a node is reached, and what the proxy gets to see."""

import asyncio
import logging
from typing import Any

import pytest
from aiohttp import web
from support.rest_nodes import BODY, run, web_node

from executor.rest import calls, http1
from executor.rest.proxies import Proxy, is_direct, proxy_of
from executor.settings import Address, Scheme

NODE = Address(Scheme.HTTP, "node.example", 9000)
PROXY = Address(Scheme.HTTP, "proxy", 3128)


@pytest.mark.parametrize(
    ("said", "proxy"),
    [
        ("http://proxy:3128", Proxy(PROXY)),
        ("proxy:3128", Proxy(PROXY)),
        ("HTTP://proxy:3128/", Proxy(PROXY)),
        ("http://proxy", Proxy(Address(Scheme.HTTP, "proxy", 80))),
        ("http://me:p%40ss@proxy:3128", Proxy(PROXY, b"proxy-authorization: Basic bWU6cEBzcw==\r\n")),
        ("", None),
    ],
)
@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy"])
def test_the_environment_names_the_proxy(name: str, said: str, proxy: Proxy | None) -> None:
    assert proxy_of(NODE, {name: said}) == proxy


@pytest.mark.parametrize("said", ["socks5://proxy:1080", "https://proxy:443", "http://pro xy:1", "http://:3128"])
def test_a_proxy_that_cannot_be_used_is_told(said: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    assert proxy_of(NODE, {"HTTP_PROXY": said}) is None
    assert "HTTP_PROXY is not used: " in caplog.text


def test_tls_and_cgi_know_no_proxy() -> None:
    assert proxy_of(Address(Scheme.HTTPS, "node.example", 443), {"HTTP_PROXY": "proxy:1"}) is None
    assert proxy_of(NODE, {"HTTP_PROXY": "proxy:1", "REQUEST_METHOD": "GET"}) is None
    assert proxy_of(NODE, {"HTTP_PROXY": "proxy:1", "NO_PROXY": "example"}) is None


@pytest.mark.parametrize(
    ("host", "exceptions", "direct"),
    [
        ("localhost", "", True),
        ("127.0.0.9", "", True),
        ("::1", "", True),
        ("node.example", "", False),
        ("node.example", "*", True),
        ("node.example", "other, NODE.example", True),
        ("node.example", "example", True),
        ("node.example", ".example", True),
        ("node.example", "*.example", True),
        ("node.example", ".node.example", False),
        ("node.example", "ode.example", False),
        ("node.example", "node.example:9000", True),
        ("node.example", "node.example:9001", False),
        ("10.1.2.3", "10.1.0.0/16", True),
        ("10.1.2.3", "10.1.2.3:9000", True),
        ("10.2.2.3", "10.1.0.0/16,10.2.2.4, ,odd", False),
        ("fd00::1", "fd00::/8", True),
        ("fd00::1", "[fd00::1]:9000", True),
    ],
)
def test_what_is_reached_directly(host: str, exceptions: str, direct: bool) -> None:
    assert is_direct(Address(Scheme.HTTP, host, 9000), exceptions) is direct


def test_a_call_goes_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    async def proxy(request: web.Request) -> web.Response:
        seen.append((request.raw_path, request.headers.copy(), await request.read()))
        return web.Response(body=b"from afar")

    async def ask(site: calls.Site) -> tuple[http1.Reply | None, Exception | None]:
        told: asyncio.Future[tuple[http1.Reply | None, Exception | None]] = asyncio.get_running_loop().create_future()
        request = calls.Request("POST", "/predict", b"", b"", (BODY,))
        calls.Call(site, request, lambda *end: told.set_result(end))
        return await told

    async def test() -> None:
        async with web_node(proxy) as node:
            monkeypatch.setenv("HTTP_PROXY", node.url.replace("http://", "http://me:word@"))
            monkeypatch.delenv("NO_PROXY", raising=False)
            monkeypatch.delenv("no_proxy", raising=False)
            site = calls.Site(NODE, 1000, 5.0)
            reply, _ = await ask(site)
            assert reply is not None
            assert reply.body == b"from afar"
            await site.close()
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        site = calls.Site(NODE, 1000, 5.0)
        _, error = await ask(site)
        assert error is not None
        assert error.__notes__ == ["through the proxy at 127.0.0.1:1"]
        await site.close()

    run(test())
    target, headers, body = seen[0]
    assert (target, headers["host"], body) == ("http://node.example:9000/predict", "node.example:9000", BODY)
    assert headers["proxy-authorization"] == "Basic bWU6d29yZA=="
