"""Tests `desired` by files that people have read (tests/operator_lite/golden), and by what must hold for any of them.

With it `containers`, `pieces`, `scope` and `servers`, which show in those files alone.
"""

import copy
import re
from pathlib import Path
from typing import Any

import pytest
from support import golden
from support.resources import CONFIG, made, of_kind, pod, sdep, values

from operator_lite import resource
from operator_lite.desired import KINDS, TRAFFIC, desired, scopes

FILES = {path.stem: path for path in golden.files()}
LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
RESTRICTED = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
case = pytest.mark.parametrize("path", [pytest.param(path, id=name) for name, path in FILES.items()])


@case
def test_a_manifest_becomes_what_its_file_says(path: Path) -> None:
    given, expected = golden.parts(path)
    assert given
    assert golden.text(path) == expected, "if that is meant: PYTHONPATH=.:tests python -m support.golden --update"


@case
def test_objects_are_told_apart_and_in_order(path: Path) -> None:
    objects = golden.objects(path)
    kinds = [(each["apiVersion"], each["kind"]) for each in objects]
    names = [(each["kind"], each["metadata"]["name"]) for each in objects]
    assert kinds == sorted(kinds, key=KINDS.index)
    assert len(names) == len(set(names))
    assert all(NAME.fullmatch(name) for _, name in names)
    assert {each["metadata"]["namespace"] for each in objects} == {"ml"}


@case
def test_labels_are_what_kubernetes_takes(path: Path) -> None:
    for found in (each["labels"] for each in _mappings(golden.objects(path)) if isinstance(each.get("labels"), dict)):
        for key, value in found.items():
            assert LABEL.fullmatch(key.rpartition("/")[2]), key
            assert LABEL.fullmatch(value), value


@case
def test_pods_are_whole(path: Path) -> None:
    """Lists that server-side apply takes for maps have each key once, and what is mounted is there."""
    for deployment in of_kind(golden.objects(path), "Deployment").values():
        spec = pod(deployment)
        every = [*spec["containers"], *spec.get("initContainers", [])]
        volumes = [each["name"] for each in spec.get("volumes", [])]
        assert _once([each["name"] for each in every])
        assert _once(volumes)
        for each in every:
            assert _once([one["name"] for one in each.get("env", [])])
            assert _once([(one["containerPort"], one.get("protocol", "TCP")) for one in each.get("ports", [])])
            assert _once([one["mountPath"] for one in each.get("volumeMounts", [])])
            assert {one["name"] for one in each.get("volumeMounts", [])} <= set(volumes)


@case
def test_selectors_find_pods_of_one_deployment(path: Path) -> None:
    objects = golden.objects(path)
    pods = {}
    for name, deployment in of_kind(objects, "Deployment").items():
        pods[name] = deployment["spec"]["template"]["metadata"]["labels"].items()
        assert deployment["spec"]["selector"]["matchLabels"].items() <= pods[name]
    for service in of_kind(objects, "Service").values():
        found = [name for name, labels in pods.items() if service["spec"]["selector"].items() <= labels]
        assert len(found) == 1, service["metadata"]["name"]
    for budget in of_kind(objects, "PodDisruptionBudget").values():
        chosen = budget["spec"]["selector"]["matchLabels"].items()
        assert [name for name, labels in pods.items() if chosen <= labels] == [budget["metadata"]["name"]]


@case
def test_routes_lead_to_ports_that_services_have(path: Path) -> None:
    objects = golden.objects(path)
    ports = {
        name: {each["port"] for each in service["spec"]["ports"]}
        for name, service in of_kind(objects, "Service").items()
    }
    routed = _mappings([each for each in objects if each["kind"] in TRAFFIC])
    backends = [(each["name"], each["port"]) for each in routed if each.get("kind") == "Service"]
    backends += [
        (each["host"].split(".")[0], each["port"]["number"]) for each in routed if "host" in each and "port" in each
    ]
    assert all(port in ports[name] for name, port in backends)
    assert bool(backends) == any(each["kind"] in TRAFFIC for each in objects)


@case
def test_what_is_added_is_restricted(path: Path) -> None:
    for deployment in of_kind(golden.objects(path), "Deployment").values():
        spec = pod(deployment)
        for each in [*spec["containers"], *spec.get("initContainers", [])]:
            if each["image"] == "millrace:test" or each["name"] == "seldon-container-engine":
                assert RESTRICTED.items() <= each["securityContext"].items()
            if each["image"] == "millrace:test":
                assert each["securityContext"]["readOnlyRootFilesystem"] is True
                assert {"name": "millrace-tmp", "mountPath": "/tmp", "subPath": each["name"]} in each["volumeMounts"]


def test_the_same_resource_becomes_the_same_objects_and_stays_as_it_is() -> None:
    found = sdep()
    before = copy.deepcopy(found)
    model = resource.read(found, CONFIG)
    first = desired(scopes(model, CONFIG))
    for each in _mappings(first):
        each.clear()
    assert desired(scopes(model, CONFIG)) == made()
    assert found == before


def test_nothing_is_shared_or_null() -> None:
    seen = [each for each in values(made()) if isinstance(each, dict | list) and each]
    assert len({id(each) for each in seen}) == len(seen)
    assert all(each is not None for each in values(made()))


def _mappings(found: Any) -> list[dict[str, Any]]:
    return [each for each in values(found) if isinstance(each, dict)]


def _once(found: list[Any]) -> bool:
    return len(found) == len(set(found))
