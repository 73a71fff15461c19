"""Owns the tests of `bench.report`, `bench.plots` and `bench.table`: what is drawn of a result."""

from typing import Any
from xml.etree import ElementTree

import pytest

from bench import plots, report, results, table


def run(target: str, cost: float, **more: Any) -> results.Run:
    """One run with everything a report looks at."""
    return {
        "scenario": "node",
        "payload_bytes": 64,
        "target": target,
        "cpu_us_per_request": cost,
        "errors": 0,
        "requests_per_s": 54321.0,
        "p50_us": 100.0,
        "p99_us": 900.0,
        "p999_us": None,
        "cpu_spread": 0.07,
        "percentiles": [[0.5, 100.0], [0.9, 200.0], [0.99, 900.0], [1.0, 5000.0]],
        "latency": {"loop": "open"},
        "curve": [{"answered_per_s": 100.0, "p50_us": 90.0, "p99_us": 400.0}],
        "connections": 8,
        "streams": 16,
        "limit": "server",
        "peak_rss_bytes": 5 << 20,
        "syscalls_per_request": 0.26,
        "samples": [{"foreign_cores": 0.25}],
        **more,
    }


@pytest.fixture
def result() -> results.Result:
    """Two contenders, one of them skipped elsewhere."""
    skipped = [{"scenario": "node 4 KiB", "target": "nghttpx", "reason": "not installed <here>"}]
    return results.make({"cpu": "A & B", "cpus": 2}, {}, [run("millrace", 10.0), run("go-proxy", 40.0)], skipped)


def test_the_table_tells_cost_and_ratio(result: results.Result) -> None:
    lines = table.render(result).splitlines()
    assert lines[0] == "node, 64 B (8 × 16; latency: open loop below capacity)"
    ours = next(line for line in lines if line.startswith("millrace"))
    assert ours.split()[1:5] == ["10", "7%", "0.25", "54,321"]
    assert any("skipped" in line and "not installed" in line for line in lines)
    assert "0.25 cores busy" in lines[-1]


def test_a_run_that_did_not_fill_its_core_is_a_lower_bound() -> None:
    assert table.row(run("millrace", 1.0, limit="waiting"), None)[4] == "≥54,321"


def test_the_page_is_whole_and_escapes_what_it_shows(result: results.Result) -> None:
    page = report.render(result)
    assert page.count("<svg") == page.count("</svg>") == 3
    assert "not installed &lt;here&gt;" in page
    assert "A &amp; B" in page
    for link in ("src=", "href=", "<script", "@import"):
        assert link not in page


def test_a_page_without_details_can_be_drawn() -> None:
    bare = {"scenario": "x", "payload_bytes": 1, "target": "y", **dict.fromkeys(results.NUMBERS), "errors": 0}
    assert "<h2>x, 1 B</h2>" in report.render(results.make({}, {}, [bare], []))


def test_drawings_are_well_formed() -> None:
    series = [plots.Series("a <b>", [(1.0, 10.0), (10.0, 100.0)]), plots.Series("c", [(2.0, 20.0)], dashed=True)]
    axis = plots.Axis("n", True)
    for drawn in (plots.lines("t & t", series, axis, plots.Axis("v")), plots.bars("t", [("a", 1.0), ("b", 0.0)])):
        assert ElementTree.fromstring(drawn).tag.endswith("svg")


def test_larger_values_are_drawn_longer_and_higher() -> None:
    drawn = ElementTree.fromstring(plots.bars("t", [("a", 1.0), ("b", 4.0)]))
    first, second = (float(each.get("width", "0")) for each in drawn.iter() if each.tag.endswith("rect"))
    assert second == pytest.approx(4 * first)
    drawn = ElementTree.fromstring(
        plots.lines("t", [plots.Series("a", [(1, 1), (2, 5)])], plots.Axis("x"), plots.Axis("y"))
    )
    low, high = (float(each.get("cy", "0")) for each in drawn.iter() if each.tag.endswith("circle"))
    assert high < low  # SVG counts downwards


def test_nothing_to_draw_is_no_drawing() -> None:
    assert plots.lines("t", [], plots.Axis("x"), plots.Axis("y")) == ""


@pytest.mark.parametrize(
    ("low", "high", "log", "wanted"),
    [
        (1, 1000, True, [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]),
        (1, 10**6, True, [10**n for n in range(7)]),
        (0, 10, False, [0, 2.5, 5, 7.5, 10]),
    ],
)
def test_ticks_are_round(low: float, high: float, log: bool, wanted: list[float]) -> None:
    assert plots.ticks(low, high, log) == pytest.approx(wanted)
