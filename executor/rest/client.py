"""Owns calls to REST nodes: one node, its pooled connections, and what their failures mean.

Must not know a graph, nor retry: whether a request may be sent twice is not known here.
"""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol
from urllib.parse import quote, urljoin

from executor import errors
from executor._native import message as messages
from executor._native import tls as veils
from executor.protocol import seldon
from executor.rest import body as bodies
from executor.rest import headers, http1
from executor.settings import Address, ServeLimits
from executor.status import Status, status_of_http
from executor.types import Encoding, Method, Mode

CONNECT_TIMEOUT_S = 5.0
IDLE_TIMEOUT_S = 30.0
"""Shorter than servers' own bounds (gunicorn with threads: 2 s is the shortest common one, Go: none), so that a
connection is seldom used just as its peer closes it."""
CONNECTIONS_MAX = 128
"""To one node. Further calls wait for a free one, under their deadline."""
REDIRECTS_MAX = 4
_REDIRECTS = (301, 302, 303, 307, 308)
LOOK_TIMEOUT_S = 10.0
"""For metadata and status, which belong to no request."""


class Context(Protocol):
    """What a call tells about the request it is part of; `_native.exits.Context` is one."""

    @property
    def puid(self) -> str: ...
    @property
    def headers(self) -> Iterable[tuple[str, str]]: ...
    def remaining(self) -> float | None: ...


Handler = Callable[[messages.Message, Context], Awaitable[messages.Message]]


