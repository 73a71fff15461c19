"""What addresses a host stands for, with a look-up that the test answers."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from support.servers import until
from support.spreading import Name, place

from executor.rpc import resolve
from executor.rpc.resolve import ADDRESSES_MAX, Addresses, Place


@asynccontextmanager
async def looking(
    name: resolve.Resolve, host: str = "models", every_s: float = 60.0, changed: Callable[[], None] = lambda: None
) -> AsyncIterator[Addresses]:
    made = Addresses(host, 80, label="models:80", changed=changed, every_s=every_s, resolve=name)
    try:
        yield made
    finally:
        made.close()


def test_places_as_text() -> None:
    assert str(Place(socket.AF_INET, ("10.0.0.1", 80))) == "10.0.0.1:80"
    assert str(Place(socket.AF_INET6, ("::1", 80, 0, 0))) == "[::1]:80"
    assert str(Place(socket.AF_UNIX, "/tmp/x")) == "unix:/tmp/x"


async def test_the_system_looks_up_names() -> None:
    found = await resolve.look_up("localhost", 80)
    assert Place(socket.AF_INET, ("127.0.0.1", 80)) in found
    with pytest.raises(socket.gaierror):
        await resolve.look_up("no-such-host.invalid", 80)


async def test_an_address_is_never_looked_up() -> None:
    name = Name()
    for host, family in (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)):
        async with looking(name, host) as addresses:
            addresses.refresh()
            assert [each.family for each in addresses.current] == [family]
            addresses.refresh()
            assert not addresses.busy
    assert resolve.numeric("localhost", 80) == []
    assert name.asked == 0


async def test_one_address_that_is_given() -> None:
    addresses = Addresses.only(Place(socket.AF_UNIX, "/tmp/x"))
    addresses.refresh()
    assert (addresses.current, addresses.busy) == ((Place(socket.AF_UNIX, "/tmp/x"),), False)


async def test_looks_again_and_again() -> None:
    name, changes = Name("127.0.0.1:1"), []
    async with looking(name, every_s=0.01, changed=lambda: changes.append(1)) as addresses:
        addresses.refresh()
        assert addresses.busy
        await until(lambda: addresses.current == (place("127.0.0.1:1"),))
        name.targets = ["127.0.0.1:2", "127.0.0.1:1", "127.0.0.1:2"]
        await until(lambda: addresses.current == (place("127.0.0.1:2"), place("127.0.0.1:1")))
        await until(lambda: name.asked >= 5)
        assert len(changes) >= 4


async def test_failure_keeps_the_addresses_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "millrace.rpc")
    name = Name("127.0.0.1:1")
    async with looking(name, every_s=0.01) as addresses:
        addresses.refresh()
        await until(lambda: addresses.current)
        name.problem = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        asked = name.asked
        await until(lambda: name.asked >= asked + 5)
        assert addresses.current == (place("127.0.0.1:1"),)
        assert addresses.problem == "Temporary failure in name resolution"
        told = [record.getMessage() for record in caplog.records if "cannot be looked up" in record.getMessage()]
        assert told == [
            "models:80: cannot be looked up again, the addresses of before stay in use: "
            "Temporary failure in name resolution"
        ]
        name.problem = None
        await until(lambda: not addresses.problem)
        assert "models:80: its name can be looked up again" in caplog.text
        name.targets = []
        await until(lambda: addresses.problem)
        assert addresses.problem == "no address for models"
        assert addresses.current == (place("127.0.0.1:1"),)


async def test_without_any_address_it_is_asked_for_but_not_too_often() -> None:
    name = Name()
    name.problem = ValueError("label too long")
    async with looking(name) as addresses:
        addresses.refresh()
        await until(lambda: addresses.problem)
        assert (addresses.problem, addresses.current) == ("label too long", ())
        for _ in range(50):
            addresses.refresh()
        assert not addresses.busy
        assert name.asked == 1
        name.problem, name.targets = None, ["127.0.0.1:1"]
        addresses.backoff.reset()
        addresses.refresh()
        await until(lambda: addresses.current)
        assert name.asked == 2


async def test_refreshing_again_soon_is_put_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve, "AT_LEAST_S", 0.1)
    name = Name("127.0.0.1:1")
    async with looking(name) as addresses:
        addresses.refresh()
        await until(lambda: addresses.current)
        for _ in range(100):
            addresses.refresh()
        assert name.asked == 1
        await until(lambda: name.asked == 2)


async def test_a_look_up_that_hangs_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve, "LOOK_UP_S", 0.05)

    async def hang(host: str, port: int) -> list[Place]:
        await asyncio.sleep(60)
        return []

    async with looking(hang) as addresses:
        addresses.refresh()
        await until(lambda: addresses.problem)
        assert addresses.problem == "no answer of the name servers within 0.05 s"


async def test_of_many_addresses_a_choice_that_stays() -> None:
    targets = [f"127.0.0.{index}:80" for index in range(1, 41)]
    name = Name(*targets)
    choices = []
    for _ in range(3):
        async with looking(name, every_s=0.01) as addresses:
            addresses.refresh()
            await until(lambda each=addresses: each.current)  # type: ignore[misc]
            before = addresses.current
            assert len(set(before)) == ADDRESSES_MAX
            name.targets = [*reversed(targets), "127.0.0.99:80"]
            asked = name.asked
            await until(lambda least=asked + 2: name.asked > least)  # type: ignore[misc]
            assert len(set(before) & set(addresses.current)) >= ADDRESSES_MAX - 1
            choices.append(frozenset(addresses.current))
    assert len(set(choices)) == 3


def test_words_of_errors() -> None:
    assert resolve.words_of(ConnectionRefusedError(111, "Connect call failed")) == "Connection refused"
    assert resolve.words_of(OSError("plain")) == "plain"
    assert resolve.words_of(ValueError()) == "ValueError"
