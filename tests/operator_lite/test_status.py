"""Tests `status`: what is said of a resource by what the cluster has."""

import copy
from typing import Any

import pytest
from support.resources import ONE, made, scope_of, sdep

from operator_lite import status
from operator_lite.status import is_serving, refused

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
NAME = "iris-main-0-model"


def live(spec: str = ONE, **deployment: Any) -> list[dict[str, Any]]:
    """The wanted objects as a cluster has them when all is well; `deployment` is the status of Deployments."""
    found = copy.deepcopy(made(spec))
    for each in found:
        each["metadata"]["generation"] = 2
        if each["kind"] == "Deployment":
            want = each["spec"].setdefault("replicas", 1)
            counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), want)
            each["status"] = {"observedGeneration": 2, **counts, **deployment}
        if each["kind"] == "HTTPRoute":
            each["status"] = {"parents": [{"conditions": [{"type": "Accepted", "status": "True"}]}]}
    return found


def said(observed: list[dict[str, Any]], spec: str = ONE, now: str = NOW, **more: Any) -> dict[str, Any]:
    resource = more.pop("resource", sdep(spec))
    return status.status(resource, [scope_of(spec)], made(spec), observed, now, **more)


def conditions(found: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {each["type"]: (each["status"], each["reason"]) for each in found["conditions"]}


def test_all_is_well() -> None:
    found = said(live(ONE + "  replicas: 2\n"), ONE + "  replicas: 2\n")
    assert (found["state"], found["description"], found["replicas"]) == ("Available", "", 2)
    assert found["deploymentStatus"] == {NAME: {"replicas": 2, "availableReplicas": 2}}
    assert found["serviceStatus"] == {
        "iris-main-model": {
            "svcName": "iris-main-model",
            "httpEndpoint": "iris-main-model.ml:9000",
            "grpcEndpoint": "iris-main-model.ml:9500",
        },
        "iris-main": {"svcName": "iris-main", "httpEndpoint": "iris-main.ml:8000", "grpcEndpoint": "iris-main.ml:5001"},
    }
    assert found["address"] == {"url": "http://iris-main.ml.svc.cluster.local:8000/api/v1.0/predictions"}
    assert conditions(found) == {
        "Ready": ("True", "AllGood"),
        "DeploymentsReady": ("True", "AllGood"),
        "ServicesReady": ("True", "AllGood"),
        "HpasReady": ("True", "NotDefined"),
        "KedaReady": ("True", "NotDefined"),
        "PdbsReady": ("True", "NotDefined"),
        "RoutesReady": ("True", "AllGood"),
        "istioVirtualServicesReady": ("True", "NotDefined"),
    }
    assert {each["observedGeneration"] for each in found["conditions"]} == {3}


STUCK = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
NO_QUOTA = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}


@pytest.mark.parametrize(
    ("deployment", "state", "reason", "description"),
    [
        ({"availableReplicas": 0}, "Creating", "Progressing", "1 of 1 updated, 0 of 1 available"),
        ({"updatedReplicas": 0}, "Creating", "Progressing", "0 of 1 updated, 1 of 1 available"),
        ({"replicas": 2}, "Creating", "Progressing", "1 of 1 updated, 1 of 1 available"),
        ({"observedGeneration": 1}, "Creating", "NotObserved", "its change is not seen yet"),
        ({"availableReplicas": 0, "conditions": [STUCK]}, "Failed", "ProgressDeadlineExceeded", status.STUCK),
        ({"availableReplicas": 0, "conditions": [NO_QUOTA]}, "Failed", "FailedCreate", "exceeded quota"),
        ({"conditions": [STUCK]}, "Available", "AllGood", ""),
    ],
)
def test_how_a_deployment_stands(deployment: dict[str, Any], state: str, reason: str, description: str) -> None:
    observed = live(ONE, **deployment)
    found = said(observed)
    expected = f"Deployment {NAME}: {description}" if description else ""
    assert (found["state"], conditions(found)["DeploymentsReady"][1]) == (state, reason)
    assert found["description"] == expected
    assert is_serving(made(), observed) is (state == "Available")


