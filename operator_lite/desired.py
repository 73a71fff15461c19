"""Owns which objects a SeldonDeployment becomes: one pure function. Must not talk to a cluster, nor read a clock.

Each kind of object is a module of its own. To add one, write it there and name it in `objects`.
"""

from collections.abc import Iterator
from typing import Any

from executor.manifest.seldon_shape import DeploymentModel
from operator_lite import defaults, deployments, engine, explainer, gateway, istio, scaling, services
from operator_lite.config import Config
from operator_lite.scope import Object, Scope

TRAFFIC = frozenset({"HTTPRoute", "GRPCRoute", "VirtualService", "DestinationRule"})
"""Kinds that lead requests to predictors, so that they wait for pods (`shares`)."""
KEPT = frozenset({"PersistentVolumeClaim"})
"""Kinds that stay as long as the resource does, even when it does not ask for them at the moment."""
KINDS = (
    ("v1", "PersistentVolumeClaim"),
    ("v1", "Service"),
    ("apps/v1", "Deployment"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("keda.sh/v1alpha1", "ScaledObject"),
    ("policy/v1", "PodDisruptionBudget"),
    (gateway.API, "HTTPRoute"),
    (gateway.API, "GRPCRoute"),
    (istio.API, "DestinationRule"),
    (istio.API, "VirtualService"),
)
"""All kinds that are ever made, in the order in which they are applied."""
ROUTES = {"gateway": gateway.all_of, "istio": istio.all_of}


def scopes(model: DeploymentModel, config: Config) -> list[Scope]:
    """The predictors of a checked resource (`resource.read`), in full."""
    full = defaults.filled(model, config)
    return [Scope(full, each, config) for each in full.spec.predictors]


def desired(predictors: list[Scope]) -> list[Object]:
    """What a resource should have, in the order of `KINDS`. Owners are not set."""
    rank = {kind: index for index, kind in enumerate(KINDS)}
    return sorted(map(_bare, objects(predictors)), key=lambda each: rank[each["apiVersion"], each["kind"]])


def objects(predictors: list[Scope]) -> Iterator[Object]:
    """The same, predictor by predictor."""
    for scope in predictors:
        if engine.keeps_volume(scope):
            yield engine.claim(scope)
        yield from services.all_of(scope)
        yield from deployments.all_of(scope)
        yield from scaling.all_of(scope)
        yield from explainer.all_of(scope)
    if predictors and predictors[0].config.traffic in ROUTES:
        yield from ROUTES[predictors[0].config.traffic](predictors)


def _bare(value: Any) -> Any:
    """A copy without anything shared or null: what is not said is not applied either."""
    if isinstance(value, dict):
        return {key: _bare(each) for key, each in value.items() if each is not None}
    return [_bare(each) for each in value] if isinstance(value, list) else value
