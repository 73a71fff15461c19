"""Owns the regression guard: instructions per request of this tree, of another commit, and of this tree watched.

Must not depend on time: it counts instructions under valgrind, so a busy machine changes nothing.
"""

import contextlib
import fcntl
import itertools
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from bench import build, guard_drive
from bench.guard_drive import Way
from bench.processes import BenchError
from bench.table import aligned

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ("executor", "_native", "proto", "pyproject.toml", "README.md", "LICENSE")
"""What goes into the package."""
DRIVEN = ("executor", "_native", "proto", "pyproject.toml")
"""What of it may change what a request costs."""
COUNT = 256
DRIVE_S = 900
METRICS_LIMIT = 5.0
"""What counting metrics may add to a request, in percent of what it costs without."""
TRACES_LIMIT = 5.0
TRACES_SHARE = 0.01
"""What tracing so many of the requests may add to one on average."""
AGAIN = 2
"""How often both are counted once more before a rise is believed: how requests fall into passes of the loop differs
from process to process, and can only add."""

PLAIN = Way()
KEPT = 8
"""How many built packages stay in the cache."""
_LIBRARIES = ("platlib", "purelib")
Counts = Callable[[], dict[str, float]]
"""Counts instructions per request of each scenario."""


def run(against: str, limit: float) -> int:
    """Counts both and compares; 1 when a scenario rose by more than `limit` percent, or metrics or traces cost too
    much.
    """
    if not _known(against):
        print(f"guard: there is no {against} here (a first commit, or a shallow clone): nothing to compare with")
        return 0
    with tempfile.TemporaryDirectory(prefix="millrace-guard-") as made:
        folder = Path(made)
        trees = {"old": _commit(against, folder / "old"), "new": _working_tree(folder / "new")}
        if content(trees["old"]) == content(trees["new"]):
            print(f"guard: nothing that serves a request has changed since {against}: nothing to count")
            return 0
        build.tool("valgrind", "apt-get install valgrind")

        def before() -> dict[str, float]:
            try:
                return measure(installed(trees["old"]), folder)
            except BenchError as error:
                print(f"guard: {against} cannot be measured, so nothing is compared: {error}", file=sys.stderr)
                return {}

        old, new = compared(before, lambda: measure(installed(trees["new"]), folder), limit)
        dear = _with_metrics(installed(trees["new"]), folder, new)
        dear += _with_traces(installed(trees["new"]), folder, new)
    print(render(old, new, against))
    worse = risen(old, new, limit)
    print(verdict(worse, limit))
    return 1 if worse or dear else 0


def compared(old: Counts, new: Counts, limit: float) -> tuple[dict[str, float], dict[str, float]]:
    """What both cost. Both are counted again, `AGAIN` times at most, while a scenario seems to have risen by more than
    `limit` percent; of each the least holds.
    """
    first, second = old(), new()
    for _ in range(AGAIN):
        if not risen(first, second, limit):
            break
        first, second = least(first, old()), least(second, new())
    return first, second


def metrics() -> int:
    """Counts this tree with metrics and without; 1 when they cost too much. Raises BenchError."""
    with _this_tree() as (package, folder):
        return 1 if _with_metrics(package, folder, measure(package, folder)) else 0


def traces() -> int:
    """Counts this tree with traces and without; 1 when they cost too much. Raises BenchError."""
    with _this_tree() as (package, folder):
        return 1 if _with_traces(package, folder, measure(package, folder)) else 0


def log() -> int:
    """Counts this tree with a log of nothing, of failures as it always is, and of every request. Raises BenchError."""
    with _this_tree() as (package, folder):
        nothing = measure(package, folder, way=Way(log=guard_drive.NOTHING))
        print(render(nothing, measure(package, folder), "no log"))
        print(render(nothing, measure(package, folder, way=Way(log=guard_drive.ACCESS)), "no log; here an access log"))
    return 0


@contextlib.contextmanager
def _this_tree() -> Iterator[tuple[Path, Path]]:
    """The package built of this tree, and a folder to work in."""
    build.tool("valgrind", "apt-get install valgrind")
    with tempfile.TemporaryDirectory(prefix="millrace-guard-") as made:
        yield installed(_working_tree(Path(made) / "new")), Path(made)


