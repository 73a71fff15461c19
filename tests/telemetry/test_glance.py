"""What is seen at a glance: totals of requests, nodes and branches, whatever their labels are."""

from collections.abc import Iterator

import pytest

from executor.telemetry import families
from executor.telemetry.families import Family
from executor.telemetry.glance import READ, Glance
from executor.telemetry.store import Store

OF = ("demo", "main", "")
NODE = "/seldon.protos.Model/Predict"


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store()
    yield made
    made.close()


def took(store: Store, pair: tuple[Family, Family], labels: tuple[str, ...], *seconds: float) -> None:
    for each in seconds:
        store.segment.histogram(pair[0].key(*labels), families.SECONDS).add(each)
        store.segment.sketch(pair[1].key(*labels)).add(each, 1000.0)


def served(store: Store, service: str, code: str, *seconds: float) -> None:
    method = "unary" if service.startswith("/") else "post"
    took(store, (families.SERVER, families.SERVER_SUMMARY), (*OF, service, method, code), *seconds)


def called(store: Store, node: str, service: str, code: str, *seconds: float) -> None:
    took(store, (families.CLIENT, families.CLIENT_SUMMARY), (*OF, service, node, "", "", "unary", code), *seconds)


def seen(store: Store) -> Glance:
    return Glance(store.region.read(1000.0, READ))


def test_nothing_was_seen(store: Store) -> None:
    found = seen(store)
    assert found.requests.told() == {"count": 0, "errors": 0, "seconds": 0.0, "p50": None, "p99": None}
    assert (dict(found.nodes), found.critical, found.workers) == ({}, {}, 0)


def test_requests_of_both_fronts_are_added_up(store: Store) -> None:
    served(store, "predictions", "200", *[0.010] * 97)
    served(store, "predictions", "500", 0.5, 0.5)
    served(store, "/seldon.protos.Seldon/Predict", "OK", 0.020)
    served(store, "/seldon.protos.Seldon/Predict", "Canceled", 0.020)
    served(store, "/seldon.protos.Seldon/Predict", "Unavailable", 0.020)
    told = seen(store).requests.told()
    assert (told["count"], told["errors"]) == (102, 3)
    assert told["seconds"] == pytest.approx(0.97 + 1.0 + 0.06)
    assert told["p50"] == pytest.approx(0.010, rel=0.02)
    assert told["p99"] == pytest.approx(0.5, rel=0.02)


def test_feedback_counts_but_says_nothing_on_how_long_predictions_take(store: Store) -> None:
    served(store, "feedback", "200", 3.0)
    served(store, "/seldon.protos.Seldon/SendFeedback", "OK", 3.0)
    served(store, "predictions", "200", 0.010)
    told = seen(store).requests.told()
    assert told["count"] == 3
    assert told["p99"] == pytest.approx(0.010, rel=0.02)


@pytest.mark.parametrize("service", ["metadata", "status", "/grpc.health.v1.Health/Check"])
def test_what_is_no_request_of_the_graph_does_not_count(store: Store, service: str) -> None:
    served(store, service, "200", 0.010)
    assert seen(store).requests.count == 0


def test_nodes(store: Store) -> None:
    called(store, "m", NODE, "OK", 0.010, 0.010, 0.030)
    called(store, "m", "/predict", "503", 0.010)
    called(store, "m", "/seldon.protos.Model/SendFeedback", "OK", 2.0)
    store.segment.histogram(families.NODE_QUEUE.key("m"), families.WAITS).add(0.0)
    store.set(families.NODE_IN_FLIGHT, "m", to=2)
    store.set(families.NODE_CONNECTIONS, "m", "a:1", "ready", to=3)
    store.set(families.NODE_CONNECTIONS, "m", "b:1", "ready", to=1)
    node = seen(store).nodes["m"]
    assert (node.times.count, node.times.errors, node.calls, node.in_flight) == (4, 1, 1, 2)
    assert node.times.told()["p50"] == pytest.approx(0.010, rel=0.02)
    assert node.connections == {"ready": 4}


def test_branches(store: Store) -> None:
    store.add(families.PULLS, "r", "a", amount=5)
    store.add(families.REWARDS, "r", "a", amount=2)
    store.set(families.REWARD_MEAN, "r", "a", to=0.5)
    store.set(families.CHANCE, "r", "a", to=0.25)
    store.add(families.PULLS, "r", "b")
    assert seen(store).nodes["r"].branches == {
        "a": {"pulls": 5, "rewards": 2, "mean": 0.5, "chance": 0.25}, "b": {"pulls": 1},
    }  # fmt: skip


@pytest.mark.parametrize("name", ['a "b"', "a\\b", "a\nb", 'x",model_name="y', "å∫"])
def test_names_come_back_as_they_were(store: Store, name: str) -> None:
    called(store, name, NODE, "OK", 0.010)
    assert list(seen(store).nodes) == [name]


def test_the_critical_path(store: Store) -> None:
    store.add(families.NODE_CRITICAL, "m", amount=1.5)
    store.add(families.NODE_CRITICAL, "n", amount=0.5)
    assert seen(store).critical == {"m": 1.5, "n": 0.5}


def test_only_what_is_looked_at_is_read(store: Store) -> None:
    store.add(families.RELOADS, "done")
    store.set(families.WORKERS, to=3)
    read = store.region.read(1000.0, READ)
    assert [key for _, key in read] == [families.WORKERS.key()]
    assert Glance(read).workers == 3
