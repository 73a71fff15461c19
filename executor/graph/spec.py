"""Owns the spec: a manifest as checked, typed, frozen objects, one form for every kind of manifest.

Must not read a file nor decide how a graph is run (see `executor.graph.plan`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from executor.types import Method

Value = int | float | str | bool


class NodeType(StrEnum):
    """What a node is. UNKNOWN_TYPE makes only the calls that its `methods` name."""

    MODEL = "MODEL"
    ROUTER = "ROUTER"
    COMBINER = "COMBINER"
    TRANSFORMER = "TRANSFORMER"
    OUTPUT_TRANSFORMER = "OUTPUT_TRANSFORMER"
    UNKNOWN_TYPE = "UNKNOWN_TYPE"


class Transport(StrEnum):
    """How a node is spoken to."""

    REST = "REST"
    GRPC = "GRPC"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One typed argument of a node."""

    name: str
    value: Value
    type: str
    """INT, FLOAT, DOUBLE, STRING or BOOL, as the manifest says."""
    text: str
    """The value as it was written; a node's container gets this one."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a node listens, as far as the manifest says. An empty host or a port of 0 is not said."""

    host: str = ""
    port: int = 0
    http_port: int = 0
    grpc_port: int = 0
    type: Transport | None = None

    def port_for(self, transport: Transport) -> int:
        """The port that speaks `transport`; `port` stands in where no special one is given."""
        special = self.http_port if transport is Transport.REST else self.grpc_port
        return special or self.port

    @property
    def reachable(self) -> bool:
        """Whether there is enough to connect to."""
        return bool(self.host and (self.port or self.http_port or self.grpc_port))


@dataclass(frozen=True, slots=True)
class Logger:
    """Which payloads of a node are logged (`request`, `response` or `all`), and where to."""

    mode: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """One step of the graph, with its children."""

    name: str
    type: NodeType = NodeType.UNKNOWN_TYPE
    implementation: str = ""
    """A built-in, a prepackaged server, or empty where the node's own code is called."""
    methods: tuple[Method, ...] = ()
    """Calls on top of those that `type` makes."""
    parameters: tuple[Parameter, ...] = ()
    endpoint: Endpoint = Endpoint()
    model_uri: str = ""
    logger: Logger | None = None
    image: str = ""
    """Image of the container that runs the node, if the manifest names one."""
    children: tuple["Node", ...] = ()
    path: str = ""
    """Where the node stands in its manifest, for messages."""
    line: int | None = None

    def walk(self) -> Iterator["Node"]:
        """This node and all below it, depth first, parents before children."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class Predictor:
    """One graph of a deployment, with its share of the traffic."""

    name: str
    graph: Node
    annotations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    replicas: int | None = None
    traffic: int = 0
    """Per cent; 0 is not said."""
    shadow: bool = False
    pods: tuple[Mapping[str, Any], ...] = ()
    """`componentSpecs` as written: their pod specs are Kubernetes' business, not ours."""
    path: str = ""
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Deployment:
    """One manifest document."""

    name: str
    predictors: tuple[Predictor, ...]
    namespace: str = "default"
    protocol: str = "seldon"
    transport: str = ""
    """`rest` or `grpc`; empty is not said."""
    server_type: str = "rpc"
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Those of `spec`, which reach the executor; the object's own ones do not."""
    labels: Mapping[str, str] = field(default_factory=dict)
    replicas: int | None = None
    line: int | None = None
