"""Owns sending finished spans: in batches, now and then, again where that may help, and as much as can be at the end.

Must not hold a request up, whatever the receiver does, nor know how a batch is sent: a sender is given to it. What
waits, waits natively in a bounded queue, which drops and counts by itself.
"""

import asyncio
import logging
import random
from typing import NamedTuple, Protocol

from executor._native import span, tracer
from executor.telemetry.losses import Losses

log = logging.getLogger("millrace")

FLUSH_S = 3.0
"""At the end: how long what still waits may take. A parent of workers grants each 5 s after its requests."""
FIRST_RETRY_S = 0.5
RETRIES_MAX = 5


class Refused(Exception):
    """A receiver cannot be reached, or did not take a batch; the text says why. With `again` it may do so later."""

    def __init__(self, told: str, again: bool) -> None:
        super().__init__(told)
        self.again = again


class Said(NamedTuple):
    """What a receiver answers to a batch that it took: how many of its spans it did not, and why."""

    rejected: int = 0
    why: str = ""
    """With none rejected, what it warns of."""


class Send(Protocol):
    """Sends one ExportTraceServiceRequest."""

    async def __call__(self, request: bytes) -> Said:
        """Raises Refused."""


class SpanExport:
    """Sends the spans of one process. Everything is called on its event loop's thread."""

    def __init__(
        self,
        source: tuple[bytes, bytes],
        send: Send,
        *,
        batch_max: int = 512,
        delay_s: float = 5.0,
        export_s: float = 30.0,
    ) -> None:
        self.sent = 0
        self.refused = 0
        """Spans that could not be sent, or were not taken."""
        self._source = source
        self._send = send
        self._batch_max = batch_max
        self._delay_s = delay_s
        self._export_s = export_s
        self._woken = asyncio.Event()
        self._tracer: tracer.Tracer | None = None
        self._task: asyncio.Task[None] | None = None
        self._told_lost = 0
        self._flushing = False
        self._last = ""
        """Why a batch was not taken when it was last tried."""
        self._losses = Losses("spans not sent")
        self._warned = ""

    def wake(self) -> None:
        """A batch waits."""
        self._woken.set()

    def start(self, traced: tracer.Tracer) -> None:
        """Sends what `traced` keeps, from now on."""
        self._tracer = traced
        self._task = asyncio.get_running_loop().create_task(self._run(traced))

    async def close(self) -> None:
        """Sends what waits, as far as there is time, and ends. What is left counts as lost. Call it once or often."""
        task, self._task = self._task, None
        if task is None or self._tracer is None:
            return
        self._flushing = True
        self.wake()
        await asyncio.wait([task], timeout=FLUSH_S)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        self._tell_lost(self._tracer)
        _, left = self._tracer.take(self._tracer.waiting)
        if left:
            self._lose(left, f"the process ended {FLUSH_S:g} s after its last request")
        self._losses.close()

    # --- the task -----------------------------------------------------------------------------------------------

    async def _run(self, traced: tracer.Tracer) -> None:
        while not (self._flushing and traced.waiting == 0):
            if not self._flushing:
                await self._wait()
            traced.set_clock()
            self._tell_lost(traced)
            while traced.waiting:
                await self._deliver(*traced.take(self._batch_max))
                self._tell_lost(traced)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._delay_s):
                await self._woken.wait()
        except TimeoutError:
            pass
        self._woken.clear()

    def _tell_lost(self, traced: tracer.Tracer) -> None:
        lost = traced.lost - self._told_lost
        if lost:
            self._told_lost += lost
            self._losses.add(lost, "the queue is full")

    async def _deliver(self, chunks: list[bytes], count: int) -> None:
        request = span.request(self._source, chunks)
        self._last = ""
        try:
            async with asyncio.timeout(self._export_s):
                said = await self._retried(request)
            refused = min(said.rejected, count)
            self.sent += count - refused
            if refused:
                self._lose(refused, "the receiver did not take them" + (f": {said.why}" if said.why else ""))
            elif said.why and said.why != self._warned:
                self._warned = said.why
                log.warning("the receiver of spans took them, and says: %s", said.why)
        except asyncio.CancelledError:
            self._lose(count, "the process ended while they were sent")
            raise
        except TimeoutError:
            self._lose(count, f"not taken within {self._export_s:g} s" + (f" ({self._last})" if self._last else ""))
        except Refused as error:
            self._lose(count, str(error))
        except Exception as error:
            log.debug("spans cannot be sent", exc_info=True)
            self._lose(count, f"{type(error).__name__}: {error}")

    async def _retried(self, request: bytes) -> Said:
        pause_s = FIRST_RETRY_S
        for _ in range(RETRIES_MAX):
            try:
                return await self._send(request)
            except Refused as error:
                if not error.again or self._flushing:
                    raise
                self._last = str(error)
            await self._pause(pause_s * random.uniform(0.5, 1.0))
            pause_s *= 2
        return await self._send(request)

    async def _pause(self, pause_s: float) -> None:
        """Not longer than until the process ends."""
        until = asyncio.get_running_loop().time() + pause_s
        while not self._flushing and (left := until - asyncio.get_running_loop().time()) > 0:
            self._woken.clear()
            try:
                async with asyncio.timeout(left):
                    await self._woken.wait()
            except TimeoutError:
                pass

    def _lose(self, count: int, why: str) -> None:
        self.refused += count
        self._losses.add(count, why)
