"""Owns the command line of the fuzzers: `PYTHONPATH=tests python -m fuzz --help`.

Must not know what they try. Each runs in a process of its own: one may crash or hang, and is then told from the note
it left. As many run at once as there are cores.
"""

import argparse
import faulthandler
import importlib
import os
import random
import signal
import subprocess
import sys
import time
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fuzz import drive

NAMES = ("http2", "seldon", "seldon_json", "server", "manifest")
CASE_S = 30
"""What one case may take. The slowest take milliseconds."""


def fuzzer(name: str) -> drive.Fuzzer:
    """The fuzzer of that name."""
    found = importlib.import_module(f"fuzz.{name}").FUZZER
    assert isinstance(found, drive.Fuzzer)
    return found


def note_of(pid: int) -> Path:
    """Where a process notes the case under way."""
    return drive.KEPT / f"under-way-{pid}"


def in_this_process(name: str, seed: int, seconds: float, case: drive.Case | None) -> int:
    """Fuzzes, or tries one case again. The exit code."""
    warnings.simplefilter("error")
    faulthandler.enable()
    notebook = drive.Notebook(note_of(os.getpid()))

    def note(case: drive.Case) -> None:
        notebook.write(case)
        signal.alarm(CASE_S)  # nothing handles it: native code that hangs is ended too

    begun = time.monotonic()
    try:
        if case is not None:
            count, accepted = 1, int(fuzzer(name).replay(case, note))
        else:
            count, accepted = fuzzer(name).run(seed, seconds=seconds, note=note)
    except Exception:
        traceback.print_exc()
        return 1
    spent = time.monotonic() - begun
    print(f"fuzz: {name}: seed {seed}: {count} cases, {accepted} accepted, none wrong, in {spent:.0f} s", flush=True)
    return 0


def in_a_process(name: str, seed: int, seconds: float, replayed: Path | None = None) -> bool:
    """The same in a process of its own. Whether nothing was found."""
    command = [sys.executable, "-m", "fuzz", name, "--here", "--seed", str(seed), "--seconds", str(seconds)]
    if replayed is not None:
        command += ["--replay", str(replayed)]
    with subprocess.Popen(command) as process:
        code = process.wait()
    noted = note_of(process.pid)
    if code not in (0, 1):  # a crash; 1 has told all itself, unless the sanitizers ended it
        how = "took too long" if code == -signal.SIGALRM else f"ended the process with {code}"
        told = f"fuzz: {name}: seed {seed}: a case {how}"
        if noted.exists() and (case := drive.Notebook.read(noted)):
            told += f"; {drive.advice(drive.keep(name, case))}"
        print(told, file=sys.stderr, flush=True)
    noted.unlink(missing_ok=True)
    return code == 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make fuzz", description="Tries random and damaged inputs on what reads them."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; without one, all")
    parser.add_argument("--seconds", type=float, default=600, help="for each (default: 600)")
    parser.add_argument("--seed", type=int, help="of the cases; the default is a new one, which is printed")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="try only the case that was kept in this file")
    parser.add_argument("--here", action="store_true", help="fuzz in this process, for a debugger; takes one name")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(NAMES)
    if unknown and not arguments.here:
        parser.error(f"there is no {', '.join(sorted(unknown))}; fuzzers: {', '.join(NAMES)}")
    return arguments


def main() -> int:
    """Runs what the command line says. The exit code."""
    arguments = parsed()
    seed = random.randrange(2**32) if arguments.seed is None else arguments.seed
    names = arguments.names or NAMES
    if arguments.replay and not arguments.names:
        names = [arguments.replay.name.partition("-")[0]]
    drive.KEPT.mkdir(parents=True, exist_ok=True)
    if arguments.here:
        case = drive.stored(arguments.replay) if arguments.replay else None
        return in_this_process(names[0], seed, arguments.seconds, case)
    print(f"fuzz: seed {seed}: {', '.join(names)}, {arguments.seconds:g} s each", flush=True)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        found = list(pool.map(lambda name: in_a_process(name, seed, arguments.seconds, arguments.replay), names))
    return 0 if all(found) else 1


if __name__ == "__main__":
    sys.exit(main())
