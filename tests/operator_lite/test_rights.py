"""Tests `rights`: that the files are up to date, and that the operator is granted what it asks for, no less, no more.

What it asks for is found by running it: a controller, an election and a webhook's trust, against an API server that
writes down each request.
"""

import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.apiserver import ApiServer
from support.processes import poll
from support.resources import CONFIG, ONE, sdep

from operator_lite import kinds, rights
from operator_lite.api import Api
from operator_lite.config import Config
from operator_lite.controller import Controller
from operator_lite.election import Election
from operator_lite.kinds import CONFIG_MAP, EVENT, LEASE, NAMESPACE, OWNED, RESOURCE
from operator_lite.metrics import Metrics
from operator_lite.rights import CLUSTER, MODELS, OWN, TRUSTED, Right, main
from operator_lite.trust import CONFIGURATIONS, SECRET, Place, Trust

VERBS = {"post": "create", "put": "update", "patch": "patch", "delete": "delete", "watch": "watch"}
PATH = re.compile(r"/(?:api|apis/([^/]+))/[^/]+(?:/namespaces/([^/]+))?/([^/]+)(?:/([^/]+))?(?:/([^/]+))?$")
FULL = """\
annotations: {seldon.io/engine-separate-pod: "false"}
predictors:
- name: main
  componentSpecs:
  - hpaSpec: {maxReplicas: 2}
    pdbSpec: {minAvailable: 1}
    spec: {containers: [{name: model, image: "model:1"}]}
  graph: {name: model, type: MODEL}
"""
LEARNING = """\
predictors:
- name: main
  componentSpecs:
  - kedaSpec: {maxReplicaCount: 2, triggers: [{type: cron}]}
    spec: {containers: [{name: a, image: "a"}, {name: b, image: "b"}]}
  graph: {name: r, implementation: EPSILON_GREEDY, type: ROUTER,
          children: [{name: a, type: MODEL}, {name: b, type: MODEL}]}
"""
Asked = tuple[str, str, str, str, str]
"""Verb, group, resource with its part, namespace, name."""


def asked(verb: str, path: str) -> Asked:
    """A request as RBAC sees it."""
    found = PATH.match(path)
    assert found, path
    group, namespace, plural, name, sub = (each or "" for each in found.groups())
    word = VERBS.get(verb) or ("get" if name else "list")
    return word, group, f"{plural}/{sub}" if sub else plural, namespace, name


def allows(right: Right, request: Asked) -> bool:
    """Whether a right is enough for a request."""
    verb, group, resource, _, name = request
    named = not right.names or (name in right.names and verb != "create")
    return named and verb in right.verbs and (group, resource) == (right.kind.group, right.resource)


@pytest.fixture
def server() -> Iterator[ApiServer]:
    found = ApiServer()
    for kind in (RESOURCE, *OWNED, NAMESPACE, EVENT, LEASE, CONFIG_MAP, SECRET, *CONFIGURATIONS):
        found.store.install((kind.api_version, kind.plural))
    yield found
    found.stop()


def put(server: ApiServer, found: dict[str, Any]) -> None:
    kind = kinds.of(found)
    address = (kind.api_version, kind.plural)
    place = kinds.place(found)
    if place in server.store.all(address):
        server.store.replace(address, found, "kubectl", "", False)
    else:
        server.store.create(address, found, "kubectl", False)


def be_ready(server: ApiServer) -> None:
    """As if all pods were there, and what scales them well."""
    for kind in OWNED:
        address = (kind.api_version, kind.plural)
        for place, found in list(server.store.all(address).items()):
            if kind.name == "Deployment":
                names = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
                said = dict.fromkeys(names, found["spec"].get("replicas", 1))
                said["observedGeneration"] = found["metadata"]["generation"]
            elif kind.name == "ScaledObject":
                said = {"conditions": [{"type": "Ready", "status": "True"}]}
            else:
                continue
            if found.get("status") != said:
                server.store.set_status(address, place, said)


def live(server: ApiServer, config: Config, folder: Path) -> None:
    """A life of the operator: it makes all kinds of objects, takes one over, changes and deletes."""
    api = Api.connect(str(server.kubeconfig(folder / "kubeconfig")))
    theirs = {
        "apiVersion": "v1", "kind": "Service", "spec": {"selector": {"seldon-app": "iris-main"}, "ports": []},
        "metadata": {"name": "iris-main", "namespace": "ml", "labels": {"seldon-deployment-id": "iris"}},
    }  # fmt: skip
    server.store.create(("v1", "services"), theirs, "manager", False)
    put(server, sdep(FULL))
    put(server, sdep(LEARNING, name="bandit"))
    controller = Controller(api, config, Metrics(), "", settle_s=0.0)
    controller.start()

    def reached(state: str) -> bool:
        be_ready(server)
        stored = server.store.all((RESOURCE.api_version, RESOURCE.plural)).values()
        return {(each.get("status") or {}).get("state") for each in stored} == {state}

    try:
        poll(lambda: reached("Available"), 60, "all is there")
        address = (RESOURCE.api_version, RESOURCE.plural)
        found = server.store.get(address, ("ml", "iris"))
        put(server, {**found, "spec": yaml.safe_load(ONE.replace("name: main", "name: other"))})
        poll(lambda: reached("Available") and gone(server, "iris-main-model"), 60, "the old one is gone")
        put(server, {**server.store.get(address, ("ml", "bandit")), "spec": {"predictors": []}})
        poll(lambda: "Failed" in str(server.store.get(address, ("ml", "bandit")).get("status")), 60)
    finally:
        controller.stop()


