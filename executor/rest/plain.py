"""Owns the short way of a request: from a whole, plain POST to its answer's bytes, without ASGI, Task or future.

Must not answer anything otherwise than `app` does: what is not plain, or not JSON, goes there.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from executor import errors
from executor._native import errand, http1, tracer
from executor._native import message as messages
from executor.protocol.table import Action, RestTable, Route
from executor.rest import answers, headers
from executor.types import Method, Walk

log = logging.getLogger(__name__)

_JSON_LINE = answers.lines_of([answers.JSON])

Tell = Callable[[int, bytes, bytes], object]
"""Takes a status, header lines and a body."""


class Running(Protocol):
    """A request that runs."""

    def cancel(self) -> None: ...


class Starter(Protocol):
    """What is needed of the request path."""

    @property
    def takes_foreign(self) -> bool: ...
    def new_puid(self) -> str: ...
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
        label: tracer.Label | None = None,
    ) -> Running: ...
    def span_of(
        self, label: tracer.Label, headers: Sequence[tuple[str, str]] | http1.Fields, began: float = 0
    ) -> errand.Errand: ...


class Meter(Protocol):
    """What counts requests."""

    def since(self, code: int, began: float) -> None: ...


class Journal(Protocol):
    """What is told of requests that are over."""

    @property
    def access(self) -> bool: ...
    def ended(
        self,
        status: int,
        began: float,
        path: bytes,
        puid: bytes | None,
        came: int,
        went: int,
        node: bytes | None = None,
        text: bytes | None = None,
    ) -> None: ...


def tell_end(
    journal: Journal,
    status: int,
    began: float,
    path: bytes,
    puid: str | None,
    came: int,
    went: int,
    failed: errors.Error | None = None,
) -> None:
    """Says that a request is over, and why it failed if it did."""
    named = None if puid is None else puid.encode("latin-1", "replace")
    if failed is None:
        journal.ended(status, began, path, named, came, went)
        return
    node = failed.node.encode("utf-8", "replace") if failed.node else None
    journal.ended(status, began, path, named, came, went, node, failed.message.encode("utf-8", "replace"))


class Routes:
    """The routes of a table that can go the short way, by path, with the header lines of their answers."""

    def __init__(self, table: RestTable, starter: Starter, default_timeout_s: float | None, site: answers.Site) -> None:
        self.table = table
        self.starter = starter
        self.default_timeout_s = default_timeout_s
        self.meters: Mapping[str, Meter] = {}
        """What counts POSTs, by the path of their route."""
        self.journal: Journal | None = None
        """What is told of requests that are over."""
        self.labels: Mapping[str, tracer.Label] = {}
        """What their spans begin with."""
        self._routes = {
            route.path.encode(): (route, answers.lines_of(answers.shared_headers(table, route, site)))
            for route in table.routes
            if route.action is Action.RUN and "POST" in route.verbs
        }

    def plain(self, request: http1.PlainRequest) -> "Plain | None":
        """The request on its short way, not started; None when it must go the long one."""
        found = self._routes.get(request.path)
        if found is None or not self._is_json(request.content_type, found[0]):
            return None
        return Plain(self, *found, request)

    def _is_json(self, content_type: str | None, route: Route) -> bool:
        """Whether the body is JSON to us. One without a type goes to nodes that take any as it came."""
        if content_type is not None:
            return content_type == "application/json"
        return not self.table.flask and not (route.walk is Walk.PREDICT and self.starter.takes_foreign)


class Plain:
    """One request: `start` it; its answer is told once, unless it is cancelled."""

    __slots__ = ("_began", "_came", "_lines", "_puid", "_request", "_route", "_routes", "_running", "_tell")

    def __init__(self, routes: Routes, route: Route, lines: bytes, request: http1.PlainRequest) -> None:
        self._routes = routes
        self._route = route
        self._request = request
        self._began = 0.0
        self._came = 0
        self._puid = request.puid
        self._lines = lines
        if routes.table.puid:
            self._puid = self._puid or routes.starter.new_puid()
            self._lines = b"%bseldon-puid: %b\r\n" % (lines, self._puid.encode("latin-1", "replace"))
        self._running: Running | None = None
        self._tell: Tell | None = None

    def start(self, tell: Tell) -> None:
        """Begins; `tell` may be called before this returns."""
        routes, route, request = self._routes, self._route, self._request
        self._tell = tell
        self._began = time.monotonic()
        try:
            timeout_s = routes.default_timeout_s
            if request.timeout is not None:
                timeout_s = self._timeout(request.timeout)
            message = request.message(route.encoding, route.form, routes.table.flask)
            self._came = len(message)
            self._running = routes.starter.start(
                route.walk,
                route.method,
                message,
                self._done,
                headers=request,
                puid=self._puid,
                timeout_s=timeout_s,
                timed=self._timed if request.timed else None,
                label=routes.labels.get(route.path),
            )
        except Exception as error:
            self._done(None, error)

    def cancel(self) -> None:
        """Nobody waits any more."""
        self._tell = None
        if self._running is not None:
            self._running.cancel()

    def cut_off(self) -> None:
        """Ends it now, with an answer that says why."""
        if self._running is not None:
            self._running.cancel()
        self._done(None, errors.NodeError("the server is stopping", http_status=503))

    def _timeout(self, text: str) -> float | None:
        """The only thing that is refused here; all else that may be is the request path's to trace."""
        try:
            return headers.parse_timeout(text)
        except errors.Error as error:
            label = self._routes.labels.get(self._route.path)
            if label is not None:
                span = self._routes.starter.span_of(label, self._request, self._began)
                span.end(label.status(error), error, self._puid)
            raise

    def _timed(self, text: str) -> None:
        self._lines += answers.lines_of([answers.timing(text)])

    def _done(self, answer: messages.Message | None, error: Exception | None) -> None:
        tell, self._tell = self._tell, None
        if tell is None:
            return
        try:
            if answer is not None:
                self._answer(tell, answer)
                return
        except Exception as cause:
            error = cause
        known = self._known(error or errors.Error("no answer"))
        reply = answers.failure(self._routes.table, known)
        self._count(reply.status)
        self._tell_end(reply.status, len(reply.body), known)
        tell(reply.status, answers.lines_of([*reply.headers]) + self._lines, reply.body)

    def _answer(self, tell: Tell, answer: messages.Message) -> None:
        table, route = self._routes.table, self._route
        body = answers.text_of(answer, table)
        status = route.status_of(body) if route.status_of else 200
        typed = _JSON_LINE if answer.kind is None else answers.lines_of(answers.typed(answer))
        self._count(status)
        self._tell_end(status, len(body), None)
        tell(status, typed + self._lines, body)

    def _count(self, status: int) -> None:
        meter = self._routes.meters.get(self._route.path)
        if meter is not None:
            meter.since(status, self._began)

    def _tell_end(self, status: int, went: int, failed: errors.Error | None) -> None:
        journal = self._routes.journal
        if journal is not None and (failed is not None or journal.access):
            tell_end(journal, status, self._began, self._request.path, self._puid, self._came, went, failed)

    def _known(self, error: Exception) -> errors.Error:
        if isinstance(error, errors.Error):
            return error
        log.error("POST %s failed", self._route.path, exc_info=error)
        return answers.internal(error)
