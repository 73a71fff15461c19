"""Tests `trust` against an API server over HTTP: one Secret for all replicas, CAs told before they serve, errors."""

import base64
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kubernetes import client
from support.apiserver import ApiServer

from operator_lite import trust
from operator_lite.api import Api, ApiError
from operator_lite.certificates import CA_LIFE, NAMES, OVERLAP, Keys
from operator_lite.kinds import Kind
from operator_lite.trust import CONFIGURATIONS, SECRET, Place, Trust

PLACE = Place("millrace-system")
VALIDATING, MUTATING = CONFIGURATIONS
START = datetime(2026, 1, 1, tzinfo=UTC)
Object = dict[str, Any]


def address(kind: Kind) -> tuple[str, str]:
    return kind.api_version, kind.plural


def configuration(kind: Kind, *bundles: str) -> Object:
    """One with a webhook for each bundle, as it was applied or as another operator left it."""
    webhooks = [
        {
            "name": f"{index}.example.webhook",
            "clientConfig": {"service": {"name": "millrace-webhook"}, **({"caBundle": each} if each else {})},
            "failurePolicy": "Fail",
        }
        for index, each in enumerate(bundles)
    ]
    meta = {"name": PLACE.configuration}
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": meta, "webhooks": webhooks}


class Scene:
    """An API server, a clock, and replicas."""

    def __init__(self) -> None:
        self.server = ApiServer()
        self.now = START
        for kind in (SECRET, *CONFIGURATIONS):
            self.server.store.install(address(kind))

    def replica(self, used: list[Keys] | None = None, now: Callable[[], datetime] | None = None) -> Trust:
        settings = client.Configuration()
        settings.host = self.server.url
        taken: list[Keys] = used if used is not None else []
        return Trust(Api(settings), PLACE, taken.append, now or (lambda: self.now), look_s=0.02)

    def put(self, found: Object, kind: Kind) -> None:
        self.server.store.create(address(kind), found, "kubectl", False)

    def secret(self) -> Object:
        return self.server.store.get(address(SECRET), (PLACE.namespace, PLACE.secret))

    def kept(self) -> dict[str, bytes]:
        data = self.secret()["data"]
        return {name: base64.b64decode(data[name]) for name in NAMES}

    def told(self, kind: Kind = VALIDATING) -> list[bytes]:
        found = self.server.store.get(address(kind), ("", PLACE.configuration))
        return [base64.b64decode(each["clientConfig"]["caBundle"]) for each in found["webhooks"]]


@pytest.fixture
def scene() -> Iterator[Scene]:
    found = Scene()
    yield found
    found.server.stop()


def test_the_first_look_makes_the_secret_and_tells_the_ca_before_it_serves(scene: Scene) -> None:
    scene.put(configuration(VALIDATING, "", "b2xk"), VALIDATING)
    scene.put(configuration(MUTATING, ""), MUTATING)
    order: list[str] = []
    replica = scene.replica()
    replica._use = lambda keys: order.append(f"serves, told: {scene.told() == [keys.bundle] * 2}")
    replica.look()
    assert order == ["serves, told: True"]
    assert replica.keys is not None
    assert scene.kept() == replica.keys.data
    assert scene.secret()["type"] == "kubernetes.io/tls"
    assert scene.told(MUTATING) == [replica.keys.bundle]


def test_the_rest_of_a_configuration_stays(scene: Scene) -> None:
    scene.put(configuration(VALIDATING, ""), VALIDATING)
    scene.replica().look()
    (webhook,) = scene.server.store.get(address(VALIDATING), ("", PLACE.configuration))["webhooks"]
    assert webhook["failurePolicy"] == "Fail"
    assert webhook["clientConfig"]["service"] == {"name": "millrace-webhook"}


def test_a_look_at_what_is_right_writes_nothing(scene: Scene) -> None:
    scene.put(configuration(VALIDATING, ""), VALIDATING)
    used: list[Keys] = []
    replica = scene.replica(used)
    replica.look()
    scene.server.requests.clear()
    replica.look()
    assert {verb for verb, _ in scene.server.requests} == {"get"}
    assert len(used) == 1


def test_replicas_that_begin_together_agree(scene: Scene) -> None:
    scene.put(configuration(VALIDATING, ""), VALIDATING)
    used: list[Keys] = []
    replicas = [scene.replica(used) for _ in range(6)]
    threads = [threading.Thread(target=each.look) for each in replicas]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(used) == len(replicas)
    assert {each.cert for each in used} == {scene.kept()["tls.crt"]}
    assert scene.told() == [scene.kept()["ca.crt"]]


def test_who_is_late_takes_what_the_other_wrote(scene: Scene) -> None:
    first, second = scene.replica(), scene.replica()
    first.look()
    scene.server.fail("put", "secrets", 409, "the object has been modified", times=2)
    scene.now += timedelta(days=61)
    second.look()
    assert second.keys != first.keys
    first.look()
    assert first.keys == second.keys
    puts = [path for verb, path in scene.server.requests if verb == "put"]
    assert len(puts) == 3


