"""Tests `names`: the rule for long ones."""

import hashlib

import pytest

from executor.manifest.seldon_shape import SERVICE_NAME, PredictorModel
from operator_lite import names


def predictor(name: str, *containers: str, **more: object) -> PredictorModel:
    pods = [{"spec": {"containers": [{"name": each} for each in containers]}, **more}]
    return PredictorModel.model_validate({"name": name, "graph": {"name": "m"}, "componentSpecs": pods})


@pytest.mark.parametrize(("length", "kept"), [(63, True), (64, False)])
def test_the_limit(length: int, kept: bool) -> None:
    name = "x" * length
    assert names.short(name) == (name if kept else f"seldon-{hashlib.md5(name.encode()).hexdigest()}")


def test_pods_are_named_by_containers_or_by_their_own_name() -> None:
    assert names.pods("d", predictor("p", "a", "b"), 0, False) == "d-p-0-a-b"
    assert names.pods("d", predictor("p", "a", metadata={"name": "mine"}), 0, False) == "d-p-0-mine"


@pytest.mark.parametrize(
    ("deployment", "prefixed", "starts"),
    [("iris", True, "iris-"), ("iris", False, "seldon-"), ("i" * 40, True, "seldon-")],
)
def test_long_ones_keep_the_prefix_where_it_fits(deployment: str, prefixed: bool, starts: str) -> None:
    found = names.pods(deployment, predictor("p", "c" * 60), 0, prefixed)
    assert found.startswith(starts)
    assert found.endswith(hashlib.md5(f"{deployment}-p-0-{'c' * 60}".encode()).hexdigest())
    assert len(found) <= 63


def test_a_service_has_the_name_that_is_asked_for() -> None:
    asked = predictor("p").model_copy(update={"annotations": {SERVICE_NAME: "mine"}})
    assert (names.predictor("d", asked), names.predictor("d", predictor("p"))) == ("mine", "d-p")
