"""Owns calls to REST nodes: one node, its pooled connections, and what their failures mean.

Must not know a graph, nor how HTTP is written and read.
"""

import asyncio
import json
import logging
import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import quote

from executor import errors
from executor._native import budget as budgets
from executor._native import http1 as native
from executor._native import message as messages
from executor.protocol import seldon
from executor.rest import answers, calls, dial, http1
from executor.settings import Address, ServeLimits
from executor.status import Status, status_of_http
from executor.types import Encoding, Form, Keeps, Method, Mode

log = logging.getLogger("millrace.rest")

CONNECT_TIMEOUT_S = 30.0
"""As Go's client has it."""
_JSON = b"content-type: application/json\r\n"
_PUID = "seldon-puid"


class Context(Protocol):
    """What a call tells about the request it is part of; `_native.exits.Context` is one."""

    @property
    def puid(self) -> str: ...
    @property
    def fields(self) -> Iterable[tuple[bytes, bytes]]: ...
    def remaining(self) -> float | None: ...


class Pending(Protocol):
    """Who waits for a call's answer; `_native.exits.Pending` is one."""

    def answer(self, message: messages.Message, /) -> None: ...
    def fail(self, error: Exception, /) -> None: ...


Handler = Callable[[messages.Message, Context, Pending], calls.Call]
Headers = Sequence[tuple[str, str]]


