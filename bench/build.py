"""Owns what has to be built or found before a baseline can run: Go and C programs, an environment for FastAPI.

Must not write into the tree: what it makes goes to a cache folder, under a name that changes with its sources.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.machine import find_tool
from bench.processes import BenchError

SOURCES = Path(__file__).resolve().parent / "baselines"
FASTAPI = ("fastapi==0.*", "httpx==0.*", "numpy", "uvicorn>=0.30", "uvloop", "httptools")

PEERS = {
    "triton": ("nvidia-pytriton==0.7.0",),
    "kserve": ("kserve",),
    "ray-serve": ("ray[serve]",),
    "bentoml": ("bentoml",),
    "seldon-wrapper": ("seldon-core==1.18.2", "setuptools<80"),
}
"""Other servers, and what is installed for each: large, so only when asked for."""


class Missing(BenchError):
    """A baseline cannot run here; the message says how to get what it needs."""


def cache() -> Path:
    """Where built things are kept."""
    chosen = os.environ.get("MILLRACE_BENCH_CACHE")
    folder = Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "millrace" / "bench"
    folder = folder.expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def digest(parts: Iterable[Path | str]) -> str:
    """A short name for sources and texts."""
    made = hashlib.sha256()
    for part in parts:
        made.update(part.read_bytes() if isinstance(part, Path) else part.encode())
    return made.hexdigest()[:12]


def tool(name: str, how: str) -> str:
    """Where a program is. Raises Missing, with `how` to get it."""
    path = find_tool(name)
    if path is None:
        raise Missing(f"{name} is not installed: {how}")
    return path


def go_program() -> Path:
    """The Go proxies, built."""
    go = tool("go", "Go 1.26 or later from https://go.dev/dl/, unpacked to /usr/local/go")
    folder = SOURCES / "goproxy"
    target = cache() / f"goproxy-{digest([*sorted(folder.iterdir()), _said([go, 'version'])])}"
    if not target.exists():
        make("the Go proxies (a minute)", [go, "build", "-o", str(target), "."], folder)
    return target


def relay() -> Path:
    """The raw TCP relay, built."""
    compiler = tool("cc", "apt-get install gcc")
    source = SOURCES / "relay.c"
    target = cache() / f"relay-{digest([source])}"
    if not target.exists():
        make("the TCP relay", [compiler, "-O2", "-o", str(target), str(source)], SOURCES)
    return target


def fastapi_python() -> Path:
    """A Python with FastAPI and httpx."""
    folder = cache() / f"fastapi-{digest([*FASTAPI, sys.version])}"
    python = folder / "bin" / "python"
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        make("an environment for FastAPI", [str(python), "-m", "pip", "install", "--quiet", *FASTAPI], folder)
        (folder / "done").touch()
    return python


def peer_folder(name: str) -> Path:
    """Where a peer's environment is, or would be."""
    return cache() / f"peer-{name}-{digest([*PEERS[name], sys.version])}"


def peer(name: str) -> Path:
    """The folder with a peer's programs. Raises Missing with the way to get it."""
    if not (peer_folder(name) / "done").exists():
        raise Missing(
            f"{name} is not installed: `python -m bench peers {name}` does it, some hundred MB into {cache()}"
        )
    return peer_folder(name) / "bin"


def install_peer(name: str) -> None:
    """Makes a peer's environment. Raises Missing with what pip said."""
    folder = peer_folder(name)
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        python = str(folder / "bin" / "python")
        make(f"an environment for {name} (minutes)", [python, "-m", "pip", "install", "--quiet", *PEERS[name]], folder)
        (folder / "done").touch()


def make(what: str, command: Sequence[str], folder: Path) -> None:
    """Builds something. Raises Missing with what the tool said."""
    print(f"building {what} …", file=sys.stderr, flush=True)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise Missing(f"{what} could not be built: {(done.stderr or done.stdout).strip()[-400:]}")


def _said(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout
