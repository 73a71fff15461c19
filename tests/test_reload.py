"""When a file counts as changed, and what a failed reload does. Processes that reload are in `e2e`."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support.rest import until

from executor import errors, reload


def test_each_change_of_a_file_is_seen(tmp_path: Path) -> None:
    path, other = tmp_path / "graph.yaml", tmp_path / "other"
    seen = [reload.look(path)]
    path.write_text("one")
    seen.append(reload.look(path))
    assert reload.look(path) == seen[-1]
    path.write_text("longer")
    seen.append(reload.look(path))
    other.write_text("longer")
    path.unlink()
    path.symlink_to("other")
    seen.append(reload.look(path))
    os.utime(other, (1, 1))
    seen.append(reload.look(path))
    assert len(set(seen)) == 5


@asynccontextmanager
async def running(reloader: reload.Reloader) -> AsyncIterator[None]:
    task = asyncio.create_task(reloader.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_texts_come_on_change_and_on_hangup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reload, "LOOK_S", 0.01)
    monkeypatch.setattr(reload, "SETTLE_S", 0.01)
    path = tmp_path / "graph.yaml"
    path.write_text("one")
    given: list[str] = []

    async def apply(text: str) -> None:
        given.append(text)
        if text == "wrong":
            raise errors.ComponentError("it is wrong")
        if text == "worse":
            raise ValueError("a fault of ours")

    reloader = reload.Reloader(path, apply)
    caplog.set_level(logging.INFO, "millrace")
    with reloader.on_hangup():
        async with running(reloader):
            await asyncio.sleep(0.05)
            assert given == []
            os.kill(os.getpid(), signal.SIGHUP)
            await until(lambda: given == ["one"])
            for text in ("wrong", "worse", "two"):
                path.write_text(text)
                await until(lambda text=text: given[-1] == text)  # type: ignore[misc]
            path.unlink()
            await until(lambda: "cannot be read" in caplog.text)
            path.write_text("three")
            await until(lambda: given[-1] == "three")
    assert given == ["one", "wrong", "worse", "two", "three"]
    assert "not reloaded, the graph before it goes on:\nit is wrong" in caplog.text
    assert "a fault of ours" in caplog.text
    assert caplog.text.count(": reloaded") == 3


async def test_without_a_file_there_is_nothing_to_reload(caplog: pytest.LogCaptureFixture) -> None:
    given: list[str] = []

    async def apply(text: str) -> None:
        given.append(text)

    reloader = reload.Reloader(None, apply)
    async with running(reloader):
        reloader.ask()
        await until(lambda: "not reloaded: nothing here comes from a file" in caplog.text)
    assert given == []