class RestNode:
    """A node reached over HTTP/JSON: `handlers` are what the graph calls. Belongs to one event loop."""

    encoding = Encoding.SELDON_JSON
    takes_foreign = True
    """Whether it is sent HTTP bodies as they came, whatever is in them."""

    def __init__(
        self,
        address: Address,
        *,
        name: str = "",
        methods: Iterable[Method] = tuple(Method),
        limits: ServeLimits | None = None,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        tls: Callable[[], ssl.SSLContext] | None = None,
        memory: budgets.Budget | None = None,
    ) -> None:
        self.name = name
        self.look_timeout_s: float | None = None
        """Bounds asking for metadata and health, which belongs to no request; None: whoever asks gives up some time."""
        self.url = str(address)
        self._limit = (limits or ServeLimits()).max_message_bytes
        self.keeps = Keeps.NONE
        """Which compressed answers may go on as they are, where the client accepts their coding."""
        self._told = ""
        self._untried = address.scheme.is_tls
        """Whether it is asked over TLS, and has never answered."""
        self._prefix = quote(address.path, safe="/%:@!$&'()*+,;=~")
        self._site = calls.Site(address, self._limit, connect_timeout_s, tls, memory=memory)
        self.handlers: dict[Method, tuple[Mode, Handler]] = {
            method: (Mode.CALLBACK, self._handler(method)) for method in methods
        }

    async def metadata(self, headers: Headers = ()) -> Mapping[str, Any]:
        """The node's metadata. Raises `errors.NodeError`, also where it is not a JSON object."""
        reply = await self._look(seldon.NODE_REST_METADATA_PATH, headers)
        try:
            metadata = json.loads(reply.body)
        except (ValueError, RecursionError) as cause:
            raise self._no_metadata(f"not JSON: {cause}") from None
        if not isinstance(metadata, dict):
            raise self._no_metadata("not a JSON object")
        return metadata

    def _no_metadata(self, why: str) -> errors.NodeError:
        return errors.NodeError(f"metadata of {self._named}: {why}", status=Status.INTERNAL, node=self.name)

    async def metadata_text(self, headers: Headers = ()) -> messages.Message:
        """What the node answers for its metadata, whatever that is. Raises `errors.NodeError`."""
        return (await self._look(seldon.NODE_REST_METADATA_PATH, headers, Keeps.UNKNOWN)).message(self.encoding)

    async def status(self, headers: Headers = ()) -> messages.Message:
        """What the node says of its health. Raises `errors.NodeError`."""
        return (await self._look(seldon.NODE_REST_STATUS_PATH, headers, Keeps.UNKNOWN)).message(self.encoding)

    async def healthy(self) -> None:
        """Raises `errors.NodeError` unless the node says that it is well, as Seldon's executor asks it."""
        await self._look(seldon.NODE_REST_HEALTH_PATH)

    def report(self) -> list[tuple[str, str]]:
        """Address and state of each of its connections."""
        return self._site.report()

    async def close(self) -> None:
        """Closes the connections; calls under way fail. Call it once or often."""
        await self._site.close()

    @property
    def _named(self) -> str:
        return f"node {self.name!r} at {self.url}" if self.name else f"node at {self.url}"

    def _handler(self, method: Method) -> Handler:
        path = seldon.NODE_REST_PATHS[method]
        where = self._prefix + path
        head = self._site.head("POST", where)
        passed_on = method is not Method.ROUTE  # its answer is read here

        def call(message: messages.Message, context: Context, pending: Pending) -> calls.Call:
            def done(reply: http1.Reply | None, error: Exception | None) -> None:
                if reply is not None:
                    self._told, self._untried = "", False
                if reply is not None and reply.status == 200:
                    pending.answer(reply.message(self.encoding))
                elif reply is not None:
                    pending.fail(self._refusal(path, reply, passed_on))
                else:
                    pending.fail(self._failure(path, error))

            remaining = context.remaining()
            if remaining is not None and remaining <= 0:
                raise self._late(path, remaining)
            fields = context.fields
            lines, coded = native.header_lines(fields, context.puid, remaining, self.keeps is not Keeps.NONE)
            kind = _kind_of(message, fields)
            keeps = self.keeps if coded and passed_on else Keeps.NONE
            request = calls.Request("POST", where, lines, kind, calls.body_of(message), keeps)
            return calls.Call(self._site, request, done, head)

        return call

    async def _look(self, path: str, headers: Headers = (), keeps: Keeps = Keeps.NONE) -> http1.Reply:
        fields = [(name.encode(), value.encode("latin-1")) for name, value in headers]
        lines, coded = native.header_lines(fields, "", None, keeps is not Keeps.NONE)
        lines += b"".join(b"seldon-puid: %b\r\n" % value.encode("latin-1") for name, value in headers if name == _PUID)
        future: asyncio.Future[http1.Reply] = asyncio.get_running_loop().create_future()

        def done(reply: http1.Reply | None, error: Exception | None) -> None:
            if future.done():
                return
            if reply is not None:
                future.set_result(reply)
            else:
                future.set_exception(self._failure(path, error))

        where, keeps = self._prefix + path, keeps if coded else Keeps.NONE
        call = calls.Call(self._site, calls.Request("GET", where, lines, b"", None, keeps), done)
        try:
            async with asyncio.timeout(self.look_timeout_s):
                reply = await future
        except TimeoutError:
            raise self._late(path, self.look_timeout_s) from None
        finally:
            call.cancel()
        if reply.status != 200:
            raise self._refusal(path, reply)
        return reply

    def _refusal(self, path: str, reply: http1.Reply, passed_on: bool = True) -> errors.NodeError:
        """The error for any answer but 200, which a client gets with its status and, mostly, its body."""
        grpc_status = status_of_http(reply.status)
        return errors.NodeError(
            f"Internal service call from executor failed calling {self.url}{path} "
            f"status code {reply.status}{_said(reply.body)}",
            status=Status.UNKNOWN if grpc_status is Status.OK else grpc_status,
            http_status=reply.status,
            node=self.name,
            body=reply.body if passed_on else None,
            body_type=reply.content_type,
        )

    def _failure(self, path: str, cause: Exception | None) -> errors.Error:
        """What went wrong below HTTP, in words for the caller."""
        if isinstance(cause, errors.Error):
            return cause
        if isinstance(cause, http1.TooLargeError):
            return errors.LimitError(
                f"answer of {self._named} is larger than the {self._limit} bytes allowed", node=self.name
            )
        if isinstance(cause, http1.NoMemoryError):
            return errors.LimitError(f"answer of {self._named}: {cause}", node=self.name)
        if isinstance(cause, ssl.SSLError):
            text = f"TLS failed: {dial.tls_words(cause)}"
        elif isinstance(cause, OSError):
            text = cause.strerror or str(cause) or type(cause).__name__
        else:
            text = str(cause)
        notes = "".join(f" ({note})" for note in getattr(cause, "__notes__", ()))
        if self._untried and isinstance(cause, ConnectionResetError | http1.ProtocolError):
            # Which is all that is seen of a server that refuses after the handshake.
            notes += " (over TLS: does it require a client certificate (--node-cert), or another one?)"
        if text != self._told:  # once until it answers again
            self._told = text
            log.warning("%s: %s%s", self._named, text, notes)
        # 500, not 503: what Seldon's executor answers when a node cannot be reached.
        told = f"call of {self._named} failed: {path}: {text}{notes}"
        error = errors.NodeError(told, http_status=500, node=self.name)
        error.__cause__ = cause
        return error

    def _late(self, path: str, timeout_s: float | None) -> errors.DeadlineError:
        left = f"{max(timeout_s or 0.0, 0.0):.3g} s"
        return errors.DeadlineError(f"{self._named} did not answer {path} within the {left} left", node=self.name)


def _kind_of(message: messages.Message, fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The header lines that say what a body is: the type it came with. Of one from outside, its coding too."""
    if message.form != Form.FOREIGN:
        return _JSON if message.kind is None else answers.lines_of(answers.typed(message))
    wanted = (b"content-type", b"content-encoding")
    return b"".join(b"%b: %b\r\n" % field for field in fields if field[0] in wanted)


def _said(body: bytes) -> str:
    """`: <info>` from a Seldon-form error body, for callers that do not get to see the body itself."""
    try:
        info = json.loads(body)["status"]["info"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""
    return f": {info}" if isinstance(info, str) and info else ""
