"""A small in-memory request path for tests of the fronts: it echoes, waits or fails as the request's text says."""

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from executor import errors
from executor._native import errand, http1, tracer
from executor._native import message as messages
from executor.status import Status
from executor.types import Encoding, Method, Walk


@dataclass(frozen=True)
class Answer:
    message: messages.Message
    puid: str
    headers: Sequence[tuple[str, str]] = ()


@dataclass
class Asked:
    """What one request came as."""

    walk: Walk
    method: Method
    text: bytes
    encoding: int
    form: int
    headers: Sequence[tuple[str, str]]
    puid: str | None
    timeout_s: float | None


@dataclass(frozen=True)
class Begun:
    """A request that runs."""

    task: asyncio.Task[None]

    def cancel(self) -> None:
        self.task.cancel()


@dataclass
class MemoryInference:
    """Answers each request with its own text, unless told otherwise."""

    ready: bool = True
    reply: bytes | None = None
    error: BaseException | None = None
    delay_s: float = 0.0
    asked: list[Asked] = field(default_factory=list)
    cancelled: int = 0
    finished: int = 0

    takes_foreign: bool = False
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def new_puid(self) -> str:
        return str(uuid.uuid4())

    def start(
        self,
        walk: Walk,
        method: Method,
        message: messages.Message,
        done: Callable[[messages.Message | None, Exception | None], object],
        *,
        headers: Sequence[tuple[str, str]] | http1.Fields = (),
        puid: str | None = None,
        timeout_s: float | None = None,
        timed: Callable[[str], object] | None = None,
        label: object = None,
    ) -> "Begun":
        pairs = headers.pairs() if isinstance(headers, http1.Fields) else headers

        async def work() -> None:
            try:
                answer = await self.run(walk, method, message, headers=pairs, puid=puid, timeout_s=timeout_s)
            except Exception as error:
                done(None, error)
            else:
                done(answer.message, None)

        task = asyncio.get_running_loop().create_task(work())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return Begun(task)

    def span_of(self, label: tracer.Label, headers: object, began: float = 0) -> errand.Errand:
        raise AssertionError("nothing has a label here, so nothing has a span")

    async def healthy(self) -> bool:
        return self.ready

    async def health(self) -> Mapping[str, Any]:
        return {"ready": self.ready, "nodes": []}

    async def run(
        self,
        walk: Walk,
        method: Method,
        message: messages.Message,
        *,
        headers: Sequence[tuple[str, str]] = (),
        puid: str | None = None,
        timeout_s: float | None = None,
        timed: Callable[[str], object] | None = None,
        label: object = None,
    ) -> Answer:
        text = bytes(message)
        self.asked.append(Asked(walk, method, text, message.encoding, message.form, headers, puid, timeout_s))
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.sleep(self.delay_s)
        except TimeoutError:
            raise errors.DeadlineError("too late") from None
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        self.finished += 1
        reply = message if self.reply is None else messages.Message(self.reply, Encoding.SELDON_JSON)
        return Answer(reply, puid or "made-here")

    async def metadata_text(self, name: str, headers: Sequence[tuple[str, str]] = ()) -> messages.Message:
        if name == "missing":
            raise errors.RequestError(f"Failed to find model {name}", status=Status.UNKNOWN)
        return messages.Message(b'{"name":"%b","versions":["v1"]}' % name.encode(), Encoding.SELDON_JSON)

    async def graph_metadata(self, headers: Sequence[tuple[str, str]] = ()) -> Mapping[str, Any]:
        return {"name": "p", "models": {}, "graphinputs": [], "graphoutputs": []}

    async def node_status(self, name: str, headers: Sequence[tuple[str, str]] = ()) -> messages.Message:
        if name == "broken":
            raise errors.NodeError("no answer", body=b"down", body_type="text/plain", http_status=418)
        return messages.Message(b'{"strData":"healthy"}', Encoding.SELDON_JSON)
