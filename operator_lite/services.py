"""Owns Services: one for each node, and one that clients reach a predictor at. Must not route traffic to them."""

from collections.abc import Iterator

from operator_lite import names, pieces
from operator_lite.scope import Object, Scope

HEADLESS = "seldon.io/headless-svc"


def all_of(scope: Scope) -> Iterator[Object]:
    """The Services of a predictor."""
    for _, pod in scope.pods():
        for name in scope.nodes_in(pod):
            yield _node(scope, name)
    yield _predictor(scope)


def ports(scope: Scope) -> tuple[int, int]:
    """Where clients reach a predictor, by REST and by gRPC."""
    if scope.has_engine:
        return scope.config.engine_http_port, scope.config.engine_grpc_port
    endpoint = scope.predictor.graph.endpoint
    return endpoint.httpPort, endpoint.grpcPort


def _node(scope: Scope, name: str) -> Object:
    """The Service of a node. Executors in other pods share out their calls over its pods by themselves, so it has no
    address of its own then, which would keep each connection at one pod.
    """
    unit = next(each for each in scope.units if each.name == name)
    label, called = names.container_label(name), names.container(scope.name, scope.predictor, name)
    kind = pieces.TYPE_LABELS.get(unit.type or "")
    labels = {label: called, names.APP: scope.service, **({kind: "true"} if kind else {})}
    serves = bool(scope.secret) and not scope.has_engine and unit is scope.units[0]
    far = scope.has_engine and unit.endpoint.service_host != "localhost"
    found = (unit.endpoint.httpPort, unit.endpoint.grpcPort)
    return service(scope, called, labels, {label: called}, found, secure=serves, headless=far)


def _predictor(scope: Scope) -> Object:
    labels = {names.APP: scope.service, **scope.predictor.labels}
    headless = scope.annotation(HEADLESS, "false") != "false"
    secure = bool(scope.secret)
    return service(scope, scope.service, labels, {names.APP: scope.service}, ports(scope), secure, headless)


def service(
    scope: Scope,
    name: str,
    labels: dict[str, str],
    selector: dict[str, str],
    numbers: tuple[int, int],
    secure: bool = False,
    headless: bool = False,
) -> Object:
    """A Service of two ports, for REST and for gRPC; of one where they are the same."""
    http, grpc = numbers
    listed = [
        {"name": "http", "port": http, "targetPort": http, "protocol": "TCP",
         "appProtocol": "https" if secure else "http"},
        {"name": "grpc", "port": grpc, "targetPort": grpc, "protocol": "TCP",
         "appProtocol": "https" if secure else "kubernetes.io/h2c"},
    ]  # fmt: skip
    spec: Object = {"type": "ClusterIP", "selector": selector, "ports": listed if http != grpc else listed[:1]}
    if headless:
        spec["clusterIP"] = "None"
    meta = scope.meta(name, labels, scope.predictor.annotations)
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}
