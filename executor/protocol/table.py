"""Owns the words in which a protocol says what its RPCs and REST paths mean.

Must not name any protocol's RPC or path: a protocol module fills these in, the fronts read them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from executor import errors
from executor.types import Encoding, Form, Method, Walk


class Action(Enum):
    """What a front does for an RPC or path."""

    RUN = "run"
    """Take the request through the plan."""
    MODEL_METADATA = "model metadata"
    """Of the node that the request names, or of the one node of a node server."""
    GRAPH_METADATA = "graph metadata"
    STATUS = "status"
    """Health status of one node, as the node words it."""
    LIVE = "live"
    """Always yes, with an empty body."""
    READY = "ready"
    """Whether requests can be served, with an empty body."""
    PING = "ping"
    """Always yes, with a text."""
    METRICS = "metrics"
    """What is counted, as Prometheus asks for it."""
    PAGE = "page"
    """A page that shows the graph at work."""
    NUMBERS = "numbers"
    """What that page shows."""
    LEVEL = "level"
    """The log level, shown and changed."""
    DOC = "doc"
    """What is served, told to people and programs: a page, or an OpenAPI document."""


@dataclass(frozen=True, slots=True)
class Rpc:
    """What one gRPC method means. `walk`, `method`, `form` and `encoding` are of use for `Action.RUN` alone."""

    service: str
    """Full name of the service."""
    name: str
    """Name of the method in the service."""
    action: Action = Action.RUN
    walk: Walk = Walk.CALL
    method: Method = Method.PREDICT
    form: Form = Form.MESSAGE
    """Form of the request; every answer has form MESSAGE."""
    encoding: Encoding = Encoding.SELDON_PROTO

    @property
    def path(self) -> str:
        """The `:path` of the call."""
        return f"/{self.service}/{self.name}"


@dataclass(frozen=True, slots=True)
class Route:
    """What one REST path means."""

    path: str
    """Exact path. A `{name}` segment stands for any one segment, the name of a node or of a document."""
    verbs: frozenset[str]
    """HTTP methods allowed; empty is any. With OPTIONS among them, CORS preflights are answered."""
    action: Action = Action.RUN
    walk: Walk = Walk.CALL
    method: Method = Method.PREDICT
    form: Form = Form.MESSAGE
    encoding: Encoding = Encoding.SELDON_JSON
    status_of: Callable[[bytes], int] | None = None
    """HTTP status that an answer's body asks for; None is always 200."""


@dataclass(frozen=True, slots=True)
class RestTable:
    """Everything that the REST front asks a protocol."""

    routes: tuple[Route, ...]
    error_body: Callable[[errors.Error], bytes]
    """The JSON body of an error."""
    error_status: Callable[[errors.Error], int]
    """The HTTP status of an error."""
    post_prefixes: tuple[str, ...] = ()
    """Below these, an unknown path answers 405 to all but POST and OPTIONS, as Seldon's router does."""
    unknown_status: int | None = None
    """HTTP status of unknown paths and wrong verbs; None is 404 and 405."""
    unknown_has_body: bool = True
    """Whether a wrong verb is answered with an error body; an unknown path always is."""
    escape_html: bool = False
    """Whether `<`, `>`, `&`, U+2028 and U+2029 leave as JSON escapes."""
    written: Callable[[bytes], bytes] | None = None
    """How JSON is written that goes back; None: as it is made."""
    puid: bool = False
    """Whether every request gets a `Seldon-Puid`, and every answer carries it."""
    nosniff: bool = False
    """Whether answers carry `X-Content-Type-Options: nosniff`."""
    flask: bool = False
    """Whether requests are taken as Flask takes them for Seldon's wrapper: HEAD wherever there is GET, JSON in the
    `json=` of a query before the body's, no body without a type, and CORS preflights on every path.
    """
    public_prefix: str = ""
    """Where an ingress offers the paths that clients post to, with {namespace} and {deployment} in it; the OpenAPI
    document tells those.
    """


def by_path(rpcs: tuple[Rpc, ...]) -> Mapping[str, Rpc]:
    """The RPCs by their `:path`."""
    return {rpc.path: rpc for rpc in rpcs}