def _with_metrics(package: Path, folder: Path, counted: dict[str, float]) -> list[str]:
    """The scenarios that metrics make too dear; `counted` is what each costs with them, as the product runs."""
    counts = _from(counted, lambda: measure(package, folder))
    bare, counted = compared(lambda: measure(package, folder, way=Way(bare=True)), counts, METRICS_LIMIT)
    print(render(bare, counted, "no metrics"))
    dear = risen(bare, counted, METRICS_LIMIT)
    print(verdict(dear, METRICS_LIMIT, "with metrics"))
    return dear


def _with_traces(package: Path, folder: Path, counted: dict[str, float]) -> list[str]:
    """The scenarios that traces make too dear; `counted` is what each costs without. All requests and none are traced:
    which of a share they are would be chance.
    """
    every = measure(package, folder, way=Way(traced=1.0))

    def mixed() -> dict[str, float]:
        return mix(measure(package, folder, way=Way(traced=0.0)), every, TRACES_SHARE)

    plain, traced = compared(_from(counted, lambda: measure(package, folder)), mixed, TRACES_LIMIT)
    print(render(plain, traced, "no traces"))
    told = ", ".join(f"{name} {each:,.0f}" for name, each in every.items())
    print(f"instructions of a request that is traced: {told}")
    dear = risen(plain, traced, TRACES_LIMIT)
    print(verdict(dear, TRACES_LIMIT, f"with {TRACES_SHARE:.0%} of the requests traced"))
    return dear


def _from(known: dict[str, float], count: Counts) -> Counts:
    """Counts, of which the first are known."""
    given = itertools.chain([known], iter(count, None))
    return lambda: next(given)


def mix(none: Mapping[str, float], every: Mapping[str, float], share: float) -> dict[str, float]:
    """The mean where a share of the requests costs what `every` says."""
    return {name: (1 - share) * count + share * every[name] for name, count in none.items() if name in every}


def count() -> dict[str, float]:
    """Instructions per request of this tree alone. Raises BenchError."""
    build.tool("valgrind", "apt-get install valgrind")
    with tempfile.TemporaryDirectory(prefix="millrace-guard-") as folder:
        return measure(installed(_working_tree(Path(folder) / "new")), Path(folder))


def verdict(worse: Sequence[str], limit: float, how: str = "") -> str:
    """The line below a table."""
    said = f"rose by more than {limit:g} %{how and ' '}{how}"
    return f"guard: FAILED: {', '.join(worse)} {said}" if worse else f"guard: kept: no scenario {said}"


def risen(old: Mapping[str, float], new: Mapping[str, float], limit: float) -> list[str]:
    """The scenarios that rose by more than `limit` percent."""
    return [name for name in new if name in old and new[name] > old[name] * (1 + limit / 100)]


