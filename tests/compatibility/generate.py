"""Owns the way from the catalogue of behaviours, `rows.toml` beside it, to docs/compatibility.md.

Must not import what is tested, nor run tests: that a test is there is read from its file.

Usage: generate.py [--check]
    no option   write docs/compatibility.md anew
    --check     write nothing; exit with 1 and say what is wrong with the catalogue, or that the page is stale

An area is a table of the page. A row has an `id`, a `title`, and one of:
    tests                   it is as in Seldon Core, and these tests show it
    seldon, millrace, why   it differs on purpose; tests show what millrace does
    refused                 it is refused, with this message; tests show that
    missing                 it is not there yet, and what happens instead
"""

import argparse
import ast
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ROWS = Path(__file__).with_name("rows.toml")
PAGE = ROOT / "docs" / "compatibility.md"
LINKS = 3
"""A cell names no more tests than this."""
INTRO = """\
# Compatibility with Seldon Core v1

The measure is Seldon Core v1.18: where a client, a node or an operator could tell the difference, millrace does the
same, except for what is listed here as different, refused or not there yet. Each row links to the file of the tests
that show it.

<!-- Written by tests/compatibility/generate.py from rows.toml beside it: change that file, not this one. -->
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One behaviour."""

    id: str
    title: str
    tests: tuple[str, ...] = ()
    seldon: str = ""
    millrace: str = ""
    why: str = ""
    refused: str = ""
    missing: str = ""

    @property
    def kinds(self) -> list[str]:
        """What the row says of itself; a sound one says one thing."""
        differs = ["differs"] if self.seldon or self.millrace or self.why else []
        said = differs + [kind for kind in ("refused", "missing") if getattr(self, kind)]
        return said or (["same"] if self.tests else [])


@dataclass(frozen=True, slots=True)
class Area:
    """Rows that belong together."""

    title: str
    rows: tuple[Row, ...]

    def of(self, kind: str) -> list[Row]:
        """The rows of one kind."""
        return [row for row in self.rows if row.kinds == [kind]]


def read(text: str) -> list[Area]:
    """The catalogue. Raises `ValueError` or `TypeError` for what is no catalogue."""
    return [
        Area(area["title"], tuple(_row(row) for row in area.get("row", ()))) for area in tomllib.loads(text)["area"]
    ]


def _row(said: dict[str, Any]) -> Row:
    return Row(**{**said, "tests": tuple(said.get("tests", ()))})


def problems(areas: list[Area]) -> Iterator[str]:
    """What is wrong with the catalogue."""
    rows = [row for area in areas for row in area.rows]
    for name, count in Counter(row.id for row in rows).items():
        if count > 1:
            yield f"{name}: used {count} times as an id"
    for row in rows:
        if len(row.kinds) != 1:
            yield f"{row.id}: needs one of tests, a difference, `refused` or `missing`, and has {row.kinds or 'none'}"
        if row.kinds == ["differs"] and not (row.seldon and row.millrace and row.why):
            yield f"{row.id}: a difference needs `seldon`, `millrace` and `why`"
        if len(row.tests) > LINKS:
            yield f"{row.id}: names {len(row.tests)} tests; {LINKS} are allowed"
        for test in row.tests:
            file, _, name = test.partition("::")
            if name not in tests_of(file):
                yield f"{row.id}: there is no test {test}"


@cache
def tests_of(file: str) -> frozenset[str]:
    """The names of the tests in a file; none where there is no such file."""
    path = ROOT / "tests" / file
    if not path.is_file():
        return frozenset()
    body = ast.parse(path.read_text()).body
    functions = [each.name for each in body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
    return frozenset(name for name in functions if name.startswith("test_"))


def page(areas: list[Area]) -> str:
    """The text of docs/compatibility.md."""
    other = [
        table("What differs on purpose", ("behaviour", "Seldon Core v1.18", "millrace", "why"), _differences(areas)),
        table("What is refused with a message", ("what", "message", "shown by"), _refusals(areas)),
        table("What is not there yet", ("what", "today"), _gaps(areas)),
    ]
    same = [
        table(area.title, ("behaviour", "shown by"), [(row.title, links(row)) for row in area.of("same")])
        for area in areas
    ]
    other, same = ([part for part in parts if part] for parts in (other, same))
    return "\n".join([INTRO, index(other, same), *other, *same])


def _differences(areas: list[Area]) -> list[tuple[str, ...]]:
    rows = [row for area in areas for row in area.of("differs")]
    return [(row.title, row.seldon, " ".join([row.millrace, *_aside(row)]), row.why) for row in rows]


def _aside(row: Row) -> list[str]:
    return [f"({links(row)})"] if row.tests else []


def _refusals(areas: list[Area]) -> list[tuple[str, ...]]:
    return [(row.title, row.refused, links(row)) for area in areas for row in area.of("refused")]


def _gaps(areas: list[Area]) -> list[tuple[str, ...]]:
    return [(row.title, " ".join([row.missing, *_aside(row)])) for area in areas for row in area.of("missing")]


def table(title: str, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A section that is a table; nothing where there are no rows."""
    if not rows:
        return ""
    lines = [head, ("---",) * len(head), *rows]
    return f"## {title}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def index(other: list[str], same: list[str]) -> str:
    """Links to all sections."""
    lines = [f"- {_link(part)}\n" for part in other]
    return "".join(lines) + "- What is the same: " + ",\n  ".join(_link(part) for part in same) + "\n"


def _link(part: str) -> str:
    title = part.partition("\n")[0].removeprefix("## ")
    return f"[{title}](#{anchor(title)})"


def anchor(title: str) -> str:
    """What a heading is called in links."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def links(row: Row) -> str:
    """The tests of a row, each a link to its file."""
    parted = [test.partition("::") for test in row.tests]
    return ", ".join(f"[{name.removeprefix('test_')}](../tests/{file})" for file, _, name in parted)


def main() -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(description="Generate docs/compatibility.md from tests/compatibility/rows.toml.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the page is stale")
    check: bool = parser.parse_args().check
    areas = read(ROWS.read_text())
    wrong = [f"rows.toml: {each}" for each in problems(areas)]
    wanted = page(areas)
    if not wrong and not check:
        PAGE.write_text(wanted)
    if not wrong and PAGE.read_text() != wanted:
        wrong = ["docs/compatibility.md is stale; run `python tests/compatibility/generate.py`"]
    for each in wrong:
        print(f"compatibility: {each}", file=sys.stderr)
    if not wrong:
        print(f"compatibility: docs/compatibility.md is fresh; {sum(len(area.rows) for area in areas)} rows")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
