"""Owns the HTML page of a result: tables and plots in one file, readable offline.

Must not compute what the result does not hold, but for ratios.
"""

from collections.abc import Sequence
from html import escape
from typing import Any

from bench import gates, plots, table
from bench.payloads import show_size
from bench.plots import Axis, Series
from bench.results import Result, Run
from bench.scenarios import SCENARIOS
from bench.stage import MILLRACE
from bench.targets import ABOUT

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; max-width: 1180px; margin: 2em auto; padding: 0 1em }
.wide { overflow-x: auto } table { border-collapse: collapse; margin: .6em 0 }
td, th { padding: .15em .7em; text-align: right; white-space: nowrap }
td:first-child, th:first-child { text-align: left } thead { border-bottom: 1px solid #999 }
tr.ours { font-weight: 600; color: #0b6e4f } dt { font-weight: 600 } dl.facts { columns: 20em 2 }
dd { overflow-wrap: anywhere } li.missed { font-weight: 600; color: #c1440e }
svg { max-width: 100%; height: auto; margin: .4em 0; vertical-align: top }
svg text { font: 12px system-ui, sans-serif; fill: #333 }
svg text.title { font-weight: 600; font-size: 13px }
.axis { stroke: #333; fill: none } .grid { stroke: #e3e3e3; fill: none }
.note { color: #666; max-width: 60em }
@media (max-width: 600px) { svg text { font-size: 14px } body { margin: 1em auto } ul { padding-left: 1.2em } }
"""
CAUTION = (
    "Generator, nodes and server share one machine, so latencies are indicative: on two cores a tail mostly shows the "
    "neighbours. CPU per request (the server's own, from the operating system's clock of that process) is the figure "
    "to use, and its ratio to a baseline measured in the same run, alternating."
)
_QUANTILES = ((0.5, "50%"), (0.9, "90%"), (0.99, "99%"), (0.999, "99.9%"), (0.9999, "99.99%"))


def render(result: Result) -> str:
    """The page."""
    sections = [_section(scenario, size, runs) for (scenario, size), runs in table.cells(result["runs"]).items()]
    kept = "".join(
        f"<li{' class=missed' if ' missed: ' in line else ''}>{escape(line)}</li>"
        for line in gates.lines(result["runs"])
    )
    skipped = "".join(f"<li>{escape(' '.join(each.values()))}</li>" for each in result.get("skipped", []))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>Millrace benchmarks</title>'
        f"<style>{STYLE}</style></head><body><h1>Millrace benchmarks</h1><p class='note'>{escape(CAUTION)}</p>"
        f"{_facts(result)}{f'<ul>{kept}</ul>' if kept else ''}{_instructions(result)}{''.join(sections)}"
        f"{f'<h2>Skipped</h2><ul>{skipped}</ul>' if skipped else ''}<h2>Contenders</h2>{_contenders(result['runs'])}"
        "</body></html>\n"
    )


def _facts(result: Result) -> str:
    facts: dict[str, Any] = {**result["machine"], **result.get("options", {})}
    facts |= facts.pop("versions", {})
    rows = "".join(f"<dt>{escape(str(name))}</dt><dd>{escape(str(value))}</dd>" for name, value in facts.items())
    title = escape(f"{facts.get('cpu')}, {facts.get('cpus')} CPUs, {facts.get('when')}")
    return f"<details><summary>{title}</summary><dl class='facts'>{rows}</dl></details>"


def _instructions(result: Result) -> str:
    line = table.instructions_line(result)
    return f"<p>{escape(line)}</p>" if line else ""


def _section(scenario: str, size: int, runs: Sequence[Run]) -> str:
    drawn = "".join((_cost(runs), _percentiles(runs), _curves(runs)))
    about = f"<p class='note'>{escape(SCENARIOS[scenario].summary)}</p>" if scenario in SCENARIOS else ""
    return f"<h2>{escape(scenario)}, {show_size(size)}</h2>{about}{_table(runs)}{drawn}"


def _table(runs: Sequence[Run]) -> str:
    heads, *lines = table.rows_of(runs)
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join(
        f"<tr{' class=ours' if run['target'] == MILLRACE else ''}>"
        + "".join(f"<td>{escape(text)}</td>" for text in line)
        + "</tr>"
        for run, line in zip(runs, lines, strict=True)
    )
    note = f"<p class='note'>What limited req/s: {escape(limits)}.</p>" if (limits := _limits(runs)) else ""
    ends = "".join(f"<p class='note'>{escape(line)}</p>" for run in runs if (line := table.ends_line(run)))
    return f"<div class='wide'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{note}{ends}"


def _limits(runs: Sequence[Run]) -> str:
    """Reasons, each with those it kept back."""
    found: dict[str, list[str]] = {}
    for run in runs:
        if run.get("limit", "server") != "server":
            found.setdefault(run["limit"], []).append(run["target"])
    return "; ".join(f"{why} ({', '.join(names)})" for why, names in found.items())


def _cost(runs: Sequence[Run]) -> str:
    values = [(run["target"], float(run["cpu_us_per_request"])) for run in runs if run["cpu_us_per_request"]]
    return plots.bars("CPU per request, µs", values, table.number, MILLRACE) if len(values) > 1 else ""


def _percentiles(runs: Sequence[Run]) -> str:
    """Latency by percentile: the further right, the rarer; a decade is ten times as rare."""
    series = []
    for index, run in enumerate(runs):
        points = [(1 / (1 - quantile), value) for quantile, value in run.get("percentiles", []) if 0.5 <= quantile < 1]
        if points:
            series.append(Series(run["target"], points, colour=index))
    furthest = max((x for each in series for x, _ in each.points), default=0)
    marks = [(1 / (1 - quantile), text) for quantile, text in _QUANTILES if 1 / (1 - quantile) <= furthest * 1.01]
    loop = runs[0].get("latency", {}).get("loop", "closed")
    asks = runs[0].get("asks")
    title = f"Delay after the {asks}, by percentile" if asks else f"Latency percentiles ({loop} loop)"
    return plots.lines(title, series, Axis("share of requests", True, marks), Axis("µs", True))


def _curves(runs: Sequence[Run]) -> str:
    series = []
    for index, run in enumerate(runs):
        for what, dashed in (("p50_us", False), ("p99_us", True)):
            points = [(point["answered_per_s"], point[what]) for point in run.get("curve", []) if point[what] > 0]
            if points:
                series.append(Series(f"{run['target']} {what[:3]}", points, dashed, index))
    return plots.lines("Latency by throughput (open loop)", series, Axis("requests per second", True), Axis("µs", True))


def _contenders(runs: Sequence[Run]) -> str:
    names = dict.fromkeys(run["target"] for run in runs)
    return "<dl>" + "".join(f"<dt>{escape(n)}</dt><dd>{escape(ABOUT.get(n, ''))}</dd>" for n in names) + "</dl>"
