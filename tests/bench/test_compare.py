"""Owns the tests of `bench.compare`: what counts as a change."""

from typing import Any

from bench import compare, results


def result(cost: float | None, **changed: Any) -> results.Result:
    """A result with one run."""
    run = {"scenario": "node", "payload_bytes": 64, "target": "millrace", **dict.fromkeys(results.NUMBERS), "errors": 0}
    return results.make({}, {}, [{**run, "cpu_us_per_request": cost, **changed}], [])


def verdict(before: results.Result, after: results.Result, what: str = "cpu_us_per_request") -> str:
    """What is said of one number."""
    return next(change.verdict for change in compare.changes(before, after) if change.what == what)


def test_small_differences_are_the_same() -> None:
    assert verdict(result(10.0), result(10.4)) == "same"


def test_differences_within_the_spread_are_the_same() -> None:
    assert verdict(result(10.0, cpu_spread=0.3), result(12.0)) == "same"


def test_more_cost_is_worse_and_less_is_better() -> None:
    assert verdict(result(10.0), result(12.0)) == "worse"
    assert verdict(result(10.0), result(8.0)) == "better"


def test_more_requests_are_better() -> None:
    before, after = result(None, requests_per_s=100.0), result(None, requests_per_s=150.0)
    assert verdict(before, after, "requests_per_s") == "better"
    assert verdict(after, before, "requests_per_s") == "worse"


def test_what_only_one_side_has_is_said() -> None:
    assert verdict(result(10.0), results.make({}, {}, [], [])) == "only before"
    assert verdict(results.make({}, {}, [], []), result(10.0)) == "only after"


def test_the_table_says_how_much() -> None:
    text = compare.render(compare.changes(result(10.0), result(12.0)))
    assert "node 64 B" in text
    assert "+20.0%" in text
    assert "worse" in text


def test_ratios_within_each_run_are_compared_too() -> None:
    def pair(ours: float, theirs: float) -> results.Result:
        (run,) = result(ours)["runs"]
        return results.make({}, {}, [run, {**run, "target": "go-proxy", "cpu_us_per_request": theirs}], [])

    quiet, busy = pair(10.0, 40.0), pair(20.0, 80.0)
    assert verdict(quiet, busy) == "worse"
    assert verdict(quiet, busy, "cpu_ratio") == "same"
    assert verdict(quiet, pair(20.0, 40.0), "cpu_ratio") == "worse"


def test_a_disturbed_result_brings_a_caution() -> None:
    assert compare.caution(result(1.0)) == ""
    assert "1.20 cores" in compare.caution(result(1.0), result(1.0, samples=[{"foreign_cores": 1.2}]))
