"""Owns one worker: a serving process that its parent hands connections, and tells when to reload and when to end.

Must not listen, nor decide anything for other workers.
"""

import asyncio
import contextlib
import logging
import os
import random
import socket
import sys

import uvloop

from executor import app, errors
from executor.graph import plan as plans
from executor.link import Link, Said
from executor.process import Prepared, Process
from executor.settings import NodeSettings, RunSettings
from executor.signals import Signals, stopped_by_signals, unless
from executor.telemetry.store import Store

log = logging.getLogger("millrace")

REPORT_S = 0.1
"""How often a worker says what it has to do, if that has changed."""
LEAVE_S = 2.0
"""How long a worker that was asked to end by a signal waits for its parent to take that up."""


def run() -> int:
    """Serves until the parent or a signal says to stop. The parent's socket is standard input."""
    try:
        sock = socket.socket(fileno=os.dup(0))
    except OSError:
        print("millrace: worker: `millrace run --workers N` starts these; there is no parent here", file=sys.stderr)
        return 2
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)  # user code may read standard input
    return uvloop.run(_run(sock))


async def _run(sock: socket.socket) -> int:
    link = Link(sock)
    with stopped_by_signals():
        first = await link.receive()
        if first is None:
            return 1
        said = first[0]
        kind = RunSettings if said["kind"] == "run" else NodeSettings
        settings = kind.from_json(said["settings"])
        app.log_to_stderr(settings.log_level, settings.watch.log_format, int(said["worker"]))
        store = Store.of(said["region"], said["segments"], int(said["worker"]))
        if isinstance(settings, RunSettings):
            process = Process.of(settings, listens=False, store=store)
        else:
            process = Process(
                settings.listen,
                settings.limits,
                settings.threads,
                settings.tls,
                listens=False,
                store=store,
                metrics_port=settings.metrics_port,
                watch=settings.watch,
            )
        process.speaks = said["worker"] == "1"
        try:
            tree = _bind(process, settings, said)
            return await Worker(process, settings, link, said["number"], tree).run()
        except errors.Error as error:
            # The parent tells the user, once for all workers.
            link.send({"say": "failed", "why": str(error), "kind": type(error).__name__})
            return 2
        finally:
            await process.stop()
            link.close()


def _bind(process: Process, settings: RunSettings | NodeSettings, said: Said) -> str:
    """Makes `process` serve what the parent said, and says how the user sees that."""
    if isinstance(settings, NodeSettings):
        return app.described(app.component(process, settings, said["stays"] and said["worker"] == "1"), settings)
    plan = app.graph(process, settings, app.select(settings, said["text"], changed=True))
    return plans.tree(plan, process.nodes.reached)


def _lifetime(settings: RunSettings | NodeSettings) -> int | None:
    wrapper = settings.wrapper if isinstance(settings, NodeSettings) else None
    if wrapper is None or not wrapper.max_requests:
        return None
    return wrapper.max_requests + random.randint(0, wrapper.max_requests_jitter)


