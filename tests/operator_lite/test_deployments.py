"""Tests `deployments`: which there are, and how many pods each has."""

from dataclasses import replace

import pytest
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