def test_one_that_is_always_late_says_so(scene: Scene) -> None:
    scene.replica().look()
    scene.server.fail("put", "secrets", 409)
    scene.now += timedelta(days=61)
    with pytest.raises(ApiError, match="written by others all the time"):
        scene.replica().look()


def test_a_new_ca_is_served_with_only_once_every_configuration_has_it(scene: Scene) -> None:
    scene.put(configuration(VALIDATING, ""), VALIDATING)
    replica = scene.replica()
    replica.look()
    old = scene.kept()
    scene.now += CA_LIFE * 0.67 - timedelta(days=60)
    replica.look()  # a certificate that lasts for the rest
    before = scene.kept()
    scene.now = START + CA_LIFE * 0.67
    scene.server.fail("put", "validatingwebhookconfigurations", 500)
    with pytest.raises(ApiError):
        replica.look()
    scene.now += 2 * OVERLAP
    with pytest.raises(ApiError):
        replica.look()
    assert scene.kept()["ca.crt"].endswith(before["ca.crt"])
    signed_meanwhile = scene.kept()["tls.crt"]
    scene.server.heal()
    replica.look()
    assert scene.told() == [scene.kept()["ca.crt"]]
    scene.now += timedelta(minutes=1)
    replica.look()
    assert scene.kept()["tls.crt"] != signed_meanwhile
    scene.now += OVERLAP
    replica.look()
    assert scene.told() == [scene.kept()["ca.crt"]]
    assert old["ca.crt"] not in scene.kept()["ca.crt"]
    assert scene.kept()["ca.crt"].count(b"BEGIN") == 1


def test_a_secret_that_is_deleted_comes_back_as_it_was(scene: Scene) -> None:
    used: list[Keys] = []
    replica = scene.replica(used)
    replica.look()
    before = scene.kept()
    scene.server.store.delete(address(SECRET), (PLACE.namespace, PLACE.secret))
    replica.look()
    assert scene.kept() == before
    assert len(used) == 1


def test_what_others_broke_is_made_whole(scene: Scene) -> None:
    replica = scene.replica()
    replica.look()
    found = scene.secret()
    data = {**found["data"], "tls.key": "not base64!", "tls.crt": None, "theirs": "eA=="}
    scene.server.store.replace(address(SECRET), {**found, "data": data}, "kubectl", "", False)
    replica.look()
    assert replica.keys is not None
    assert scene.kept() == replica.keys.data
    assert scene.secret()["data"]["theirs"] == "eA=="


def test_a_bundle_that_was_taken_away_is_put_back(scene: Scene) -> None:
    scene.put(configuration(VALIDATING, ""), VALIDATING)
    replica = scene.replica()
    replica.look()
    found = scene.server.store.get(address(VALIDATING), ("", PLACE.configuration))
    again = {**found, "webhooks": configuration(VALIDATING, "", "")["webhooks"]}
    scene.server.store.replace(address(VALIDATING), again, "kubectl", "", False)
    replica.look()
    assert scene.told() == [scene.kept()["ca.crt"]] * 2


def test_a_configuration_that_comes_later_is_told(scene: Scene) -> None:
    replica = scene.replica()
    replica.look()
    scene.put(configuration(MUTATING, ""), MUTATING)
    replica.look()
    assert scene.told(MUTATING) == [scene.kept()["ca.crt"]]


@pytest.mark.parametrize("what", ["secrets", "validatingwebhookconfigurations"])
def test_what_may_not_be_read_is_told_and_nothing_is_served(scene: Scene, what: str) -> None:
    scene.server.fail("get", what, 403, f"may not read {what}")
    used: list[Keys] = []
    with pytest.raises(ApiError, match="may not read"):
        scene.replica(used).look()
    assert used == []


def test_it_looks_again_and_again_through_trouble(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.server.fail("get", "secrets", 500, "not now", times=1)
    used: list[Keys] = []
    replica = scene.replica(used)
    thread = threading.Thread(target=replica.run)
    thread.start()
    try:
        ends = time.monotonic() + 30
        while not used and time.monotonic() < ends:
            time.sleep(0.01)
        scene.now += timedelta(days=61)
        while len(used) < 2 and time.monotonic() < ends:
            time.sleep(0.01)
    finally:
        replica.stop()
        thread.join(30)
    assert not thread.is_alive()
    assert len(used) == 2
    assert "the webhook's certificates: not now" in caplog.text


def test_what_it_is_called_in_the_cluster() -> None:
    assert PLACE.hosts[0] == "millrace-webhook.millrace-system.svc"
    assert trust.Place("ns", service="s").hosts == ("s.ns.svc", "s.ns.svc.cluster.local")
