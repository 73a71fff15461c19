"""Tests `pruning`: what waits for what in an update, step by step."""

from typing import Any

from support.resources import ONE, made, scope_of

from operator_lite.config import Config
from operator_lite.desired import TRAFFIC
from operator_lite.pruning import held, obsolete, unready, ways_kept

ISTIO = Config(image="millrace:test", traffic="istio")
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


def routes(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in objects if each["kind"] in TRAFFIC]


def said(route: dict[str, Any], accepted: str) -> dict[str, Any]:
    return {**route, "status": {"parents": [{"conditions": [{"type": "Accepted", "status": accepted}]}]}}


def test_another_way_in_stays_until_the_one_that_is_wanted_is_accepted() -> None:
    by_istio, wanted = made(config=ISTIO), made()
    (route,), others = routes(wanted), routes(by_istio)
    assert ways_kept(wanted, by_istio) == (others, [route])
    assert ways_kept(wanted, [*by_istio, route]) == (others, [route])
    assert ways_kept(wanted, [*by_istio, said(route, "False")]) == (others, [route])
    assert obsolete(wanted, [*by_istio, route], True) == []
    assert named(obsolete(wanted, [*by_istio, said(route, "True")], True)) == named(others)
    for unmoved in ((wanted, [route]), (wanted[:-1], by_istio), (by_istio, [*by_istio, route])):
        assert ways_kept(*unmoved) == ([], [])


def test_another_way_in_keeps_no_pods_behind_a_service_that_stays() -> None:
    renamed = made(ONE.replace("model", "other"))
    observed = [*renamed, *made(config=ISTIO)]
    assert named(obsolete(renamed, observed, True)) == [("Deployment", "iris-main-0-model")]
    observed = [each for each in observed if each["metadata"]["name"] != "iris-main-0-model"]
    assert named(obsolete(renamed, observed, True)) == [("Service", "iris-main-model")]


def test_another_way_in_keeps_what_it_alone_leads_to() -> None:
    canary = TWO_PODS.replace("main", "canary").removeprefix("predictors:\n")
    explained = "  explainer: {type: ALE, modelUri: s3://m}\n"
    wanted, both = made(), made(f"{ONE}  traffic: 60\n{canary}  traffic: 40\n{explained}", ISTIO)
    (route,) = routes(wanted)
    gone = {each for each in named(both) if each not in named(wanted)}
    assert len(gone) == 11
    assert obsolete(wanted, [*both, route], True) == []
    assert gone - held(wanted, [*both, route]) == {("HorizontalPodAutoscaler", "iris-canary-0-first")}
    observed = [*both, said(route, "True")]
    while going := named(obsolete(wanted, observed, True)):
        observed = [each for each in observed if named([each])[0] not in going]
        gone -= set(going)
    assert gone == set()


def test_what_scales_pods_that_stay_goes_at_once() -> None:
    wanted = made(TWO_PODS.replace("    hpaSpec: {maxReplicas: 2}\n", ""))
    gone = [("HorizontalPodAutoscaler", "iris-main-0-first")]
    assert named(obsolete(wanted, made(TWO_PODS), False)) == gone


def test_what_routers_learned_stays() -> None:
    learns = ONE.replace("{name: model, type: MODEL}", "{name: r, implementation: UCB1, children: [{name: model}]}")
    observed = made(learns)
    assert named(observed)[0] == ("PersistentVolumeClaim", "iris-main-state")
    assert obsolete(made(), observed, True) == []
