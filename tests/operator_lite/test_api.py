"""Tests `api`: talking with an API server, well and badly."""

import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from support.apiserver import ApiServer
from support.certificates import Authority
from support.cluster import Cluster, served, until

from executor.errors import Error
from operator_lite.api import Api, ApiError, Unreachable
from operator_lite.kinds import CONFIG_MAP, Kind, place


def config_map(cluster: Cluster, name: str = "c", **data: str) -> dict[str, object]:
    meta = {"name": name, "namespace": cluster.namespace, "labels": {"of": name}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


def test_objects_come_and_go(cluster: Cluster) -> None:
    api, place = cluster.api, (CONFIG_MAP, cluster.namespace, "c")
    assert api.get(*place) is None
    made = api.create(config_map(cluster, a="1"))
    with pytest.raises(ApiError) as caught:
        api.create(config_map(cluster))
    assert (caught.value.code, caught.value.cause) == (409, "AlreadyExists")
    put = api.replace({**made, "data": {"a": "2"}})
    with pytest.raises(ApiError) as caught:
        api.replace({**made, "data": {"a": "3"}})
    assert (caught.value.code, caught.value.cause) == (409, "Conflict")
    api.delete({**put, "metadata": {**put["metadata"], "uid": "of one before"}})
    assert api.get(*place) is not None
    api.delete(put)
    api.delete(put)
    assert api.get(*place) is None


def test_apply_takes_away_what_is_said_no_more(cluster: Cluster) -> None:
    api = cluster.api
    api.apply(config_map(cluster, a="1", b="2"))
    api.apply(config_map(cluster, c="3"), manager="other")
    found = api.apply(config_map(cluster, a="1"))
    assert found["data"] == {"a": "1", "c": "3"}
    assert api.apply(config_map(cluster, a="4"), dry=True)["data"]["a"] == "4"
    assert api.get(CONFIG_MAP, cluster.namespace, "c") == found
    patched = api.patch(found, [{"op": "replace", "path": "/data/c", "value": "5"}])
    assert patched["data"]["c"] == "5"


def test_lists_come_in_pages_with_kind_and_version(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("operator_lite.api.PAGE", 2)
    for name in "abcde":
        cluster.api.create(config_map(cluster, name))
    found, version = cluster.api.items(CONFIG_MAP, cluster.namespace, "of")
    assert sorted(each["metadata"]["name"] for each in found) == list("abcde")
    assert {(each["apiVersion"], each["kind"]) for each in found} == {("v1", "ConfigMap")}
    assert version
    ours = [each for each in cluster.api.items(CONFIG_MAP, "", "of=c")[0] if place(each)[0] == cluster.namespace]
    assert [each["metadata"]["name"] for each in ours] == ["c"]


def test_a_watch_tells_what_changes(cluster: Cluster) -> None:
    api = cluster.api
    _, version = api.items(CONFIG_MAP, cluster.namespace)
    made = api.create(config_map(cluster))
    api.delete(api.replace({**made, "data": {"a": "2"}}))
    seen = []
    stream = api.watch(CONFIG_MAP, version, 10, cluster.namespace, "of=c")
    for what, found in stream:
        seen.append((what, found["metadata"]["name"]))
        if what == "DELETED":
            break
    assert seen == [("ADDED", "c"), ("MODIFIED", "c"), ("DELETED", "c")]


def test_a_watch_can_be_ended_by_another_thread(cluster: Cluster) -> None:
    _, version = cluster.api.items(CONFIG_MAP, cluster.namespace)
    stream = cluster.api.watch(CONFIG_MAP, version, 600, cluster.namespace)
    ended = []

    def read() -> None:
        try:
            ended.append(list(stream))
        except Unreachable as error:
            ended.append([("", {"broke": error.message})])

    thread = threading.Thread(target=read)
    thread.start()
    threading.Event().wait(0.05)
    stream.close()
    thread.join(10.0)
    assert not thread.is_alive()
    stream.close()
    assert len(ended) == 1


def test_a_version_that_is_too_old(server: ApiServer, fragile: Cluster) -> None:
    fragile.api.create(config_map(fragile))
    server.store.forget_log()
    with pytest.raises(ApiError) as caught:
        list(fragile.api.watch(CONFIG_MAP, "1", 10))
    assert caught.value.code == 410
    assert "too old" in caught.value.message


def test_refusals_say_what_the_server_said(server: ApiServer, fragile: Cluster) -> None:
    server.fail("get", "/configmaps", 403, "configmaps is forbidden")
    with pytest.raises(ApiError) as caught:
        fragile.api.items(CONFIG_MAP)
    assert (caught.value.code, caught.value.message) == (403, "configmaps is forbidden")
    with pytest.raises(ApiError) as caught:
        fragile.api.items(Kind("nothing.io/v1", "Thing"))
    assert caught.value.code == 404


def test_no_server_is_told_apart_from_one_that_refuses(server: ApiServer, fragile: Cluster) -> None:
    told: list[tuple[str, int]] = []
    api = Api.connect(str(fragile.kubeconfig), on_call=lambda verb, code, _: told.append((verb, code)))
    stream = api.watch(CONFIG_MAP, "1", 60)
    until(lambda: server.watches)
    server.stop()
    with pytest.raises(Unreachable):
        list(stream)
    with pytest.raises(Unreachable):
        api.get(CONFIG_MAP, "a", "b")
    server.start()
    assert api.get(CONFIG_MAP, "a", "b") is None
    assert told == [("watch", 200), ("get", 0), ("get", 404)]


def test_over_tls_with_a_token(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.pair("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    store = served()
    store.stop()
    server = ApiServer(store.store, context, "secret")
    try:
        good = Api.connect(str(server.kubeconfig(tmp_path / "good", authority.file)))
        assert good.items(CONFIG_MAP)[0] == []
        stream = good.watch(CONFIG_MAP, good.items(CONFIG_MAP)[1], 600)
        threading.Timer(0.05, stream.close).start()
        with pytest.raises(Unreachable):
            list(stream)
        server.token = "another"
        with pytest.raises(ApiError) as caught:
            good.items(CONFIG_MAP)
        assert caught.value.code == 401
        with pytest.raises(Unreachable):
            Api.connect(str(server.kubeconfig(tmp_path / "bad"))).items(CONFIG_MAP)
    finally:
        server.stop()


@pytest.mark.parametrize("text", ["", "not: [a, kubeconfig", "[]", "apiVersion: v1\nkind: Config\n"])
def test_a_kubeconfig_that_leads_nowhere(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(Error, match="no API server is known"):
        Api.connect(str(path))


def test_one_that_is_not_there(tmp_path: Path) -> None:
    connect: Callable[..., Api] = Api.connect
    with pytest.raises(Error, match=r"no API server is known: --kubeconfig .*nothing: there is no such file"):
        connect(str(tmp_path / "nothing"))


def test_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect: Callable[..., Api] = Api.connect
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(Error, match=r"there is no .*none; --kubeconfig or KUBECONFIG names one"):
        connect()
