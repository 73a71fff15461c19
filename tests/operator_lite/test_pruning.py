"""Tests `pruning`: what waits for what in an update, step by step."""

from typing import Any

from support.resources import ONE, made

from operator_lite.pruning import applicable, obsolete

TWO_PODS = """\
predictors:
- name: main
  componentSpecs:
  - spec: {containers: [{name: first, image: "f:1"}]}
    hpaSpec: {maxReplicas: 2}
  - spec: {containers: [{name: second, image: "s:1"}]}
  graph: {name: first, type: TRANSFORMER, children: [{name: second}]}
"""


def named(objects: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(each["kind"], each["metadata"]["name"]) for each in objects]


def test_routes_wait_for_pods() -> None:
    wanted = made()
    assert [kind for kind, _ in named(applicable(wanted, False))] == ["Service", "Service", "Deployment"]
    assert applicable(wanted, True) == wanted


def test_another_graph_takes_over_without_a_gap() -> None:
    wanted, observed = made(), [*made(), *made(TWO_PODS)]
    assert obsolete(wanted, observed, False) == []
    first = named(obsolete(wanted, observed, True))
    assert first == [("HorizontalPodAutoscaler", "iris-main-0-first"), ("Deployment", "iris-main-0-first")]
    observed = [each for each in observed if named([each])[0] not in first]
    second = named(obsolete(wanted, observed, True))
    assert second == [("Deployment", "iris-main-1-second")]
    observed = [each for each in observed if named([each])[0] not in second]
    third = named(obsolete(wanted, observed, True))
    assert third == [("Service", "iris-main-first"), ("Service", "iris-main-second")]
    observed = [each for each in observed if named([each])[0] not in third]
    assert obsolete(wanted, observed, True) == []


def test_what_scales_pods_that_stay_goes_at_once() -> None:
    wanted = made(TWO_PODS.replace("    hpaSpec: {maxReplicas: 2}\n", ""))
    gone = [("HorizontalPodAutoscaler", "iris-main-0-first")]
    assert named(obsolete(wanted, made(TWO_PODS), False)) == gone


def test_what_routers_learned_stays() -> None:
    learns = ONE.replace("{name: model, type: MODEL}", "{name: r, implementation: UCB1, children: [{name: model}]}")
    observed = made(learns)
    assert named(observed)[0] == ("PersistentVolumeClaim", "iris-main-state")
    assert obsolete(made(), observed, True) == []
