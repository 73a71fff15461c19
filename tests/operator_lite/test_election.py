"""Tests `election`: that one leads, and that there are never two."""

import threading
from typing import Any

import pytest
from support.apiserver import ApiServer
from support.cluster import Cluster, until

from operator_lite.api import Api
from operator_lite.election import Election, Terms
from operator_lite.kinds import LEASE


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def candidate(cluster: Cluster, name: str, clock: Any, terms: Terms | None = None) -> Election:
    return Election(cluster.api, cluster.namespace, "leader", name, terms, clock)


def holder(cluster: Cluster) -> tuple[str, int]:
    found = cluster.get(LEASE, "leader")
    assert found is not None
    return found["spec"]["holderIdentity"], found["spec"]["leaseTransitions"]


def test_the_first_leads_and_keeps_the_lead(cluster: Cluster) -> None:
    clock = Clock()
    one, two = candidate(cluster, "one", clock), candidate(cluster, "two", clock)
    assert one.step()
    assert not two.step()
    for _ in range(20):
        clock.now += 2.0
        assert one.step()
        assert not two.step()
    assert (one.leads, two.leads) == (True, False)
    assert holder(cluster) == ("one", 0)


def test_one_that_is_silent_is_replaced_when_its_time_is_over(cluster: Cluster) -> None:
    clock = Clock()
    one, two = candidate(cluster, "one", clock), candidate(cluster, "two", clock)
    assert one.step()
    assert not two.step()
    clock.now += 14.9
    assert not two.step()
    clock.now += 0.2
    assert two.step()
    assert not one.step()
    assert holder(cluster) == ("two", 1)


def test_one_that_gives_up_is_replaced_at_once(cluster: Cluster) -> None:
    one, two = candidate(cluster, "one", Clock()), candidate(cluster, "two", Clock())
    assert one.step()
    assert not two.step()
    two.resign()
    assert holder(cluster)[0] == "one"
    one.resign()
    assert not one.leads
    assert two.step()
    one.resign()
    assert holder(cluster)[0] == "two"


def test_clocks_need_not_agree(cluster: Cluster) -> None:
    one, two = candidate(cluster, "one", Clock()), candidate(cluster, "two", Clock())
    assert one.step()
    found = cluster.get(LEASE, "leader")
    assert found is not None
    spec = {**found["spec"], "renewTime": "2001-01-01T00:00:00.000000Z"}
    cluster.api.replace({**found, "spec": spec})
    assert not two.step()


def test_of_two_that_see_a_free_lease_one_is_faster(server: ApiServer, fragile: Cluster) -> None:
    clock = Clock()
    one = candidate(fragile, "one", clock)
    server.fail("post", "/leases", 409, "already exists", times=1)
    assert not one.step()
    assert one.step()
    server.fail("put", "/leases", 409, "has been modified", times=1)
    assert not one.step()
    assert not one.leads


def test_a_leader_that_cannot_renew_gives_up_before_another_may_lead(server: ApiServer, fragile: Cluster) -> None:
    clock = Clock()
    one = candidate(fragile, "one", clock)
    assert one.step()
    server.fail("put", "/leases", 500, "etcd is away")
    clock.now += 9.9
    assert one.step()
    clock.now += 0.2
    assert not one.step()
    server.stop()
    assert not one.step()
    one.leads = True
    one.resign()
    assert not one.leads
    server.start()


def test_requests_are_short_enough_for_that() -> None:
    terms = Terms()
    assert terms.renew_s + 2 * terms.request_s < terms.lease_s


@pytest.fixture
def quick() -> Terms:
    return Terms(lease_s=1.0, renew_s=0.4, retry_s=0.05)


def test_they_follow_one_another(server: ApiServer, fragile: Cluster, quick: Terms) -> None:
    stop, led, lost = threading.Event(), list[str](), list[str]()

    def run(name: str) -> None:
        api = Api.connect(str(fragile.kubeconfig), timeout_s=quick.request_s)
        one = Election(api, fragile.namespace, "leader", name, quick)
        if one.win(stop):
            led.append(name)
            if not one.hold(stop):
                lost.append(name)
            one.resign()

    threads = [threading.Thread(target=run, args=(name,)) for name in ("one", "two", "three")]
    for each in threads:
        each.start()
    until(lambda: led)
    server.fail("put", "/leases", 500, "etcd is away")
    until(lambda: lost == led[:1])
    server.heal()
    until(lambda: len(led) == 2)
    stop.set()
    for each in threads:
        each.join(10.0)
    assert lost == led[:1]
    assert holder(fragile)[0] == ""
