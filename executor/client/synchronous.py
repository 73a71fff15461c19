"""Owns the blocking client: `AsyncClient` on an event loop in a thread of its own.

Must not do anything else: what a call means stands in `AsyncClient`.
"""

import asyncio
import ssl
import threading
from collections.abc import Coroutine, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from executor import errors
from executor._native import message as messages
from executor.client.asynchronous import AsyncClient, Metadata
from executor.client.payload import Response

Result = TypeVar("Result")


class Client:
    """Asks a graph, or a node, that is served over gRPC at `target`: `HOST:PORT` or `unix:/PATH`.

    For code that is not asyncio. Threads may share it; a forked child may not use its parent's. `timeout_s` is the
    deadline of calls that name none (None: none at all). Use it in `with`, or close it. The calls take and raise
    what those of `AsyncClient` do; so do the options for TLS.
    """

    def __init__(
        self,
        target: str,
        *,
        timeout_s: float | None = 60.0,
        tls: bool | ssl.SSLContext = False,
        ca: str | None = None,
        cert: str | None = None,
        key: str | None = None,
    ) -> None:
        self._client = AsyncClient(target, timeout_s=timeout_s, tls=tls, ca=ca, cert=cert, key=key)
        self._target = target
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def predict(
        self,
        data: Any,
        *,
        names: Sequence[str] | None = None,
        kind: str | None = None,
        tags: Mapping[str, Any] | None = None,
        meta: Mapping[str, Any] | None = None,
        puid: str | None = None,
        timeout_s: float | None = None,
        metadata: Metadata = (),
    ) -> Response:
        """Take `data` through the graph; see `AsyncClient.predict`."""
        return self._run(
            self._client.predict(
                data,
                names=names,
                kind=kind,
                tags=tags,
                meta=meta,
                puid=puid,
                timeout_s=timeout_s,
                metadata=metadata,
            )
        )

    def feedback(
        self,
        request: Any,
        response: Response | messages.Message | None,
        reward: float,
        truth: Any = None,
        *,
        timeout_s: float | None = None,
        metadata: Metadata = (),
    ) -> Response:
        """Tell the graph how good `response` was; see `AsyncClient.feedback`."""
        return self._run(
            self._client.feedback(request, response, reward, truth, timeout_s=timeout_s, metadata=metadata)
        )

    def model_metadata(self, name: str = "", *, timeout_s: float | None = None) -> dict[str, Any]:
        """What the node `name` says of itself; see `AsyncClient.model_metadata`."""
        return self._run(self._client.model_metadata(name, timeout_s=timeout_s))

    def graph_metadata(self, *, timeout_s: float | None = None) -> dict[str, Any]:
        """What all nodes say of themselves; see `AsyncClient.graph_metadata`."""
        return self._run(self._client.graph_metadata(timeout_s=timeout_s))

    def ready(self, timeout_s: float = 5.0) -> bool:
        """Whether the server is there and says that it can serve."""
        return self._run(self._client.ready(timeout_s))

    def wait_ready(self, timeout_s: float = 30.0) -> None:
        """Wait until `ready`. Raises `errors.DeadlineError`."""
        self._run(self._client.wait_ready(timeout_s))

    def close(self) -> None:
        """Close the connection and end the thread. Call it once or often."""
        with self._lock:
            self._closed = True
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None:
            asyncio.run_coroutine_threadsafe(self._client.close(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, call: Coroutine[Any, Any, Result]) -> Result:
        try:
            loop = self._running_loop()
        except BaseException:
            call.close()
            raise
        future = asyncio.run_coroutine_threadsafe(call, loop)
        try:
            return future.result()
        except BaseException:
            # Ctrl-C in the caller's thread: the call itself must end too.
            future.cancel()
            raise

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._closed:
                raise errors.RequestError(f"the client of {self._target} is closed")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_serve, args=(self._loop,), name=f"millrace client of {self._target}", daemon=True
                )
                self._thread.start()
            return self._loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
        loop.run_until_complete(_end_tasks())
    finally:
        loop.close()


async def _end_tasks() -> None:
    """Lets what is still under way when the client closes end before its loop does."""
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
