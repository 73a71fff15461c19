"""Owns the proof that a wheel works on a bare system: no compiler, no nghttp2, no network.

Must not test what millrace does: `inside.py`, which runs in there, shows that it starts and answers.

Usage: PYTHONPATH=tests prove.py WHEEL
Takes a minimal Debian root file system (`support.bare`), installs the wheel in it
from files alone, and runs `inside.py` there by chroot. Where debootstrap cannot run, an empty virtual environment of
this machine stands in and the last line says so; with CI set in the environment that counts as a failure.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

from support import bare

HERE = pathlib.Path(__file__).resolve().parent
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/proof", "LANG": "C.UTF-8", "TMPDIR": "/proof"}


def say(text: str) -> None:
    """One line of progress."""
    print(f"wheel: {text}", flush=True)


def check_contents(wheel: pathlib.Path) -> None:
    """The wheel holds the package, the bundled library and metadata; no sources, nothing else at the top."""
    names = [name for name in zipfile.ZipFile(wheel).namelist() if not name.endswith("/")]
    allowed = r"executor/|operator_lite/|millrace\.libs/libnghttp2|millrace-[^/]+\.dist-info/"
    strange = [name for name in names if not re.match(allowed, name)]
    strange += [name for name in names if re.search(r"\.(c|cpp|h|pyx|pxd|pyc)$", name) or "/probe_" in name]
    if strange:
        sys.exit(f"wheel: {wheel.name} holds what it should not: {', '.join(strange)}")


def prepare(folder: pathlib.Path, wheel: pathlib.Path) -> None:
    """Put into `folder` all that the proof needs: the wheel, the wheels it depends on, the script that runs inside."""
    say("collecting the wheels that it depends on")
    wheels = folder / "wheels"
    wheels.mkdir(parents=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary", ":all:"]
    subprocess.run([*pip, "--dest", str(wheels), str(wheel)], check=True)
    shutil.copy(HERE / "inside.py", folder)


def install_and_run(folder: str, python: str, prefix: list[str], environment: dict[str, str]) -> None:
    """Install the wheel from files alone into a fresh environment, and run `inside.py` with it."""
    bin_folder = f"{folder}/venv/bin"
    steps = [
        [python, "-m", "venv", f"{folder}/venv"],
        [f"{bin_folder}/pip", "install", "--quiet", "--no-index", "--find-links", f"{folder}/wheels", "millrace"],
        [f"{bin_folder}/python", "-P", f"{folder}/inside.py"],
    ]
    environment = environment | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    for step in steps:
        done = subprocess.run([*prefix, *step], env=environment, timeout=300)
        if done.returncode:
            sys.exit(f"wheel: `{' '.join(step)}` failed with {done.returncode}")


def prove_bare(wheel: pathlib.Path) -> None:
    """The proof proper."""
    root = bare.root_file_system("wheel")
    folder = root / "proof"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        prepare(folder, wheel)
        say("installing and running it in there")
        install_and_run("/proof", "/usr/bin/python3", ["chroot", str(root)], ENVIRONMENT)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def prove_here(wheel: pathlib.Path) -> None:
    """The weaker one: this machine's own libraries could hide that one is missing from the wheel."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        prepare(folder, wheel)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        install_and_run(scratch, sys.executable, [], environment)


def main() -> None:
    """Run the command."""
    wheel = pathlib.Path(sys.argv[1]).resolve(strict=True)
    check_contents(wheel)
    reason = bare.obstacle()
    if reason is None:
        prove_bare(wheel)
        say(f"{wheel.name} works in a root file system without compiler and nghttp2")
        return
    prove_here(wheel)
    verdict = f"{wheel.name} works in an empty virtual environment; NOT proved on a bare system: {reason}"
    if os.environ.get("CI"):
        sys.exit(f"wheel: {verdict}")
    say(verdict)


if __name__ == "__main__":
    main()
