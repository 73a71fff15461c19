"""Tests compatibility/generate.py: docs/compatibility.md is what the catalogue says, and the catalogue is sound."""

import subprocess
import sys
from pathlib import Path

import pytest
from compatibility import generate

AREA = '[[area]]\ntitle = "Some: paths & more"\n'
SOUND = '[[area.row]]\nid = "a"\ntitle = "it is"\ntests = ["compatibility/test_generate.py::test_a_page"]\n'
DIFFERS = '[[area.row]]\nid = "b"\ntitle = "it differs"\nseldon = "x"\nmillrace = "y"\nwhy = "z"\n'
REFUSED = '[[area.row]]\nid = "c"\ntitle = "it is refused"\nrefused = "no"\n'
MISSING = '[[area.row]]\nid = "d"\ntitle = "it is missing"\nmissing = "ignored"\n'


def test_the_page_is_fresh_and_each_named_test_is_there() -> None:
    command = [sys.executable, generate.__file__, "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(generate.PAGE.read_text().splitlines()) <= 420


def test_each_area_has_rows_of_its_own() -> None:
    areas = generate.read(generate.ROWS.read_text())
    assert len({area.title for area in areas}) == len(areas) > 12
    assert [area.title for area in areas if not area.rows] == []


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (SOUND + DIFFERS + REFUSED + MISSING, ""),
        (SOUND + SOUND, "a: used 2 times as an id"),
        ('[[area.row]]\nid = "e"\ntitle = "t"\n', "e: needs one of tests, a difference, `refused` or `missing`"),
        (MISSING + 'refused = "no"\n', "d: needs one of tests"),
        (DIFFERS.replace("why", "tests").replace('"z"', "[]"), "b: a difference needs `seldon`, `millrace` and `why`"),
        (SOUND.replace("test_a_page", "test_b"), "a: there is no test compatibility/test_generate.py::test_b"),
        (SOUND.replace("::test_a_page", ""), "a: there is no test compatibility/test_generate.py"),
        (SOUND.replace("test_generate", "test_gone"), "a: there is no test compatibility/test_gone.py"),
        (MISSING + f"tests = {['rest/test_app.py::test_node_calls'] * 4}\n", "d: names 4 tests; 3 are allowed"),
    ],
)
def test_what_is_wrong_with_a_catalogue_is_told(rows: str, said: str) -> None:
    found = list(generate.problems(generate.read(AREA + rows)))
    assert len(found) == bool(said)
    assert "".join(found).startswith(said)


def test_unknown_fields_are_no_catalogue() -> None:
    with pytest.raises(TypeError, match="colour"):
        generate.read(AREA + SOUND + 'colour = "red"\n')


def test_a_page() -> None:
    text = generate.page(generate.read(AREA + SOUND + DIFFERS + REFUSED + MISSING))
    assert "- [What is refused with a message](#what-is-refused-with-a-message)\n" in text
    assert "- What is the same: [Some: paths & more](#some-paths--more)\n" in text
    assert "| it is | [a_page](../tests/compatibility/test_generate.py) |\n" in text
    assert "| it differs | x | y | z |\n" in text
    assert "| it is refused | no |  |\n" in text
    assert "| it is missing | ignored |\n" in text


def test_a_stale_page_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, page = tmp_path / "rows.toml", tmp_path / "page.md"
    rows.write_text(AREA + SOUND)
    page.write_text("old")
    monkeypatch.setattr(generate, "ROWS", rows)
    monkeypatch.setattr(generate, "PAGE", page)
    monkeypatch.setattr(sys, "argv", ["generate.py", "--check"])
    assert (generate.main(), page.read_text()) == (1, "old")
    assert "is stale; run `python tests/compatibility/generate.py`" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["generate.py"])
    assert generate.main() == 0
    assert page.read_text() == generate.page(generate.read(rows.read_text()))
    monkeypatch.setattr(sys, "argv", ["generate.py", "--check"])
    assert generate.main() == 0
