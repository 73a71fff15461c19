"""Owns what `kubectl get sdep` says of a resource: one pure function. Must not read a clock nor a cluster.

A condition is true when all wanted objects of its kind are there, and well where they can say so; there is one for
every kind, so that `kubectl wait --for=condition=...` always comes to an end.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from operator_lite import explainer, names, services
from operator_lite.scope import Object, Scope, key

AVAILABLE, CREATING, FAILED = "Available", "Creating", "Failed"
STUCK = "Deployment is no longer progressing and not available."
CONDITIONS = {
    "DeploymentsReady": ("Deployment",),
    "ServicesReady": ("Service",),
    "HpasReady": ("HorizontalPodAutoscaler",),
    "KedaReady": ("ScaledObject",),
    "PdbsReady": ("PodDisruptionBudget",),
    "RoutesReady": ("HTTPRoute", "GRPCRoute"),
    "istioVirtualServicesReady": ("VirtualService",),
}
READY = "Ready"
UNSAID, ABSENT = "NoGatewayHasAnswered", "NotInstalled"
_PATHS = {"tensorflow": "/v1/models/{}:predict", "v2": "/v2/models/{}/infer", "kfserving": "/v2/models/{}/infer"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a thing stands."""

    good: bool | None
    """None: it is on its way."""
    reason: str = ""
    message: str = ""


def refused(resource: Mapping[str, Any], message: str, now: str) -> Object:
    """The status of a resource that is wrong, or whose objects could not be applied; what runs is as it was."""
    verdict = Verdict(False, "Refused", message)
    before = dict(resource.get("status") or {})
    conditions = _conditions(resource, {READY: verdict}, now)
    kept = [each for each in before.get("conditions") or [] if each.get("type") != READY]
    return {**before, "state": FAILED, "description": message, "conditions": [*conditions, *kept]}


def status(
    resource: Mapping[str, Any],
    scopes: Sequence[Scope],
    wanted: Iterable[Object],
    observed: Iterable[Object],
    now: str,
    faults: Mapping[tuple[str, str], str] | None = None,
    absent: Mapping[str, str] | None = None,
) -> Object:
    """The status of a resource as the API server holds it.

    `wanted` is `desired`, `observed` what the cluster has, `now` a time in RFC 3339, and `faults` what went wrong with
    an object when it was applied, by kind and name. `absent` says of kinds that the cluster does not have why.
    """
    wanted, absent = list(wanted), absent or {}
    found = {key(each): each for each in observed}
    verdicts = {key(each): _verdict(each, found.get(key(each)), (faults or {}).get(key(each))) for each in wanted}
    verdicts |= {key(each): Verdict(False, ABSENT, absent[each["kind"]]) for each in wanted if each["kind"] in absent}
    by_condition = {name: _joined(kinds, verdicts) for name, kinds in CONDITIONS.items()}
    # What makes no condition of its own (claims, destination rules) counts too. A Gateway that has not said anything
    # does not: there may be none, and Services are reached without it. Nor do kinds that the cluster does not have.
    ready = _all([each for each in verdicts.values() if each.reason not in (UNSAID, ABSENT)])
    state = {True: AVAILABLE, False: FAILED, None: CREATING}[ready.good]
    deployments = [each for each in wanted if each["kind"] == "Deployment"]
    said: Object = {
        "state": state,
        "description": ready.message,
        "replicas": _replicas(deployments[:1], found),
        "deploymentStatus": {each["metadata"]["name"]: _counted(found.get(key(each))) for each in deployments},
        "serviceStatus": dict(entry for scope in scopes for entry in _services(scope)),
        "conditions": _conditions(resource, {READY: ready, **by_condition}, now),
    }
    return {**said, "address": {"url": _address(scopes[0])}} if scopes else said


def is_ready(found: Object | None) -> bool:
    """Whether an object is there, and as it should be where it can say so."""
    return found is not None and _verdict(found, found, None).good is True


def is_serving(wanted: Iterable[Object], observed: Iterable[Object]) -> bool:
    """Whether all Deployments are ready, so that routes may lead to them and what is not wanted may go."""
    found = {key(each): each for each in observed}
    return all(is_ready(found.get(key(each))) for each in wanted if each["kind"] == "Deployment")


def _verdict(wanted: Object, found: Object | None, fault: str | None) -> Verdict:
    kind, name = key(wanted)
    if fault:
        return Verdict(False, "NotApplied", f"{kind} {name}: {fault}")
    if found is None:
        return Verdict(None, "Missing", f"{kind} {name}: is not there yet")
    if kind == "Deployment":
        said = _deployment(found)
    elif kind in ("HTTPRoute", "GRPCRoute"):
        said = _route(found)
    elif kind == "ScaledObject":
        said = _conditioned(found, "Ready")
    else:
        said = Verdict(True)
    return Verdict(said.good, said.reason, f"{kind} {name}: {said.message}" if said.message else "")


