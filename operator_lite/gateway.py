"""Owns the routes of the Gateway API: how a Gateway shares out requests over predictors. Must not make Services.

REST comes below `/seldon/<namespace>/<name>/`; gRPC is known by its headers `seldon` and `namespace`. A listener takes
routes of one kind for a host, so gRPC is a second rule of the HTTPRoute unless it has a listener of its own.
"""

from collections.abc import Callable, Iterator, Sequence

from operator_lite import explainer, names, services
from operator_lite.config import Config
from operator_lite.scope import Object, Scope, sharing

API = "gateway.networking.k8s.io/v1"
NODE_SERVICES = ("Model", "Router", "Combiner", "Transformer", "OutputTransformer", "Generic")
SERVICES = {
    "tensorflow": ("tensorflow.serving.PredictionService", "tensorflow.serving.ModelService"),
    "v2": ("inference.GRPCInferenceService",),
    "kfserving": ("inference.GRPCInferenceService",),
    "seldon": ("seldon.protos.Seldon",),
}


def all_of(scopes: Sequence[Scope]) -> Iterator[Object]:
    """The routes of a resource, from the scopes of its predictors."""
    first = scopes[0]
    config = first.config
    rest = [*(rule for scope in scopes for rule in _explained(scope)), _rest_rule(scopes)]
    if config.gateway_grpc_listener:
        yield _route(first, "HTTPRoute", config.gateway_http_listener, rest)
        yield _route(first, "GRPCRoute", config.gateway_grpc_listener, [_grpc_rule(scopes, _grpc_match)])
    else:
        rules = [*rest, _grpc_rule(scopes, _path_match)]
        yield _route(first, "HTTPRoute", config.gateway_http_listener, rules)


def hosts(scope: Scope) -> list[str]:
    """The host names that the resource answers to; none is any."""
    found = [each.strip() for each in scope.annotation(names.HOSTS, "*").split(",")]
    return [] if "*" in found else [each for each in found if each]


def _route(scope: Scope, kind: str, listener: str, rules: list[Object]) -> Object:
    parent = _parent(scope.annotation(names.GATEWAY), scope.config, listener)
    spec = {"parentRefs": [parent], "hostnames": hosts(scope) or None, "rules": rules}
    return {"apiVersion": API, "kind": kind, "metadata": scope.meta(scope.id), "spec": spec}


def _parent(annotated: str, config: Config, listener: str) -> Object:
    namespace, _, name = (annotated or config.gateway).rpartition("/")
    return {
        "group": "gateway.networking.k8s.io",
        "kind": "Gateway",
        "name": name,
        "namespace": namespace or None,
        "sectionName": listener or None,
    }


def _rest_rule(scopes: Sequence[Scope]) -> Object:
    first = scopes[0]
    below = _below(f"/seldon/{first.namespace}/{first.name}/")
    return {**below, "filters": [*below["filters"], *_mirrors(scopes, 0)], "backendRefs": _backends(scopes, 0)}


def _explained(scope: Scope) -> Iterator[Object]:
    for _, name, number in explainer.reached(scope):
        backend = {"group": "", "kind": "Service", "name": name, "port": number}
        yield {**_below(explainer.path(scope)), "backendRefs": [backend]}


def _below(prefix: str) -> Object:
    """Requests below a path, which is cut off."""
    rewrite = {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}
    return {"matches": [{"path": {"type": "PathPrefix", "value": prefix}}], "filters": [rewrite]}


def _grpc_rule(scopes: Sequence[Scope], match: Callable[[str], Object]) -> Object:
    first = scopes[0]
    headers = [
        {"type": "Exact", "name": "seldon", "value": first.name},
        {"type": "Exact", "name": "namespace", "value": first.namespace},
    ]
    offered = list(SERVICES[first.protocol])
    if first.protocol == "seldon" and not all(scope.has_engine for scope in scopes):
        offered += [f"seldon.protos.{each}" for each in NODE_SERVICES]
    found: Object = {"matches": [{**match(each), "headers": headers} for each in offered]}
    return {**found, "filters": _mirrors(scopes, 1) or None, "backendRefs": _backends(scopes, 1)}


def _path_match(service: str) -> Object:
    return {"path": {"type": "PathPrefix", "value": f"/{service}"}}


def _grpc_match(service: str) -> Object:
    return {"method": {"type": "Exact", "service": service}}


def _backends(scopes: Sequence[Scope], which: int) -> list[Object]:
    """Predictors with their shares; `which` is 0 for REST and 1 for gRPC."""
    return [{**_backend(scope, which), "weight": share} for scope, share in sharing(scopes)]


def _backend(scope: Scope, which: int) -> Object:
    return {"group": "", "kind": "Service", "name": scope.service, "port": services.ports(scope)[which]}


def _mirrors(scopes: Sequence[Scope], which: int) -> list[Object]:
    """A copy of the requests for shadows; of all of them, where no share is said."""
    found = []
    for scope in (each for each in scopes if each.predictor.shadow):
        share = scope.predictor.traffic if 0 < scope.predictor.traffic < 100 else None
        mirror = {"backendRef": _backend(scope, which), "percent": share}
        found.append({"type": "RequestMirror", "requestMirror": mirror})
    return found