class Worker:
    """What the parent says, done. `number` is that of the graph it serves; `tree` is the graph as the user sees it."""

    def __init__(
        self, process: Process, settings: RunSettings | NodeSettings, link: Link, number: int, tree: str
    ) -> None:
        self._process = process
        self._settings = settings
        self._link = link
        self._number = number
        self._tree = tree
        self._prepared: Prepared | None = None
        self._preparing: asyncio.Task[None] | None = None
        self._taken = 0
        self._released = asyncio.Event()
        self._lifetime = _lifetime(settings)
        """How many REST requests are enough; None: no number is."""
        self._patience_s: float | None = None
        process.on_level = lambda level: link.send({"say": "level", "level": level})

    async def run(self) -> int:
        """Starts, serves, drains. The exit status: 1 when requests had to be cut off."""
        with Signals() as signals:
            tasks: list[asyncio.Task[None]] = [asyncio.create_task(self._report())]
            try:
                if await unless(signals.first, self._start(signals, tasks)) is None:
                    return 0
                await signals.first.wait()
                await unless(signals.second, self._leave())
                return 0 if await unless(signals.second, self._process.drain(self._patience_s)) else 1
            finally:
                if self._preparing is not None:
                    tasks.append(self._preparing)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                if self._prepared is not None:
                    await self._prepared.nodes.stop()

    async def _start(self, signals: Signals, tasks: list[asyncio.Task[None]]) -> bool:
        await self._process.start_rest()
        tasks.append(asyncio.create_task(self._listen(signals)))
        self._link.send({"say": "up", "tree": self._tree, "service": self._process.nodes.has_service})
        await self._process.start_nodes()
        self._link.send({"say": "ready", "number": self._number})
        return True

    async def _leave(self) -> None:
        """Returns when no more connections come. Whoever has just been handed over would find nobody here."""
        if not self._released.is_set():
            self._link.send({"say": "leaving"})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._released.wait(), LEAVE_S)

    async def _report(self) -> None:
        """Tells the parent how many connections and requests are here, and how many connections it was given."""
        told = None
        rpc, rest = self._process.rpc, self._process.rest
        assert rpc is not None
        while True:
            connections = rpc.native.connections + (rest.connections if rest is not None else 0)
            requests = rpc.native.rpcs + (rest.requests if rest is not None else 0)
            now = (self._taken, connections + requests)
            if now != told and not self._link.waiting:
                told = now
                self._link.send({"say": "load", "taken": now[0], "load": now[1]})
            if self._lifetime is not None and rest is not None and rest.served >= self._lifetime:
                self._lifetime = None
                self._link.send({"say": "worn"})
            await asyncio.sleep(REPORT_S)

    async def _listen(self, signals: Signals) -> None:
        try:
            while (heard := await self._link.receive()) is not None:
                said, connection = heard
                if connection is not None:
                    self._take(said, connection)
                elif said["say"] == "level":
                    self._process.set_level(said["level"])
                elif said["say"] == "leave":
                    self._process.readiness.set(False)
                elif said["say"] == "drain" and self._released.is_set():
                    # It drains already, and its parent has less patience now.
                    due_s = self._settings.limits.drain_timeout_s
                    asyncio.get_running_loop().call_later(due_s, signals.second.set)
                elif said["say"] == "drain":
                    self._patience_s = said.get("patience_s")
                    self._released.set()
                    signals.ask()
                else:
                    await self._reload(said)
        finally:
            self._released.set()
            signals.ask()  # the parent has gone, or cannot be heard any more

    def _take(self, said: Said, connection: socket.socket) -> None:
        self._taken += 1
        if said["say"] == "metrics":
            assert self._process.scraped is not None
            self._process.scraped.accept(connection)
        elif said["say"] == "admin":
            assert self._process.admin is not None
            self._process.admin.accept(connection)
        elif said["say"] == "http":
            assert self._process.rest is not None
            self._process.rest.accept(connection)
        else:
            assert self._process.rpc is not None
            self._process.rpc.accept(connection)

    async def _reload(self, said: Said) -> None:
        if said["say"] == "prepare" and isinstance(self._settings, RunSettings):
            self._preparing = asyncio.create_task(self._prepare(said["number"], said["text"]))
        elif said["say"] == "commit" and self._prepared is not None:
            prepared, self._prepared = self._prepared, None
            self._process.switch(prepared)
        elif said["say"] == "discard":
            if self._preparing is not None:
                self._preparing.cancel()
            if self._prepared is not None:
                prepared, self._prepared = self._prepared, None
                await prepared.nodes.stop()

    async def _prepare(self, number: int, text: str) -> None:
        why = None
        assert isinstance(self._settings, RunSettings)
        try:
            self._prepared = await app.prepare(self._process, self._settings, text)
        except errors.Error as error:
            why = str(error)
        except Exception as error:
            log.exception("the new graph cannot be loaded")
            why = f"{type(error).__name__}: {error}"
        self._link.send({"say": "prepared", "number": number, "why": why})
