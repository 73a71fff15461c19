"""Owns the log of payloads: a bounded queue, and workers that send what is in it to where each node's log goes.

Must not hold a request up, whatever the receivers do, nor know how something is sent: a sender is given to it.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from executor.settings import PayloadLogSettings
from executor.telemetry.cloudevents import Event, Headers
from executor.telemetry.losses import Losses

log = logging.getLogger("millrace")

SEND_TIMEOUT_S = 10.0
"""For one event, from a free connection to the answer."""
FLUSH_S = 3.0
"""At the end: how long what still waits may take. A parent of workers grants each 5 s after its requests."""


class SendError(Exception):
    """A receiver cannot be reached, or does not take what it is sent; the text says which and why. `status` is the HTTP
    status that it answered, if it did.
    """

    def __init__(self, told: str, status: int | None = None) -> None:
        super().__init__(told)
        self.status = status


class Send(Protocol):
    """Sends one event, once, and returns when it is taken."""

    async def __call__(self, url: str, headers: Headers, data: Sequence[memoryview]) -> object:
        """Raises SendError. Cancelling it ends it."""


class PayloadLog:
    """The payload log of one process. Everything is called on its event loop's thread.

    Each receiver has a queue and workers of its own, as large and as many as the settings say, and its share of the
    bytes: one that hangs loses its own events alone.
    """

    def __init__(self, settings: PayloadLogSettings, send: Send) -> None:
        self.sent = 0
        self.lost = 0
        """Payloads that were dropped, could not be sent, or were not taken."""
        self.settings = settings
        self.send = send
        self._lanes: dict[str, _Lane] = {}
        self._closed = False
        self._losses = Losses("payloads not logged")

    @property
    def waiting(self) -> int:
        """Events that no worker has taken yet."""
        return sum(lane.waiting for lane in self._lanes.values())

    @property
    def share(self) -> int:
        """Bytes that may wait for one receiver."""
        return self.settings.bytes_max // max(1, len(self._lanes))

    def put(self, event: Event) -> None:
        """Takes an event, to be sent some time. Never waits and never fails: what there is no room for is dropped."""
        if self._closed:
            self.lose(1, "the process ends")
            return
        url = event.origin.url
        lane = self._lanes.get(url)
        if lane is None:
            lane = self._lanes[url] = _Lane(self)
        lane.put(event)

    def lose(self, count: int, why: str) -> None:
        """Counts payloads that are not logged, and says so in the program's log, though not each time."""
        self.lost += count
        self._losses.add(count, why)

    async def close(self, timeout_s: float = FLUSH_S) -> None:
        """Sends what waits, as far as there is time, and ends. What is left counts as lost."""
        self._closed = True
        await asyncio.gather(*(lane.close(timeout_s) for lane in self._lanes.values()))
        if self.waiting:
            self.lose(self.waiting, f"the process ended {timeout_s:g} s after its last request")
        for lane in self._lanes.values():
            lane.clear()
        self._losses.close()


class _Lane:
    """What goes to one receiver."""

    def __init__(self, whole: PayloadLog) -> None:
        self._whole = whole
        self._settings = whole.settings
        self._queue: deque[Event] = deque()
        self._late: deque[tuple[float, Event]] = deque()
        """What waits for room in the queue, and until when; there is some only while the queue is full."""
        self._expiry: asyncio.TimerHandle | None = None
        self._bytes = 0
        self._workers: set[asyncio.Task[None]] = set()
        self._working = 0

    @property
    def waiting(self) -> int:
        return len(self._queue) + len(self._late)

    def put(self, event: Event) -> None:
        settings, size = self._settings, len(event.message)
        if self._bytes + size > self._whole.share:
            self._whole.lose(1, f"payloads of {self._whole.share} bytes wait already")
        elif len(self._queue) < settings.queue_max:
            self._bytes += size
            self._queue.append(event)
            self._start_worker()
        elif settings.write_timeout_ms > 0 and len(self._late) < settings.queue_max:
            self._bytes += size
            self._late.append((asyncio.get_running_loop().time() + settings.write_timeout_ms / 1000, event))
            self._watch()
        else:
            self._whole.lose(1, self._full)

    async def close(self, timeout_s: float) -> None:
        if self._workers:
            await asyncio.wait(self._workers, timeout=timeout_s)
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        if self._expiry is not None:
            self._expiry.cancel()

    def clear(self) -> None:
        self._queue.clear()
        self._late.clear()

    # --- the queue --------------------------------------------------------------------------------------------

    @property
    def _full(self) -> str:
        return f"the queue of {self._settings.queue_max} is full"

    def _next(self) -> Event:
        event = self._queue.popleft()
        if self._late:
            self._queue.append(self._late.popleft()[1])
        return event

    def _watch(self) -> None:
        """Sees to it that what waits for room is dropped in time; the oldest stand first."""
        if self._expiry is None and self._late:
            self._expiry = asyncio.get_running_loop().call_at(self._late[0][0], self._expire)

    def _expire(self) -> None:
        self._expiry = None
        now = asyncio.get_running_loop().time()
        while self._late and self._late[0][0] <= now:
            _, event = self._late.popleft()
            self._bytes -= len(event.message)
            self._whole.lose(1, f"{self._full}, and was for {self._settings.write_timeout_ms} ms")
        self._watch()

    # --- the workers ------------------------------------------------------------------------------------------

    def _start_worker(self) -> None:
        """One more, unless all are at work. They end when nothing waits."""
        if self._working < self._settings.workers:
            self._working += 1
            task = asyncio.get_running_loop().create_task(self._work())
            self._workers.add(task)
            task.add_done_callback(self._workers.discard)

    async def _work(self) -> None:
        try:
            while self._queue:
                event = self._next()
                try:
                    await self._deliver(event)
                finally:
                    self._bytes -= len(event.message)
        finally:
            self._working -= 1

    async def _deliver(self, event: Event) -> None:
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self._whole.send(event.origin.url, event.headers(), event.data())
            self._whole.sent += 1
        except asyncio.CancelledError:
            self._whole.lose(1, "the process ended while it was sent")
            raise
        except TimeoutError:
            self._whole.lose(1, f"{event.origin.url}: no answer within {SEND_TIMEOUT_S:g} s")
        except SendError as error:
            self._whole.lose(1, str(error))
        except Exception as error:
            log.debug("a payload cannot be logged", exc_info=True)
            self._whole.lose(1, f"{event.origin.url}: {type(error).__name__}: {error}")