class RestNode:
    """A node reached over HTTP/JSON: `handlers` are what the graph calls. Belongs to one event loop."""

    encoding = Encoding.SELDON_JSON

    def __init__(
        self,
        address: Address,
        *,
        name: str = "",
        methods: Iterable[Method] = tuple(Method),
        limits: ServeLimits | None = None,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        tls: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        self.name = name
        self.url = str(address)
        self.handlers: dict[Method, tuple[Mode, Handler]] = {
            method: (Mode.ASYNC, self._handler(method)) for method in methods
        }
        self._limit = (limits or ServeLimits()).max_message_bytes
        self._host = address.authority
        self._scheme = address.scheme.value
        self._prefix = quote(address.path, safe="/%:@!$&'()*+,;=~")
        self._pool = http1.Pool(
            address,
            max_reply_bytes=self._limit,
            connections_max=CONNECTIONS_MAX,
            connect_timeout_s=connect_timeout_s,
            idle_s=IDLE_TIMEOUT_S,
            tls=tls,
        )

    async def metadata(self) -> Mapping[str, Any]:
        """The node's metadata. Raises `errors.NodeError`, or `errors.DecodeError` where it is not a JSON object."""
        body = await self._look(seldon.NODE_REST_METADATA_PATH)
        try:
            metadata = json.loads(body)
        except ValueError as cause:
            raise errors.DecodeError(f"metadata of {self._named}: not JSON: {cause}", node=self.name) from None
        if not isinstance(metadata, dict):
            raise errors.DecodeError(f"metadata of {self._named}: not a JSON object", node=self.name)
        return metadata

    async def status(self) -> messages.Message:
        """What the node says of its health. Raises `errors.NodeError`."""
        return messages.Message(await self._look(seldon.NODE_REST_STATUS_PATH), self.encoding)

    async def healthy(self) -> None:
        """Raises `errors.NodeError` unless the node says that it is well, as Seldon's executor asks it."""
        await self._look(seldon.NODE_REST_HEALTH_PATH)

    async def close(self) -> None:
        """Closes the connections; calls under way fail. Call it once or often."""
        await self._pool.close()

    @property
    def _named(self) -> str:
        return f"node {self.name!r} at {self.url}" if self.name else f"node at {self.url}"

    def _handler(self, method: Method) -> Handler:
        path = seldon.NODE_REST_PATHS[method]

        async def call(message: messages.Message, context: Context) -> messages.Message:
            remaining = context.remaining()
            sent = _outgoing(context, remaining)
            reply = await self._exchange("POST", path, sent, bytes(message), remaining)
            if reply.status != 200:
                raise self._refusal(path, reply, passed_on=method is not Method.ROUTE)
            return messages.Message(reply.body, self.encoding)

        return call

    async def _look(self, path: str) -> bytes:
        reply = await self._exchange("GET", path, "", None, LOOK_TIMEOUT_S)
        if reply.status != 200:
            raise self._refusal(path, reply)
        return reply.body

    async def _exchange(
        self, verb: str, path: str, sent: str, body: bytes | None, timeout_s: float | None
    ) -> http1.Reply:
        """One HTTP request, and where its answer redirects to within the node, more."""
        if timeout_s is not None and timeout_s <= 0:
            raise self._late(path, timeout_s)
        try:
            async with asyncio.timeout(timeout_s):
                where = self._prefix + path
                for _ in range(REDIRECTS_MAX):
                    reply = await self._pool.request(self._request(verb, where, sent, body))
                    if reply.status not in _REDIRECTS or reply.location is None:
                        return self._inflated(reply)
                    where = self._elsewhere(where, reply.location)
                    if reply.status not in (307, 308):
                        verb, body = "GET", None
        except TimeoutError as cause:
            if cause.errno is not None:  # the system's own, for a peer that has vanished
                raise self._failed(path, cause.strerror or str(cause)) from cause
            raise self._late(path, timeout_s) from None
        except http1.TooLargeError:
            raise self._too_large() from None
        except http1.ProtocolError as cause:
            raise self._failed(path, str(cause)) from cause
        except ssl.SSLError as cause:
            raise self._failed(path, f"TLS failed: {veils.words_of(cause)}") from cause
        except OSError as cause:
            raise self._failed(path, cause.strerror or str(cause) or type(cause).__name__) from cause
        raise self._failed(path, f"more than {REDIRECTS_MAX} redirects")

    def _request(self, verb: str, where: str, sent: str, body: bytes | None) -> tuple[bytes, ...]:
        """The bytes of a request. Compressed answers are not asked for: they would be inflated on the spot."""
        head = f"{verb} {where} HTTP/1.1\r\nHost: {self._host}\r\nAccept-Encoding: identity\r\n{sent}"
        if body is None:
            return (f"{head}\r\n".encode("latin-1", "replace"),)
        head = f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode("latin-1", "replace"), body

    def _inflated(self, reply: http1.Reply) -> http1.Reply:
        if reply.content_encoding is not None:
            try:
                reply.body = bodies.inflate(reply.body, reply.content_encoding.strip().lower(), self._limit)
            except errors.LimitError:
                raise self._too_large() from None
            except errors.Error as cause:
                raise http1.ProtocolError(cause.message) from None
        return reply

    def _elsewhere(self, where: str, location: str) -> str:
        """The path that a redirect leads to."""
        base = f"{self._scheme}://{self._host}"
        target = urljoin(base + where, location)
        if not target.startswith(base + "/"):
            raise http1.ProtocolError(f"it redirects to {target}, which is not this node")
        return quote(target.removeprefix(base), safe="/%:@!$&'()*+,;=~?")

    def _refusal(self, path: str, reply: http1.Reply, passed_on: bool = True) -> errors.NodeError:
        """The error for any answer but 200, which a client gets with its status and, mostly, its body."""
        grpc_status = status_of_http(reply.status)
        return errors.NodeError(
            f"Internal service call from executor failed calling {self.url}{path} "
            f"status code {reply.status}{_said(reply.body)}",
            status=Status.UNKNOWN if grpc_status is Status.OK else grpc_status,
            http_status=reply.status,
            node=self.name,
            body=reply.body if passed_on and reply.body else None,
            body_type=reply.content_type,
        )

    def _failed(self, path: str, text: str) -> errors.NodeError:
        # 500, not 503: what Seldon's executor answers when a node cannot be reached.
        return errors.NodeError(f"call of {self._named} failed: {path}: {text}", http_status=500, node=self.name)

    def _late(self, path: str, timeout_s: float | None) -> errors.DeadlineError:
        left = f"{max(timeout_s or 0.0, 0.0):.3g} s"
        return errors.DeadlineError(f"{self._named} did not answer {path} within the {left} left", node=self.name)

    def _too_large(self) -> errors.LimitError:
        return errors.LimitError(
            f"answer of {self._named} is larger than the {self._limit} bytes allowed", node=self.name
        )


def _outgoing(context: Context, remaining: float | None) -> str:
    """The header lines of a call: the request's own, as far as they travel, and ours."""
    lines = [f"{name}: {value}\r\n" for name, value in context.headers if _travels(name)]
    if context.puid:
        lines.append(f"Seldon-Puid: {context.puid}\r\n")
    if remaining is not None:
        lines.append(f"Millrace-Timeout: {max(remaining, 0.0):.6f}\r\n")
    sent = "".join(lines)
    if sent.count("\n") != len(lines) or sent.count("\r") != len(lines) or "\0" in sent:
        raise errors.RequestError("a header has a line break in it, and cannot be sent on to a REST node")
    return sent


def _travels(name: str) -> bool:
    """Whether a header goes on to an HTTP node. gRPC's own and binary metadata mean nothing there."""
    name = name.lower()
    return name not in headers.NOT_FORWARDED and not name.startswith((":", "grpc-")) and not name.endswith("-bin")


def _said(body: bytes) -> str:
    """`: <info>` from a Seldon-form error body, for callers that do not get to see the body itself."""
    try:
        info = json.loads(body)["status"]["info"]
    except (ValueError, TypeError, KeyError):
        return ""
    return f": {info}" if isinstance(info, str) and info else ""
