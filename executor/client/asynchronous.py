"""Owns the asyncio client: the calls of Seldon's external gRPC API, over one channel.

Must not know HTTP/2; the channel does. Belongs to the event loop in which it is first used.
"""

import asyncio
import ssl
import uuid
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from executor import errors
from executor._native import message as messages
from executor.client.payload import Response, feedback_message, request_message
from executor.protocol import seldon, seldon_metadata
from executor.rpc import channels
from executor.settings import NodeTlsSettings, parse_target
from executor.status import Status
from executor.tls import HTTP2, client_context

Metadata = Iterable[tuple[str, str]]

HEALTH_PATH = "/grpc.health.v1.Health/Check"
_SERVING = b"\x08\x01"
"""A HealthCheckResponse that says SERVING."""
_RETRY_S = 0.05


class AsyncClient:
    """Asks a graph, or a node, that is served over gRPC at `target`: `HOST:PORT` or `unix:/PATH`.

    `timeout_s` is the deadline of calls that name none (None: none at all). `tls` asks for TLS: True, or a context of
    one's own, which is set to ALPN h2. So do the PEM files `ca`, of the server's CAs (default: the system's), and
    `cert` with its `key`, to show to the server. Use it in `async with`, or close it.
    Every call may raise `errors.Error` with the server's `status` and message, `errors.DeadlineError` when time is
    up, `errors.NodeError` where nobody answers.
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
        self._address = parse_target(target)
        context = _context(tls, NodeTlsSettings(ca, cert, key))
        self._tls = None if context is None else lambda: context
        self._timeout_s = timeout_s
        self._channel: channels.Channel | None = None
        self._closed = False

    async def predict(
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
        """Take `data` through the graph.

        `data`: numbers as an array of any shape, by custom (rows, columns); a list, str, bytes or dict; or a whole
        `Message`. `kind` says as what it is sent; by default arrays go as `tensor` (float64), lists as `ndarray`,
        str as `strData`, bytes as `binData`, dicts as `jsonData`; `tftensor` keeps an array's dtype. `names` are
        those of the columns. `tags` and `meta` (in JSON form) go along. `puid` is the request's id, made up when
        not given; `metadata` are gRPC metadata. Raises `errors.EncodeError` for data that cannot be sent.
        """
        if tags:
            meta = {**(meta or {}), "tags": {**(meta or {}).get("tags", {}), **tags}}
        message = request_message(data, names, meta, kind)
        return await self._ask("/seldon.protos.Seldon/Predict", message, puid, timeout_s, metadata)

    async def feedback(
        self,
        request: Any,
        response: Response | messages.Message | None,
        reward: float,
        truth: Any = None,
        *,
        timeout_s: float | None = None,
        metadata: Metadata = (),
    ) -> Response:
        """Tell the graph how good `response` was; it goes the way that the response says it took.

        `request` is what was asked, None for what the response remembers; `truth` what would have been right. Both
        may be data, as in `predict`, or messages. `reward` is a number, by custom from 0 to 1.
        """
        message = feedback_message(request, response, reward, truth)
        puid = response.puid if isinstance(response, Response) else None
        return await self._ask("/seldon.protos.Seldon/SendFeedback", message, puid, timeout_s, metadata)

    async def model_metadata(self, name: str = "", *, timeout_s: float | None = None) -> dict[str, Any]:
        """What the node `name` says of itself: name, versions, platform, inputs, outputs, custom."""
        request = messages.Message(seldon_metadata.encode_request(name))
        answer = await self._call("/seldon.protos.Seldon/ModelMetadata", request, timeout_s)
        return seldon_metadata.decode_model(bytes(answer))

    async def graph_metadata(self, *, timeout_s: float | None = None) -> dict[str, Any]:
        """What all nodes say of themselves: name, models, graphinputs, graphoutputs."""
        answer = await self._call("/seldon.protos.Seldon/GraphMetadata", messages.Message(b""), timeout_s)
        return seldon_metadata.decode_graph(bytes(answer))

    async def ready(self, timeout_s: float = 5.0) -> bool:
        """Whether the server is there and says that it can serve. One without a health service is ready when there."""
        try:
            answer = await self._call(HEALTH_PATH, messages.Message(b""), timeout_s)
        except errors.Error as error:
            return error.status is Status.UNIMPLEMENTED
        return _SERVING in bytes(answer)

    async def wait_ready(self, timeout_s: float = 30.0) -> None:
        """Wait until `ready`. Raises `errors.DeadlineError`."""
        try:
            async with asyncio.timeout(timeout_s):
                while not await self.ready():  # noqa: ASYNC110 - what changes is in another process
                    await asyncio.sleep(_RETRY_S)
        except TimeoutError:
            raise errors.DeadlineError(f"{self._address.target} is not ready after {timeout_s:g} s") from None

    async def close(self) -> None:
        """Close the connection. Call it once or often."""
        self._closed = True
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _ask(
        self, path: str, message: messages.Message, puid: str | None, timeout_s: float | None, metadata: Metadata
    ) -> Response:
        headers = list(metadata)
        if puid is None:
            puid = next((value for name, value in headers if name.lower() == seldon.PUID), None)
        if puid is None:
            puid = str(uuid.uuid4())
        headers = [header for header in headers if header[0].lower() != seldon.PUID]
        headers.append((seldon.PUID, puid))
        return Response(await self._call(path, message, timeout_s, headers), puid, message)

    async def _call(
        self, path: str, message: messages.Message, timeout_s: float | None, headers: Sequence[tuple[str, str]] = ()
    ) -> messages.Message:
        if self._closed:
            raise errors.RequestError(f"the client of {self._address.target} is closed")
        if self._channel is None:
            self._channel = channels.Channel(self._address.target, tls=self._tls)
        left_s = self._timeout_s if timeout_s is None else timeout_s
        return await self._channel.call(path, message, headers, left_s)


def _context(tls: bool | ssl.SSLContext, files: NodeTlsSettings) -> ssl.SSLContext | None:
    if isinstance(tls, ssl.SSLContext):
        if files != NodeTlsSettings():
            raise errors.RequestError("tls: give a context, or files, not both")
        tls.set_alpn_protocols([HTTP2])
        return tls
    if files.key is not None and files.cert is None:
        raise errors.RequestError("key: needs cert as well")
    return client_context(files, HTTP2) if tls or files != NodeTlsSettings() else None