def test_what_is_not_there_yet() -> None:
    observed = [each for each in live() if each["kind"] != "Deployment"]
    found = said(observed)
    assert (found["state"], found["replicas"]) == ("Creating", 0)
    assert found["description"] == f"Deployment {NAME}: is not there yet"
    assert conditions(found)["ServicesReady"] == ("True", "AllGood")
    assert not is_serving(made(), observed)


def test_what_could_not_be_applied() -> None:
    found = said(live(), faults={("Service", "iris-main"): "the name is taken"})
    assert (found["state"], found["description"]) == ("Failed", "Service iris-main: the name is taken")
    assert conditions(found)["ServicesReady"] == ("False", "NotApplied")


def test_kinds_that_the_cluster_does_not_have_are_told_but_hold_nothing_up() -> None:
    observed = [each for each in live() if each["kind"] != "HTTPRoute"]
    found = said(observed, absent={"HTTPRoute": "the cluster has no HTTPRoute"})
    assert conditions(found)["RoutesReady"] == ("False", "NotInstalled")
    assert found["state"] == "Available"


def test_routes_that_no_gateway_speaks_of_are_pending_but_hold_nothing_up() -> None:
    observed = live()
    observed[-1].pop("status")
    found = said(observed)
    assert (found["state"], conditions(found)["RoutesReady"]) == ("Available", ("Unknown", "NoGatewayHasAnswered"))
    observed[-1]["status"] = {"parents": [{"conditions": [
        {"type": "Accepted", "status": "False", "reason": "NoMatchingParent", "message": "no such listener"},
    ]}]}  # fmt: skip
    found = said(observed)
    assert (found["state"], found["description"]) == ("Failed", "HTTPRoute iris: no such listener")
    assert said(observed[:-1])["state"] == "Creating"


@pytest.mark.parametrize("status", ["True", "False"])
def test_what_a_gateway_said_of_a_route_before_it_changed_does_not_count(status: str) -> None:
    observed = live()
    (condition,) = observed[-1]["status"]["parents"][0]["conditions"]
    condition |= {"status": status, "observedGeneration": 1}
    found = said(observed)
    assert (found["state"], conditions(found)["RoutesReady"]) == ("Available", ("Unknown", "NoGatewayHasAnswered"))


def test_a_transition_keeps_its_time() -> None:
    first = said(live())
    again = said(live(), now=LATER, resource={**sdep(), "status": first})
    assert again == first
    other = said(live(ONE, availableReplicas=0), now=LATER, resource={**sdep(), "status": first})
    times = {each["type"]: each["lastTransitionTime"] for each in other["conditions"]}
    assert {name for name, time in times.items() if time == LATER} == {"Ready", "DeploymentsReady"}


def test_a_refusal_keeps_what_is_known() -> None:
    before = said(live())
    found = refused({**sdep(), "status": before}, "spec: wrong", LATER)
    assert (found["state"], found["description"]) == ("Failed", "spec: wrong")
    assert found["serviceStatus"] == before["serviceStatus"]
    assert conditions(found)["Ready"] == ("False", "Refused")
    assert len(found["conditions"]) == len(before["conditions"])
    assert refused(sdep(), "spec: wrong", NOW)["conditions"][0]["lastTransitionTime"] == NOW


def test_explainers_and_addresses_of_other_protocols() -> None:
    spec = ONE + "  explainer: {type: ALE}\n  ssl: {certSecretName: c}\n"
    found = said(live(spec), spec)
    assert found["serviceStatus"]["iris-main-explainer"] == {
        "svcName": "iris-main-explainer",
        "httpEndpoint": "iris-main-explainer.ml:9000",
        "explainerFor": "main",
    }
    assert found["address"]["url"].startswith("https://")


@pytest.mark.parametrize(
    ("said_itself", "state"),
    [
        ([], "Creating"),
        ([{"type": "Ready", "status": "Unknown"}], "Creating"),
        ([{"type": "Ready", "status": "True"}], "Available"),
        ([{"type": "Ready", "status": "False", "message": "no trigger"}], "Failed"),
    ],
)
def test_scaled_objects_say_themselves_how_they_stand(said_itself: list[dict[str, str]], state: str) -> None:
    wanted = {"kind": "ScaledObject", "metadata": {"name": "s"}}
    observed = {**wanted, "status": {"conditions": said_itself}}
    assert status.status(sdep(), [], [wanted], [observed], NOW)["state"] == state
