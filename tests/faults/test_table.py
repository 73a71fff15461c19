"""The table of faults in the docs names tests that are there."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
TABLE = TESTS.parent / "docs" / "faults.md"
NAMED = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


def test_every_fault_names_its_test() -> None:
    rows = [line for line in TABLE.read_text().splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    faults = [line for line in rows if "shown by" not in line]
    assert len(faults) > 15
    assert [line for line in faults if not NAMED.search(line)] == []
    for file, name in NAMED.findall(TABLE.read_text()):
        source = (TESTS / file).read_text()
        assert re.search(rf"^(async )?def {name}\(", source, re.M), f"{file} has no {name}"
