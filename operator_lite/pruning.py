"""Owns what may be applied and what may go at a point of an update: old pods serve until new ones do, and executors go
before the nodes that they call. Must not delete anything itself.
"""

from collections.abc import Iterable

from operator_lite import names
from operator_lite.desired import KEPT, TRAFFIC
from operator_lite.scope import Object

SCALERS = frozenset({"HorizontalPodAutoscaler", "ScaledObject", "PodDisruptionBudget"})


def applicable(wanted: Iterable[Object], serving: bool) -> list[Object]:
    """What may be applied now; `serving` is `status.is_serving`. Routes wait for pods that can answer."""
    return [each for each in wanted if serving or each["kind"] not in TRAFFIC]


def obsolete(wanted: Iterable[Object], observed: Iterable[Object], serving: bool) -> list[Object]:
    """What may be deleted now of the resource's own objects; asked again after each pass, until nothing is left."""
    kept = {_key(each) for each in wanted}
    observed = list(observed)
    gone = [each for each in observed if _key(each) not in kept and each["kind"] not in KEPT]
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


def _key(each: Object) -> tuple[str, str]:
    return each["kind"], each["metadata"]["name"]
