"""Tests `executor.manifest.document`."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from executor.errors import ManifestError, Problem
from executor.manifest import document as documents
from executor.manifest.document import Document, decode, dotted, read


def only(text: str) -> Document:
    (document,) = read(text)
    return document


def refused(text: str) -> Problem:
    with pytest.raises(ManifestError) as caught:
        read(text)
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-7", -7),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.inf", float("-inf")),
        ("true", True),
        ("Yes", True),
        ("OFF", False),
        ("yEs", "yEs"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("!!str 1", "1"),
        ("plain text", "plain text"),
        ("2020-01-01", "2020-01-01"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("1.2.3", "1.2.3"),
    ],
)
def test_scalars(text: str, value: Any) -> None:
    found = only(f"a: {text}").value["a"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["", "~", "null", "NULL"])
def test_null(text: str) -> None:
    assert only(f"a: {text}").value == {"a": None}


def test_nan() -> None:
    value = only("a: .nan").value["a"]
    assert value != value


def test_marks_are_those_of_keys_and_items() -> None:
    document = only("a: 1\nb:\n  - x\n  - c: 2\n    d: {e: 3}\n")
    places = {dotted(path): (mark.line, mark.column) for path, mark in document.marks.items()}
    assert places == {
        "": (1, 1),
        "a": (1, 1),
        "b": (2, 1),
        "b[0]": (3, 5),
        "b[1]": (4, 5),
        "b[1].c": (4, 5),
        "b[1].d": (5, 5),
        "b[1].d.e": (5, 9),
    }


def test_mark_of_what_is_not_there_is_the_nearest_around() -> None:
    document = only("a:\n  b:\n    c: 1\n")
    assert document.mark(("a", "b", "x", 3)).line == 2
    assert document.mark(("x",)).line == 1


def test_a_mapping_stands_for_a_list_of_one() -> None:
    document = only("kids:\n  name: a\n  kids:\n    - name: b\n")
    assert document.problem(("kids", 0, "name"), "wrong") == Problem("kids.name", "wrong", 2, 3)
    assert document.problem(("kids", 0, "kids", 0, "name"), "wrong") == Problem("kids.kids[0].name", "wrong", 4, 7)


def test_text_is_kept_as_written() -> None:
    document = only("a: 1.10\nb: 'x y'\nc: [1]\n")
    assert document.text(("a",)) == "1.10"
    assert document.text(("b",)) == "x y"
    assert document.text(("c",)) is None
    assert document.text(("nowhere",)) is None


def test_dotted() -> None:
    assert dotted(("spec", "predictors", 0, "annotations", "seldon.io/no-engine")) == (
        'spec.predictors[0].annotations["seldon.io/no-engine"]'
    )
    assert dotted(("a-b", "c_d")) == "a-b.c_d"
    assert dotted(()) == ""


def test_documents_are_numbered_and_empty_ones_left_out() -> None:
    found = read("---\n---\na: 1\n--- # nothing\n---\nb: 2\n...\n")
    assert [(each.number, each.value, each.mark(()).line) for each in found] == [(1, {"a": 1}, 3), (2, {"b": 2}, 6)]
    assert read("") == []
    assert read("# only a comment\n") == []


def test_anchors_aliases_and_merges() -> None:
    text = "base: &base {x: 1, y: 2}\nuse: *base\nmore: {<<: *base, y: 3, z: 4}\nboth:\n  <<: [*base, {w: 5}]\n"
    document = only(text)
    assert document.value["use"] == {"x": 1, "y": 2}
    assert document.value["more"] == {"x": 1, "y": 3, "z": 4}
    assert document.value["both"] == {"x": 1, "y": 2, "w": 5}
    assert document.mark(("use", "x")).line == 1
    assert document.mark(("more", "z")).line == 3
    assert document.problems == ()


def test_aliased_values_are_not_shared() -> None:
    value = only("a: &a [1]\nb: *a\n").value
    value["a"].append(2)
    assert value["b"] == [1]


def test_anchors_end_with_their_document() -> None:
    assert refused("a: &a 1\n---\nb: *a\n") == Problem("", "alias *a names no anchor before it", 3, 4)


def test_json_with_tabs_and_escapes() -> None:
    text = '{\n\t"a":\t"caf\\u00e9 \\ud83d\\ude00",\n\t"b": ["\\/", 1e2, null]\n}\n'
    document = only(text)
    assert document.value == {"a": "café 😀", "b": ["/", 100.0, None]}
    assert document.mark(("b",)).line == 3


def test_keys_are_text() -> None:
    assert only("on: 1\n2: x\nnull: y").value == {"on": 1, "2": "x", "null": "y"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a:\n  b: 1\n  c: 2\n  b: 3\n", Problem("a.b", 'duplicate key "b"; the first is in line 2', 4, 3)),
        ('{"a": 1, "a": 2}', Problem("a", 'duplicate key "a"; the first is in line 1', 1, 10)),
        ("a: 1\n'a': 2\n", Problem("a", 'duplicate key "a"; the first is in line 1', 2, 1)),
        ("a: !!binary aGk=\n", Problem("a", "", 1, 4)),
        ("a: !!python/object/apply:os.getcwd []\n", Problem("a", "", 1, 4)),
        ("a: !mine {b: 1}\n", Problem("a", "", 1, 4)),
        ("? [1, 2]\n: x\n", Problem("", "a mapping's keys must be text", 1, 3)),
        ("a:\n  <<: 3\n", Problem("a", "<< takes a mapping, or a list of mappings", 2, 7)),
        ('a: "\\ud83d"\n', Problem("a", "half a surrogate pair in a text", 1, 4)),
    ],
)
def test_problems_that_do_not_stop_the_reading(text: str, problem: Problem) -> None:
    (found,) = only(text).problems
    assert (found.path, found.line, found.column) == (problem.path, problem.line, problem.column)
    assert problem.message in found.message
    if not problem.message:
        assert found.message.endswith("is not allowed; a manifest has plain values only")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: b: c\n", 1, "mapping values are not allowed here"),
        ("a: 1\nb: [1, 2\nc: 3\n", 3, "expected ',' or ']'"),
        ("x:\n\t- 1\n", 2, "found character '\\t' that cannot start any token"),
        ("x: 1\ny: \x01\n", 2, "character '\\x01' is not allowed"),
        ("a: &a [1, *a]\n", 1, "alias *a stands inside what it names"),
        ("a: *b\n", 1, "alias *b names no anchor before it"),
        ("x: {{ .Values.name }}\n\ny: %\n", 3, "found character '%' that cannot start any token"),
    ],
)
def test_text_that_cannot_be_taken_apart(text: str, line: int, message: str) -> None:
    problem = refused(text)
    assert problem.line == line
    assert message in problem.message


def test_impossible_escapes_are_refused() -> None:
    assert refused('"\\UFFFFFFFF"').message.startswith("not valid YAML")


@pytest.mark.parametrize("opening", ["[", "{", "{a: ", "- ", "? "])
def test_depth_is_bounded(opening: str) -> None:
    assert refused(opening * 2000).message == f"nested more than {documents.DEPTH_MAX} levels deep"


def test_depth_is_bounded_through_aliases() -> None:
    half = documents.DEPTH_MAX // 2 + 10
    text = f"a: &a {'[' * half}{']' * half}\nb: {'[' * half}*a{']' * half}\n"
    assert refused(text).message == f"nested more than {documents.DEPTH_MAX} levels deep"


def test_alias_bombs_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    problem = refused("\n".join(lines))
    assert problem.message == f"more than {documents.VALUES_MAX} values, aliases expanded"
    assert problem.line == 5


def test_merge_bombs_are_refused() -> None:
    wide = "a: &a {" + ", ".join(f"k{n}: 1" for n in range(1000)) + "}\n"
    problem = refused(wide + "".join(f"m{n}: {{<<: *a}}\n" for n in range(200)))
    assert problem.message == f"more than {documents.VALUES_MAX} values, aliases expanded"


def test_size_is_bounded() -> None:
    problem = refused("#" * (documents.SIZE_MAX + 1))
    assert problem.message == f"the file has {documents.SIZE_MAX + 1} characters; at most {documents.SIZE_MAX} are read"


def test_decode() -> None:
    assert decode("é: 1".encode()) == "é: 1"
    assert decode(b"\xef\xbb\xbfa: 1") == "a: 1"
    with pytest.raises(ManifestError) as caught:
        decode(b"a: 1\nb: \xff\n", "file.yaml")
    assert caught.value.problems == (Problem("", "not UTF-8 text (byte 8)", 2),)
    assert str(caught.value).startswith("file.yaml: 1 problem")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), _JSON, min_size=1), st.sampled_from([None, 2, "\t"])
)
def test_json_reads_as_json_does(value: dict[str, Any], indent: int | str | None) -> None:
    assert only(json.dumps(value, indent=indent)).value == json.loads(json.dumps(value))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80) | st.text(alphabet="[]{}:,-&*!|>?%#@'\"\\ \n\tab1<", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = read(text)
    except ManifestError as error:
        assert error.problems
    else:
        assert all(each.mark(()).line >= 1 for each in found)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    try:
        assert isinstance(decode(data), str)
    except ManifestError as error:
        assert error.problems[0].line is not None


# --- what was read already


def test_what_was_read_already_is_marked_in_its_order() -> None:
    value = {"b": [1, 1.5, True, None, "x"], "a": {"k.e/y": "é"}}
    found = documents.of(value)
    assert found.value == value
    assert [found.text(("b", index)) for index in range(5)] == ["1", "1.5", "true", "null", "x"]
    assert found.named(("a", "k.e/y")) == 'a["k.e/y"]'
    assert found.mark(("b", 4)).column < found.mark(("a", "k.e/y")).column
    assert found.mark(("a", "nothing", "there")) == found.mark(("a",))
    assert found.problems == ()


def test_it_is_bounded_likewise(monkeypatch: pytest.MonkeyPatch) -> None:
    deep: object = 1
    for _ in range(documents.DEPTH_MAX):
        deep = [deep]
    with pytest.raises(ManifestError, match="nested more than"):
        documents.of(deep)
    monkeypatch.setattr(documents, "VALUES_MAX", 3)
    with pytest.raises(ManifestError, match="more than 3 values"):
        documents.of([1, 2, 3])


def test_half_a_character_in_it_is_a_problem_of_its_field() -> None:
    found = documents.of({"a": ["\ud800"]})
    assert [(each.path, each.message) for each in found.problems] == [("a[0]", "half a surrogate pair in a text")]
