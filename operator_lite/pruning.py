"""Owns what may be applied and what may go at a point of an update: old pods serve until new ones do, and executors go
before the nodes that they call. Must not delete anything itself.
"""

from collections.abc import Container, Iterable

from operator_lite import deployments, names, status
from operator_lite.desired import KEPT, TRAFFIC
from operator_lite.scope import Object, Scope, key

SCALERS = frozenset({"HorizontalPodAutoscaler", "ScaledObject", "PodDisruptionBudget"})


def unready(scopes: Iterable[Scope], observed: Iterable[Object], faulty: Container[tuple[str, str]] = ()) -> set[str]:
    """The Services of predictors whose pods are not all as they should be. An explainer's do not count."""
    found = {key(each): each for each in observed}
    return {
        scope.service
        for scope in scopes
        for each in deployments.names_of(scope)
        if ("Deployment", each) in faulty or not status.is_ready(found.get(("Deployment", each)))
    }


def is_let_in(wanted: Iterable[Object], observed: Iterable[Object]) -> bool:
    """Whether requests get in as they should. While they do not, another way in (`TRAFFIC` was changed) stays, and with
    it all that it leads to.
    """
    found = {key(each): each for each in observed}
    routes = [each for each in wanted if each["kind"] in TRAFFIC]
    ways = {each["apiVersion"] for each in routes}
    others = [each for each in found.values() if each["kind"] in TRAFFIC and each["apiVersion"] not in ways]
    return not others or all(status.is_ready(found.get(key(each))) for each in routes)


def obsolete(wanted: Iterable[Object], observed: Iterable[Object], serving: bool) -> list[Object]:
    """What may be deleted now of the resource's own objects; asked again after each pass, until nothing is left."""
    kept = {key(each) for each in wanted}
    observed = list(observed)
    gone = [each for each in observed if key(each) not in kept and each["kind"] not in KEPT]
    going = [each for each in gone if each["kind"] == "Deployment"]
    leaving = {each["metadata"]["name"] for each in going}
    idle = [each for each in gone if each["kind"] in SCALERS and each["metadata"]["name"] not in leaving]
    if not serving:
        return idle
    routes = [each for each in gone if each["kind"] in TRAFFIC]
    engines = [each for each in going if names.HAS_ENGINE in (each["metadata"].get("labels") or {})]
    chosen = engines or going
    scalers = [each for each in gone if _belongs(each, chosen)]
    services = [each for each in gone if each["kind"] == "Service"] if not going else []
    return [*routes, *idle, *scalers, *chosen, *services]


def _belongs(each: Object, deployments: list[Object]) -> bool:
    named = {one["metadata"]["name"] for one in deployments}
    return each["kind"] in SCALERS and each["metadata"]["name"] in named
