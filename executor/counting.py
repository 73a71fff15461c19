"""Owns which series the requests and calls of a graph are counted in.

Must not count, nor know where the numbers are kept (`executor.telemetry` does).
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from executor import errors
from executor._native import meters
from executor.graph import plan as plans
from executor.graph.spec import Deployment, Predictor, Transport
from executor.protocol.seldon import NODE_GRPC_PATHS, NODE_REST_PATHS
from executor.protocol.table import Action, RestTable, Route, Rpc
from executor.telemetry import families, users
from executor.telemetry.families import Family, Names
from executor.telemetry.store import Store
from executor.types import Method, Walk

RestMeters = Mapping[str, Mapping[str, meters.Meter]]
"""What counts requests over HTTP: by verb, then by the route's path."""

_CODES = (
    *("OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists"),
    *("PermissionDenied", "ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange", "Unimplemented"),
    *("Internal", "Unavailable", "DataLoss", "Unauthenticated"),
)
"""gRPC's codes by number, as Go writes them."""
_HEALTH_CHECK = "/grpc.health.v1.Health/Check"
_NAMED = {Action.MODEL_METADATA: "metadata", Action.GRAPH_METADATA: "metadata", Action.STATUS: "status"}
_WALKS = {Walk.PREDICT: "predictions", Walk.FEEDBACK: "feedback"}


def names_of(deployment: Deployment, predictor: Predictor) -> Names:
    """What metrics call a graph. Its version is the predictor's annotation of that name; Seldon reads no label."""
    return Names(deployment.name, predictor.name, predictor.annotations.get("version", ""))


def engine_meter(store: Store) -> meters.EngineMeter:
    """What counts an engine's requests."""
    rejected = [families.REJECTED.key(reason) for reason in families.REASONS]
    return meters.EngineMeter(store.segment, families.IN_FLIGHT.key(), rejected)


def refusals(meter: meters.EngineMeter) -> Callable[[str], None]:
    """What counts that a front refused something, by the reason."""
    return lambda reason: meter.refused(families.REASONS.index(reason))


def scraped(table: RestTable, path: str | None) -> RestTable:
    """`table` with the path at which metrics are told. Raises RequestError for one that cannot be."""
    if path is None:
        return table
    taken = {route.path for route in table.routes}
    if not path.startswith("/") or "{" in path or path in taken:
        raise errors.RequestError(f"metrics at {path!r}: allowed is a path that begins with / and is not taken yet")
    # Seldon's executor tells them whatever the verb, its wrapper as Flask does.
    verbs = frozenset({"GET"}) if table.flask else frozenset[str]()
    return replace(table, routes=(*table.routes, Route(path, verbs, Action.METRICS)))


class Counting:
    """The series of one graph; with `names` None, of a node alone, which is not to be taken for a graph."""

    def __init__(self, store: Store, names: Names | None, environment: Mapping[str, str] = os.environ) -> None:
        self._store = store
        self._names = names
        self._environment = environment

    def rpcs(self, rpcs: Mapping[str, Rpc]) -> dict[str, meters.Meter]:
        """What counts requests over gRPC, by their path."""
        return {path: self._server(path, "unary") for path in (*rpcs, _HEALTH_CHECK)}

    def rest(self, table: RestTable) -> RestMeters:
        """What counts requests over HTTP."""
        found: dict[str, dict[str, meters.Meter]] = {}
        made: dict[tuple[str, str], meters.Meter] = {}
        for route in table.routes:
            service = self._service(route)
            for verb in sorted(route.verbs - {"OPTIONS"}) if service else ():
                if (service, verb) not in made:
                    made[service, verb] = self._server(service, verb.lower(), http=True)
                found.setdefault(verb, {})[route.path] = made[service, verb]
        return found

    def nodes(self, plan: plans.Plan, kinds: Sequence[Transport | None]) -> list[meters.NodeMeter]:
        """What counts the calls of a plan's nodes; `kinds` says how each is called, None for those of our own."""
        return [self._node(node, kind) for node, kind in zip(plan.nodes, kinds, strict=True)]

    def recorder(self, node: str, image: str = "") -> users.Recorder:
        """What counts the metrics of the component at a node."""
        names = self._names if self._names is not None else users.names_from(self._environment)
        if self._names is None:
            image = image or self._environment.get("PREDICTIVE_UNIT_IMAGE", "")
        return users.Recorder(self._store.users, users.node_labels(names, node, image, self._store.index))

    def _service(self, route: Route) -> str:
        if route.action is Action.RUN:
            return _WALKS.get(route.walk, route.path)
        return _NAMED.get(route.action, "")

    def _server(self, service: str, method: str, http: bool = False) -> meters.Meter:
        before: tuple[str, ...] = (service, method)
        pair = families.NODE_SERVER, families.NODE_SERVER_SUMMARY
        if self._names is not None:
            pair = families.SERVER, families.SERVER_SUMMARY
            before = (*self._of(self._names), *before)
        return self._meter(pair, before, http)

    def _node(self, node: plans.PlanNode, kind: Transport | None) -> meters.NodeMeter:
        name = node.name
        keys = {
            "in_flight": families.NODE_IN_FLIGHT.key(name),
            "sent": families.NODE_SENT.key(name),
            "received": families.NODE_RECEIVED.key(name),
            "retries": families.NODE_RETRIES.key(name),
            "critical": families.NODE_CRITICAL.key(name),
            "queued": families.NODE_QUEUE.key(name),
            "copies": [families.COPIES.key(name, reason) for reason in families.COPY_REASONS],
            "copied": [families.COPIED.key(name, reason) for reason in families.COPY_REASONS],
        }
        return meters.NodeMeter(self._store.segment, self._calls(node, kind), keys, families.WAITS)

    def _calls(self, node: plans.PlanNode, kind: Transport | None) -> dict[Method, meters.Meter]:
        if kind is None or self._names is None:
            return {}
        http = kind is Transport.REST
        pair = families.CLIENT, families.CLIENT_SUMMARY
        of = self._of(self._names)
        image = families.counted_image(node.image)
        paths, method = (NODE_REST_PATHS, "post") if http else (NODE_GRPC_PATHS, "unary")
        return {each: self._meter(pair, (*of, path, node.name, *image, method), http) for each, path in paths.items()}

    def _meter(self, pair: tuple[Family, Family], before: tuple[str, ...], http: bool) -> meters.Meter:
        return meters.Meter(self._store.segment, _keys(pair, before, http), families.SECONDS, http)

    @staticmethod
    def _of(names: Names) -> tuple[str, str, str]:
        return names.deployment, names.predictor, names.version


def _keys(pair: tuple[Family, Family], before: tuple[str, ...], http: bool) -> Callable[[int], tuple[bytes, bytes]]:
    histogram, summary = pair

    def keys(code: int) -> tuple[bytes, bytes]:
        said = str(code) if http else _CODES[code]
        return histogram.key(*before, said), summary.key(*before, said)

    return keys
