"""Tests `resource`: that what the API server holds is checked whole, and whose it is."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from support import golden
from support.resources import CONFIG, ONE, sdep

from executor.errors import ManifestError
from executor.manifest import document
from operator_lite import config, resource
from operator_lite.desired import desired, scopes

MANAGED: dict[str, Any] = {
    "uid": "u",
    "resourceVersion": "7",
    "creationTimestamp": "2026-01-01T00:00:00Z",
    "managedFields": [{}],
}


def refusal(found: dict[str, Any], settings: config.Config = CONFIG) -> str:
    with pytest.raises(ManifestError) as caught:
        resource.read(found, settings)
    return resource.told(caught.value)


def test_what_the_api_server_adds_is_passed_over() -> None:
    found = resource.read({**sdep(**MANAGED), "status": {"state": "Creating"}}, CONFIG)
    assert (found.metadata.name, found.metadata.namespace) == ("iris", "ml")


def test_a_refusal_names_path_value_and_what_is_allowed_for_everything_that_is_wrong() -> None:
    found = sdep(ONE.replace("type: MODEL", "type: MODLE").replace("name: main", "name: Main"))
    told = refusal(found)
    assert "spec.predictors[0].name: must be lower-case letters" in told
    assert 'spec.predictors[0].graph.type: "MODLE" is not allowed (did you mean "MODEL"?); allowed: MODEL, ' in told
    assert "line" not in told


def test_errors_below_children_are_found_though_the_definition_does_not_look_there() -> None:
    found = sdep()
    found["spec"]["predictors"][0]["graph"]["children"] = [{"name": "x", "implementation": "SIMPLE_MODEL", "typ": 1}]
    assert refusal(found).startswith('spec.predictors[0].graph.children[0].typ: unknown field "typ"')


def test_servers_and_protocols_are_those_of_the_configuration() -> None:
    server = "predictors: [{name: p, graph: {name: m, implementation: MINE, modelUri: 'gs://m'}}]"
    assert 'no server is known as "MINE"' in refusal(sdep(server))
    settings = config.read({}, {"predictor_servers": '{"MINE": {"protocols": {"seldon": {"image": "m"}}}}'})
    assert resource.read(sdep(server), settings).spec.predictors[0].graph.implementation == "MINE"
    assert refusal(sdep("protocol: v2\n" + ONE)) == "spec.protocol: the executor does not speak v2; allowed: seldon"
    other = replace(CONFIG, engine_image="theirs")
    assert resource.read(sdep("protocol: v2\n" + ONE), other).spec.protocol == "v2"


def test_a_server_needs_an_image_for_the_protocol() -> None:
    server = "predictors: [{name: p, graph: {name: m, implementation: TRITON_SERVER, modelUri: 'gs://m'}}]"
    told = "spec.predictors[0].graph.implementation: TRITON_SERVER has no image for protocol seldon; allowed: v2"
    assert refusal(sdep(server)) == told
    nested = ONE.replace(
        "type: MODEL}", "type: MODEL, children: [{name: t, implementation: TRITON_SERVER, modelUri: x}]}"
    )
    assert refusal(sdep(nested)).startswith("spec.predictors[0].graph.children[0].implementation: TRITON_SERVER has no")
    own = ONE.replace("type: MODEL}", "implementation: TRITON_SERVER, modelUri: x}")
    assert resource.read(sdep(own), CONFIG)


def test_ambassadors_annotations_are_ignored_with_a_warning() -> None:
    found = sdep(
        "annotations: {seldon.io/ambassador-retries: '3'}\n" + ONE, annotations={"seldon.io/ambassador-id": "x"}
    )
    assert resource.warnings(resource.read(found, CONFIG)) == [
        "annotation seldon.io/ambassador-id is ignored: routes are made for the Gateway API or Istio",
        "annotation seldon.io/ambassador-retries is ignored: routes are made for the Gateway API or Istio",
    ]
    assert resource.warnings(resource.read(sdep(), CONFIG)) == []


@pytest.mark.parametrize(
    ("labels", "operator", "ours"),
    [
        (None, "", True),
        ({}, "a", False),
        ({"seldon.io/controller-id": "a"}, "a", True),
        ({"seldon.io/controller-id": "a"}, "", False),
    ],
)
def test_an_operator_takes_care_of_its_own(labels: dict[str, str] | None, operator: str, ours: bool) -> None:
    assert resource.is_ours(sdep(labels=labels), replace(CONFIG, controller_id=operator)) is ours


def test_a_namespace_may_have_an_operator_of_its_own() -> None:
    assert resource.is_ours(sdep(), CONFIG, {"other": "label"})
    assert not resource.is_ours(sdep(), CONFIG, {"seldon.io/controller-id": "a"})


JUNK: tuple[Any, ...] = (None, -1, "", "a=b/c", [], [{}], {"x": {"y": 1}})


def spots(found: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything in a value."""
    if path:
        yield path
    listed = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    for key, each in listed:
        yield from spots(each, (*path, key))


def changed(found: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy with another value at `path`."""
    if not path:
        return value
    inner = changed(found[path[0]], path[1:], value)
    if isinstance(found, dict):
        return {**found, path[0]: inner}
    return [inner if index == path[0] else each for index, each in enumerate(found)]


@pytest.mark.parametrize(
    "name",
    ["labels_annotations", "untouched", "storage", "two_pods", "explainer_v2"],
)
def test_whatever_is_written_is_refused_or_becomes_objects(name: str) -> None:
    head, manifest = document.read(golden.parts(golden.FOLDER / f"{name}.yaml")[0])
    settings = config.read({**golden.ENVIRONMENT, **head.value["environment"]})
    refused = taken = 0
    for path in spots(manifest.value):
        for junk in JUNK:
            try:
                assert desired(scopes(resource.read(changed(manifest.value, path, junk), settings), settings))
                taken += 1
            except ManifestError as error:
                assert resource.told(error)
                refused += 1
    assert min(refused, taken) > 0
