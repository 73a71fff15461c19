"""Owns when a graph is reloaded: on SIGHUP, and when its manifest's file is another one or has changed.

Must not know what reloading does: whoever serves says.
"""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from executor import errors, manifest

log = logging.getLogger("millrace")

LOOK_S = 1.0
"""How often the file is looked at."""
SETTLE_S = 0.1
"""How long a file must stay as it is before it is read: whoever writes it may not be done."""


class Reloader:
    """Reloads a manifest: `apply` is given each new text. What is wrong with it is logged, and nothing changes.

    Without a path there is nothing to reload, and whoever asks is told so.
    """

    def __init__(self, path: Path | None, apply: Callable[[str], Awaitable[None]]) -> None:
        self._path = path
        self._apply = apply
        self._seen = look(path)
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Reload, whether or not the file has changed: components may have."""
        self._asked.set()

    @contextlib.contextmanager
    def on_hangup(self) -> Iterator[None]:
        """From here on SIGHUP asks for a reload."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self.ask)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGHUP)

    async def run(self) -> None:
        """Watches until it is cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), LOOK_S)
            now = look(self._path)
            if self._asked.is_set() or now != self._seen:
                await self._settled(now)
                self._asked.clear()
                if self._path is None:
                    log.warning("not reloaded: nothing here comes from a file that could have changed")
                else:
                    await self._reload(self._path)

    async def _settled(self, now: object) -> None:
        while True:
            self._seen = now
            await asyncio.sleep(SETTLE_S)
            now = look(self._path)
            if now == self._seen:
                return

    async def _reload(self, path: Path) -> None:
        try:
            await self._apply(manifest.read(path))
            log.info("%s: reloaded", path)
        except errors.Error as error:
            log.error("%s: not reloaded, the graph before it goes on:\n%s", path, error)
        except Exception:
            log.exception("%s: not reloaded, the graph before it goes on", path)


def look(path: Path | None) -> object:
    """What tells one state of a file from another. A ConfigMap's file is a link whose end changes."""
    if path is None:
        return None
    try:
        found = os.stat(path)
    except OSError as error:
        return error.errno
    return os.path.realpath(path), found.st_ino, found.st_dev, found.st_mtime_ns, found.st_size
