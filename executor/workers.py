"""Owns several workers that serve one graph: their parent, which listens, hands each connection to the least loaded
worker, replaces those that die, and takes all of them to a new graph together. It must not serve anything itself.
"""

import asyncio
import contextlib
import logging
import socket
from dataclasses import replace
from pathlib import Path

from executor import errors
from executor._native import stats
from executor.children import service
from executor.link import Link, Said
from executor.listening import Acceptor, Listeners
from executor.reload import Reloader
from executor.renewal import Renewal
from executor.settings import NodeSettings, RunSettings
from executor.signals import Signals, stopped_by_signals, unless
from executor.supervisor import Child, python
from executor.telemetry import families, logs
from executor.telemetry.store import Store

log = logging.getLogger("millrace")

PREPARE_S = 120.0
"""How long workers may take to load another graph."""
MARGIN_S = 5.0
"""What a worker may take to end, beyond the time that requests have."""
SAMPLE_S = 2.0
"""How often the parent counts itself."""
HUNG_S = 1.0
"""How long a worker may leave a connection untaken before others are preferred."""


async def run(settings: RunSettings | NodeSettings, text: str) -> int:
    """Serves the graph of the manifest `text`, or one component, until SIGINT or SIGTERM; the exit status."""
    with stopped_by_signals():
        parent = Parent(settings, text)
        try:
            return await parent.run()
        finally:
            await parent.stop()


class Worker:
    """A worker as its parent sees it. `number` is that of the graph it serves, None before it serves."""

    def __init__(self, parent: "Parent", name: str) -> None:
        fds = (parent.store.region.fd,)
        self.child = Child(name, python("executor", "worker"), kind="worker", link=self._linked, fds=fds)
        self.link: Link | None = None
        self.up = False
        """Whether it answers REST, though it may still load."""
        self.leaving = False
        """Whether it was asked to end by somebody else than its parent."""
        self.number: int | None = None
        self.failed: errors.Error | None = None
        self.vote: asyncio.Future[str | None] | None = None
        self._parent = parent
        self._began = False
        self._load = self._given = self._taken = 0
        self._untaken_since: float | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def load(self) -> int:
        """Its connections and requests, as it last said, and the connections that it did not know of then."""
        return self._load + self._given - self._taken

    @property
    def well(self) -> bool:
        """Whether it takes what it is given."""
        return self._untaken_since is None or asyncio.get_running_loop().time() - self._untaken_since < HUNG_S

    def give(self, kind: str, connection: socket.socket) -> None:
        """Hands it a connection."""
        self._given += 1
        if self._untaken_since is None:
            self._untaken_since = asyncio.get_running_loop().time()
        self.say({"say": kind}, connection)

    def say(self, said: Said, connection: socket.socket | None = None) -> None:
        """Tells it something; nothing when it is gone."""
        if self.link is not None:
            self.link.send(said, connection)
        elif connection is not None:
            connection.close()

    def close(self) -> None:
        """Hears it no more."""
        if self._task is not None:
            self._task.cancel()
        if self.link is not None:
            self.link.close()

    def _linked(self) -> socket.socket:
        """A socket for a process about to start; what was known of the one before is forgotten."""
        self.close()
        if self._began:
            # Nobody writes there any more, and the next process begins with nothing.
            self._parent.store.segment.fold(int(self.child.name))
            self._parent.store.add(families.RESTARTS)
        self._began = True
        ours, theirs = socket.socketpair()
        self.link = Link(ours)
        self._load = self._given = self._taken = 0
        self._untaken_since = None
        self.leaving = False
        self.link.send(self._parent.greeting(self))
        self._task = asyncio.create_task(self._hear(self.link))
        return theirs

    async def _hear(self, link: Link) -> None:
        try:
            while (heard := await link.receive()) is not None:
                said, _ = heard
                if said["say"] == "load":
                    self._taken, self._load = said["taken"], said["load"]
                    now = asyncio.get_running_loop().time()
                    self._untaken_since = None if self._taken == self._given else now
                else:
                    self._parent.heard(self, said)
        finally:
            link.close()
            self.up, self.number = False, None
            if self.vote is not None and not self.vote.done():
                self.vote.set_result(None)  # a worker that is gone agrees: the next is given the graph that is chosen
            self._parent.changed()


