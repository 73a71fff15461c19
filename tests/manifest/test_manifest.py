"""Tests `executor.manifest`: which documents a file has, which one is meant, and that nothing but ManifestError
comes out.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from executor import manifest
from executor.errors import ManifestError, Problem
from executor.graph.plan import compile_plan
from executor.graph.spec import Endpoint, NodeType
from executor.manifest import Entry, Profile
from executor.manifest.document import SIZE_MAX

SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: svc}\n"


def sdep(name: str, *predictors: str) -> str:
    listed = ", ".join(
        f"{{name: {each}, graph: {{name: {each}-m, implementation: SIMPLE_MODEL}}}}" for each in predictors
    )
    return (
        "apiVersion: machinelearning.seldon.io/v1\nkind: SeldonDeployment\n"
        f"metadata: {{name: {name}}}\nspec: {{predictors: [{listed}]}}\n"
    )


def refused(text: str, **chosen: Any) -> str:
    with pytest.raises(ManifestError) as caught:
        manifest.load(text, **chosen)
    (problem,) = caught.value.problems
    return str(problem)


def test_survey_tells_every_document() -> None:
    text = f"{SERVICE}---\n{sdep('one', 'a', 'b')}---\njust: this\n---\n- x\n"
    assert manifest.survey(text) == (
        Entry(1, 1, "Service", "v1", "svc", (), False),
        Entry(2, 5, "SeldonDeployment", "machinelearning.seldon.io/v1", "one", ("a", "b"), True),
        Entry(3, 10, "", "", "", (), False),
        Entry(4, 12, "", "", "", (), False),
    )
    assert str(manifest.survey(text)[1]) == 'SeldonDeployment "one" (document 2, line 5)'


def test_load_takes_the_only_one() -> None:
    deployment, predictor = manifest.load(f"{SERVICE}---\n{sdep('one', 'a')}")
    assert (deployment.name, predictor.name, predictor.graph.name) == ("one", "a", "a-m")
    assert deployment.line == 5


def test_load_by_predictor() -> None:
    assert manifest.load(sdep("one", "a", "b"), predictor="b").predictor.name == "b"
    assert refused(sdep("one", "a", "b")) == (
        'line 1: SeldonDeployment "one" (document 1, line 1) has more than one predictor; '
        'choose "a" or "b" (--predictor)'
    )
    assert refused(sdep("one", "main", "b"), predictor="mian") == (
        'line 1: SeldonDeployment "one" (document 1, line 1) has no predictor "mian" (did you mean "main"?); '
        'predictors: "main", "b"'
    )


TWO = f"{sdep('one', 'a')}---\n{SERVICE}---\n{sdep('two', 'b', 'c')}"


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"document": "one"}, ("one", "a")),
        ({"document": 1}, ("one", "a")),
        ({"document": "1"}, ("one", "a")),
        ({"document": 3, "predictor": "c"}, ("two", "c")),
        ({"document": "two", "predictor": "b"}, ("two", "b")),
        ({"predictor": "a"}, ("one", "a")),
        ({"predictor": "c"}, ("two", "c")),
    ],
)
def test_load_from_several_documents(chosen: dict[str, Any], expected: tuple[str, str]) -> None:
    deployment, predictor = manifest.load(TWO, **chosen)
    assert (deployment.name, predictor.name) == expected


CHOOSE = (
    "choose one by name or number (--document): "
    'SeldonDeployment "one" (document 1, line 1) with "a"; SeldonDeployment "two" (document 3, line 10) with "b", "c"'
)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({}, f"2 manifests in it; {CHOOSE}"),
        ({"document": "three"}, f'no manifest that is "three" in it; {CHOOSE}'),
        ({"document": 2}, f'no manifest that is "2" in it; {CHOOSE}'),
        ({"predictor": "d"}, f'no manifest with "d" in it; {CHOOSE}'),
    ],
)
def test_an_unclear_choice_lists_the_choices(chosen: dict[str, Any], message: str) -> None:
    assert refused(TWO, **chosen) == message


def test_an_unclear_choice_does_not_hide_other_problems() -> None:
    with pytest.raises(ManifestError) as caught:
        manifest.load(sdep("one", "a", "b").replace("spec:", "spek: 1\nspec:"), reached=[])
    assert [each.path for each in caught.value.problems] == ["", "spek"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["no SeldonDeployment in it; it is empty"]),
        ("# nothing\n---\n", ["no SeldonDeployment in it; it is empty"]),
        (SERVICE, ["line 1: no SeldonDeployment in it: this is a Service of v1"]),
        ("[1, 2]", ["line 1: no SeldonDeployment in it: this is no mapping"]),
        (
            "a: 1\n---\nb: 2",
            [
                f"line {line}: no SeldonDeployment in it: this is a mapping with neither kind nor apiVersion"
                for line in (1, 3)
            ],
        ),
        (
            "kind: SeldonDeploymnt\napiVersion: machinelearning.seldon.io/v1\n",
            [
                "line 1: no SeldonDeployment in it: this is a SeldonDeploymnt of machinelearning.seldon.io/v1 "
                '(did you mean "SeldonDeployment"?)'
            ],
        ),
        (
            "kind: SeldonDeployment\n",
            ["line 1: no SeldonDeployment in it: this is a SeldonDeployment without apiVersion"],
        ),
    ],
)
def test_a_file_without_a_manifest(text: str, expected: list[str]) -> None:
    with pytest.raises(ManifestError) as caught:
        manifest.load_all(text)
    assert [str(each) for each in caught.value.problems] == expected


def test_load_all_takes_every_manifest() -> None:
    assert [each.name for each in manifest.load_all(TWO, Profile.LOCAL)] == ["one", "two"]


def test_problems_of_all_manifests_together() -> None:
    with pytest.raises(ManifestError) as caught:
        manifest.load_all(TWO.replace("SIMPLE_MODEL", "SIMPLE_ROUTER"), Profile.LOCAL)
    assert [(each.line, each.path) for each in caught.value.problems] == [
        (4, "spec.predictors[0].graph.children"),
        (13, "spec.predictors[0].graph.children"),
        (13, "spec.predictors[1].graph.children"),
    ]


def test_other_documents_may_be_as_they_like() -> None:
    assert manifest.load(f"a: 1\na: 2\n---\n{sdep('one', 'p')}").deployment.name == "one"


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "graph.yaml"
    path.write_text(sdep("one", "a"))
    assert manifest.load(path).deployment.name == "one"
    path.write_text("a: [")
    with pytest.raises(ManifestError) as caught:
        manifest.survey(path)
    assert caught.value.source == str(path)
    assert str(caught.value).startswith(f"{path}: 1 problem\n  line 1: ")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ManifestError) as caught:
        manifest.load(tmp_path / "none.yaml")
    assert caught.value.problems == (Problem("", "cannot be read: No such file or directory"),)
    with pytest.raises(ManifestError, match="cannot be read: Is a directory"):
        manifest.load(tmp_path)
    path = tmp_path / "big.yaml"
    path.write_bytes(b"#" * (5 * SIZE_MAX))
    with pytest.raises(ManifestError, match=f"at most {SIZE_MAX} are read"):
        manifest.load(path)


ENGINE_PREDICTOR = {
    "name": "default",
    "graph": {
        "name": "m",
        "type": "MODEL",
        "implementation": "UNKNOWN_IMPLEMENTATION",
        "endpoint": {"service_host": "localhost", "service_port": 9000, "httpPort": 9000, "grpcPort": 9500},
        "children": None,
    },
    "componentSpecs": [
        {"metadata": {"creationTimestamp": None}, "spec": {"containers": [{"name": "m", "image": "i"}]}}
    ],
    "engineResources": {},
    "svcOrchSpec": {},
    "labels": {"version": "default"},
    "traffic": 0,
}


def test_load_predictor() -> None:
    predictor = manifest.load_predictor(json.dumps(ENGINE_PREDICTOR), reached=[])
    assert (predictor.name, predictor.graph.type, predictor.graph.image) == ("default", NodeType.MODEL, "i")
    assert predictor.graph.endpoint == Endpoint("localhost", 9000, 9000, 9500)
    assert compile_plan(predictor).root.needs_endpoint


def test_load_predictor_refuses() -> None:
    with pytest.raises(ManifestError) as caught:
        manifest.load_predictor('{"name": "p", "graph": {"nam": "m"}}', source="ENGINE_PREDICTOR")
    assert [each.path for each in caught.value.problems] == ["graph.name", "graph.nam"]
    assert str(caught.value).startswith("ENGINE_PREDICTOR: 2 problems")
    with pytest.raises(ManifestError, match="one predictor is expected, not 0 documents"):
        manifest.load_predictor("")


# Anything else that a file may hold

_WORDS = st.sampled_from(
    ["name", "graph", "children", "type", "MODEL", "ROUTER", "RANDOM_ABTEST", "implementation", "methods", "ROUTE",
     "parameters", "value", "ratioA", "endpoint", "REST", "predictors", "spec", "traffic", "shadow", "annotations",
     "componentSpecs", "containers", "logger", "mode", "all", "", "x"]
)  # fmt: skip
_SCALARS = st.none() | st.booleans() | st.integers(-3, 200) | st.floats() | _WORDS
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=5), max_leaves=25
)
_MORE = {"type": _VALUES, "methods": _VALUES, "implementation": _WORDS, "parameters": _VALUES, "endpoint": _VALUES}
_UNITS = st.recursive(
    st.fixed_dictionaries({"name": _WORDS}),
    lambda inner: st.fixed_dictionaries(
        {"name": _WORDS}, optional={"children": st.lists(inner, max_size=3) | inner, **_MORE}
    ),
    max_leaves=8,
)


def survives(text: str) -> None:
    """Nothing but ManifestError, with at least one problem, comes of loading `text`."""
    for profile in Profile:
        try:
            deployments = manifest.load_all(text, profile, reached=["x", "name"])
        except ManifestError as error:
            assert error.problems
            assert all(each.message for each in error.problems)
        else:
            for each in deployments:
                for predictor in each.predictors:
                    assert compile_plan(predictor, each.name).nodes


@settings(max_examples=150, deadline=None)
@given(
    _VALUES | st.fixed_dictionaries({"predictors": st.lists(st.fixed_dictionaries({"name": _WORDS, "graph": _UNITS}))})
)
def test_any_spec_is_taken_or_refused(spec: Any) -> None:
    head = {"apiVersion": "machinelearning.seldon.io/v1", "kind": "SeldonDeployment", "metadata": {"name": "d"}}
    survives(json.dumps({**head, "spec": spec}))


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="[]{}:,-&*!|>?%#@'\" \n\tan1<", max_size=60), st.integers(0, 200))
def test_any_scrambled_manifest_is_taken_or_refused(noise: str, place: int) -> None:
    text = sdep("one", "a", "b")
    survives(text[:place] + noise + text[place:])
