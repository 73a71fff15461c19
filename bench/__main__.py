"""Owns the command line of the suite. Must not measure, draw or compare itself."""

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from bench import (
    build,
    compare,
    crosscheck,
    machine,
    payloads,
    profiles,
    prompt,
    published,
    report,
    results,
    runner,
    syscalls,
    table,
    targets,
)
from bench.generator import Generator
from bench.processes import BenchError
from bench.runner import Options
from bench.scenarios import SCENARIOS
from bench.stage import MILLRACE

RESULTS = Path(__file__).resolve().parent / "results"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; its exit status."""
    parsed = _parser().parse_args(arguments)
    try:
        return int(parsed.command(parsed))
    except (BenchError, results.ResultError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures the executor against baselines.")
    parser.set_defaults(command=_quick)
    commands = parser.add_subparsers(metavar="COMMAND", title="commands (without one: quick)")
    for name, purpose, command in (
        ("quick", "the quick profile, under three minutes", _quick),
        ("full", "all scenarios, payloads and baselines, three quarters of an hour", _full),
        ("reference", "the quick profile and counted instructions into results/reference.json and the documents",
         _reference),
        ("tables", "write results/reference.json into the documents again", _tables),
        ("list", "list scenarios and contenders", _list),
    ):  # fmt: skip
        commands.add_parser(name, help=purpose).set_defaults(command=command)
    _add_run(commands.add_parser("run", help="measure some scenarios"))
    compared = commands.add_parser("compare", help="what changed between two results")
    compared.add_argument("before", type=Path)
    compared.add_argument("after", type=Path)
    compared.set_defaults(command=_compare)
    reported = commands.add_parser("report", help="draw a result as an HTML page")
    reported.add_argument("result", type=Path)
    reported.add_argument("page", type=Path)
    reported.set_defaults(command=_report)
    peers = commands.add_parser("peers", help="install other graph servers to compare with, each by itself")
    peers.add_argument("name", nargs="+", choices=build.PEERS, metavar="NAME", help=", ".join(build.PEERS))
    peers.set_defaults(command=_peers)
    _add_guard(commands.add_parser("guard", help="compare instructions per request with another commit"))
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scenario", nargs="+", choices=SCENARIOS, metavar="SCENARIO", help="see `list`")
    parser.add_argument("--against", nargs="*", choices=targets.CONTENDERS, metavar="NAME",
                        help="contenders instead of the scenario's own; none: the executor alone")  # fmt: skip
    parser.add_argument("--payload", nargs="+", type=_size, default=[], metavar="SIZE", help="like 64, 4KiB or 4MiB")
    loop = parser.add_mutually_exclusive_group()
    loop.add_argument("--rate", type=_positive, default=0.0, metavar="PER_S", help="rate of the open loop")
    loop.add_argument("--closed", nargs=2, type=int, metavar=("C", "M"), help="C connections × M streams, no open loop")
    parser.add_argument("--seconds", type=_positive, default=1.0, help="length of one sample (default 1)")
    parser.add_argument("--repeats", type=int, default=3, help="samples of each contender (default 3)")
    parser.add_argument("--copies", type=int, default=0, metavar="N",
                        help="count copied bytes over N requests, in processes of their own")  # fmt: skip
    parser.add_argument("--h2load", action="store_true", help="cross-check the generator against h2load")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to store the result")
    parser.set_defaults(command=_run)


def _add_guard(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--against", default="HEAD^", metavar="COMMIT", help="what to compare with (default HEAD^)")
    parser.add_argument("--limit", type=float, default=5.0, metavar="PERCENT", help="rise that fails (default 5)")
    parser.add_argument("--metrics", action="store_true", help="only this tree: what do metrics cost?")
    parser.add_argument("--log", action="store_true", help="only this tree: what does the log cost?")
    parser.add_argument("--traces", action="store_true", help="only this tree: what do traces of 1 %% cost?")
    parser.set_defaults(command=_guard)


# --- commands


def _quick(parsed: argparse.Namespace) -> int:
    return _profile("quick", profiles.quick())


def _full(parsed: argparse.Namespace) -> int:
    return _profile("full", profiles.full())


def _profile(name: str, cells: Iterable[profiles.Cell]) -> int:
    result = _measure(list(cells), {"profile": name})
    path, page = RESULTS / "latest.json", RESULTS / "latest.html"
    results.write(result, path)
    page.write_text(report.render(result))
    print(f"{table.render(result)}\n\nstored in {path}\nplots in {page}")
    return _status(result)


def _reference(parsed: argparse.Namespace) -> int:
    from bench import guard

    result = _measure(list(profiles.quick()), {"profile": "quick"})
    try:
        result["instructions"] = guard.count()
    except BenchError as error:
        result["skipped"].append({"scenario": "instructions", "target": "guard", "reason": str(error)})
    print(table.render(result))
    if status := _status(result):
        print("bench: nothing is published: the executor's own runs have to be right first", file=sys.stderr)
        return status
    results.write(result, published.REFERENCE)
    print(f"\nstored in {published.REFERENCE}")
    return _tables(parsed)


def _tables(parsed: argparse.Namespace) -> int:
    for path in published.publish():
        print(f"written: {path}")
    return 0


def _run(parsed: argparse.Namespace) -> int:
    options = Options(
        seconds=parsed.seconds,
        repeats=parsed.repeats,
        open_s=0.0 if parsed.closed else parsed.seconds,
        rate=parsed.rate,
        closed=tuple(parsed.closed) if parsed.closed else (0, 0),
        copies=parsed.copies,
        cross=parsed.h2load and crosscheck.available(),
    )
    if parsed.h2load and not options.cross:
        print(f"skipped: {crosscheck.HOW}", file=sys.stderr)
    cells = list(profiles.chosen(parsed.scenario, parsed.against, parsed.payload, options))
    result = _measure(cells, {"seconds": parsed.seconds, "repeats": parsed.repeats})
    print(table.render(result))
    if parsed.json:
        results.write(result, parsed.json)
    return _status(result)


def _measure(cells: Sequence[profiles.Cell], options: dict[str, object]) -> results.Result:
    runs: list[results.Run] = []
    skipped: list[dict[str, str]] = []
    started = time.monotonic()
    if lacking := syscalls.unavailable():
        print(f"skipped: {lacking}", file=sys.stderr)
    with Generator(machine.cores()[1]) as generator:
        for number, cell in enumerate(cells, 1):
            place = f"[{number}/{len(cells)}] {runner.describe(cell.scenario, cell.size)}"
            absent = [each for each in cell.scenario.needs if not Path(each).exists()]
            if absent:
                _skip(skipped, cell, "all", f"{absent[0]} is not there; `make demo` makes it")
                continue
            try:
                runs += _measured(cell, generator, partial(_skip, skipped, cell), _progress(place, started))
            except BenchError as error:
                # The other cells are still worth having.
                _skip(skipped, cell, MILLRACE, str(error))
    _say("")
    return results.make(machine.facts(), {**options, "seconds_taken": round(time.monotonic() - started)}, runs, skipped)


def _measured(cell: profiles.Cell, generator: Generator, skip: runner.Skip, tell: runner.Tell) -> list[results.Run]:
    if cell.scenario.asks:
        return prompt.measure(cell.scenario, cell.size, cell.options.repeats, cell.targets, skip, tell)
    return runner.Cell(cell.scenario, cell.size, cell.options, generator, tell).measure(cell.targets, skip)


def _skip(skipped: list[dict[str, str]], cell: profiles.Cell, name: str, why: str) -> None:
    skipped.append({"scenario": runner.describe(cell.scenario, cell.size), "target": name, "reason": why})
    _say("")
    print(f"skipped: {cell.scenario.name} {name}: {why}", file=sys.stderr)


def _status(result: results.Result) -> int:
    wrong = [run for run in result["runs"] if run["errors"]]
    for run in wrong:
        print(
            f"bench: {run['scenario']} {run['target']}: {run['errors']} errors: {run['first_error']}", file=sys.stderr
        )
    lost = [each for each in result["skipped"] if each["target"] == MILLRACE]
    return 1 if lost or any(run["target"] == MILLRACE for run in wrong) else 0


def _list(parsed: argparse.Namespace) -> int:
    for scenario in SCENARIOS.values():
        sizes = ", ".join(map(payloads.show_size, scenario.sizes))
        print(f"{scenario.name:<12} {scenario.summary}; {sizes}")
        if scenario.against:
            print(f"{'':<12} against {', '.join(scenario.against)}")
    print()
    for name, about in targets.ABOUT.items():
        print(f"{name:<12} {about}")
    return 0


def _compare(parsed: argparse.Namespace) -> int:
    before, after = results.read(parsed.before), results.read(parsed.after)
    print(compare.render(compare.changes(before, after)))
    if told := compare.caution(before, after):
        print(f"\n{told}")
    return 0


def _report(parsed: argparse.Namespace) -> int:
    parsed.page.write_text(report.render(results.read(parsed.result)))
    return 0


def _peers(parsed: argparse.Namespace) -> int:
    for name in parsed.name:
        build.install_peer(name)
    return 0


def _guard(parsed: argparse.Namespace) -> int:
    from bench import guard

    for asked, cost in ((parsed.metrics, guard.metrics), (parsed.log, guard.log), (parsed.traces, guard.traces)):
        if asked:
            return cost()
    return guard.run(parsed.against, parsed.limit)


# --- arguments and progress


def _size(text: str) -> int:
    try:
        return payloads.parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def _progress(place: str, started: float) -> runner.Tell:
    def tell(what: str) -> None:
        _say(f"{time.monotonic() - started:4.0f} s  {place}: {what}")

    return tell


def _say(text: str) -> None:
    """On a terminal one line that changes; else each text on a line of its own."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