class Parent:
    """The workers and their listeners. `text` is the manifest; each text that comes after has the next number."""

    def __init__(self, settings: RunSettings | NodeSettings, text: str) -> None:
        self._settings = settings
        # A component on its own is never loaded anew.
        graph = isinstance(settings, RunSettings) and not settings.alone
        self._file = Path(settings.manifest) if isinstance(settings, RunSettings) and graph else None
        self._text = text
        self._number = 1
        self._told = self._open = self._leaving = False
        self._change = asyncio.Event()
        loop = asyncio.get_running_loop()
        metrics_port = settings.metrics_port if isinstance(settings, NodeSettings) else None
        held = isinstance(settings, NodeSettings) and settings.rest_waits
        self._held = {"grpc", "http"} if held else {"grpc"}  # what no worker takes before it serves
        self._listeners = Listeners(settings.listen, metrics_port, settings.watch)
        self._grpc = Acceptor(loop, lambda sock: self._give("grpc", sock))
        self._http = Acceptor(loop, lambda sock: self._give("http", sock))
        self._metrics = Acceptor(loop, lambda sock: self._give("metrics", sock))
        self._admin = Acceptor(loop, lambda sock: self._give("admin", sock))
        wrapper = settings.wrapper if isinstance(settings, NodeSettings) else None
        self._renewal = Renewal(self, str(settings.workers + 1))
        self._stays = wrapper is None or not wrapper.max_requests
        self._segments = settings.workers if self._stays else settings.workers + 1
        self._beside: Child | None = None  # the component's own service, where no worker stays to have it
        self.store: Store = Store(stats.Region(self._segments))
        self._sampling: asyncio.Task[None] | None = None
        self.workers = [Worker(self, str(index + 1)) for index in range(settings.workers)]

    # --- life -------------------------------------------------------------------------------------------------

    async def run(self) -> int:
        """Starts, serves until a signal comes, then drains. The exit status: 1 when requests had to be cut off."""
        reloader = Reloader(self._file, self.reload)
        with Signals() as signals, reloader.on_hangup():
            if await unless(signals.first, self.start()) is None:
                return 0
            lines = self._listeners.lines(self._settings.tls is not None)
            print("\n".join([f"{len(self.workers)} workers", *lines]), flush=True)
            await unless(signals.first, reloader.run())
            delay_s = self._settings.shutdown_delay_s if isinstance(self._settings, RunSettings) else 0.0
            await unless(signals.second, self.leave(delay_s))
            return 0 if await unless(signals.second, self.drain()) else 1

    async def start(self) -> bool:
        """Returns True when all workers serve. Raises what the first that failed has told."""
        self._listeners.listen_http()
        self._http.hold(True)
        self._http.start(self._listeners.http)
        self._metrics.hold(True)
        self._metrics.start(self._listeners.metrics)
        self._admin.hold(True)
        self._admin.start(self._listeners.admin)
        self._sampling = asyncio.create_task(self._sample())
        for worker in self.workers:
            await worker.child.start()
        for worker in self.workers:
            await self.served(worker)
            worker.child.keep()
        if self._beside is not None:
            await self._beside.start()
        return True

    async def _sample(self) -> None:
        while True:
            self.store.sample()
            await asyncio.sleep(SAMPLE_S)

    async def served(self, worker: Worker) -> None:
        """Returns when it serves. Raises what it has told if it cannot."""
        while worker.number is None:
            if worker.failed is not None:
                raise worker.failed
            if worker.child.ended is not None and worker.link is not None and worker.link.closed:
                raise errors.ComponentError(f"worker {worker.child.name} ended with {worker.child.ended}")
            self._change.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._change.wait(), 0.1)

    async def leave(self, delay_s: float) -> None:
        """Has workers say that they are not ready any more; all go on serving for so long."""
        self._leaving = True
        if delay_s > 0:
            log.info("not ready any more; stopping in %g s", delay_s)
        for each in self.workers:
            each.say({"say": "leave"})
        await asyncio.sleep(delay_s)

    def hire(self, name: str) -> Worker:
        """One more worker, not started yet."""
        self.workers.append(Worker(self, name))
        return self.workers[-1]

    def dismiss(self, worker: Worker) -> None:
        """Forgets a worker that has ended, but not what it has counted."""
        worker.close()
        self.workers.remove(worker)
        self.store.segment.fold(int(worker.child.name))
        self.changed()

    async def drain(self) -> bool:
        """Takes no more connections and lets workers finish; whether they did in time."""
        await self._renewal.stop()
        log.info("draining: requests under way have %g s", self._settings.limits.drain_timeout_s)
        self._stop_accepting()
        patience_s = self._settings.limits.drain_timeout_s + MARGIN_S
        await asyncio.gather(
            *(each.child.stop(patience_s, lambda each=each: each.say({"say": "drain"})) for each in self.workers)  # type: ignore[misc]
        )
        ended = all(each.child.status == 0 for each in self.workers)
        if not ended:
            log.warning("some requests did not end in time and were cut off")
        return ended

    async def stop(self) -> None:
        """Ends everything that still runs."""
        await self._renewal.stop()
        beside = [] if self._beside is None else [self._beside]
        await asyncio.gather(*(each.stop() for each in beside + [worker.child for worker in self.workers]))
        for each in self.workers:
            each.close()
        if self._sampling is not None:
            self._sampling.cancel()
        self._stop_accepting()
        self._listeners.close()
        self.store.close()

    def _stop_accepting(self) -> None:
        for acceptor in (self._grpc, self._http, self._metrics, self._admin):
            acceptor.stop()

    # --- connections ------------------------------------------------------------------------------------------

    def _give(self, kind: str, sock: socket.socket) -> None:
        worker = self._least_loaded(kind)
        if worker is None:  # between two looks at who is there
            sock.close()
        else:
            worker.give(kind, sock)
        self.changed()

    def _least_loaded(self, kind: str) -> Worker | None:
        able = [each for each in self.workers if each.number is not None and not each.leaving]
        if not able and kind not in self._held:
            # They answer that they are not ready yet.
            able = [each for each in self.workers if each.up and not each.leaving]
        return min(able, key=lambda each: (not each.well, each.load), default=None)

    def changed(self) -> None:
        """Who can be given connections has changed. Where there is nobody, connections wait in the backlog."""
        if not self._open and any(each.number is not None for each in self.workers):
            self._open = True
            self._listeners.listen_grpc()
            self._grpc.start(self._listeners.grpc)
        self._grpc.hold(self._least_loaded("grpc") is None)
        self._http.hold(self._least_loaded("http") is None)
        self._metrics.hold(self._least_loaded("metrics") is None)
        self._admin.hold(self._least_loaded("admin") is None)
        self.store.set(families.WORKERS, to=sum(each.number is not None and not each.leaving for each in self.workers))
        self._change.set()

    # --- what workers say -------------------------------------------------------------------------------------

    def greeting(self, worker: Worker) -> Said:
        """What a worker is told first."""
        settings, name = self._settings.to_json(), worker.child.name
        kind = "run" if isinstance(self._settings, RunSettings) else "node"
        said = {"kind": kind, "settings": settings, "text": self._text, "number": self._number, "worker": name}
        return said | {"region": self.store.region.fd, "segments": self._segments, "stays": self._stays}

    def heard(self, worker: Worker, said: Said) -> None:
        """A worker has said something."""
        if said["say"] == "up":
            worker.up = True
            self._tell(said["tree"])
            if said["service"] and not self._stays and self._beside is None:
                self._beside = service(self._settings)  # type: ignore[arg-type]
        elif said["say"] == "ready":
            worker.number = said["number"]
            self._catch_up(worker)
            if self._leaving:  # it came up in the place of one that died meanwhile
                worker.say({"say": "leave"})
        elif said["say"] == "worn":
            self._renewal.ask(worker)
        elif said["say"] == "leaving":
            worker.leaving = True
            worker.say({"say": "drain"})  # behind the last connection that it was given
        elif said["say"] == "failed":
            kind = errors.ComponentError if said["kind"] == "ComponentError" else errors.Error
            worker.failed = kind(said["why"])
            if self._open:
                log.error("worker %s: %s", worker.child.name, said["why"])
        elif said["say"] == "prepared":
            self._prepared(worker, said)
        elif said["say"] == "level":
            self._level(said["level"])
        self.changed()

    def _level(self, level: str) -> None:
        """A worker was asked for another log level, which is that of all from now on."""
        self._settings = replace(self._settings, log_level=logs.set_level(level))
        for each in self.workers:
            each.say({"say": "level", "level": level})

    def _tell(self, tree: str) -> None:
        if not self._told:
            self._told = True
            print(tree, flush=True)

    def _prepared(self, worker: Worker, said: Said) -> None:
        if worker.vote is not None and not worker.vote.done():
            worker.vote.set_result(said["why"])
        elif said["number"] == self._number and said["why"] is None:
            worker.say({"say": "commit"})
            worker.number = self._number
        elif said["number"] == self._number:
            log.error("worker %s cannot load the graph of the others: %s", worker.child.name, said["why"])
            worker.child.kill()

    def _catch_up(self, worker: Worker) -> None:
        """A worker that came up while the others changed graphs changes alone, before it gets connections."""
        if worker.number != self._number:
            worker.number = None
            worker.say({"say": "prepare", "number": self._number, "text": self._text})

    # --- reload -----------------------------------------------------------------------------------------------

    async def reload(self, text: str) -> None:
        """All workers load another graph, and change to it when each can. Raises `errors.Error`; then none has."""
        with self.store.counted(families.RELOADS, "done", "failed"):
            await self._reload(text)

    async def _reload(self, text: str) -> None:
        number = self._number + 1
        voters = [each for each in self.workers if each.number is not None]
        if not voters:
            raise errors.NodeError("no worker is ready")
        loop = asyncio.get_running_loop()
        for each in voters:
            each.vote = loop.create_future()
            each.say({"say": "prepare", "number": number, "text": text})
        try:
            async with asyncio.timeout(PREPARE_S):
                said = await asyncio.gather(*(each.vote for each in voters if each.vote is not None))
            refused = next((why for why in said if why is not None), None)
            if refused is not None:
                raise errors.ComponentError(refused)
        except BaseException as error:
            for each in voters:
                each.say({"say": "discard"})
            if isinstance(error, TimeoutError):
                raise errors.NodeError(f"not all workers have loaded it within {PREPARE_S:g} s") from None
            raise
        finally:
            for each in voters:
                each.vote = None
        self._commit(text, number, voters)

    def _commit(self, text: str, number: int, voters: list[Worker]) -> None:
        self._text, self._number = text, number
        for each in self.workers:
            if each in voters and each.number is not None:
                each.say({"say": "commit"})
                each.number = number
            elif each.number is not None:
                self._catch_up(each)
        self.changed()