def _deployment(found: Object) -> Verdict:
    state = found.get("status") or {}
    if state.get("observedGeneration", 0) < found["metadata"].get("generation", 0):
        return Verdict(None, "NotObserved", "its change is not seen yet")
    conditions = {each.get("type"): each for each in state.get("conditions") or []}
    want = found["spec"].get("replicas", 1)
    current = {name: state.get(f"{name}Replicas") or 0 for name in ("updated", "available")}
    if current["updated"] >= want and current["available"] >= want and (state.get("replicas") or 0) <= want:
        return Verdict(True)
    if (conditions.get("Progressing") or {}).get("reason") == "ProgressDeadlineExceeded":
        return Verdict(False, "ProgressDeadlineExceeded", STUCK)
    failure = conditions.get("ReplicaFailure") or {}
    if failure.get("status") == "True":
        return Verdict(False, failure.get("reason", "ReplicaFailure"), failure.get("message", ""))
    parts = ", ".join(f"{count} of {want} {name}" for name, count in current.items())
    return Verdict(None, "Progressing", parts)


def _route(found: Object) -> Verdict:
    """A route is well when each Gateway that it names has accepted it as it is now; those that said nothing may yet."""
    generation = found["metadata"].get("generation", 0)
    accepted = []
    for each in (found.get("status") or {}).get("parents") or []:
        said = [one for one in each.get("conditions") or [] if one.get("observedGeneration", generation) >= generation]
        for one in said:
            if one.get("type") in ("Accepted", "ResolvedRefs") and one.get("status") == "False":
                return Verdict(False, one.get("reason", ""), one.get("message", "is not accepted"))
        accepted.append(any(one.get("type") == "Accepted" and one.get("status") == "True" for one in said))
    return Verdict(True) if accepted and all(accepted) else Verdict(None, UNSAID, "no Gateway has accepted it yet")


def _conditioned(found: Object, name: str) -> Verdict:
    """How an object says itself that it stands."""
    conditions = (found.get("status") or {}).get("conditions") or []
    said = next((each for each in conditions if each.get("type") == name), None)
    if said is None or said.get("status") == "Unknown":
        return Verdict(None, "Pending", "has not said how it stands")
    if said.get("status") == "True":
        return Verdict(True)
    return Verdict(False, said.get("reason", ""), said.get("message") or "is not ready")


def _joined(kinds: Sequence[str], verdicts: Mapping[tuple[str, str], Verdict]) -> Verdict:
    chosen = [each for (kind, _), each in verdicts.items() if kind in kinds]
    return _all(chosen) if chosen else Verdict(True, "NotDefined", f"no {' or '.join(kinds)} is asked for")


def _all(verdicts: Sequence[Verdict]) -> Verdict:
    """All are good, or one is bad, or else one is on its way."""
    for good in (False, None):
        chosen = [each for each in verdicts if each.good is good]
        if chosen:
            return Verdict(good, chosen[0].reason, "; ".join(each.message for each in chosen))
    return Verdict(True, "AllGood")


def _conditions(resource: Mapping[str, Any], verdicts: Mapping[str, Verdict], now: str) -> list[Object]:
    before = {each.get("type"): each for each in (resource.get("status") or {}).get("conditions") or []}
    found = []
    for name, verdict in verdicts.items():
        state = {True: "True", False: "False", None: "Unknown"}[verdict.good]
        last = before.get(name) or {}
        since = last.get("lastTransitionTime", now) if last.get("status") == state else now
        found.append({
            "type": name,
            "status": state,
            "reason": verdict.reason or "Good",
            "message": verdict.message,
            "observedGeneration": resource["metadata"].get("generation", 0),
            "lastTransitionTime": since,
        })  # fmt: skip
    return found


def _replicas(deployments: Sequence[Object], found: Mapping[tuple[str, str], Object]) -> int:
    return sum(_counted(found.get(key(each))).get("replicas", 0) for each in deployments)


def _counted(found: Object | None) -> Object:
    state = (found or {}).get("status") or {}
    return {"replicas": state.get("replicas") or 0, "availableReplicas": state.get("availableReplicas") or 0}


def _services(scope: Scope) -> Iterable[tuple[str, Object]]:
    for _, pod in scope.pods():
        for name, unit in scope.nodes_in(pod).items():
            service = names.container(scope.name, scope.predictor, name)
            yield service, _reached(scope, service, unit.endpoint.httpPort, unit.endpoint.grpcPort)
    yield scope.service, _reached(scope, scope.service, *services.ports(scope))
    for _, service, number in explainer.reached(scope):
        yield service, {**_reached(scope, service, number, 0), "explainerFor": scope.predictor.name}


def _reached(scope: Scope, service: str, http: int, grpc: int) -> Object:
    found: Object = {"svcName": service}
    for name, number in (("httpEndpoint", http), ("grpcEndpoint", grpc)):
        if number:
            found[name] = f"{service}.{scope.namespace}:{number}"
    return found


def _address(scope: Scope) -> str:
    path = _PATHS.get(scope.protocol, "/api/v1.0/predictions").format(scope.predictor.graph.name)
    scheme = "https" if scope.secret else "http"
    return f"{scheme}://{scope.service}.{scope.namespace}.svc.cluster.local:{services.ports(scope)[0]}{path}"
