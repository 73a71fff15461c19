"""Tests `managed`: what `managedFields` say."""

from typing import Any

from operator_lite import managed


def entry(manager: str, operation: str, fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "apiVersion": "apps/v1", "fieldsV1": fields, **more}


def found(*entries: dict[str, Any]) -> dict[str, Any]:
    meta = {"name": "d", "namespace": "n", "managedFields": list(entries)}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": {"replicas": 3, "paused": True}}


OURS = entry(
    "millrace-operator", "Apply", {"f:spec": {"f:replicas": {}, "f:template": {}}}, time="2026-01-02T00:00:00Z"
)
STATUS = entry("millrace-operator", "Apply", {"f:status": {}}, subresource="status", time="2027-01-01T00:00:00Z")
SELDON = entry("manager", "Update", {"f:spec": {"f:paused": {}, "f:template": {"f:a": {}}}})
KUBE = entry("kube-controller-manager", "Update", {"f:status": {}}, subresource="status")


def test_what_we_say() -> None:
    assert managed.is_applied(found(SELDON, OURS))
    assert not managed.is_applied(found(SELDON, STATUS))
    assert managed.owns(found(OURS), managed.REPLICAS)
    assert not managed.owns(found(OURS), ("spec", "paused"))
    assert not managed.owns(found(SELDON), ("spec", "paused"))


def test_when_we_said_it_last() -> None:
    assert managed.changed_at(found(STATUS, OURS, SELDON)) == "2026-01-02T00:00:00Z"
    assert managed.changed_at(found(SELDON)) == ""


def test_an_apply_that_changed_nothing_says_the_same() -> None:
    assert managed.said(found(STATUS, OURS, SELDON)) == managed.said(found(OURS, KUBE))
    assert managed.said(found({**OURS, "time": "2026-01-03T00:00:00Z"})) != managed.said(found(OURS))
    assert managed.said(found(entry("millrace-operator", "Apply", {}, time=OURS["time"]))) != managed.said(found(OURS))


def test_what_others_say_of_labels() -> None:
    theirs = entry("manager", "Update", {"f:metadata": {"f:labels": {".": {}, "f:a": {}}}})
    ours = entry("millrace-operator", "Apply", {"f:metadata": {"f:labels": {"f:b": {}}}})
    given = found(theirs, ours, KUBE)
    given["metadata"]["labels"] = {"a": "1", "b": "2", "c": "3"}
    assert managed.others(given, "labels") == {"c": "3"}
    assert managed.others(given, "annotations") == {}


def test_what_seldons_operator_said_becomes_ours() -> None:
    entries = managed.taken_over(found(KUBE, SELDON, OURS))
    assert entries[0] == KUBE
    assert len(entries) == 2
    assert (entries[1]["manager"], entries[1]["operation"]) == ("millrace-operator", "Apply")
    assert entries[1]["fieldsV1"] == {"f:spec": {"f:replicas": {}, "f:paused": {}, "f:template": {"f:a": {}}}}


def test_a_field_that_is_kept_becomes_ours_with_it() -> None:
    (ours,) = managed.taken_over(found(SELDON), ("spec", "clusterIP"))
    assert ours["fieldsV1"] == {"f:spec": {"f:paused": {}, "f:template": {"f:a": {}}, "f:clusterIP": {}}}


def test_without_any_everything_stays() -> None:
    assert managed.taken_over(found(KUBE, OURS)) == [KUBE, OURS]


def test_what_is_handed_over_is_said_alone() -> None:
    given = managed.handed_over(found(OURS))
    assert given["spec"] == {"replicas": 3}
    assert given["metadata"] == {"name": "d", "namespace": "n"}
