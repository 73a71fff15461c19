"""Owns how results read in a terminal. Must not compute what is not in the result file."""

from collections.abc import Iterable, Sequence

from bench import gates
from bench.payloads import show_size
from bench.results import Result, Run

COLUMNS = (
    "target",
    "CPU µs/req",
    "± ",
    "ratio",
    "req/s",
    "p50 µs",
    "p99 µs",
    "p99.9 µs",
    "calls/req",
    "instr/req",
    "RSS MB",
    "errors",
)
REFERENCES = ("go-proxy", "go-server", "go-http", "grpcio-node")
"""The baseline that a ratio is told against, the first that took part."""
ASKED = {
    "deadline": "µs from a request's deadline until its answer DEADLINE_EXCEEDED",
    "cancel": "µs from a client's cancel until the node sees its call reset",
}


def number(value: float | None, digits: int = 3) -> str:
    """A number in as many digits as it deserves."""
    if value is None:
        return "-"
    if abs(value) >= 10**digits:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def cells(runs: Iterable[Run]) -> dict[tuple[str, int], list[Run]]:
    """Runs by scenario and payload, in their order."""
    found: dict[tuple[str, int], list[Run]] = {}
    for run in runs:
        found.setdefault((run["scenario"], run["payload_bytes"]), []).append(run)
    return found


def reference_of(runs: Sequence[Run]) -> Run | None:
    """The run that the others of a cell are compared with."""
    named = {run["target"]: run for run in runs}
    return next((named[name] for name in REFERENCES if name in named), None)


def row(run: Run, reference: Run | None) -> list[str]:
    """One line."""
    ratio = ""
    if reference is not None and reference["cpu_us_per_request"] and run["cpu_us_per_request"] is not None:
        ratio = f"{run['cpu_us_per_request'] / reference['cpu_us_per_request']:.2f}"
    spread = run.get("cpu_spread")
    limited = "" if run.get("limit", "server") == "server" else "≥"
    rss = run.get("peak_rss_bytes")
    return [
        run["target"],
        number(run["cpu_us_per_request"]),
        "" if spread is None else f"{100 * spread:.0f}%",
        ratio,
        limited + number(run["requests_per_s"]),
        number(run["p50_us"]),
        number(run["p99_us"]),
        number(run["p999_us"]),
        number(run.get("syscalls_per_request"), 2),
        number(run.get("instructions_per_request")),
        "" if rss is None else f"{rss / 1e6:.0f}",
        str(run["errors"]),
    ]


def rows_of(runs: Sequence[Run]) -> list[list[str]]:
    """A cell's heads and lines, without columns in which there is nothing."""
    reference = reference_of(runs)
    lines = [row(run, reference) for run in runs]
    kept = [index for index in range(len(COLUMNS)) if any(line[index] not in ("", "-") for line in lines)]
    return [[line[index] for index in kept] for line in (list(COLUMNS), *lines)]


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns side by side: the first to the left, the rest to the right."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    lines = []
    for each in rows:
        first = each[0].ljust(widths[0])
        lines.append("  ".join([first, *(text.rjust(width) for text, width in zip(each[1:], widths[1:], strict=True))]))
    return "\n".join(line.rstrip() for line in lines)


def render(result: Result) -> str:
    """The whole result."""
    parts = []
    for (scenario, size), runs in cells(result["runs"]).items():
        parts.append(f"{scenario}, {show_size(size)}{_shape(runs[0])}\n{aligned(rows_of(runs))}")
    parts += [line for run in result["runs"] if (line := cross_line(run))]
    parts += [line for run in result["runs"] if (line := ends_line(run))]
    parts += [line for line in ("\n".join(map(copies_line, copied(result["runs"]))),) if line]
    parts += [f"skipped: {each['scenario']} {each['target']}: {each['reason']}" for each in result.get("skipped", [])]
    parts.append(instructions_line(result))
    parts.append("\n".join(gates.lines(result["runs"])))
    parts.append(_footing(result))
    parts = [part for part in parts if part]
    return "\n\n".join(parts)


def instructions_line(result: Result) -> str:
    """What the guard's scenarios execute, where that was counted."""
    counted = [f"{name} {number(count)}" for name, count in result.get("instructions", {}).items()]
    return f"instructions per request, counted by the guard: {', '.join(counted)}" if counted else ""


def cross_line(run: Run) -> str:
    """What h2load says beside our own generator."""
    if not (told := run.get("h2load")):
        return ""
    ours = f"{number(run['cpu_us_per_request'])} µs, {number(run['requests_per_s'])}/s"
    theirs = f"{number(told['cpu_us_per_request'])} µs, {number(told['requests_per_s'])}/s"
    return f"h2load on {run['scenario']} {show_size(run['payload_bytes'])} {run['target']}: {theirs} (ours: {ours})"


def ends_line(run: Run) -> str:
    """How requests ended, where the contender did not answer them all."""
    resets = run.get("ends", {}).get("reset", 0)
    if run.get("asks") != "deadline" or not resets:
        return ""
    return f"{run['scenario']} {run['target']}: {resets} of {run['asked']} ended by a reset, without an answer"


def copied(runs: Iterable[Run]) -> list[Run]:
    """The runs whose copies were counted."""
    return [run for run in runs if run.get("copied_bytes_per_request") is not None]


def copies_line(run: Run) -> str:
    """How much a server copies in its own memory."""
    share = run["copied_bytes_per_request"] / run["payload_bytes"]
    place = f"{run['scenario']} {show_size(run['payload_bytes'])} {run['target']}"
    return f"copied in memory: {place}: {number(run['copied_bytes_per_request'])} B/request, {share:.2f} × the payload"


def _shape(run: Run) -> str:
    if asks := run.get("asks"):
        return f" ({ASKED[asks]})"
    if "connections" not in run:
        return ""
    loop = run.get("latency", {}).get("loop", "closed")
    how = "open loop below capacity" if loop == "open" else "closed loop"
    return f" ({run['connections']} × {run['streams']}; latency: {how})"


def _footing(result: Result) -> str:
    foreign = [sample["foreign_cores"] for run in result["runs"] for sample in run.get("samples", [])]
    worst = f"; others kept {max(foreign):.2f} cores busy at worst" if foreign else ""
    machine = result["machine"]
    where = f"{machine.get('cpu')}, {machine.get('cpus')} CPUs, kernel {machine.get('kernel')}{worst}"
    return (
        f"{where}. CPU is the server's, ± its spread over the samples, ratio that to the first of "
        f"{', '.join(REFERENCES)}. ≥: the server's core was not full, so req/s is a lower bound. Generator, node and "
        "server share this machine: latencies are indicative, CPU per request is the figure to use."
    )
