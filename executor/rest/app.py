"""Owns the REST front: an ASGI application that turns paths of a protocol into requests of the one request path.

Must not parse payloads, and must not know a protocol's paths or bodies: those come with its `RestTable`.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import Any, Protocol
from urllib.parse import parse_qs, quote

from executor import errors
from executor._native import budget as budgets
from executor._native import message as messages
from executor._native import tracer
from executor.protocol.table import Action, RestTable, Route
from executor.rest import answers, docs, headers
from executor.rest import body as bodies
from executor.rest.answers import RawHeaders, Reply, Site, json_text
from executor.rest.asked import Request
from executor.rest.plain import Journal, Meter, Routes, Starter, tell_end
from executor.rest.routing import Router, clean_path
from executor.settings import ServeLimits
from executor.types import Encoding, Form, Method, Walk

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = Sequence[tuple[str, str]]

log = logging.getLogger(__name__)

CONNECTION = "millrace.connection"
"""Name of the scope extension through which `executor.rest.connection` learns which task to cancel."""
DISCARD_BYTES = 1 << 20
DISCARD_S = 2.0
"""How much, and for how long, of a refused body is read on, so that its sender gets to see the answer."""

_RETRY = (b"retry-after", b"1")
_LEFT = 499
"""Whoever left, or was cut off: nobody is answered that."""


Scrape = Callable[[str], Awaitable[tuple[str, bytes]]]
"""Is given an Accept header, and answers the content type and text of what is counted."""


class Answer(Protocol):
    """What the request path answers."""

    @property
    def message(self) -> messages.Message: ...
    @property
    def puid(self) -> str: ...


class Inference(Starter, Protocol):
    """What the front needs of the request path; `executor.inference` is one."""

    @property
    def takes_foreign(self) -> bool: ...
    async def healthy(self) -> bool: ...
    async def health(self) -> Mapping[str, Any]: ...

    async def run(
        self,
        walk: Walk,
        method: Method,
        message: messages.Message,
        *,
        headers: Headers = (),
        puid: str | None = None,
        timeout_s: float | None = None,
        timed: Callable[[str], object] | None = None,
        label: tracer.Label | None = None,
    ) -> Answer: ...

    async def metadata_text(self, name: str, headers: Headers = ()) -> messages.Message: ...
    async def graph_metadata(self, headers: Headers = ()) -> Mapping[str, Any]: ...
    async def node_status(self, name: str, headers: Headers = ()) -> messages.Message: ...


class App:
    """The front, as an ASGI application. `node` is the name of the one node of a node server; `own` are further
    actions.
    """

    def __init__(
        self,
        inference: Inference,
        table: RestTable,
        *,
        limits: ServeLimits | None = None,
        default_timeout_s: float | None = None,
        budget: budgets.Budget | None = None,
        node: str = "",
        site: Site | None = None,
        scrape: Scrape | None = None,
        own: Mapping[Action, Callable[[Any], Awaitable[Reply]]] | None = None,
    ) -> None:
        self.meters: Mapping[str, Mapping[str, Meter]] = {}
        self.labels: Mapping[str, Mapping[str, tracer.Label]] = {}
        self.on_refused: Callable[[str], object] = unheard
        """Is told the reason for each request or connection that is refused: message, connections, slow or unread."""
        self._scrape = scrape
        self._journal: Journal | None = None
        self.draining = False
        self._inference = inference
        self._table = table
        self._limits = limits or ServeLimits()
        self._default_timeout_s = default_timeout_s
        self.budget = budget or budgets.Budget()
        """What bodies are charged to."""
        self._node = node
        self._router = Router(table)
        self._site = site or Site()
        self._shared = {route: answers.shared_headers(table, route, self._site) for route in table.routes}
        self._pages = docs.pages(table, self._site)
        self._short = Routes(table, inference, default_timeout_s, self._site)
        self.plain = self._short.plain
        """The short way of plain requests, which `executor.rest.connection` tries first."""
        self._actions: dict[Action, Callable[[Request], Awaitable[Reply]]] = {
            Action.RUN: self._run,
            Action.MODEL_METADATA: self._model_metadata,
            Action.GRAPH_METADATA: self._graph_metadata,
            Action.STATUS: self._status,
            Action.READY: self._ready,
            Action.LIVE: self._live,
            Action.PING: self._ping,
            Action.METRICS: self._metrics,
            Action.DOC: self._doc,
            **(own or {}),
        }

    def tell(self, journal: Journal | None) -> None:
        """Has the log told of requests that are over from now on; with None, it is not."""
        self._journal = self._short.journal = journal

    def count(self, meters: Mapping[str, Mapping[str, Meter]]) -> None:
        """Counts requests in `meters`, by verb and the path of their route, from now on."""
        self.meters = meters
        self._short.meters = meters.get("POST", {})

    def trace(self, labels: Mapping[str, Mapping[str, tracer.Label]]) -> None:
        """Spans of requests begin with `labels`, by verb and the path of their route, from now on."""
        self.labels = labels
        self._short.labels = labels.get("POST", {})

    async def __call__(self, scope: Scope, receive: bodies.Receive, send: Send) -> None:
        """Serve one HTTP request, as ASGI has it."""
        connection = scope.get("extensions", {}).get(CONNECTION)
        if connection is not None:
            connection.running = asyncio.current_task()
        try:
            await self._serve(scope, receive, send)
        except bodies.Disconnected:
            return
        except asyncio.CancelledError:
            if connection is None:
                raise
            # Whoever hung up gets no answer; whoever is cut off by a shutdown gets one.
            if not connection.may_answer:
                return
            error = errors.NodeError("the server is stopping", http_status=503)
            await _send(send, self._failure(error), [answers.CLOSE])
        finally:
            if connection is not None:
                connection.running = None

    async def _serve(self, scope: Scope, receive: bodies.Receive, send: Send) -> None:
        verb, path = scope["method"], scope["path"]
        route, name = self._router.find(path)
        if self._table.flask and verb in ("HEAD", "OPTIONS"):
            if verb == "OPTIONS":
                await _send(send, Reply(200, b"", ()), answers.preflight(scope["headers"], self._site))
                return
            verb, scope, send = "GET", {**scope, "method": "GET"}, _without_body(send)
        if route is None or (route.verbs and verb not in route.verbs):
            reply, extra = self._unknown(route, verb, path, scope)
            told = f"{verb} is not allowed here" if reply.status == 405 else "no such path"
            self._tell(scope, reply, time.monotonic(), None, errors.RequestError(told))
            await _send(send, reply, [*extra, *answers.open_to_pages(self._table, self._site)])
            return
        shared = self._shared[route]
        if verb == "OPTIONS":
            await _send(send, Reply(200, b"", ()), shared)
            return
        began = time.monotonic()
        head = headers.Head(scope["headers"])
        puid = head.puid or (self._inference.new_puid() if self._table.puid else None)
        extra = self._extra(shared, head, puid, scope)
        label = self.labels.get(verb, {}).get(route.path)
        request = Request(route, name or self._node, scope, receive, head, puid, began, label)
        if route.action is not Action.RUN:
            request.trace(self._inference)
        failed: errors.Error | None = None
        try:
            reply = await self._actions[route.action](request)
        except errors.Error as error:
            failed = error
            if isinstance(error, bodies.NoMemoryError):
                extra = [*extra, _RETRY]
            if error.http_status == 413 or isinstance(error, bodies.NoMemoryError):
                self.on_refused("message")
                reply = self._failure(error)
                self._over(request, reply, failed)
                await self._refuse_body(receive, send, reply, extra)
                return
            reply = self._failure(error)
        except (bodies.Disconnected, asyncio.CancelledError):
            request.traced(self._inference, _LEFT)
            raise
        except Exception as cause:
            log.exception("%s %s failed", verb, path)
            failed = answers.internal(cause)
            reply = self._failure(failed)
        self._over(request, reply, failed)
        await _send(send, reply, [*extra, *map(answers.timing, request.times)])

    def _over(self, request: Request, reply: Reply, failed: errors.Error | None) -> None:
        """It is counted, traced and told before it is answered."""
        scope = request.scope
        meter = self.meters.get(scope["method"], {}).get(request.route.path)
        if meter is not None:
            meter.since(reply.status, request.began)
        request.traced(self._inference, reply.status, failed)
        self._tell(scope, reply, request.began, request.puid, failed)

    def _tell(self, scope: Scope, reply: Reply, began: float, puid: str | None, failed: errors.Error | None) -> None:
        if self._journal is not None and (failed is not None or self._journal.access):
            size = dict(scope["headers"]).get(b"content-length", b"0")
            came = int(size) if size.isdigit() and len(size) < 19 else 0
            tell_end(self._journal, reply.status, began, scope["raw_path"], puid, came, len(reply.body), failed)

    # --- actions ----------------------------------------------------------------------------------------------

    async def _run(self, request: Request) -> Reply:
        with self.budget.hold() as held:
            return await self._run_holding(request, held)

    async def _run_holding(self, request: Request, held: budgets.Hold) -> Reply:
        route, head = request.route, request.head
        limit = self._limits.max_message_bytes
        timeout_s = self._default_timeout_s if head.timeout is None else headers.parse_timeout(head.timeout)
        text = came = await bodies.read(request.receive, head, limit, held)
        form, forwarded, kind = route.form, head.forwarded, None
        query = request.scope["query_string"]
        asked = bodies.query_json(query, head, came) if self._table.flask else None
        if asked is not None:
            text = asked
        elif self._table.flask and head.content_type is None:
            raise bodies.no_json("no Content-Type; ")
        elif self._inference.takes_foreign and self._is_foreign(route, head):
            form, forwarded = Form.FOREIGN, [*head.forwarded, *head.of_body]
            kind = head.content_type or (None if head.content_encoding else "application/json")
        else:
            text = bodies.json_text(text, head, limit)
            text = text.removeprefix(bodies.MARK) if self._table.flask else text
        message = messages.Message(text, route.encoding, form, kind)
        request.running = True
        answer = await self._inference.run(
            route.walk,
            route.method,
            message if text is came or head.content_encoding is None else message.inflated(),
            headers=forwarded,
            puid=request.puid,
            timeout_s=timeout_s,
            timed=None if head.timing is None else request.times.append,
            label=request.label,
        )
        if answer.message.form == Form.FOREIGN and head.content_encoding is not None:  # it came back as it went in
            told = tuple((name.encode(), value.encode("latin-1")) for name, value in head.of_body)
            return Reply(200, bytes(answer.message), told)
        return self._passed_on(answer.message, route.status_of)

    @staticmethod
    def _is_foreign(route: Route, head: headers.Head) -> bool:
        """Whether nodes that take any body get it as it came, also without a type. Feedback tells its way."""
        untyped = head.content_type is None and route.walk is Walk.PREDICT
        return route.walk is not Walk.CALL and (untyped or not head.is_plain_json)

    def _passed_on(self, answer: messages.Message, status_of: Callable[[bytes], int] | None = None) -> Reply:
        body = answers.text_of(answer, self._table)
        return Reply(status_of(body) if status_of else 200, body, answers.typed(answer))

    async def _model_metadata(self, request: Request) -> Reply:
        return self._passed_on(await self._inference.metadata_text(request.name, request.headers))

    async def _graph_metadata(self, request: Request) -> Reply:
        told = json_text(await self._inference.graph_metadata(request.headers))
        return Reply(200, answers.written(told, self._table))

    async def _status(self, request: Request) -> Reply:
        answer = await self._inference.node_status(request.name, request.headers)
        if answer.encoding != Encoding.SELDON_JSON:
            raise errors.Error(f"status of node {request.name!r} came in encoding {answer.encoding}, not as JSON")
        return self._passed_on(answer)

    async def _ready(self, request: Request) -> Reply:
        if "verbose" in parse_qs(request.scope["query_string"].decode("latin-1"), keep_blank_values=True):
            found: Mapping[str, Any] = await self._inference.health()
            if self.draining:
                found = {**found, "ready": False, "why": "draining"}
            return Reply(200 if found["ready"] else 503, json_text(found))
        return Reply(200 if not self.draining and await self._inference.healthy() else 503, b"", ())

    async def _live(self, request: Request) -> Reply:
        return Reply(200, b"", ())

    async def _ping(self, request: Request) -> Reply:
        return Reply(200, b"pong", (answers.PONG,))

    async def _metrics(self, request: Request) -> Reply:
        if self._scrape is None:
            return Reply(404, b"nothing is counted here\n", (answers.TEXT,))
        accept = [value.decode("latin-1") for name, value in request.scope["headers"] if name == b"accept"]
        kind, text = await self._scrape(", ".join(accept))
        return Reply(200, text, ((b"content-type", kind.encode()),))

    async def _doc(self, request: Request) -> Reply:
        found = self._pages.get(request.name if request.name != self._node else "")
        if found is None:
            return Reply(404, b"404 page not found\n", (answers.TEXT,))
        return found

    # --- what is not served -----------------------------------------------------------------------------------

    def _unknown(self, route: Route | None, verb: str, path: str, scope: Scope) -> tuple[Reply, RawHeaders]:
        """The answer to a path that is not served, or not with this verb."""
        table = self._table
        cleaned = clean_path(path)
        if route is None and cleaned != path and table.unknown_status is None:
            query = scope.get("query_string", b"")
            location = quote(cleaned).encode() + (b"?" + query if query else b"")
            return Reply(301, b"", ()), [(b"location", location)]
        posts = frozenset(("OPTIONS", "POST"))
        wrong_verb = route is not None or (verb not in posts and path.startswith(table.post_prefixes or ("\0",)))
        if wrong_verb:
            allowed = ", ".join(sorted(route.verbs if route is not None else posts))
            text, status, extra = f"{verb} {path}: allowed are {allowed}", 405, [(b"allow", allowed.encode())]
        else:
            text, status, extra = f"{path}: no such path", 404, []
        error = errors.RequestError(
            text,
            http_status=table.unknown_status or status,
            reason="MICROSERVICE_INTERNAL_ERROR" if table.unknown_status else None,
        )
        if wrong_verb and not table.unknown_has_body:
            return Reply(status, b"", ()), extra
        return self._failure(error), extra

    def _failure(self, error: errors.Error) -> Reply:
        return answers.failure(self._table, error)

    def _extra(self, shared: RawHeaders, head: headers.Head, puid: str | None, scope: Scope) -> RawHeaders:
        """The headers that the answer carries whatever it is."""
        if not self._table.puid or puid is None:
            return shared
        extra = [*shared, (b"seldon-puid", puid.encode("latin-1"))]
        if head.is_event:
            extra += answers.cloud_event(self._site, scope["raw_path"], puid)
        return extra

    async def _refuse_body(self, receive: bodies.Receive, send: Send, reply: Reply, extra: RawHeaders) -> None:
        """Answers before the body is read, then reads on a little: a close with bytes unread would lose the answer."""
        await _send(send, reply, [*extra, answers.CLOSE], more_body=True)
        try:
            async with asyncio.timeout(DISCARD_S):
                await bodies.discard(receive, DISCARD_BYTES)
        except TimeoutError:
            log.debug("a refused body did not end within %s s", DISCARD_S)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def unheard(reason: str) -> None:
    """Takes a reason that nobody counts."""


def _without_body(send: Send) -> Send:
    """The answer to HEAD: all that GET would be answered with, but for the body."""

    async def bare(event: MutableMapping[str, Any]) -> None:
        await send({**event, "body": b""} if event["type"] == "http.response.body" else event)

    return bare


async def _send(send: Send, reply: Reply, extra: Iterable[tuple[bytes, bytes]] = (), more_body: bool = False) -> None:
    sent = [*reply.headers, *extra]
    if reply.status not in (204, 304):
        sent.append((b"content-length", str(len(reply.body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": sent})
    await send({"type": "http.response.body", "body": reply.body, "more_body": more_body})
