"""Owns the tests of `bench.published`: documents show what the reference holds between markers."""

import copy
import json
import re
from pathlib import Path

import pytest

from bench import gates, published, results
from bench.results import Result


@pytest.fixture
def reference() -> Result:
    """The result that the documents are made from."""
    return results.read(published.REFERENCE)


@pytest.mark.parametrize("path", published.DOCUMENTS, ids=lambda path: str(path.relative_to(published.ROOT)))
def test_documents_agree_with_the_reference(path: Path, reference: Result) -> None:
    text = path.read_text()
    assert published.update(text, reference) == text, "run `python -m bench tables`"
    assert "<!-- bench:" in text


def test_each_block_stands_in_a_document_and_each_marker_is_known() -> None:
    text = "\n".join(path.read_text() for path in published.DOCUMENTS)
    assert sorted(re.findall(r"<!-- bench:(\w+) -->", text)) == sorted(published.BLOCKS)
    assert text.count("<!-- bench:") == text.count("<!-- /bench -->")


def test_another_result_changes_only_what_is_between_markers(reference: Result) -> None:
    changed = copy.deepcopy(reference)
    for run in changed["runs"]:
        if (run["scenario"], run["payload_bytes"], run["target"]) == ("node", 64, "millrace"):
            run["cpu_us_per_request"] = 77.7
    text = "before\n  <!-- bench:claim -->\n  old\n  lines\n  <!-- /bench -->\nafter\n"
    made = published.update(text, changed)
    assert made.startswith("before\n  <!-- bench:claim -->\n  One remote model costs 78 µs")
    assert made.endswith("  <!-- /bench -->\nafter\n")
    assert "old" not in made
    assert published.update(made, changed) == made


def test_the_hop_table_has_each_contender_once_and_the_ratio(reference: Result) -> None:
    head, _, first, *_ = published.hop(reference).splitlines()
    costs = {
        run["target"]: run["cpu_us_per_request"]
        for run in reference["runs"]
        if (run["scenario"], run["payload_bytes"]) == ("node", 64)
    }
    assert head.split("|")[2:-2] == [f" `{name}` " for name in costs]
    assert first.split("|")[-2].strip() == f"{costs['millrace'] / costs['go-proxy']:.2f}"


def test_the_machine_is_told_with_the_versions_that_took_part(reference: Result) -> None:
    text = published.machine(reference)
    assert f"grpc-go {reference['machine']['versions']['grpc-go']}" in text
    assert reference["machine"]["commit"] in text


def test_instructions_stand_beside_their_scenario_or_alone(reference: Result) -> None:
    rows = published.resources({**reference, "instructions": {"node": 4321.4, "json-node": 99999.0}}).splitlines()
    assert any(row.startswith("| `node` 64 B | 4,321 |") for row in rows)
    assert any(row.startswith("| `node` 4 KiB | - |") for row in rows)
    assert rows[-1] == "| `json-node` | 99,999 | - | - |"


def test_promptness_tells_delays_in_milliseconds_and_how_requests_ended(reference: Result) -> None:
    run = {"scenario": "deadline", "payload_bytes": 64, "target": "go-proxy", **dict.fromkeys(results.NUMBERS)}
    run |= {"errors": 0, "asks": "deadline", "p50_us": 1500.0, "p99_us": 4321.0, "ends": {"reset": 7}}
    assert published.promptness({**reference, "runs": [run]}).splitlines()[-1] == (
        "| `deadline` | `go-proxy` | 1.50 | 4.32 | 7 reset |"
    )


def test_gates_are_those_of_the_result(reference: Result) -> None:
    lines = published.verdicts(reference).splitlines()
    assert lines == [f"- {line}" for line in gates.lines(reference["runs"])]


def test_the_reference_is_a_result_with_its_machine() -> None:
    stored = json.loads(published.REFERENCE.read_text())
    results.check(stored)
    assert {"cpu", "kernel", "commit", "versions", "when"} <= stored["machine"].keys()
