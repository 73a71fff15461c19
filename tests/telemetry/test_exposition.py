"""Series as text: both formats, and what a reader of them finds."""

import math

import pytest

from executor._native import stats
from executor.telemetry import exposition, families


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain;version=0.0.4", False),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2", True),
        ("application/openmetrics-text; q=0", False),
        ("text/plain, Application/OpenMetrics-Text", True),
    ],
)
def test_openmetrics_is_for_those_who_ask(accept: str, wanted: bool) -> None:
    assert exposition.wants_openmetrics(accept) is wanted


def test_counters_and_gauges() -> None:
    series = {
        (stats.COUNTER, families.RELOADS.key("done")): 2.0,
        (stats.GAUGE, families.WORKERS.key()): 1.0,
        (stats.GAUGE, b'half{a="b"}'): 0.5,
        (stats.GAUGE, b"odd{}"): math.inf,
        (stats.GAUGE, b"odder{}"): math.nan,
    }
    lines = exposition.render(series).decode().splitlines()
    assert "# TYPE millrace_reloads_total counter" in lines
    assert f"# HELP millrace_reloads_total {families.RELOADS.help}" in lines
    assert 'millrace_reloads_total{result="done"} 2' in lines
    assert "millrace_workers 1" in lines
    assert 'half{a="b"} 0.5' in lines
    assert "odd +Inf" in lines
    assert "odder NaN" in lines


def test_openmetrics_names_counters_without_total_and_has_an_end() -> None:
    text = exposition.render({(stats.COUNTER, b"seen_total{}"): 2.0}, openmetrics=True).decode()
    assert text.splitlines() == ["# HELP seen Counted by a component.", "# TYPE seen counter", "seen_total 2", "# EOF"]


def test_histograms_are_cumulative() -> None:
    series = {(stats.HISTOGRAM, b'took{a="b"}'): ((0.5, 1.0), [2, 0, 1], 4.25)}
    assert exposition.render(series).decode().splitlines()[2:] == [
        'took_bucket{a="b",le="0.5"} 2',
        'took_bucket{a="b",le="1"} 2',
        'took_bucket{a="b",le="+Inf"} 3',
        'took_sum{a="b"} 4.25',
        'took_count{a="b"} 3',
    ]


def test_summaries_have_quantiles() -> None:
    region = stats.Region(0)
    sketch = stats.Segment(region, 0).sketch(b"took{}")
    for value in range(1, 101):
        sketch.add(value / 100, 1000.0)
    lines = dict(line.split(" ") for line in exposition.render(region.read(1001.0)).decode().splitlines()[2:])
    assert float(lines['took{quantile="0.5"}']) == pytest.approx(0.5, rel=0.03)
    assert float(lines['took{quantile="0.99"}']) == pytest.approx(0.99, rel=0.03)
    assert float(lines['took{quantile="1"}']) == pytest.approx(1.0, rel=0.03)
    assert lines["took_count"] == "100"
    assert float(lines["took_sum"]) == pytest.approx(50.5)


def test_one_name_has_one_type() -> None:
    text = exposition.render({(stats.COUNTER, b"x{}"): 1.0, (stats.GAUGE, b"x{}"): 2.0}).decode()
    assert text.splitlines()[1:] == ["# TYPE x counter", "x 1"]
