"""Tests `deployments`: which there are, and how many pods each has."""

from dataclasses import replace
from typing import Any

import pytest
import yaml
from support.resources import CONFIG, ONE, made, of_kind, pod, scope_of

from operator_lite.deployments import names_of

APART = 'annotations: {seldon.io/engine-separate-pod: "true"}\n'
HPA = "hpaSpec: {maxReplicas: 3}"
KEDA = "kedaSpec: {triggers: [{type: cron}]}"


@pytest.mark.parametrize("spec", [ONE, APART + ONE, ONE.replace("type: MODEL", "implementation: SIMPLE_MODEL")])
def test_what_they_are_called(spec: str) -> None:
    assert names_of(scope_of(spec)) == list(of_kind(made(spec), "Deployment"))


@pytest.mark.parametrize(
    ("pods", "predictor", "whole", "expected"),
    [
        ("replicas: 1", "replicas: 2", "replicas: 3", 1),
        ("", "replicas: 2", "replicas: 3", 2),
        ("", "", "replicas: 3", 3),
        ("", "", "", None),
        ("replicas: 0", "replicas: 2", "", 0),
        (HPA, "replicas: 2", "", None),
        (KEDA, "replicas: 2", "", 2),
    ],
)
def test_how_many_pods(pods: str, predictor: str, whole: str, expected: int | None) -> None:
    spec = ONE.replace("  - spec:", f"  - {pods}\n    spec:" if pods else "  - spec:") + (
        f"  {predictor}\n" if predictor else ""
    )
    (deployment,) = of_kind(made(f"{spec}{whole}\n"), "Deployment").values()
    assert deployment["spec"].get("replicas") == expected


def test_keda_scales_where_there_is_keda() -> None:
    spec = ONE.replace("  - spec:", f"  - {KEDA}\n    replicas: 4\n    spec:")
    (deployment,) = of_kind(made(spec, replace(CONFIG, keda=True)), "Deployment").values()
    assert "replicas" not in deployment["spec"]


def test_a_pod_without_containers_is_none() -> None:
    spec = ONE.replace("  - spec:", "  - {}\n  - spec:")
    assert list(of_kind(made(spec), "Deployment")) == ["iris-main-1-model", "iris-main-svc-orch"]


def test_the_executor_stands_beside_the_first_node_of_the_first_pod() -> None:
    spec = ONE.replace(
        "graph: {name: model, type: MODEL}", "graph: {name: far, type: TRANSFORMER, children: [{name: model}]}"
    )
    spec = spec.replace("  graph", '  - spec: {containers: [{name: far, image: "f:1"}]}\n  graph')
    found = of_kind(made(spec), "Deployment")
    held = {name: [each["name"] for each in pod(one)["containers"]] for name, one in found.items()}
    assert held == {"iris-main-0-model": ["model", "seldon-container-engine"], "iris-main-1-far": ["far"]}


def test_pods_have_no_user_where_the_configuration_has_none() -> None:
    (deployment,) = of_kind(made(ONE, replace(CONFIG, user=None)), "Deployment").values()
    assert "securityContext" not in pod(deployment)


SERVED = """\
predictors:
- name: main
  componentSpecs: [{spec: {securityContext: SAID, containers: [{name: b}]}}]
  graph:
    name: router
    implementation: EPSILON_GREEDY
    children:
    - {name: b, implementation: SKLEARN_SERVER, modelUri: "gs://b"}
    - {name: t, implementation: TENSORFLOW_SERVER, modelUri: "gs://t"}
"""


def secured(said: str, **config: Any) -> tuple[dict[str, Any] | None, dict[str, tuple[Any, Any]]]:
    """The pod's security, and of each container the user and whether it must not be root."""
    (deployment,) = of_kind(made(SERVED.replace("SAID", said), replace(CONFIG, **config)), "Deployment").values()
    spec = pod(deployment)
    every = {each["name"]: each["securityContext"] for each in [*spec["initContainers"], *spec["containers"]]}
    users = {name: (each.get("runAsUser"), each.get("runAsNonRoot")) for name, each in every.items()}
    return spec.get("securityContext"), users


@pytest.mark.parametrize(
    ("said", "pod_security", "user"),
    [
        ("{}", {"runAsUser": 8888, "fsGroup": 8888}, 8888),
        ("{runAsUser: 5}", {"runAsUser": 5, "fsGroup": 8888}, 5),
        ("{runAsUser: 5, fsGroup: 6}", {"runAsUser": 5, "fsGroup": 6}, 5),
    ],
)
def test_what_a_pods_author_says_of_its_user_counts_for_containers_of_ours_too(
    said: str, pod_security: dict[str, int], user: int
) -> None:
    found, users = secured(said)
    assert found == pod_security
    assert users.pop("seldon-container-engine") == (8888, True)
    assert set(users) == {"b", "t", "tfserving", "b-model-initializer", "t-model-initializer"}
    assert set(users.values()) == {(user, True)}


@pytest.mark.parametrize("said", ["{fsGroup: 6}", "{supplementalGroups: [7]}"])
def test_an_author_who_says_something_else_leaves_the_user_to_the_images(said: str) -> None:
    found, users = secured(said)
    assert found == {"fsGroup": 8888, **yaml.safe_load(said)}
    assert set(users.values()) == {(8888, True)}
    assert secured(said, engine_user=None)[0] == yaml.safe_load(said)


def test_an_author_may_want_root() -> None:
    _, users = secured("{runAsUser: 0}")
    assert users.pop("seldon-container-engine") == (8888, True)
    assert set(users.values()) == {(0, None)}
    assert secured("{runAsUser: 0}", engine_user=None)[1]["seldon-container-engine"] == (None, None)


def test_images_of_others_start_where_nobody_says_a_user() -> None:
    found, users = secured("{}", user=None)
    assert found == {"fsGroup": 8888}
    assert users == {
        **dict.fromkeys(("t", "tfserving"), (None, None)),
        **dict.fromkeys(("b", "b-model-initializer", "t-model-initializer"), (None, True)),
        "seldon-container-engine": (8888, True),
    }


def test_the_volume_of_an_executor_is_its_own_whoever_it_is() -> None:
    assert secured("{}", engine_user=None)[0] == {"runAsUser": 8888, "fsGroup": 8888}
    assert secured("{}", engine_user=None, user=None)[0] is None


def test_volumes_stand_where_they_stood_so_that_pods_stay() -> None:
    (deployment,) = of_kind(made(SERVED.replace("SAID", "{}")), "Deployment").values()
    found = [each["name"] for each in pod(deployment)["volumes"]]
    fetched = ["b-provision-location", "millrace-tmp", "t-provision-location"]
    assert found == [*fetched, "seldon-podinfo", "millrace-state"]
