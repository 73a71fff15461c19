"""Owns the proof that the image's steps make something that works: run in a bare Debian, without Docker.

Must not have steps of its own: what is run, as whom and with which environment, is read from the Dockerfile.

Usage: PYTHONPATH=tests proof.py WHEEL
Collects what WHEEL needs as the image's build stage does, and runs the last stage of the Dockerfile, in a copy of a
minimal root file system; then its program there as a restricted pod would: the Dockerfile's user, no capabilities, a
root that cannot be written. Where debootstrap cannot run, it says so; with CI set in the environment that is a failure.
"""

import contextlib
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field

from support import bare

TREE = pathlib.Path(__file__).resolve().parents[2]
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
START_S = 120
REACHED_BY = ("PIP_CERT", "PIP_INDEX_URL", "PIP_DEFAULT_TIMEOUT", "http_proxy", "https_proxy", "no_proxy")
"""Variables that say how this machine reaches packages."""
IMPORTS = "cryptography, fsspec, gcsfs, kubernetes, mlflow, onnxruntime, redis, s3fs, sklearn, xgboost"
BOUND = re.compile(r"--mount=type=bind,from=build,source=/,target=(\S+)\s+")

# A mount namespace of its own: the root bound to itself and read-only, with what a container has beside it.
WITHIN = """
set -e
mount --bind "$1" "$1"
mount -t tmpfs tmpfs "$1/tmp"
mount -t proc proc "$1/proc"
mount --bind "$2" "$1$3"
mount -o remount,bind,ro "$1"
mount -o remount,bind,ro "$1$3"
root=$1
shift 3
exec chroot "$root" /usr/bin/setpriv "$@"
"""


@dataclass
class Stage:
    """The last stage of a Dockerfile, as far as it says how to make and run something."""

    runs: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = "0:0"
    entrypoint: list[str] = field(default_factory=list)


def say(text: str) -> None:
    """One line of progress."""
    print(f"image: {text}", flush=True)


def last_stage(text: str) -> Stage:
    """What a Dockerfile's last stage says."""
    stage = Stage()
    for line in text.replace("\\\n", " ").splitlines():
        word, _, rest = line.partition(" ")
        match word:
            case "FROM":
                stage = Stage()
            case "RUN":
                stage.runs.append(rest)
            case "ENV":
                stage.env |= dict(part.split("=", 1) for part in shlex.split(rest))
            case "WORKDIR":
                stage.folder = rest
            case "USER":
                stage.user = rest
            case "ENTRYPOINT":
                stage.entrypoint = json.loads(rest)
            case "ARG" | "COPY" | "EXPOSE" | "" | "#":
                continue
            case _:
                sys.exit(f"image: the proof does not know what {word} means in the Dockerfile")
    return stage


def make(root: pathlib.Path, wheel: pathlib.Path, stage: Stage) -> None:
    """Runs the steps of the last stage in `root`, with the build stage's files where the Dockerfile mounts them."""
    for run in stage.runs:
        bound = BOUND.match(run)
        if bound is None:
            sys.exit(f"image: the proof cannot run `{run}`")
        build = root / bound[1].lstrip("/")
        (build / "wheels").mkdir(parents=True)
        (build / "source" / ".ci").mkdir(parents=True)
        shutil.copy(TREE / ".ci" / "image", build / "source" / ".ci")
        shutil.copy(wheel, build / "wheels")
        say("collecting the wheels that are in it")
        collect(root, bound[1])
        say("installing them")
        command = ["chroot", str(root), "/bin/sh", "-c", run[bound.end() :]]
        subprocess.run(command, check=True, env={"PATH": PATH, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}, timeout=1200)
        shutil.rmtree(build)
    (root / stage.folder.lstrip("/")).mkdir(parents=True, exist_ok=True)


def collect(root: pathlib.Path, at: str) -> None:
    """What the build stage does once there is a wheel; by that system's Python, on which it depends what is needed."""
    given = {name: os.environ[name] for name in REACHED_BY if name in os.environ}
    if "PIP_CERT" in given:
        shutil.copy(given["PIP_CERT"], root / at.lstrip("/") / "ca.crt")
        given["PIP_CERT"] = f"{at}/ca.crt"
    shutil.copy("/etc/resolv.conf", root / "etc" / "resolv.conf")
    steps = f"python3 -m venv {at}/tools && PATH={at}/tools/bin:$PATH {at}/source/.ci/image collect {at}/wheels"
    command = ["chroot", str(root), "/bin/sh", "-c", steps]
    subprocess.run(command, check=True, env={**given, "PATH": PATH, "HOME": at}, timeout=1200)


def within(root: pathlib.Path, stage: Stage, program: list[str]) -> list[str]:
    """The command line that runs a program in `root` as the image would, with the examples in its folder."""
    user, group = stage.user.split(":")
    drop = ["--reuid", user, "--regid", group, "--clear-groups", "--no-new-privs", "--bounding-set=-all",
            "--inh-caps=-all"]  # fmt: skip
    environment = [f"{name}={value}" for name, value in stage.env.items()]
    space = ["unshare", "--mount", "--pid", "--ipc", "--fork", "--kill-child", "/bin/sh", "-c", WITHIN, "sh"]
    place = [str(root), str(TREE / "examples"), stage.folder]
    return [*space, *place, *drop, "/usr/bin/env", "-i", f"--chdir={stage.folder}", *environment, *program]


