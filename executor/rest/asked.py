"""Owns one request on its way through the REST front: what is known of it, and its span where the flow writes none.

Must not serve it.
"""

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from executor import errors
from executor._native import errand, tracer
from executor.protocol.table import Route
from executor.rest import body as bodies
from executor.rest import headers

Headers = Sequence[tuple[str, str]]


class Spans(Protocol):
    """Begins the span of a request that does not run through the plan."""

    def span_of(self, label: tracer.Label, headers: Headers, began: float = 0) -> errand.Errand: ...


@dataclass(slots=True)
class Request:
    """One request."""

    route: Route
    name: str
    """Node that the path names; the front's own node where it names none."""
    scope: MutableMapping[str, Any]
    receive: bodies.Receive
    head: headers.Head
    puid: str | None
    began: float
    label: tracer.Label | None = None
    """What its span begins with; None: it has none."""
    running: bool = False
    """Whether the request path has it, which sees to its span."""
    times: list[str] = field(default_factory=list)
    """Where its time went, once it is over, if that was asked."""
    _span: errand.Errand | None = None

    @property
    def headers(self) -> Headers:
        """What nodes get of it."""
        return self._own if self._span is None else self._span.headers

    def trace(self, spans: Spans) -> None:
        """Its span begins, where it has one: nodes that are asked for it go on with that."""
        if self.label is not None:
            self._span = spans.span_of(self.label, self._own, self.began)

    def traced(self, spans: Spans, status: int, failed: errors.Error | None = None) -> None:
        """It is over, with this status. Its span is written, unless the request path sees to that."""
        if self.label is not None and not self.running:
            span = self._span or spans.span_of(self.label, self._own, self.began)
            span.end(status, failed, self.puid)

    @property
    def _own(self) -> Headers:
        puid = [] if self.puid is None else [("seldon-puid", self.puid)]
        return [*self.head.forwarded, *puid]
