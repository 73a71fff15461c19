"""Owns the tests of `bench.results`: the form of a result file."""

from pathlib import Path
from typing import Any

import pytest

from bench import results


def run(**changed: Any) -> results.Run:
    """A run as it should be."""
    numbers = dict.fromkeys(results.NUMBERS, 1.5)
    return {"scenario": "node", "payload_bytes": 64, "target": "millrace", **numbers, "errors": 0, **changed}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    result = results.make({"cpu": "x"}, {"seconds": 1}, [run(), run(target="go-proxy", p999_us=None)], [])
    results.write(result, tmp_path / "deep" / "result.json")
    assert results.read(tmp_path / "deep" / "result.json") == result


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"errors": "none"}, r"runs\[0\]\.errors: 'none'"),
        ({"p50_us": "fast"}, r"runs\[0\]\.p50_us"),
        ({"payload_bytes": True}, r"runs\[0\]\.payload_bytes"),
    ],
)
def test_a_wrong_field_is_named(changed: dict[str, Any], place: str) -> None:
    with pytest.raises(results.ResultError, match=place):
        results.check({"machine": {}, "runs": [run(**changed)]})


def test_a_missing_field_is_named() -> None:
    broken = run()
    del broken["cpu_us_per_request"]
    with pytest.raises(results.ResultError, match=r"runs\[0\]\.cpu_us_per_request: 'missing'"):
        results.check({"machine": {}, "runs": [broken]})


@pytest.mark.parametrize(
    "wrong", [[], {}, {"runs": []}, {"machine": {}, "runs": {}}, {"machine": {}, "runs": [], "format": 99}]
)
def test_what_is_no_result_is_refused(wrong: object) -> None:
    with pytest.raises(results.ResultError):
        results.check(wrong)


def test_a_file_that_is_no_json_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(results.ResultError, match=r"x\.json"):
        results.read(tmp_path / "x.json")


def test_a_run_is_known_by_scenario_payload_and_target() -> None:
    assert results.key(run()) == ("node", 64, "millrace")
