"""Opening connections by name."""

import asyncio
import socket
from typing import Any

import pytest
from support.rest import listener

from executor.rest import dial
from executor.settings import Address, Scheme


def resolving(monkeypatch: pytest.MonkeyPatch, *hosts: str) -> None:
    async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        assert host == "models.test"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in hosts]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)


async def test_literals_are_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch)
    assert await dial.addresses(Address(Scheme.HTTP, "127.0.0.1", 80)) == [(0, "127.0.0.1")]
    assert await dial.addresses(Address(Scheme.HTTP, "fe80::1%lo", 80)) == [(0, "fe80::1%lo")]


async def test_every_address_gets_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "127.0.0.1", "127.0.0.2", "127.0.0.1", "127.0.0.3")
    first = {(await dial.addresses(Address(Scheme.HTTP, "models.test", 80)))[0][1] for _ in range(200)}
    assert first == {"127.0.0.1", "127.0.0.2", "127.0.0.3"}


async def test_an_address_where_nobody_listens_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "127.0.0.2", "127.0.0.1", "127.0.0.3")
    with listener() as sock:
        address = Address(Scheme.HTTP, "models.test", sock.getsockname()[1])
        for _ in range(20):
            made = await dial.connect(address, asyncio.Protocol, None)
            assert isinstance(made, asyncio.Protocol)


async def test_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    sock = listener()
    port = sock.getsockname()[1]
    sock.close()
    resolving(monkeypatch, "127.0.0.1", "127.0.0.2")
    with pytest.raises(OSError, match="onnect"):
        await dial.connect(Address(Scheme.HTTP, "models.test", port), asyncio.Protocol, None)
    resolving(monkeypatch)
    with pytest.raises(OSError, match=r"models\.test has no address"):
        await dial.connect(Address(Scheme.HTTP, "models.test", port), asyncio.Protocol, None)


async def test_the_end_of_an_idle_connection_is_seen() -> None:
    sock = listener()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", sock.getsockname()[1])
    there, _ = sock.accept()
    transport.pause_reading()
    assert not dial.has_something(transport)
    there.close()
    while not dial.has_something(transport):
        await asyncio.sleep(0.001)
    transport.close()
    await asyncio.sleep(0)
    assert dial.has_something(transport)
    assert dial.has_something(None)
    sock.close()
