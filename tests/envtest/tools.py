"""Owns the programs of a cluster: found where KUBEBUILDER_ASSETS says, or built from their Go modules into the cache.

Must not start any of them. They are built once per version, outside the tree; what was compiled before a build was
interrupted is not compiled again, since Go keeps it.
"""

import fcntl
import json
import os
import platform
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

KUBERNETES = "1.35.4"
ETCD = "3.6.5"  # the version that this Kubernetes is tested with: its go.mod names it
COMMANDS = "k8s.io/kubernetes/cmd"
PROGRAMS = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": f"{COMMANDS}/kube-apiserver",
    "kube-controller-manager": f"{COMMANDS}/kube-controller-manager",
    "kube-proxy": f"{COMMANDS}/kube-proxy",
    "kube-scheduler": f"{COMMANDS}/kube-scheduler",
    "kubectl": f"{COMMANDS}/kubectl",
}
GO_NAMES = {"etcd": "server"}  # what Go calls a program whose path ends in a major version
OLDEST_GO = (1, 25)
SHOWN_S = 20.0


class Unavailable(Exception):
    """Why there are no programs."""


def say(text: str) -> None:
    """One line of progress."""
    print(f"envtest: {text}", flush=True)


def cache_folder() -> Path:
    """Where everything that was built or extracted is kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "millrace" / "envtest"


def lacking(folder: Path) -> list[str]:
    """The programs that a folder does not have."""
    return [name for name in PROGRAMS if not os.access(folder / name, os.X_OK)]


def find_or_build() -> Path:
    """The folder with all programs."""
    given = os.environ.get("KUBEBUILDER_ASSETS")
    if given:
        missing = lacking(Path(given))
        if not missing:
            return Path(given)
        say(f"KUBEBUILDER_ASSETS={given} lacks {', '.join(missing)}: using programs of our own")
    folder = cache_folder() / f"kubernetes-{KUBERNETES}-etcd-{ETCD}-{platform.system().lower()}-{platform.machine()}"
    if lacking(folder):
        with alone(folder.parent / f"{folder.name}.lock"):
            if lacking(folder):
                _build(folder)
    return folder


def go(*arguments: str, folder: Path | None = None) -> str:
    """What a go command prints."""
    done = subprocess.run([_go(), *arguments], cwd=folder, env=_environment(), capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"go {' '.join(arguments)} failed with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


def download(module: str) -> Mapping[str, Any]:
    """What Go says of a module (`path@version`) that it has fetched: its folder is `Dir`."""
    found = json.loads(go("mod", "download", "-json", module))
    assert isinstance(found, dict)
    return found


def module_file(version: str, kubernetes: Mapping[str, Any]) -> str:
    """The go.mod of a module that builds the programs.

    Kubernetes' own go.mod, given as JSON, takes its libraries from folders beside it, which its module does not hold;
    they are modules too, with versions that follow from its own.
    """
    major, _, rest = version.partition(".")
    library = f"v0.{rest}"
    assert major == "1", f"Kubernetes {version}: its libraries are numbered after versions 1.x alone"
    lines = [
        "module millrace/envtest",
        f"go {kubernetes['Go']}",
        f"require k8s.io/kubernetes v{version}",
        f"require go.etcd.io/etcd/server/v3 v{ETCD}",
    ]
    for replaced in kubernetes.get("Replace", []):
        if replaced["New"]["Path"].startswith("./staging/"):
            path = replaced["Old"]["Path"]
            lines.append(f"replace {path} => {path} {library}")
    return "\n".join(lines) + "\n"


def _go() -> str:
    program = shutil.which("go")
    if not program:
        raise Unavailable(
            f"Go {'.'.join(map(str, OLDEST_GO))} or later is needed to build kube-apiserver and the others; it is not "
            "installed. Or name a folder that holds them in KUBEBUILDER_ASSETS: " + ", ".join(PROGRAMS)
        )
    return program


def check_go() -> None:
    """Fails when Go is absent or too old."""
    version = go("env", "GOVERSION").strip()
    parts = version.removeprefix("go").split(".")
    if len(parts) >= 2 and (int(parts[0]), int(parts[1].partition("rc")[0])) < OLDEST_GO:
        raise Unavailable(f"Go {'.'.join(map(str, OLDEST_GO))} or later is needed, this is {version}")


def _environment() -> dict[str, str]:
    fixed = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=mod -buildvcs=false", "GOWORK": "off"}
    return {**os.environ, **fixed}


def _build(folder: Path) -> None:
    check_go()
    say(f"building Kubernetes {KUBERNETES} and etcd {ETCD} from their Go modules into {folder}")
    say("this happens once; it takes about a quarter of an hour on two cores, and 3 GB in Go's own caches")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="build-", dir=folder.parent) as scratch:
        source, made = Path(scratch, "source"), Path(scratch, "made")
        source.mkdir()
        made.mkdir()
        kubernetes = json.loads(go("mod", "edit", "-json", download(f"k8s.io/kubernetes@v{KUBERNETES}")["GoMod"]))
        (source / "go.mod").write_text(module_file(KUBERNETES, kubernetes))
        _compile(source, made)
        for name, go_name in GO_NAMES.items():
            (made / go_name).rename(made / name)
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
    size = sum(path.stat().st_size for path in folder.iterdir())
    say(f"built: {', '.join(PROGRAMS)} ({size >> 20} MiB)")


def _compile(source: Path, made: Path) -> None:
    """Compiles and links them all in one go, and says how far it is."""
    version = "k8s.io/component-base/version"
    major, minor, _ = KUBERNETES.split(".")
    flags = {"gitVersion": f"v{KUBERNETES}", "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    linking = " ".join(["-s", "-w", *(f"-X {version}.{name}={value}" for name, value in flags.items())])
    command = [_go(), "build", "-v", "-trimpath", "-ldflags", linking, "-o", f"{made}/", *PROGRAMS.values()]
    if shutil.which("nice"):
        command = ["nice", "-n", "10", *command]
    with subprocess.Popen(command, cwd=source, env=_environment(), stderr=subprocess.PIPE, text=True) as process:
        heard: list[str] = []
        reader = threading.Thread(target=_listen, args=(process, heard))
        reader.start()
        _report(process, heard, made)
        reader.join()
        if process.returncode:
            raise Unavailable(f"go build failed with {process.returncode}:\n" + "\n".join(heard[-40:]))


def _listen(process: subprocess.Popen[str], heard: list[str]) -> None:
    assert process.stderr is not None
    heard.extend(line.rstrip() for line in iter(process.stderr.readline, ""))


def _report(process: subprocess.Popen[str], heard: list[str], made: Path) -> None:
    begun = time.monotonic()
    while True:
        try:
            process.wait(SHOWN_S)
            return
        except subprocess.TimeoutExpired:
            minutes = (time.monotonic() - begun) / 60
            fetched = sum(line.startswith("go: downloading") for line in heard)
            linked = len(list(made.iterdir()))
            say(f"{minutes:.1f} min: {len(heard) - fetched} packages compiled, {linked} of {len(PROGRAMS)} linked")


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Keeps others who build the same thing waiting."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another build of the same")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
