"""Owns Istio's objects: how its gateway shares out requests over predictors. Must not make Services."""

from collections.abc import Iterator, Sequence

from operator_lite import explainer, names, services
from operator_lite.scope import Object, Scope, sharing

API = "networking.istio.io/v1beta1"
GRPC = ".*tensorflow.*|.*seldon.protos.*|.*inference.*"
RETRIES, RETRIES_TIMEOUT = "seldon.io/istio-retries", "seldon.io/istio-retries-timeout"


def all_of(scopes: Sequence[Scope]) -> Iterator[Object]:
    """The objects of a resource, from the scopes of its predictors."""
    yield _virtual_service(scopes)
    for scope in scopes:
        yield _destination_rule(scope)


def _virtual_service(scopes: Sequence[Scope]) -> Object:
    first = scopes[0]
    rest = {"match": [{"uri": {"prefix": f"/seldon/{first.namespace}/{first.name}/"}}], "rewrite": {"uri": "/"}}
    headers = {"seldon": {"exact": first.name}, "namespace": {"exact": first.namespace}}
    grpc = {"match": [{"uri": {"regex": GRPC}, "headers": headers}]}
    spec = {
        "hosts": [each.strip() for each in first.annotation(names.HOSTS, "*").split(",")],
        "gateways": [first.annotation(names.GATEWAY) or first.config.gateway],
        "http": [
            *(route for scope in scopes for route in _explained(scope)),
            {**rest, **_shared(scopes, 0), **_retries(first)},
            {**grpc, **_shared(scopes, 1), **_retries(first)},
        ],
    }
    return {"apiVersion": API, "kind": "VirtualService", "metadata": first.meta(first.id), "spec": spec}


def _explained(scope: Scope) -> Iterator[Object]:
    for _, name, number in explainer.reached(scope):
        target = {"host": _host(scope, name), "port": {"number": number}}
        match = [{"uri": {"prefix": explainer.path(scope)}}]
        yield {"match": match, "rewrite": {"uri": "/"}, "route": [{"destination": target}]}


def _shared(scopes: Sequence[Scope], which: int) -> Object:
    """Where requests go, and where copies of them; `which` is 0 for REST and 1 for gRPC."""
    routes = [{"destination": _destination(scope, which), "weight": share} for scope, share in sharing(scopes)]
    found: Object = {"route": routes}
    for scope in (each for each in scopes if each.predictor.shadow):
        found["mirror"] = _destination(scope, which)
        found["mirrorPercentage"] = {"value": scope.predictor.traffic} if scope.predictor.traffic > 0 else None
    return found


def _destination(scope: Scope, which: int) -> Object:
    port = {"number": services.ports(scope)[which]}
    return {"host": _host(scope, scope.service), "subset": scope.predictor.name, "port": port}


def _host(scope: Scope, service: str) -> str:
    return f"{service}.{scope.namespace}.svc.cluster.local"


def _retries(scope: Scope) -> Object:
    attempts = scope.annotation(RETRIES)
    if not attempts.isdecimal():
        return {}
    timeout = scope.annotation(RETRIES_TIMEOUT, "1")
    retry_on = "gateway-error,connect-failure,refused-stream"
    return {"retries": {"attempts": int(attempts), "perTryTimeout": f"{timeout}s", "retryOn": retry_on}}


def _destination_rule(scope: Scope) -> Object:
    mode = scope.config.istio_tls_mode
    policy = {"tls": {"mode": mode}} if mode else {"connectionPool": {"http": {"idleTimeout": "60s"}}}
    labels = {"version": scope.predictor.labels["version"]}
    spec = {
        "host": _host(scope, scope.service),
        "subsets": [{"name": scope.predictor.name, "labels": labels}],
        "trafficPolicy": policy,
    }
    return {"apiVersion": API, "kind": "DestinationRule", "metadata": scope.meta(scope.service), "spec": spec}
