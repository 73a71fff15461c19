"""Tests `mirror`: what is known of a kind, and what is told of its changes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support.apiserver import ApiServer
from support.cluster import Cluster, until

from operator_lite.api import ApiError
from operator_lite.kinds import CONFIG_MAP, Kind
from operator_lite.mirror import Mirror

Change = tuple[str | None, str | None]


def config_map(cluster: Cluster, name: str, data: str = "", **meta: Any) -> dict[str, Any]:
    head = {"apiVersion": "v1", "kind": "ConfigMap"}
    return {**head, "metadata": {"name": name, "namespace": cluster.namespace, **meta}, "data": {"it": data}}


@contextmanager
def mirrored(cluster: Cluster, kind: Kind = CONFIG_MAP, **options: Any) -> Iterator[tuple[Mirror, list[Change]]]:
    """A mirror that runs, and what it told."""
    told: list[Change] = []

    def on_change(old: Any, new: Any) -> None:
        told.append((old and old["data"]["it"], new and new["data"]["it"]))

    mirror = Mirror(cluster.api, kind, on_change, cluster.namespace, **options)
    thread = threading.Thread(target=mirror.run)
    thread.start()
    try:
        yield mirror, told
    finally:
        mirror.stop()
        thread.join(10.0)
        assert not thread.is_alive()


def test_it_follows_what_changes(cluster: Cluster) -> None:
    one = cluster.api.create(config_map(cluster, "a", "1"))
    with mirrored(cluster) as (mirror, told):
        assert mirror.settled.wait(10.0)
        assert mirror.get(cluster.namespace, "a") == {**one, "apiVersion": "v1", "kind": "ConfigMap"}
        cluster.api.create(config_map(cluster, "b", "2"))
        two = cluster.api.replace({**one, "data": {"it": "3"}})
        cluster.api.delete(two)
        until(lambda: len([each for each in told if None in each or each == ("1", "3")]) >= 4)
        assert mirror.get(cluster.namespace, "a") is None
        assert [each["data"]["it"] for each in mirror.all()] == ["2"]
    assert told == [(None, "1"), (None, "2"), ("1", "3"), ("3", None)]


def test_it_knows_what_belongs_to_whom(cluster: Cluster) -> None:
    uid = cluster.api.create(config_map(cluster, "o"))["metadata"]["uid"]
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": uid, "controller": True}
    with mirrored(cluster, labels="seen") as (mirror, _):
        found = cluster.api.create(config_map(cluster, "a", ownerReferences=[owner], labels={"seen": ""}))
        cluster.api.create(config_map(cluster, "b", labels={"seen": ""}))
        until(lambda: len(mirror.all()) == 2)
        assert [each["metadata"]["name"] for each in mirror.of_owner(uid)] == ["a"]
        changed = cluster.api.replace({**found, "metadata": {**found["metadata"], "ownerReferences": []}})
        until(lambda: mirror.of_owner(uid) == [])
        cluster.api.delete(changed)
        until(lambda: len(mirror.all()) == 1)


def test_what_went_while_nobody_watched_is_told_too(server: ApiServer, fragile: Cluster) -> None:
    one = fragile.api.create(config_map(fragile, "a", "1"))
    fragile.api.create(config_map(fragile, "b", "2"))
    fragile.api.create(config_map(fragile, "c", "3"))
    with mirrored(fragile) as (mirror, told):
        assert mirror.settled.wait(10.0)
        server.stop()
        kind = (CONFIG_MAP.api_version, CONFIG_MAP.plural)
        with server.store.changed:
            server.store.delete(kind, (fragile.namespace, "b"))
            server.store.replace(kind, {**one, "data": {"it": "4"}}, "test", "", False)
            server.store.forget_log()
        told.clear()
        server.start()
        until(lambda: len(told) == 2)
    assert told == [("1", "4"), ("2", None)]
    assert mirror.lists == 2


def test_a_kind_that_is_not_there_is_so_until_it_is(server: ApiServer, fragile: Cluster) -> None:
    kind = Kind("odd.example.org/v1", "Thing")
    calls: list[ApiError | None] = []
    with mirrored(fragile, kind, on_trouble=lambda: calls.append(None)) as (mirror, _):
        assert mirror.settled.wait(10.0)
        assert mirror.trouble is not None
        assert mirror.trouble.code == 404
        server.store.install((kind.api_version, kind.plural))
        until(lambda: mirror.trouble is None)
        assert len(calls) == 2


@pytest.mark.parametrize(("kind", "code", "settles"), [
    (CONFIG_MAP, 403, True), (CONFIG_MAP, 500, False), (Kind("odd.example.org/v1", "Thing"), 500, True),
])  # fmt: skip
def test_what_cannot_be_read(server: ApiServer, fragile: Cluster, kind: Kind, code: int, settles: bool) -> None:
    """Kubernetes' own kinds come back; nothing is done before they are read. Others may be broken for long."""
    server.store.install((kind.api_version, kind.plural))
    server.fail("get", f"/{kind.plural}", code, "not now")
    with mirrored(fragile, kind) as (mirror, _):
        until(lambda: len([each for each in server.requests if each[1].endswith(kind.plural)]) >= 2)
        assert mirror.settled.is_set() is settles
        assert (mirror.trouble is not None) is settles
        server.heal()
        assert mirror.settled.wait(10.0)
        until(lambda: mirror.trouble is None)


def test_it_stops_while_it_waits(server: ApiServer, fragile: Cluster) -> None:
    server.stop()
    with mirrored(fragile) as (mirror, told):
        pass
    assert not mirror.settled.is_set()
    assert told == []
    server.start()
