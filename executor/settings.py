"""Owns the settings of one run, frozen once made, and how the URL of an endpoint is read.

Must not read arguments or the environment (see `executor.cli`) nor open anything.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Self

from executor import errors
from executor.watching import Watch
from executor.wrapper import Wrapper

MEBIBYTE = 1024 * 1024
URL_FORMS = (
    "grpc://HOST:PORT, unix:/PATH (gRPC over a unix socket) or http://HOST:PORT[/PREFIX]; grpcs:// and https:// for TLS"
)


class Scheme(StrEnum):
    """How an endpoint is spoken to."""

    GRPC = "grpc"
    UNIX = "unix"
    """gRPC over a unix socket."""
    HTTP = "http"
    GRPCS = "grpcs"
    """gRPC over TLS."""
    HTTPS = "https"

    @property
    def is_rest(self) -> bool:
        """Whether it is HTTP/JSON rather than gRPC."""
        return self in (Scheme.HTTP, Scheme.HTTPS)

    @property
    def is_tls(self) -> bool:
        """Whether the peer must show a certificate."""
        return self in (Scheme.GRPCS, Scheme.HTTPS)


@dataclass(frozen=True, slots=True)
class Address:
    """Where an endpoint listens. Made by `parse_url`."""

    scheme: Scheme
    host: str = ""
    """Host name or IP address; an IPv6 address without its brackets."""
    port: int = 0
    path: str = ""
    """Of a unix socket: its absolute path. Of HTTP: what comes before every path, without a slash at the end."""

    @property
    def authority(self) -> str:
        """`host:port`, with brackets around an IPv6 address."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def target(self) -> str:
        """What a gRPC channel is opened with: `host:port` or `unix:/path`."""
        return f"unix:{self.path}" if self.scheme is Scheme.UNIX else self.authority

    def __str__(self) -> str:
        if self.scheme is Scheme.UNIX:
            return self.target
        return f"{self.scheme.value}://{self.authority}{self.path}"


