"""Tests `plan`: what is done about an object."""

import copy
from typing import Any

import pytest
from support.resources import ONE, made, of_kind, sdep

from operator_lite import plan
from operator_lite.plan import Act

OWNER = sdep(uid="u1")
OURS = {"manager": "millrace-operator", "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
SELDONS = {"manager": "manager", "operation": "Update", "fieldsV1": {"f:spec": {}}}
LEARNS = ONE.replace("{name: model, type: MODEL}", "{name: r, implementation: UCB1, children: [{name: model}]}")


def wanted(kind: str, spec: str = ONE) -> dict[str, Any]:
    return next(plan.owned(each, OWNER) for each in of_kind(made(spec), kind).values())


def live(kind: str, entries: Any = (OURS,), spec: str = ONE, **meta: Any) -> dict[str, Any]:
    found = copy.deepcopy(wanted(kind, spec))
    found["metadata"] |= {"uid": "x", "managedFields": list(entries), **meta}
    if kind == "Service":
        found["spec"].setdefault("clusterIP", "10.0.0.1")
    return found


def test_it_goes_with_its_owner() -> None:
    (reference,) = wanted("Service")["metadata"]["ownerReferences"]
    assert (reference["kind"], reference["name"], reference["uid"]) == ("SeldonDeployment", "iris", "u1")
    assert reference["controller"]


@pytest.mark.parametrize("kind", ["Service", "Deployment", "HTTPRoute"])
def test_it_is_made_applied_or_taken_over(kind: str) -> None:
    assert plan.step(wanted(kind), None).act is Act.CREATE
    assert plan.step(wanted(kind), live(kind)).act is Act.APPLY
    assert plan.step(wanted(kind), live(kind, [SELDONS])).act is Act.ADOPT


def test_it_is_left_to_whom_it_belongs() -> None:
    stranger = {"kind": "Other", "name": "o", "uid": "u9", "controller": True}
    found = plan.step(wanted("Service"), live("Service", ownerReferences=[stranger]))
    assert (found.act, found.why) == (Act.REFUSE, "there is one that belongs to Other o")
    assert plan.step(wanted("Service"), live("Service", ownerReferences=[])).act is Act.APPLY
    assert plan.step(wanted("Service"), live("Service", ownerReferences=[], labels={})).act is Act.REFUSE


def test_one_that_goes_is_waited_for() -> None:
    assert plan.step(wanted("Service"), live("Service", deletionTimestamp="2026-01-01T00:00:00Z")).act is Act.WAIT


def test_claims_are_kept() -> None:
    kind = "PersistentVolumeClaim"
    assert plan.step(wanted(kind, LEARNS), live(kind, spec=LEARNS)).act is Act.KEEP


def test_another_selector_is_another_deployment() -> None:
    found = live("Deployment")
    found["spec"]["selector"] = {"matchLabels": {"a": "b"}}
    assert plan.step(wanted("Deployment"), found).act is Act.RECREATE
    found["metadata"]["managedFields"] = [SELDONS]
    step = plan.step(wanted("Deployment"), found)
    assert step.act is Act.REFUSE
    assert "its selector cannot change; it is {'matchLabels': {'a': 'b'}}; delete it" in step.why


def test_a_service_cannot_get_or_lose_its_address() -> None:
    headless = live("Service")
    headless["spec"]["clusterIP"] = "None"
    assert plan.step(wanted("Service"), headless) == plan.Step(Act.RECREATE, "its address cannot be given afterwards")
    asked = wanted("Service")
    asked["spec"]["clusterIP"] = "None"
    assert plan.step(asked, live("Service")).why == "its address cannot be taken away afterwards"
    assert plan.step(asked, headless).act is Act.APPLY


def test_a_service_of_another_operator_keeps_its_address() -> None:
    asked, theirs = wanted("Service"), live("Service", [SELDONS])
    asked["spec"]["clusterIP"] = "None"
    kept = plan.fitted(asked, theirs)
    assert kept["spec"]["clusterIP"] == "10.0.0.1"
    assert plan.step(kept, theirs).act is Act.ADOPT
    said = {**OURS, "fieldsV1": {"f:spec": {"f:clusterIP": {}}}}
    assert plan.fitted(asked, live("Service", [said])) == kept
    assert plan.fitted(asked, live("Service")) == asked
    assert plan.fitted(asked, None) == asked
    assert plan.fitted(wanted("Service"), theirs) == wanted("Service")
    theirs["spec"]["clusterIP"] = "None"
    assert plan.fitted(asked, theirs) == asked


def test_an_address_that_is_kept_is_known_before_it_is_said() -> None:
    asked, theirs = wanted("Service"), live("Service", [SELDONS])
    (ordinary,) = plan.taken_over(asked, theirs)
    assert ordinary["fieldsV1"] == {"f:spec": {}}
    asked["spec"]["clusterIP"] = "None"
    kept = plan.fitted(asked, theirs)
    half_done = {**theirs, "metadata": {**theirs["metadata"], "managedFields": plan.taken_over(kept, theirs)}}
    assert plan.fitted(asked, half_done) == kept
    assert plan.step(kept, half_done).act is Act.APPLY


def test_the_number_of_pods_is_handed_over_where_it_would_go() -> None:
    with_number = ONE + "  replicas: 2\n"
    assert plan.step(wanted("Deployment"), live("Deployment")).hands_over
    assert plan.step(wanted("Deployment"), live("Deployment", [SELDONS])).hands_over
    assert not plan.step(wanted("Deployment", with_number), live("Deployment")).hands_over
    other = {**OURS, "fieldsV1": {"f:spec": {}}}
    assert not plan.step(wanted("Deployment"), live("Deployment", [other])).hands_over