def least(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    """Of each scenario the lower count."""
    return {name: min(count, other.get(name, count)) for name, count in one.items()}


def render(old: Mapping[str, float], new: Mapping[str, float], against: str) -> str:
    """A table."""
    rows = [["instructions per request", against, "now", "change"]]
    for name, count in new.items():
        before = old.get(name)
        share = "new" if before is None else f"{100 * (count / before - 1):+.2f}%"
        rows.append([name, "-" if before is None else f"{before:,.0f}", f"{count:,.0f}", share])
    return aligned(rows)


# --- building


def _known(commit: str) -> bool:
    ask = ["git", "-C", str(ROOT), "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}"]
    return subprocess.run(ask, capture_output=True).returncode == 0


def _working_tree(folder: Path) -> Path:
    """A copy of what would be packaged now."""
    folder.mkdir()
    for name in SHIPPED:
        source = ROOT / name
        made = ("*.html", "*.c") if name == "_native" else ()  # by Cython; elsewhere they are sources
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.so", *made))
        elif source.exists():
            shutil.copy(source, folder / name)
    return folder


def _commit(name: str, folder: Path) -> Path:
    """The same of a commit."""
    folder.mkdir()
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", name], capture_output=True, check=True)
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder


def files(tree: Path, names: Sequence[str]) -> dict[str, Path]:
    """The files of a tree that lie under some names."""
    found = sorted(path for name in names for path in [tree / name, *(tree / name).rglob("*")] if path.is_file())
    return {str(path.relative_to(tree)): path for path in found}


def content(tree: Path) -> str:
    """What tells two trees apart that may cost differently."""
    found = files(tree, DRIVEN)
    return build.digest([*found, *found.values(), sys.executable, sys.version])


def installed(tree: Path) -> Path:
    """The package built from a tree, or what was built from the same files before. Raises BenchError."""
    target = build.cache() / f"tree-{content(tree)}"
    if not (target / "done").exists():
        with _workshop() as source:
            update(source, tree)
            shutil.rmtree(target, ignore_errors=True)
            print(f"building {tree.name} (up to a few minutes) …", file=sys.stderr, flush=True)
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-build-isolation", "--no-deps"]
            done = subprocess.run([*command, "--target", str(target), str(source)], capture_output=True, text=True)
            forget(target.parent)
        if done.returncode:
            raise BenchError(f"it does not build: {(done.stderr or done.stdout).strip()[-400:]}")
    (target / "done").touch()
    return target


def forget(cache: Path) -> None:
    """Leaves the packages that were used last, and what is being built."""

    def used(tree: Path) -> float:
        return (tree / "done").stat().st_mtime

    whole = sorted((done.parent for done in cache.glob("tree-*/done")), key=used, reverse=True)
    for tree in whole[KEPT:]:
        shutil.rmtree(tree, ignore_errors=True)


@contextlib.contextmanager
def _workshop() -> Iterator[Path]:
    """The one folder where trees are built, one after another: what two have in common is compiled once."""
    folder = build.cache() / f"workshop-{build.digest([sys.executable, sys.version])}"
    folder.mkdir(exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def update(folder: Path, tree: Path) -> None:
    """Makes a folder's files those of a tree. Files that are the same already keep their time, so are not rebuilt."""
    wanted, there = files(tree, SHIPPED), files(folder, SHIPPED)
    for name in there.keys() - wanted.keys():
        there[name].unlink()
    for name, path in wanted.items():
        if name not in there or there[name].read_bytes() != path.read_bytes():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / name)


def marks() -> Path:
    """The library that tells callgrind where to count, built."""
    compiler = build.tool("cc", "apt-get install gcc")
    source = build.SOURCES / "marks.c"
    target = build.cache() / f"marks-{build.digest([source])}.so"
    if not target.exists():
        command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(target), str(source)]
        build.make("the marks for callgrind, which needs valgrind's headers", command, build.SOURCES)
    return target


# --- counting


def measure(package: Path, folder: Path, count: int = COUNT, way: Way = PLAIN) -> dict[str, float]:
    """Instructions per request of each scenario that a package can run. Raises BenchError."""
    out = Path(tempfile.mkdtemp(dir=folder))
    # The package under measurement comes first; from the tree only `bench` is wanted.
    shutil.copytree(ROOT / "bench", out / "suite" / "bench", ignore=shutil.ignore_patterns("results", "__pycache__"))
    command = [
        *("valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}/profile"),
        # Without `site`: an editable installation's hook would put this tree before the package.
        *(sys.executable, "-S", "-P", "-m", "bench.guard_drive", "--count", str(count), "--marks", str(marks())),
        *way.arguments,
    ]
    environment = {
        **os.environ,
        "PYTHONPATH": ":".join([str(package), str(out / "suite"), *dict.fromkeys(map(sysconfig.get_path, _LIBRARIES))]),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    print(f"counting {package.name}{way} under valgrind (a minute) …", file=sys.stderr, flush=True)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=DRIVE_S)
    found = per_request(parts(out), count)
    if done.returncode and not found:
        raise BenchError(f"the drive ended with status {done.returncode}: {done.stderr.strip()[-600:]}")
    return found


def parts(folder: Path) -> dict[str, int]:
    """Instructions of each dumped stretch, by its name."""
    found = {}
    for path in folder.glob("profile*"):
        text = path.read_text(errors="replace")
        name = re.search(r"^desc: Trigger: Client Request: (.+)$", text, re.M)
        total = re.search(r"^(?:totals|summary): (\d+)", text, re.M)
        if name and total:
            found[name.group(1).strip()] = int(total.group(1))
    return found


def per_request(totals: Mapping[str, int], count: int) -> dict[str, float]:
    """What one more request costs: N requests taken from 2 N, so that what both share does not count."""
    found = {}
    for name in guard_drive.NAMES:
        if f"{name} 1" in totals and f"{name} 2" in totals:
            found[name] = (totals[f"{name} 2"] - totals[f"{name} 1"]) / count
    return found
