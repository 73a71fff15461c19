"""Tests `pruning`: what waits for what in an update, step by step."""

from typing import Any

from support.resources import ONE, made, scope_of

from operator_lite.config import Config
from operator_lite.pruning import is_let_in, obsolete, unready

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


def test_pods_that_could_not_be_applied_are_not_ready() -> None:
    assert unready([scope_of()], made()) == {"iris-main"}
    status = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
    running = [{**each, "status": status} for each in made() if each["kind"] == "Deployment"]
    assert unready([scope_of()], running) == set()
    assert unready([scope_of()], running, {("Deployment", "iris-main-0-model")}) == {"iris-main"}


def test_an_explainer_holds_no_route_up() -> None:
    explained = ONE + "  explainer: {type: AnchorTabular, modelUri: s3://m}\n"
    status = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
    found = [each for each in made(explained) if each["kind"] == "Deployment"]
    assert len(found) == 2
    assert unready([scope_of(explained)], [{**found[0], "status": status}, found[1]]) == set()


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


def test_another_way_in_stays_until_the_one_that_is_wanted_is_accepted() -> None:
    by_istio = made(config=Config(image="millrace:test", traffic="istio"))
    wanted = made()
    route = wanted[-1]
    accepted = {**route, "status": {"parents": [{"conditions": [{"type": "Accepted", "status": "True"}]}]}}
    refused = {**route, "status": {"parents": [{"conditions": [{"type": "Accepted", "status": "False"}]}]}}
    assert not is_let_in(wanted, by_istio)
    assert not is_let_in(wanted, [*by_istio, route])
    assert not is_let_in(wanted, [*by_istio, refused])
    assert is_let_in(wanted, [*by_istio, accepted])
    assert is_let_in(wanted, [route])
    assert is_let_in(wanted[:-1], by_istio)
    assert is_let_in(by_istio, [*by_istio, route])


def test_what_scales_pods_that_stay_goes_at_once() -> None:
    wanted = made(TWO_PODS.replace("    hpaSpec: {maxReplicas: 2}\n", ""))
    gone = [("HorizontalPodAutoscaler", "iris-main-0-first")]
    assert named(obsolete(wanted, made(TWO_PODS), False)) == gone


def test_what_routers_learned_stays() -> None:
    learns = ONE.replace("{name: model, type: MODEL}", "{name: r, implementation: UCB1, children: [{name: model}]}")
    observed = made(learns)
    assert named(observed)[0] == ("PersistentVolumeClaim", "iris-main-state")
    assert obsolete(made(), observed, True) == []
