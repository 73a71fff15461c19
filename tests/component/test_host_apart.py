"""What a host asks its object beside calls: to load, and whether it is well."""

import asyncio
import threading

import pytest

from executor.component.host import Host
from executor.errors import ComponentError


def test_load_is_called_once() -> None:
    class Counts:
        loaded = 0

        def load(self) -> None:
            self.loaded += 1

    counts = Counts()
    host = Host(counts, "n", environ={})

    async def twice() -> None:
        await host.load()
        await host.load()

    asyncio.run(twice())
    assert counts.loaded == 1


def test_a_load_that_fails_says_so() -> None:
    class Broken:
        def load(self) -> None:
            raise OSError("no such model")

    with pytest.raises(ComponentError, match="node 'n': load raised OSError: no such model"):
        asyncio.run(Host(Broken(), "n", environ={}).load())


def test_an_attribute_error_of_load_passes_as_in_seldon(caplog: pytest.LogCaptureFixture) -> None:
    class Lazy:
        def load(self) -> None:
            self.model.load()  # type: ignore[attr-defined]

    asyncio.run(Host(Lazy(), "n", environ={}).load())
    assert "has no attribute 'model'" in caplog.text
    assert "node n: served all the same" in caplog.text


async def test_a_health_check_that_hangs_is_not_begun_again() -> None:
    release = threading.Event()
    begun = []

    class Stuck:
        def health_status(self) -> str:
            begun.append(threading.get_ident())
            release.wait(10)
            return "well"

    host = Host(Stuck(), "n", environ={})
    asked = [asyncio.create_task(host.health()) for _ in range(5)]
    await asyncio.sleep(0)
    asked[0].cancel()
    release.set()
    told = await asyncio.gather(*asked, return_exceptions=True)
    assert [isinstance(each, asyncio.CancelledError) for each in told] == [True] + [False] * 4
    assert len(begun) == 1
    await host.health()
    assert len(begun) == 2


async def test_an_async_health_check_ends_with_whoever_asked() -> None:
    ended = asyncio.Event()

    class Stuck:
        async def health_status(self) -> str:
            try:
                await asyncio.sleep(60)
            finally:
                ended.set()
            return "well"

    asked = asyncio.create_task(Host(Stuck(), "n", environ={}).health())
    await asyncio.sleep(0)
    asked.cancel()
    await asyncio.wait_for(ended.wait(), 10)
    assert asked.cancelled()
