"""Tests `events`."""

from datetime import UTC, datetime

import pytest
from support.apiserver import ApiServer
from support.cluster import Cluster
from support.resources import sdep

from operator_lite import events
from operator_lite.events import Recorder
from operator_lite.kinds import EVENT


def recorder(cluster: Cluster) -> Recorder:
    return Recorder(cluster.api, lambda: datetime.now(UTC), "pod-1")


def found(cluster: Cluster) -> list[tuple[str, str, str]]:
    listed = cluster.api.items(EVENT, cluster.namespace)[0]
    return [(each["type"], each["reason"], each["message"]) for each in listed]


def test_what_was_done_is_told(cluster: Cluster) -> None:
    about = sdep(namespace=cluster.namespace, uid="u1")
    recorder(cluster).did(about, "Create", "HorizontalPodAutoscaler", "a")
    recorder(cluster).did(about, "Delete", "Service", "b", "it had to")
    assert sorted(found(cluster)) == [
        ("Normal", "CreateHPA", "HorizontalPodAutoscaler a was made"),
        ("Normal", "DeleteService", "Service b was deleted: it had to"),
    ]


def test_a_warning_is_said_once_for_each_version(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "REMEMBERED", 2)
    says = recorder(cluster)
    about = sdep(namespace=cluster.namespace, uid="u1")
    for _ in range(3):
        says.warn(about, "Refused", "x" * 5000)
    assert found(cluster) == [("Warning", "Refused", "x" * events.LENGTH_MAX)]
    says.warn(sdep(namespace=cluster.namespace, uid="u1", generation=4), "Refused", "x")
    says.warn(about, "Refused", "y")
    says.warn(about, "Refused", "x" * 5000)
    assert len(found(cluster)) == 4


def test_one_that_is_not_taken_breaks_nothing(
    server: ApiServer, fragile: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    server.fail("post", "/events", 403, "events is forbidden")
    recorder(fragile).warn(sdep(namespace=fragile.namespace, uid="u1"), "Refused", "x")
    assert "events is forbidden" in caplog.text
