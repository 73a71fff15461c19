"""Tests `executor.manifest.shape`."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from executor.errors import ManifestError
from executor.manifest import shape
from executor.manifest.document import read
from executor.manifest.shape import Model, OneOrMore, Report, described, fit, hint, listing, nearest


class Leaf(Model):
    name: Annotated[str, Field(min_length=1)]
    kind: Literal["red", "green"] | None = None
    size: int = 0
    on: bool = False
    labels: dict[str, str] = {}  # noqa: RUF012
    leaves: "OneOrMore[Leaf]" = []  # noqa: RUF012
    spare: "OneOrMore[Leaf] | None" = None


class Fork(Model):
    either: int | str
    both: Annotated[list[int] | bool | None, "a note"] = None
    named: dict[str, int | str] = {}  # noqa: RUF012
    listed: list[int | str] = []  # noqa: RUF012


class Tree(Model):
    root: Leaf
    level: Literal["low", "high"]
    notes: list[str] = []  # noqa: RUF012
    weight: Annotated[int, Field(ge=0)] = 0


def fitted(text: str) -> tuple[Tree, list[tuple[int | None, str, str]]]:
    (document,) = read(text)
    report = Report(document)
    tree = fit(Tree, report)
    return tree, [(each.line, each.path, each.message) for each in report.sorted()]


def test_what_fits_is_taken_as_it_is() -> None:
    tree, problems = fitted("root: {name: a, leaves: {name: b, kind: red}}\nlevel: low\nnotes: [x]\n")
    assert problems == []
    assert tree.root.leaves == [Leaf(name="b", kind="red")]
    assert tree.notes == ["x"]


def test_null_and_empty_text_are_absent() -> None:
    tree, problems = fitted("root: {name: a, kind: '', size: null, leaves: ~}\nlevel: high\n")
    assert problems == []
    assert (tree.root.kind, tree.root.size, tree.root.leaves) == (None, 0, [])


ALL = "name, kind, size, on, labels, leaves, spare"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("  nam: x", ("root.nam", f'unknown field "nam" (did you mean "name"?); allowed: {ALL}')),
        ("  zzz: x", ("root.zzz", f'unknown field "zzz"; allowed: {ALL}')),
        ("  kind: rad", ("root.kind", '"rad" is not allowed (did you mean "red"?); allowed: red, green')),
        ("  kind: RED", ("root.kind", '"RED" is not allowed (did you mean "red"?); allowed: red, green')),
        ("  kind: 3", ("root.kind", "the number 3 is not allowed; allowed: red, green")),
        ("  size: big", ("root.size", 'must be a whole number, not "big"')),
        ("  size: 1.5", ("root.size", "must be a whole number, not the number 1.5")),
        ("  on: 1", ("root.on", "must be true or false, not the number 1")),
        ("  labels: [x]", ("root.labels", "must be a mapping, not a list")),
        ("  labels: {v: 1.0}", ("root.labels.v", "must be text, not the number 1.0; put it in quotes")),
        ("  labels: {v: yes}", ("root.labels.v", "must be text, not the boolean true; put it in quotes")),
        ("  labels: {v: [a]}", ("root.labels.v", "must be text, not a list")),
        ("  leaves: x", ("root.leaves", 'must be a list, not "x"')),
        ("  leaves: [3]", ("root.leaves[0]", "must be a mapping, not the number 3")),
        ("  leaves: [null]", ("root.leaves[0]", "must be a mapping, not nothing")),
        ("  leaves: [{size: 1}]", ("root.leaves[0].name", "required, but missing")),
        ("  leaves: {size: 1}", ("root.leaves.name", "required, but missing")),
        ("  leaves: [{name: ''}]", ("root.leaves[0].name", "must not be empty")),
        (
            "  spare: {name: b, sizes: 3}",
            ("root.spare.sizes", f'unknown field "sizes" (did you mean "size"?); allowed: {ALL}'),
        ),
    ],
)
def test_messages(line: str, problem: tuple[str, str]) -> None:
    tree, problems = fitted(f"level: low\nroot:\n  name: a\n{line}\n")
    assert problems == [(4, *problem)]
    assert tree.root.name == "a"


def test_other_bounds_use_the_models_own_words() -> None:
    _, problems = fitted("root: {name: a}\nlevel: low\nweight: -1\n")
    assert problems == [(3, "weight", "Input should be greater than or equal to 0, not the number -1")]


def test_all_misfits_at_once_and_each_once() -> None:
    _, problems = fitted("root:\n  size: x\n  leaves:\n  - kind: blue\n  - name: b\n    leaves: {on: 3}\nlevle: low\n")
    assert [(line, path) for line, path, _ in problems] == [
        (1, "root.name"),
        (1, "level"),
        (2, "root.size"),
        (4, "root.leaves[0].name"),
        (4, "root.leaves[0].kind"),
        (6, "root.leaves[1].leaves.name"),
        (6, "root.leaves[1].leaves.on"),
        (7, "levle"),
    ]


@pytest.mark.parametrize("text", ["[1, 2]", "just text", "root: 3\nlevel: [x]", "root: [x]\nlevel: {a: b}\nnotes: 3"])
def test_the_result_is_whole_in_any_case(text: str) -> None:
    tree, problems = fitted(text)
    assert problems
    assert tree.root.name == "-"
    assert tree.level == "low"


def test_mending_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shape, "ROUNDS_MAX", 1)
    with pytest.raises(ManifestError) as caught:
        fitted("level: low\n")
    assert [each.path for each in caught.value.problems] == ["root"]


def test_rules_stay_silent_on_what_was_mended() -> None:
    (document,) = read("root: {name: a, size: x, leavs: 3}\nlevel: low\n")
    report = Report(document)
    fit(Tree, report)
    before = len(report.problems)
    report.add(("root", "size"), "too small")
    report.add(("root", "leaves"), "too few")
    report.add(("root", "name"), "too short", [("root", "size")])
    assert len(report.problems) == before == 2
    report.add(("root", "name"), "too short")
    assert len(report.problems) == before + 1
    assert report.is_mended(("root", "leaves", 0, "name"))
    assert not report.is_mended(("root",))


def test_a_report_starts_with_the_documents_own_problems() -> None:
    (document,) = read("a: 1\na: 2\n")
    assert [each.path for each in Report(document).problems] == ["a"]


def test_nearest_and_its_wording() -> None:
    assert nearest("ruoter", ["MODEL", "ROUTER"]) == "ROUTER"
    assert nearest("xyz", ["MODEL", "ROUTER"]) is None
    assert hint("MODLE", ["MODEL"]) == ' (did you mean "MODEL"?)'
    assert hint("xyz", ["MODEL"]) == ""
    assert listing(["a", "b"]) == "; allowed: a, b"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing"),
        (True, "the boolean true"),
        (3, "the number 3"),
        ("x", '"x"'),
        ("x" * 61, '"' + "x" * 60 + '…"'),
        ([], "a list"),
        ({}, "a mapping"),
    ],
)
def test_described(value: Any, text: str) -> None:
    assert described(value) == text


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("{either: 1, both: true, named: {a: 1, b: c}, listed: [1, a]}", []),
        ("{either: [1]}", [("either", "must be a whole number or text, not a list")]),
        ("{either: a, both: [b]}", [("both", "must be a list or true or false, not a list")]),
        ("{either: a, both: 2}", [("both", "must be a list or true or false, not the number 2")]),
        ("{either: a, named: {b: ~}}", [("named.b", "must be a whole number or text, not nothing")]),
        ("{either: a, listed: [1, {}]}", [("listed[1]", "must be a whole number or text, not a mapping")]),
        ("{listed: []}", [("either", "required, but missing")]),
    ],
)
def test_what_fits_no_branch_of_a_union_is_one_problem(text: str, problems: list[tuple[str, str]]) -> None:
    report = Report(read(text)[0])
    assert isinstance(fit(Fork, report), Fork)
    assert [(each.path, each.message) for each in report.problems] == problems
