"""Owns what may be applied and what may go at a point of an update: old pods serve until new ones do, and executors go
before the nodes that they call. Must not delete anything itself.
"""

from collections.abc import Container, Iterable

from operator_lite import deployments, names, shares, status
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


def ways_kept(wanted: Iterable[Object], observed: Iterable[Object]) -> tuple[list[Object], list[Object]]:
    """The routes of another way in (`TRAFFIC` was changed), which stay while requests do not get in as is wanted; and
    the wanted routes that this waits for. Both are empty when nothing stays.
    """
    found = {key(each): each for each in observed}
    routes = [each for each in wanted if each["kind"] in TRAFFIC]
    ways = {each["apiVersion"] for each in routes}
    others = [each for each in found.values() if each["kind"] in TRAFFIC and each["apiVersion"] not in ways]
    missing = [each for each in routes if not status.is_ready(found.get(key(each)))]
    return (others, missing) if others and missing else ([], [])


def held(wanted: Iterable[Object], observed: Iterable[Object]) -> set[tuple[str, str]]:
    """What another way in keeps, by kind and name: its routes, and what nothing but these leads to. Pods behind a
    wanted Service are not kept: it would share out requests over old and new ones.
    """
    wanted, observed = list(wanted), list(observed)
    ways, _ = ways_kept(wanted, observed)
    kept = {key(each) for each in wanted}
    named = {name for each in ways for name in shares.shares(each)} - {name for kind, name in kept if kind == "Service"}
    gone = [each for each in observed if key(each) not in kept]
    services = [each for each in gone if each["kind"] == "Service" and _serves(each) & named]
    still = [each for each in wanted if each["kind"] == "Service"]
    pods = [
        each for each in gone if each["kind"] == "Deployment" and _leads(services, each) and not _leads(still, each)
    ]
    return {key(each) for each in (*ways, *services, *pods)}


def _serves(service: Object) -> set[str]:
    """The Services that a request may have come by when it gets to this one: its own, and that of its predictor."""
    return {service["metadata"]["name"], (service["metadata"].get("labels") or {}).get(names.APP, "")}


def _leads(services: Iterable[Object], deployment: Object) -> bool:
    labels = (deployment["spec"]["template"]["metadata"].get("labels") or {}).items()
    selectors = [each["spec"].get("selector") or {} for each in services]
    return any(each and each.items() <= labels for each in selectors)


def obsolete(wanted: Iterable[Object], observed: Iterable[Object], serving: bool) -> list[Object]:
    """What may be deleted now of the resource's own objects; asked again after each pass, until nothing is left."""
    wanted, observed = list(wanted), list(observed)
    kept = {key(each) for each in wanted}
    gone = [each for each in observed if key(each) not in kept and each["kind"] not in KEPT]
    leaving = {each["metadata"]["name"] for each in gone if each["kind"] == "Deployment"}
    idle = [each for each in gone if each["kind"] in SCALERS and each["metadata"]["name"] not in leaving]
    if not serving:
        return idle
    staying = held(wanted, observed)
    gone = [each for each in gone if key(each) not in staying]
    going = [each for each in gone if each["kind"] == "Deployment"]
    routes = [each for each in gone if each["kind"] in TRAFFIC]
    engines = [each for each in going if names.HAS_ENGINE in (each["metadata"].get("labels") or {})]
    chosen = engines or going
    scalers = [each for each in gone if _belongs(each, chosen)]
    services = [each for each in gone if each["kind"] == "Service"] if not going else []
    return [*routes, *idle, *scalers, *chosen, *services]


def _belongs(each: Object, deployments: list[Object]) -> bool:
    named = {one["metadata"]["name"] for one in deployments}
    return each["kind"] in SCALERS and each["metadata"]["name"] in named