def gone(server: ApiServer, name: str) -> bool:
    """Whether there is no such Service; of all that goes they are the last."""
    return ("ml", name) not in server.store.all(("v1", "services"))


def requests(server: ApiServer, folder: Path) -> set[Asked]:
    """All that the operator asks for."""
    place = Place("millrace-system")
    for kind in CONFIGURATIONS:
        meta = {"name": place.configuration}
        found = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": meta, "webhooks": [{"name": "w"}]}
        server.store.create((kind.api_version, kind.plural), found, "kubectl", False)
    live(server, replace(CONFIG, keda=True, gateway_grpc_listener="grpc"), folder)
    live_again(server, folder)
    api = Api.connect(str(folder / "kubeconfig"))
    trust = Trust(api, place, lambda keys: None)
    trust.look()
    secret = server.store.get(("v1", "secrets"), (place.namespace, place.secret))
    server.store.replace(("v1", "secrets"), {**secret, "data": {}}, "kubectl", "", False)
    trust.look()
    election = Election(api, "millrace-system", "millrace-operator", "one")
    assert election.win(threading.Event())
    election.resign()
    api.get(CONFIG_MAP, "millrace-system", "millrace-config")
    said = {asked(*each) for each in server.requests}
    applied = {kind.plural for kind in OWNED}
    # Who applies what is not there yet makes it.
    return said | {("create", *each[1:]) for each in said if each[0] == "patch" and each[2] in applied}


def live_again(server: ApiServer, folder: Path) -> None:
    """With routes of the other kind, and with none; nothing that scales its pods is left of what there was."""
    api = Api.connect(str(folder / "kubeconfig"))
    put(server, sdep(ONE, name="bandit"))
    for traffic in ("istio", "none"):
        controller = Controller(api, replace(CONFIG, traffic=traffic), Metrics(), "", settle_s=0.0)
        controller.start()
        going = [kind for kind in OWNED if kind.api_version.startswith((ROUTES[traffic], "keda"))]
        try:
            poll(partial(are_gone, server, going), 60, "routes of one kind alone")
        finally:
            controller.stop()


ROUTES = {"istio": "gateway.networking", "none": "networking.istio"}


def are_gone(server: ApiServer, which: list[kinds.Kind]) -> bool:
    """Whether there is nothing left of some kinds."""
    be_ready(server)
    return not any(server.store.all((kind.api_version, kind.plural)) for kind in which)


def test_what_is_asked_for_is_granted_and_what_is_granted_is_asked_for(server: ApiServer, tmp_path: Path) -> None:
    found = requests(server, tmp_path)
    for each in found:
        scope = OWN if each[3] == "millrace-system" else (*MODELS, *CLUSTER, *TRUSTED)
        assert any(allows(right, each) for right in scope), f"{each} is asked for, and not granted"
    spare = {
        (right.resource, verb)
        for right in (*MODELS, *CLUSTER, *OWN, *TRUSTED)
        for verb in right.verbs
        if not any(allows(replace(right, verbs=(verb,), names=()), each) for each in found)
    }
    assert spare == {("seldondeployments/finalizers", "update")}  # asked for by the server, of who sets an owner


def test_files_are_up_to_date() -> None:
    for path, objects in rights.files().items():
        assert path.read_text() == rights.text(objects), "run `python -m operator_lite.rights`"
        assert list(yaml.safe_load_all(path.read_text())) == objects


def test_check_tells_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(rights, "FOLDER", tmp_path)
    for path in rights.files():
        path.parent.mkdir()
    assert main(["--check"]) == 1
    assert capsys.readouterr().err.count("run `python -m operator_lite.rights`") == 3
    assert not any(path.exists() for path in rights.files())
    assert main([]) == main(["--check"]) == 0
    path = next(iter(rights.files()))
    path.write_text(path.read_text().replace("get", "'*'"))
    assert main(["--check"]) == 1


def test_nothing_is_granted_by_a_star_and_secrets_only_by_name() -> None:
    everything = [each for objects in rights.files().values() for each in objects]
    rules = [rule for each in everything for rule in each.get("rules", ())]
    assert rules
    for rule in rules:
        assert "*" not in (*rule["verbs"], *rule["resources"], *rule["apiGroups"])
        if "secrets" in rule["resources"]:
            assert rule.get("resourceNames") or rule["verbs"] == ["create"]
    assert not [rule for rule in rules if rule["apiGroups"] == ["rbac.authorization.k8s.io"]]
