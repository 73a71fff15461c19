"""Tests `program`: the operator as one process of several, from start to stop."""

import io
import threading
from pathlib import Path

import pytest
from support.apiserver import ApiServer
from support.cluster import SPEC, Cluster, until

from executor.errors import ManifestError
from operator_lite import program
from operator_lite.config import Config
from operator_lite.controller import Controller
from operator_lite.election import Election, Terms
from operator_lite.kinds import LEASE
from operator_lite.metrics import Metrics
from operator_lite.program import Options

QUICK = Terms(lease_s=1.5, renew_s=0.6, retry_s=0.05)


def options(cluster: Cluster) -> Options:
    return Options(cluster.namespace, cluster.namespace, str(cluster.kubeconfig))


class Member:
    """An operator with its election, in a thread."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.stop = threading.Event()
        self.controller = Controller(cluster.api, Config(), Metrics(), cluster.namespace, settle_s=0.0)
        self.election = Election(cluster.api, cluster.namespace, "leader", name, QUICK)
        self.status: list[int] = []
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        self.status.append(program.lead(self.controller, self.election, self.stop))

    def end(self) -> int:
        self.stop.set()
        self.thread.join(20.0)
        return self.status[0]


def test_one_leads_and_the_next_takes_over(cluster: Cluster) -> None:
    one, two = Member(cluster, "one"), Member(cluster, "two")
    first, second = (one, two) if until(lambda: one.election.leads or two.election.leads) and one.election.leads else (
        two, one)  # fmt: skip
    cluster.sdep("iris", SPEC)
    cluster.all_ready("iris")
    assert len(second.controller.queue) == 0
    assert not second.controller.is_ready
    assert first.end() == 0
    cluster.sdep("other", SPEC)
    cluster.all_ready("other")
    assert second.end() == 0
    found = cluster.get(LEASE, "leader")
    assert found is not None
    assert found["spec"]["holderIdentity"] == ""


def test_who_lost_the_lead_ends_with_an_error(server: ApiServer, fragile: Cluster) -> None:
    one = Member(fragile, "one")
    until(lambda: one.election.leads and one.controller.is_ready)
    server.fail("put", "/leases", 500, "etcd is away")
    one.thread.join(20.0)
    assert one.status == [1]


def test_who_lost_the_lead_changes_nothing_more(server: ApiServer, fragile: Cluster) -> None:
    held, lost = threading.Event(), threading.Event()

    def hold(verb: str, path: str) -> None:
        if verb == "patch" and "/services/" in path and not held.is_set():
            held.set()
            lost.wait(20.0)

    server.faults.append(hold)
    one = Member(fragile, "one")
    until(lambda: one.election.leads)
    fragile.sdep("iris", SPEC)
    assert held.wait(20.0)
    server.fail("put", "/leases", 500, "etcd is away")
    one.thread.join(20.0)
    assert one.status == [1]
    before = len(server.requests)
    lost.set()
    until(lambda: not any(each.is_alive() for each in one.controller._threads))
    assert [path for verb, path in server.requests[before:] if verb != "get" and "/events" not in path] == []


def test_one_that_never_led_ends_well(cluster: Cluster) -> None:
    one = Member(cluster, "one")
    until(lambda: one.election.leads)
    two = Member(cluster, "two")
    assert two.end() == 0
    assert one.end() == 0


def test_a_config_map_wins_over_the_environment(cluster: Cluster) -> None:
    environment = {"TRAFFIC": "istio", "CONTROLLER_ID": "a"}
    found = program.reader(cluster.api, options(cluster), environment)()
    assert (found.traffic, found.controller_id) == ("istio", "a")
    meta = {"name": "millrace-config", "namespace": cluster.namespace}
    cluster.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"TRAFFIC": "none"}})
    found = program.reader(cluster.api, options(cluster), environment)()
    assert (found.traffic, found.controller_id) == ("none", "a")
    cluster.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"TRAFFIC": "boats"}})
    with pytest.raises(ManifestError, match="TRAFFIC: must be one of gateway, istio, none"):
        program.reader(cluster.api, options(cluster), environment)()


def test_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "WITHIN", tmp_path / "namespace")
    assert program.own_namespace(Options(), {}) == "default"
    (tmp_path / "namespace").write_text("within\n")
    assert program.own_namespace(Options(), {}) == "within"
    assert program.own_namespace(Options(), {"POD_NAMESPACE": "said"}) == "said"
    assert program.own_namespace(Options(own_namespace="asked"), {"POD_NAMESPACE": "said"}) == "asked"


def test_a_preview_ends_with_1_if_something_is_wrong(cluster: Cluster) -> None:
    out = io.StringIO()
    cluster.sdep("iris", SPEC)
    assert program.preview(options(cluster), {}, out) == 0
    cluster.sdep("wrong", {"predictors": []})
    assert program.preview(options(cluster), {}, out) == 1
    assert "2 resources" in out.getvalue()
