"""Tests `admission`: what is taken, what is refused and how that reads, what is filled in, and bodies that are none."""

import json
from dataclasses import replace
from typing import Any

import pytest
from support import golden, reviews
from support.resources import CONFIG, ONE, sdep

from executor.manifest import document
from operator_lite import admission, config, defaults, resource
from operator_lite.admission import Answer, Malformed, mutate, validate
from operator_lite.config import Config

WRONG = ONE.replace("type: MODEL", "type: MODLE")
SERVER = "predictors: [{name: p, graph: {name: m, implementation: SKLEARN_SERVER, modelUri: 'gs://m'%s}}]"


def answer(purpose: Answer, text: bytes, settings: Config = CONFIG) -> dict[str, Any]:
    """The response, whose head has been looked at."""
    found = json.loads(admission.review(text, purpose, settings))
    assert (found["apiVersion"], found["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    assert found["response"]["uid"] == "705ab4f5-6393-11e8-b7cc-42010a800002"
    response: dict[str, Any] = found["response"]
    return response


# --- taken or refused


def test_what_is_right_is_taken() -> None:
    assert answer(validate, reviews.body(sdep())) == {"uid": reviews.request(None)["uid"], "allowed": True}


def test_a_refusal_has_path_value_and_what_is_allowed_of_each_problem() -> None:
    found = sdep(WRONG.replace("name: main", "name: Main"))
    said = answer(validate, reviews.body(found))
    status = said["status"]
    assert said["allowed"] is False
    assert (status["code"], status["reason"]) == (422, "Invalid")
    assert {key: status["details"][key] for key in ("group", "kind", "name")} == {
        "group": "machinelearning.seldon.io", "kind": "SeldonDeployment", "name": "iris",
    }  # fmt: skip
    first, second = status["details"]["causes"]
    assert first["field"] == "spec.predictors[0].name"
    assert "must be lower-case letters" in first["message"]
    assert '"Main"' in first["message"]
    assert second == {
        "reason": "FieldValueInvalid",
        "field": "spec.predictors[0].graph.type",
        "message": '"MODLE" is not allowed (did you mean "MODEL"?); allowed: '
        "MODEL, ROUTER, COMBINER, TRANSFORMER, OUTPUT_TRANSFORMER, UNKNOWN_TYPE",
    }
    assert status["message"] == "; ".join(f"{each['field']}: {each['message']}" for each in (first, second))


@pytest.mark.parametrize("version", ["v1", "v1alpha2", "v1alpha3"])
def test_all_versions_are_read(version: str) -> None:
    found = {**sdep(WRONG), "apiVersion": f"machinelearning.seldon.io/{version}"}
    kind = {"group": "machinelearning.seldon.io", "version": version, "kind": "SeldonDeployment"}
    assert answer(validate, reviews.body(found, kind=kind))["allowed"] is False
    right = {**found, "spec": sdep()["spec"]}
    assert answer(validate, reviews.body(right, kind=kind))["allowed"] is True


def test_more_reasons_than_anyone_reads_are_counted() -> None:
    found = sdep()
    found["spec"]["predictors"][0].update({f"field{index}": 1 for index in range(70)})
    status = answer(validate, reviews.body(found))["status"]
    assert len(status["details"]["causes"]) == admission.CAUSES_MAX
    assert status["message"].endswith("; and 20 more")


def test_what_has_no_effect_is_a_warning() -> None:
    found = sdep(annotations={"seldon.io/ambassador-id": "x"})
    (warning,) = answer(validate, reviews.body(found))["warnings"]
    assert warning.startswith("annotation seldon.io/ambassador-id is ignored")


def test_the_configuration_says_what_is_allowed() -> None:
    found = sdep("protocol: v2\n" + ONE)
    said = answer(validate, reviews.body(found))
    assert said["status"]["message"] == "spec.protocol: the executor does not speak v2; allowed: seldon"
    assert answer(validate, reviews.body(found), replace(CONFIG, engine_image="theirs"))["allowed"] is True


# --- updates


def test_an_update_is_checked_whole() -> None:
    said = answer(validate, reviews.body(sdep(WRONG), "UPDATE", sdep()))
    assert said["allowed"] is False
    assert answer(validate, reviews.body(sdep(), "UPDATE", sdep(WRONG)))["allowed"] is True


def test_what_was_wrong_before_does_not_hold_a_label_or_a_finalizer() -> None:
    before = sdep(WRONG, finalizers=["x/y"], managedFields=[{"manager": "a"}])
    after = sdep(WRONG, labels={"team": "a"}, managedFields=[{"manager": "b"}])
    assert answer(validate, reviews.body(after, "UPDATE", before))["allowed"] is True


def test_annotations_are_checked_too() -> None:
    before, after = sdep(), sdep(annotations={"seldon.io/executor-logger-queue-size": "many"})
    said = answer(validate, reviews.body(after, "UPDATE", before))
    assert 'metadata.annotations["seldon.io/executor-logger-queue-size"]: must be' in said["status"]["message"]


def test_one_that_becomes_ours_is_checked() -> None:
    before = sdep(WRONG, labels={"seldon.io/controller-id": "theirs"})
    assert answer(validate, reviews.body(sdep(WRONG), "UPDATE", before))["allowed"] is False


def test_one_that_is_being_deleted_is_let_go() -> None:
    found = sdep(WRONG, deletionTimestamp="2026-01-01T00:00:00Z", deletionGracePeriodSeconds=0)
    assert answer(validate, reviews.body(found, "UPDATE", sdep()))["allowed"] is True


@pytest.mark.parametrize("purpose", [validate, mutate])
def test_deletes_are_taken(purpose: Answer) -> None:
    assert answer(purpose, reviews.body(None, "DELETE", sdep(WRONG)))["allowed"] is True
    assert answer(purpose, reviews.body(None, "CONNECT"))["allowed"] is True


@pytest.mark.parametrize("purpose", [validate, mutate])
def test_resources_of_another_operator_are_its_own(purpose: Answer) -> None:
    theirs = sdep(WRONG, labels={"seldon.io/controller-id": "theirs"})
    said = answer(purpose, reviews.body(theirs))
    assert said == {"uid": said["uid"], "allowed": True}
    assert answer(validate, reviews.body(theirs), replace(CONFIG, controller_id="theirs"))["allowed"] is False


def test_a_name_that_is_still_to_be_made_up_is_no_fault() -> None:
    found = sdep()
    found["metadata"] = {"generateName": "iris-"}
    for purpose in (validate, mutate):
        assert answer(purpose, reviews.body(found, namespace="ml"))["allowed"] is True
    assert reviews.changes(answer(mutate, reviews.body(found, namespace="ml")))


# --- defaults


def test_what_a_resource_leaves_unsaid_of_itself_is_filled_in() -> None:
    said = answer(mutate, reviews.body(sdep(SERVER % "")))
    assert reviews.changes(said) == [
        {"op": "add", "path": "/spec/predictors/0/labels", "value": {"version": "p"}},
        {"op": "add", "path": "/spec/predictors/0/graph/type", "value": "MODEL"},
    ]


def test_a_prepackaged_server_is_a_model_whatever_is_written() -> None:
    said = answer(mutate, reviews.body(sdep(SERVER % ", type: ROUTER")))
    assert {"op": "add", "path": "/spec/predictors/0/graph/type", "value": "MODEL"} in reviews.changes(said)


def test_other_labels_stay() -> None:
    found = sdep(ONE + "  labels: {team: a}\n")
    done = reviews.patched(found, answer(mutate, reviews.body(found)))
    assert done["spec"]["predictors"][0]["labels"] == {"team": "a", "version": "main"}
    own = sdep(ONE + "  labels: {version: own}\n")
    assert not [each for each in reviews.changes(answer(mutate, reviews.body(own))) if "labels" in each["path"]]


def test_a_child_that_is_a_mapping_is_found() -> None:
    child = {"name": "below", "implementation": "SIMPLE_MODEL"}
    found = sdep()
    found["spec"]["predictors"][0]["graph"].update(type=None, children=child)
    paths = [each["path"] for each in reviews.changes(answer(mutate, reviews.body(found)))]
    assert "/spec/predictors/0/graph/type" in paths
    assert not [path for path in paths if "/children/0" in path]


def test_what_is_wrong_is_left_for_the_other_to_tell() -> None:
    said = answer(mutate, reviews.body(sdep(WRONG)))
    assert said == {"uid": said["uid"], "allowed": True}


@pytest.mark.parametrize("path", golden.files(), ids=lambda path: path.stem)
def test_the_filled_in_means_the_same_and_needs_nothing_more(path: Any) -> None:
    head, manifest = document.read(golden.parts(path)[0])
    settings = config.read({**golden.ENVIRONMENT, **head.value.get("environment", {})}, head.value.get("configMap"))
    found = manifest.value
    done = reviews.patched(found, answer(mutate, reviews.body(found), settings))
    assert answer(validate, reviews.body(done), settings)["allowed"] is True
    assert reviews.changes(answer(mutate, reviews.body(done), settings)) == []
    before, after = (resource.read(each, settings) for each in (found, done))
    assert defaults.filled(before, settings) == defaults.filled(after, settings)


# --- bodies that are no review

UNREADABLE = {
    "": "the body is no JSON",
    "\xff": "the body is no JSON",
    "{": "the body is no JSON",
    "[" * 100_000: "the body is no JSON",
    "null": "must be an AdmissionReview of admission.k8s.io/v1",
    "[]": "must be an AdmissionReview",
    '{"apiVersion": "admission.k8s.io/v1beta1", "kind": "AdmissionReview"}': "of admission.k8s.io/v1",
    '{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}': "request must be a mapping",
}


@pytest.mark.parametrize("text", UNREADABLE)
def test_a_body_that_is_no_review(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        admission.read(text.encode("latin-1"))
    assert UNREADABLE[text] in str(caught.value)


KIND = {"group": "machinelearning.seldon.io", "version": "v1", "kind": "SeldonDeployment"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"uid": ""}, "request.uid must be a text that is not empty"),
        ({"uid": 7}, "request.uid must be a text"),
        ({"operation": "PATCH"}, "request.operation must be one of CREATE, UPDATE, DELETE, CONNECT"),
        ({"operation": None}, "request.operation must be one of"),
        ({"operation": ["CREATE"]}, "request.operation must be one of"),
        ({"kind": None}, "request.kind must be a mapping"),
        ({"kind": {**KIND, "kind": "Pod"}}, "request.kind must be SeldonDeployment of machinelearning.seldon.io"),
        ({"kind": {**KIND, "version": "v2"}}, "in a version of v1, v1alpha2, v1alpha3"),
        ({"kind": {**KIND, "version": []}}, "in a version of v1"),
        ({"object": None}, "request.object must be a mapping"),
        ({"object": {"spec": {}}}, "request.object.metadata must be a mapping"),
        ({"object": {"metadata": {"labels": []}, "spec": {}}}, ""),
        ({"object": {"metadata": {"labels": [1]}, "spec": {}}}, "request.object.metadata.labels must be a mapping"),
        ({"operation": "UPDATE"}, "request.oldObject must be a mapping"),
    ],
)
def test_a_review_that_asks_nothing_that_can_be_answered(change: dict[str, Any], message: str) -> None:
    text = reviews.body(sdep(), **change)
    if not message:
        assert admission.read(text).uid
        return
    with pytest.raises(Malformed) as caught:
        admission.read(text)
    assert message in str(caught.value)


def test_half_a_character_is_a_fault_of_its_field() -> None:
    said = answer(validate, reviews.body(sdep(annotations={"x": "\ud800"})))
    assert said["allowed"] is False
    assert said["status"]["message"]


@pytest.mark.parametrize("purpose", [validate, mutate])
@pytest.mark.parametrize("spec", [None, [], "x", {}, {"predictors": None}, {"predictors": [None]}, {"predictors": {}}])
def test_any_object_is_answered(purpose: Answer, spec: Any) -> None:
    found = {**sdep(), "spec": spec}
    said = answer(purpose, reviews.body(found))
    assert said["allowed"] is (purpose is mutate)
