"""Owns the numbers that documents show: made from results/reference.json, between markers, so that nobody copies them.

Must not measure, nor say anything that the result does not.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import gates, results, table
from bench.payloads import show_size
from bench.prompt import ends_of
from bench.results import Result, Run
from bench.stage import MILLRACE
from bench.table import number

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "bench" / "results" / "reference.json"
DOCUMENTS = (ROOT / "README.md", ROOT / "bench" / "README.md")
HOP = "node"
"""The scenario with a table of its own."""
_MARKED = re.compile(r"(?P<begin>^ *<!-- bench:(?P<name>\w+) -->\n).*?(?P<end>^ *<!-- /bench -->$)", re.M | re.S)


def update(text: str, result: Result) -> str:
    """A document with all that stands between `<!-- bench:NAME -->` and `<!-- /bench -->` made anew."""

    def made(match: re.Match[str]) -> str:
        indent = " " * (len(match["begin"]) - len(match["begin"].lstrip()))
        lines = BLOCKS[match["name"]](result).splitlines()
        return match["begin"] + "".join(f"{indent}{line}".rstrip() + "\n" for line in lines) + match["end"]

    return _MARKED.sub(made, text)


def publish() -> list[Path]:
    """Writes the stored reference into the documents; those that changed."""
    result = results.read(REFERENCE)
    changed = []
    for path in DOCUMENTS:
        before = path.read_text()
        after = update(before, result)
        if after != before:
            path.write_text(after)
            changed.append(path)
    return changed


# --- what stands between the markers


def claim(result: Result) -> str:
    """The one sentence of the project's README."""
    named = {run["target"]: run for run in result["runs"] if (run["scenario"], run["payload_bytes"]) == (HOP, 64)}
    ours, theirs = named[MILLRACE]["cpu_us_per_request"], named["go-proxy"]["cpu_us_per_request"]
    return (
        f"One remote model costs {number(ours, 2)} µs of CPU per 64-byte request; a grpc-go proxy takes\n"
        f"{number(theirs / ours, 2)} times that in the same run (scenario `{HOP}` in [bench/](bench/README.md))."
    )


def machine(result: Result) -> str:
    """Where the numbers come from, and how quiet it was there."""
    facts = result["machine"]
    versions = facts.get("versions", {})
    foreign = [sample["foreign_cores"] for run in result["runs"] for sample in run.get("samples", [])]
    wanted = ("grpc-go", "go", "nghttpx", "grpcio", "uvloop", "numpy")
    parts = ", ".join(f"{name} {versions[name]}" for name in wanted if name in versions)
    kind = "virtual machine" if facts.get("virtual") else "machine"
    return (
        f"Commit `{facts.get('commit')}`, {facts.get('when')}, profile {result['options'].get('profile')},\n"
        f"{kind} with {facts.get('cpus')} cores of {facts.get('cpu')}, Linux {facts.get('kernel')},\n"
        f"Python {facts.get('python')}; {parts}.\n"
        f"Other work kept {max(foreign, default=0.0):.1f} cores busy at worst."
    )


def hop(result: Result) -> str:
    """One remote model: each contender's CPU per request, by payload."""
    cells = {size: runs for (scenario, size), runs in table.cells(result["runs"]).items() if scenario == HOP}
    names = list(dict.fromkeys(run["target"] for runs in cells.values() for run in runs))
    rows = [["payload", *(f"`{name}`" for name in names), "millrace / go-proxy"]]
    for size, runs in cells.items():
        costs = {run["target"]: run["cpu_us_per_request"] for run in runs}
        ratio = f"{costs[MILLRACE] / costs['go-proxy']:.2f}" if costs.get("go-proxy") else "-"
        rows.append([show_size(size), *(number(costs.get(name)) for name in names), ratio])
    return _markdown(rows)


def others(result: Result) -> str:
    """The other loaded scenarios: ours beside the baselines."""
    rows = [["scenario", "CPU µs/request", "of a baseline"]]
    for (scenario, size), runs in table.cells(result["runs"]).items():
        ours = _ours(runs)
        if scenario == HOP or ours is None or ours["cpu_us_per_request"] is None:
            continue
        beside = [f"`{run['target']}` {number(run['cpu_us_per_request'])}" for run in runs if run is not ours]
        rows.append([f"`{scenario}` {show_size(size)}", number(ours["cpu_us_per_request"]), "; ".join(beside)])
    return _markdown(rows, left=(0, 2))


def resources(result: Result) -> str:
    """What else a request takes of the executor, where it was counted; instructions are the guard's."""
    counted = dict(result.get("instructions", {}))
    rows = [["scenario", "instructions/request", "system calls/request", "peak RSS, MB"]]
    for run in result["runs"]:
        calls, own = run.get("syscalls_per_request"), run.get("instructions_per_request")
        if run["target"] != MILLRACE or calls is None:
            continue
        # The guard has one size of each of its scenarios.
        count = own or (counted.pop(run["scenario"], None) if run["payload_bytes"] <= 64 else None)
        memory = number(run["peak_rss_bytes"] / 1e6, 2)
        rows.append([f"`{run['scenario']}` {show_size(run['payload_bytes'])}", number(count), number(calls, 2), memory])
    rows += [[f"`{name}`", number(count), "-", "-"] for name, count in counted.items()]
    return _markdown(rows)


def promptness(result: Result) -> str:
    """How late deadlines and cancels act."""
    rows = [["scenario", "contender", "p50, ms", "p99, ms", "how requests ended"]]
    for run in result["runs"]:
        if run.get("asks"):
            late = (f"{run[name] / 1000:.2f}" if run[name] is not None else "-" for name in ("p50_us", "p99_us"))
            rows.append([f"`{run['scenario']}`", f"`{run['target']}`", *late, ends_of(run)])
    return _markdown(rows, left=(0, 1, 4)) if len(rows) > 1 else "Not measured in this result."


def verdicts(result: Result) -> str:
    """Gates and targets, kept or missed."""
    return "\n".join(f"- {line}" for line in gates.lines(result["runs"]))


BLOCKS: dict[str, Callable[[Result], str]] = {
    "claim": claim,
    "machine": machine,
    "hop": hop,
    "others": others,
    "resources": resources,
    "promptness": promptness,
    "gates": verdicts,
}


def _ours(runs: Sequence[Run]) -> Run | None:
    return next((run for run in runs if run["target"] == MILLRACE), None)


def _markdown(rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> str:
    rule = ["---" if index in left else "--:" for index in range(len(rows[0]))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (rows[0], rule, *rows[1:]))