def told(root: pathlib.Path, stage: Stage, *program: str) -> str:
    """What a program prints."""
    command = within(root, stage, list(program))
    done = subprocess.run(command, capture_output=True, text=True, timeout=START_S)
    if done.returncode:
        sys.exit(f"image: `{' '.join(program)}` failed with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def check_inside(root: pathlib.Path, stage: Stage) -> None:
    """The command answers, all that the image is for can be imported, and nothing can be written but /tmp."""
    version = re.search(r'__version__ = "(.+)"', (TREE / "executor" / "__init__.py").read_text())
    assert version is not None
    assert told(root, stage, *stage.entrypoint, "--version") == f"millrace {version[1]}"
    assert told(root, stage, "id", "-u") == "8888"
    told(root, stage, "python", "-W", "ignore", "-c", f"import {IMPORTS}")
    say("it says its version, and imports what it is for")
    tried = "for at in / /app /opt/millrace /etc /var/tmp /usr/bin; do touch $at/x 2>/dev/null && echo $at; done; true"
    assert told(root, stage, "sh", "-c", tried) == "", "the root can be written"
    assert told(root, stage, "sh", "-c", "touch /tmp/x && ls /tmp") == "x"
    capabilities = told(root, stage, "grep", "-E", "Cap(Prm|Eff|Bnd)|NoNewPrivs", "/proc/self/status")
    assert re.sub(r"\s+", " ", capabilities) == (
        "CapPrm: 0000000000000000 CapEff: 0000000000000000 CapBnd: 0000000000000000 NoNewPrivs: 1"
    )
    say("its user can write nothing but /tmp, and has no capabilities")


@contextlib.contextmanager
def running(root: pathlib.Path, stage: Stage, arguments: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
    """The image's program, for as long as the block runs."""
    process = subprocess.Popen(within(root, stage, [*stage.entrypoint, *arguments]))
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def child_of(pid: int) -> int:
    """The process that another has started: `unshare` passes no signal on."""
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # It has ended meanwhile.
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                return int(path.parent.name)
    sys.exit("image: the program has ended")


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def asked(url: str, body: bytes, process: "subprocess.Popen[bytes]") -> bytes:
    """The answer to a request, once the server is there."""
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
    give_up = time.monotonic() + START_S
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                found: bytes = answer.read()
                return found
        except (urllib.error.URLError, ConnectionError) as error:
            if process.poll() is not None or time.monotonic() > give_up:
                sys.exit(f"image: `millrace run` does not answer: {error}")
            time.sleep(0.2)


def check_example(root: pathlib.Path, stage: Stage) -> None:
    """An example runs, with two workers, answers, and ends when it is told to."""
    steps = {"step_one": "StepOne", "step_two": "StepTwo", "step_three": "StepThree"}
    arguments = ["run", "steps/graph.yaml", "--host", "127.0.0.1", "--workers", "2"]
    arguments += [word for node, name in steps.items() for word in ("--component", f"{node}=steps/steps.py:{name}")]
    port = free_port()
    arguments += ["--http-port", str(port), "--grpc-port", str(free_port())]
    with running(root, stage, arguments) as process:
        url = f"http://127.0.0.1:{port}/api/v1.0/predictions"
        answer = json.loads(asked(url, b'{"data": {"ndarray": [[1, 2]]}}', process))
        assert answer["data"]["ndarray"] == [[20.0, 29.0]], f"wrong answer: {answer}"
        os.kill(child_of(process.pid), signal.SIGTERM)
        assert process.wait(timeout=60) == 0, f"`millrace run` ended with {process.returncode} after SIGTERM"
    say("an example answered, and drained when told to stop")


def prove(wheel: pathlib.Path, scratch: pathlib.Path) -> None:
    """All of it, in a copy of the bare system."""
    stage = last_stage((TREE / "Dockerfile").read_text())
    root = scratch / "root"
    subprocess.run(["cp", "-a", bare.root_file_system("image"), root], check=True)
    make(root, wheel, stage)
    size = subprocess.run(["du", "-sm", root], capture_output=True, text=True, check=True).stdout.split()[0]
    say(f"the root file system has {size} MiB")
    check_inside(root, stage)
    check_example(root, stage)


def main() -> None:
    """Run the command."""
    wheel = pathlib.Path(sys.argv[1]).resolve(strict=True)
    reason = bare.obstacle() or (None if shutil.which("unshare") else "unshare is not installed")
    if reason is not None:
        text = f"image: NOT proved: {reason}"
        sys.exit(text) if os.environ.get("CI") else print(text)
        return
    with tempfile.TemporaryDirectory(prefix="image-", dir=bare.cache_folder()) as scratch:
        prove(wheel, pathlib.Path(scratch))
    say("the image's steps make what runs as a restricted pod: uid 8888, a read-only root, no capabilities")


if __name__ == "__main__":
    main()