_AUTHORITY = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.%]+)\]|(?P<host>[^\s/:@\[\]?#]+))(?::(?P<port>\d*))?")


def parse_target(text: str, what: str = "target") -> Address:
    """Reads `HOST:PORT` or `unix:/PATH`, the two ways to name a gRPC server. Raises `errors.RequestError`."""
    if text.startswith("unix:"):
        path = "/" + text.removeprefix("unix:").lstrip("/")
        if path == "/" or not text.startswith(("unix:/", "unix:///")):
            raise errors.RequestError(f"{what} {text!r}: a unix socket is written unix:/ABSOLUTE/PATH")
        return Address(Scheme.UNIX, path=path)
    if "://" in text:
        scheme = text.split("://", 1)[0]
        raise errors.RequestError(f"{what} {text!r}: write HOST:PORT or unix:/PATH, without {scheme}://")
    return _authority(text, text, Scheme.GRPC, "", what)


def parse_url(text: str, what: str = "endpoint") -> Address:
    """Reads the URL of a node's endpoint. Raises `errors.RequestError` that says what is allowed."""
    if text.startswith("unix:"):
        return parse_target(text, what)
    scheme, separator, rest = text.partition("://")
    if not separator:
        raise errors.RequestError(f"{what} {text!r}: no scheme; allowed are {URL_FORMS}")
    if scheme not in (Scheme.GRPC, Scheme.GRPCS, Scheme.HTTP, Scheme.HTTPS):
        raise errors.RequestError(f"{what} {text!r}: unknown scheme {scheme!r}; allowed are {URL_FORMS}")
    authority, _, path = rest.rstrip("/").partition("/")
    if path and not Scheme(scheme).is_rest:
        raise errors.RequestError(f"{what} {text!r}: a gRPC endpoint has no path")
    if "?" in path or "#" in path:
        raise errors.RequestError(f"{what} {text!r}: a query or fragment is not allowed")
    return _authority(authority, text, Scheme(scheme), f"/{path}" if path else "", what)


def _authority(authority: str, text: str, scheme: Scheme, path: str, what: str) -> Address:
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise errors.RequestError(f"{what} {text!r}: {authority!r} is not HOST:PORT (IPv6 as [ADDRESS]:PORT)")
    if not match["port"]:
        raise errors.RequestError(f"{what} {text!r}: the port is missing; write {authority.rstrip(':')}:PORT")
    port = int(match["port"])
    if not 1 <= port <= 65535:
        raise errors.RequestError(f"{what} {text!r}: port {port} is not between 1 and 65535")
    return Address(scheme, match["six"] or match["host"], port, path)


NO_PICKLE = "MILLRACE_NO_PICKLE"
"""Environment variable: prepackaged servers refuse models that run code when they are loaded."""
MODEL_CACHE = "MILLRACE_CACHE"
"""Environment variable: the folder that fetched models are kept in."""


@dataclass(frozen=True, slots=True)
class ServeLimits:
    """Bounds of a server towards its clients."""

    max_message_bytes: int = 64 * MEBIBYTE
    """Largest request or answer, gRPC and REST, after inflating."""
    max_header_bytes: int = 64 * 1024
    """Largest request line and headers together."""
    max_connections: int = 1024
    """Client connections per front; one more gets an error at once."""
    header_timeout_s: float = 10.0
    """From the first byte of a request, or the start of a connection, until the headers are complete."""
    body_timeout_s: float = 60.0
    """From the end of the headers until the body is complete (gRPC: only while requests wait for memory); also how long
    an answer may stay unread, and how far a gRPC client that reads may lag behind `receive_rate`."""
    idle_timeout_s: float = 65.0
    """How long a REST connection may stay without a request; 65 s is what Seldon's executor allows."""
    memory_budget_bytes: int | None = None
    """Memory of this process for messages under way; None is half of the container's (`executor.limits`)."""
    unread_bytes: int | None = None
    """Answers that one gRPC connection may leave unread; None is an eighth of the budget, at least one message."""
    receive_grace_s: float = 10.0
    """How long a gRPC request may take before a rate is asked of it."""
    receive_rate: float = 1024.0
    """Bytes a second that a gRPC request must then have brought, and that its client must read; 0 asks for none."""
    drain_timeout_s: float = 15.0
    """On Ctrl-C: how long requests under way may take to finish before they are cancelled."""


ALL_INTERFACES = "*"


@dataclass(frozen=True, slots=True)
class ListenSettings:
    """Where a server listens."""

    host: str = "127.0.0.1"
    """Only this machine by default; `ALL_INTERFACES` is any address of it, IPv6 or not."""
    grpc_port: int | None = 5001
    """0 takes a free port; None serves no gRPC over TCP."""
    http_port: int | None = 8000
    """0 takes a free port; None serves no REST."""
    uds: str | None = None
    """Path of a unix socket that also serves gRPC."""


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """What both fronts are served over TLS with. Files are in PEM form; unix sockets stay plain."""

    cert: str
    """File of the server's certificate, its issuers after it."""
    key: str
    """File of its key, without a password."""
    client_ca: str | None = None
    """File of the CAs of clients: each must then show a certificate of one of them."""


@dataclass(frozen=True, slots=True)
class NodeTlsSettings:
    """How nodes at `grpcs://` and `https://` are trusted. Files are in PEM form."""

    ca: str | None = None
    """File of the CAs of nodes; None: those that the system trusts."""
    cert: str | None = None
    """File of the certificate to show to nodes that ask for one."""
    key: str | None = None
    """File of its key, without a password."""


@dataclass(frozen=True, slots=True)
class NodeTimeouts:
    """How many seconds one call of a node may take, by how the node is reached. None is no bound of its own."""

    rest_s: float | None = None
    grpc_s: float | None = None
    component_s: float | None = None
    """Of components in this process."""


class NodeChecks(StrEnum):
    """What of its nodes a process asks before it says that it is ready."""

    NONE = "none"
    DIAL = "dial"
    """Whether something listens where they are."""
    FULL = "full"
    """Whether they say that they are well."""


class Prepackaged(StrEnum):
    """Which nodes with a prepackaged server as `implementation` and a `modelUri` run in this process."""

    REMOTE = "remote"
    UNREACHED = "unreached"
    """Those that nothing says the address of."""
    IN_PROCESS = "in-process"
    """All."""


@dataclass(frozen=True, slots=True)
class CorsSettings:
    """What the REST front lets web pages of other sites do."""

    origins: str = "*"
    headers: str = "Accept, Accept-Encoding, Authorization, Content-Length, Content-Type, X-CSRF-Token"


@dataclass(frozen=True, slots=True)
class Deployment:
    """Which deployment this process is part of, as its operator calls it."""

    sdep: str
    namespace: str
    predictor: str


@dataclass(frozen=True, slots=True)
class PayloadLogSettings:
    """How payloads are logged; which ones, and where to, the nodes of a manifest say."""

    default_url: str = ""
    """For nodes that ask for a log and name no URL; empty where there is none."""
    source: str = ""
    """URL of this executor, by which receivers know it."""
    workers: int = 10
    queue_max: int = 10_000
    """Entries that may wait."""
    write_timeout_ms: int = 2000
    """How long an entry may wait for room in the queue before it is dropped; 0 or less: it is dropped at once."""
    bytes_max: int = 64 * MEBIBYTE
    """Bytes of payloads that may wait, those being sent with them; more are dropped at once."""


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """How connections to one gRPC node are kept. Those to a unix socket are not renewed, nor more than are needed."""

    connections: int = 4
    """To a single address, which may be a virtual one that stands for several servers; further ones only under load."""
    max_age_s: float | None = 300.0
    """A connection is replaced at this age, ±20 %, so that servers behind one address all get work; None: never."""
    resolve_every_s: float = 30.0
    """How often the node's host name is looked up again; also when a connection is lost."""
    calls_max: int = 4096
    """Calls on the wire at once, of each worker; more wait."""
    waiting_max: int = 10_000
    """Calls that wait, under their deadline, for their turn or for a connection; more are refused."""
    keepalive_s: float | None = None
    """Silence on a connection with calls before a PING asks whether the node still lives; None: no PINGs."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What `millrace run` or `millrace executor` was asked to do."""

    manifest: str
    """Path of the manifest file; where the graph came without a file, what it is called in messages."""
    components: Mapping[str, str] = field(default_factory=dict)
    """Node name → `path.py:Class`, `package.module:Class` or the name of a prepackaged server."""
    endpoints: Mapping[str, Address] = field(default_factory=dict)
    """Node name → where the node already listens; goes before the manifest's own endpoint."""
    isolate: frozenset[str] = frozenset()
    """Nodes whose component runs in a process of its own."""
    document: str | None = None
    """Which document of the file, by `metadata.name` or 1-based number; needed when there are several."""
    predictor: str | None = None
    """Which predictor, by name; needed when there are several."""
    listen: ListenSettings = field(default_factory=ListenSettings)
    limits: ServeLimits = field(default_factory=ServeLimits)
    default_timeout_s: float | None = 60.0
    """Deadline of a request that brings none; None is no deadline."""
    tls: TlsSettings | None = None
    """None serves without TLS."""
    node_tls: NodeTlsSettings = field(default_factory=NodeTlsSettings)
    channels: ChannelSettings = field(default_factory=ChannelSettings)
    routing_meta: bool = True
    """Whether answers of graphs with a router carry `meta.routing`, which feedback needs."""
    threads: int | None = None
    """Threads for blocking components; None is as many as CPUs, at least 4."""
    log_level: str = "info"
    workers: int = 1
    """Processes that serve. Components are loaded once in each."""
    node_timeouts: NodeTimeouts = field(default_factory=NodeTimeouts)
    node_checks: NodeChecks = NodeChecks.NONE
    prepackaged: Prepackaged = Prepackaged.UNREACHED
    by_front: bool = False
    """Nodes are spoken to as the client speaks, unless their types in the manifest differ; otherwise by their type."""
    alone: bool = False
    """The graph is a predictor alone, without a file or a deployment around it."""
    routing_visited: bool = False
    """`meta.routing` has every node that was visited, not only those that chose."""
    grpc_max_message_bytes: int | None = None
    """Largest gRPC request or answer, where that differs from `limits`."""
    cors: CorsSettings = field(default_factory=CorsSettings)
    shutdown_delay_s: float = 0.0
    """How long a process that was asked to stop still takes requests, while it says that it is not ready."""
    deployment: Deployment | None = None
    """None where no operator stands behind it."""
    payload_log: PayloadLogSettings | None = None
    prometheus_path: str = "/metrics"
    watch: Watch = field(default_factory=Watch)
    state: str | None = None
    """Where routers keep what they learn; None is the default place of `executor.state`."""

    def to_json(self) -> str:
        """All of it, for `from_json` in another process."""
        return json.dumps(asdict(self), default=sorted)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote."""
        told = json.loads(text)
        for name, each in told["endpoints"].items():
            told["endpoints"][name] = Address(**{**each, "scheme": Scheme(each["scheme"])})
        found = {"isolate": frozenset(told["isolate"]), "node_checks": NodeChecks(told["node_checks"])}
        return cls(**told | _parts_of(told) | found | {"prepackaged": Prepackaged(told["prepackaged"])})


_PARTS: dict[str, Any] = {
    "listen": ListenSettings, "limits": ServeLimits, "tls": TlsSettings, "node_tls": NodeTlsSettings,
    "channels": ChannelSettings, "node_timeouts": NodeTimeouts, "cors": CorsSettings, "deployment": Deployment,
    "payload_log": PayloadLogSettings, "watch": Watch, "wrapper": Wrapper,
}  # fmt: skip
"""The fields of `RunSettings` and `NodeSettings` that are settings of their own."""


def _parts_of(told: dict[str, Any]) -> dict[str, Any]:
    return {name: kind(**told[name]) for name, kind in _PARTS.items() if told.get(name) is not None}


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """What `millrace node` was asked to do."""

    component: str
    """`path.py:Class`, `package.module:Class` or the name of a prepackaged server."""
    type: str = "MODEL"
    """MODEL, ROUTER, COMBINER, TRANSFORMER or OUTPUT_TRANSFORMER."""
    name: str = ""
    """Name of the node in its graph; empty is the class's name in lower case."""
    parameters: Mapping[str, int | float | str | bool] = field(default_factory=dict)
    """Constructor arguments, typed."""
    listen: ListenSettings = field(default_factory=lambda: ListenSettings(grpc_port=5000, http_port=9000))
    limits: ServeLimits = field(default_factory=ServeLimits)
    default_timeout_s: float | None = None
    """Deadline of a call that brings none; None is no deadline."""
    tls: TlsSettings | None = None
    """None serves without TLS."""
    threads: int | None = None
    """Threads for a blocking component; None is as many as CPUs, at least 4."""
    log_level: str = "info"
    strict: bool = True
    """Whether a class that lacks a method of its type is refused; Seldon's wrapper takes any class."""
    imported: bool = False
    """Whether the class's module is imported under its own name, not loaded anew."""
    rest_waits: bool = False
    """Whether REST requests wait until the component is loaded, as at Seldon's wrapper; else they are told of it."""
    workers: int = 1
    """Processes that serve. The component is loaded once in each."""
    metrics_port: int | None = None
    """Where metrics are told beside the REST port, or instead of it; None: there alone."""
    metrics_path: str = "/metrics"
    metrics_on_http: bool = True
    """Whether the REST port tells them as well."""
    watch: Watch = field(default_factory=Watch)
    wrapper: Wrapper | None = None
    """What makes a node one of Seldon's wrapper; None for one of ours."""

    def to_json(self) -> str:
        """All of it, for `from_json` in another process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote."""
        told = json.loads(text)
        return cls(**told | _parts_of(told))
