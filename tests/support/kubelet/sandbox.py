"""Owns the processes of one container: started in namespaces of their own on a copy-on-write view of this machine's
files, asked, signalled, ended.

Must not know probes, restarts or pods. A container is process 1 of its namespace: its end is the end of all in there.
"""

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from support.kubelet.network import Place

START_S = 10.0
KILLED = 137
OWN_KINDS = {"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "virtiofs", "9p", "nfs", "nfs4", "overlay", "fuse"}


@dataclass(frozen=True)
class Mount:
    """A file or folder of this machine, and where the container sees it."""

    source: Path
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class Rights:
    """Whom a container runs as."""

    user: int = 0
    group: int = 0
    groups: tuple[int, ...] = ()
    read_only_root: bool = False
    no_capabilities: bool = False
    no_new_privileges: bool = False

    def command(self) -> list[str]:
        """What takes all other rights away."""
        groups = ["--groups", ",".join(map(str, self.groups))] if self.groups else ["--clear-groups"]
        drop = ["--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all"] if self.no_capabilities else []
        sealed = ["--no-new-privs"] if self.no_new_privileges else []
        return ["setpriv", f"--reuid={self.user}", f"--regid={self.group}", *groups, *drop, *sealed, "--"]


@dataclass(frozen=True)
class Recipe:
    """All that starting one takes."""

    folder: Path
    log: Path
    place: Place
    host_name: str
    command: tuple[str, ...]
    working_folder: str
    environment: Mapping[str, str]
    mounts: tuple[Mount, ...]
    rights: Rights
    opened: tuple[str, ...] = field(default=())


def _quoted(*words: object) -> str:
    return shlex.join(str(word) for word in words)


def _other_disks() -> list[str]:
    """Where other file systems of this machine are joined to its root."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        kind = fields[fields.index("-") + 1]
        path = fields[4]
        if path != "/" and kind.partition(".")[0] in OWN_KINDS and Path(path).is_dir():
            found.append(path)
    return found


def _closed_parents(paths: Sequence[str]) -> list[str]:
    """The folders on the way to some, links followed, that not everyone may pass."""
    parents = {
        parent for path in paths for real in (Path(path), Path(path).resolve()) for parent in [real, *real.parents]
    }
    return [str(path) for path in sorted(parents) if path.exists() and path.stat().st_mode & 0o011 != 0o011]


def script(recipe: Recipe) -> str:
    """What the shell does before it becomes the container's command."""
    folder = recipe.folder
    upper, work, root = folder / "upper", folder / "work", folder / "root"
    for path in (upper, work, root):
        path.mkdir(parents=True, exist_ok=True)
    lines = [
        "set -e",
        _quoted("mount", "-t", "overlay", "overlay", "-o", f"lowerdir=/,upperdir={upper},workdir={work}", root),
        *(_quoted("mount", "--rbind", path, f"{root}{path}") for path in _other_disks()),
        _quoted("mount", "-t", "proc", "proc", root / "proc"),
        _quoted("mount", "--rbind", "/dev", root / "dev"),
        _quoted("mount", "--rbind", "/sys", root / "sys"),
        _quoted("mount", "-t", "tmpfs", "tmpfs", root / "dev" / "shm"),
        _quoted("mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", root / "tmp") if _own_tmp(recipe) else ":",
        *(_quoted("chmod", "go+x", f"{root}{path}") for path in _closed_parents(recipe.opened)),
    ]
    hidden = [each for each in recipe.opened if any(Path(each).is_relative_to(mount.target) for mount in recipe.mounts)]
    kept = {each: folder / f"kept-{number}" for number, each in enumerate(hidden)}
    for each, place in kept.items():
        place.mkdir(exist_ok=True)
        lines.append(_quoted("mount", "--rbind", f"{root}{each}", place))
    for mount in recipe.mounts:
        lines += _mounted(mount, root)
    for each, place in kept.items():  # what the container needs stays in sight, whatever volume lies above it
        lines += [_quoted("mkdir", "-p", f"{root}{each}"), _quoted("mount", "--rbind", place, f"{root}{each}")]
    if recipe.rights.read_only_root:
        lines.append(_quoted("mount", "-o", "remount,ro", root))
    entered = 'cd "$0" && exec "$@"'
    last = ["chroot", str(root), *recipe.rights.command(), "sh", "-c", entered, recipe.working_folder, *recipe.command]
    return "\n".join([*lines, _quoted("hostname", recipe.host_name), f"cd {root}", "exec " + _quoted(*last), ""])


def _own_tmp(recipe: Recipe) -> bool:
    """Whether /tmp can be hidden: not where what the container needs is below it."""
    needed = [*recipe.opened, *(word for word in recipe.command if word.startswith("/tmp/"))]
    return not any(path.startswith("/tmp/") for path in needed) and not recipe.rights.read_only_root


def _mounted(mount: Mount, root: Path) -> list[str]:
    target = f"{root}{Path(mount.target).resolve()}"  # a link there would lead out of the container's root
    if mount.source.is_dir():
        made = _quoted("mkdir", "-p", target)
    else:
        made = f"{_quoted('mkdir', '-p', str(Path(target).parent))}; [ -e {_quoted(target)} ] || : > {_quoted(target)}"
    lines = [made, _quoted("mount", "--bind", mount.source, target)]
    if mount.read_only:
        lines.append(_quoted("mount", "-o", "remount,bind,ro", target))
    return lines


class Running:
    """One start of a container."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._killed = False
        path = recipe.folder / "start.sh"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(script(recipe))
        command = ["nsenter", f"--net={recipe.place.file}", "unshare", "--mount", "--uts", "--ipc", "--pid", "--fork",
                   "--kill-child=KILL", "sh", str(path)]  # fmt: skip
        with recipe.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=dict(recipe.environment),
                start_new_session=True,
            )  # fmt: skip
        due = time.monotonic() + START_S
        while self.ended() is None and not self._has_entered() and time.monotonic() < due:
            time.sleep(0.005)

    def _has_entered(self) -> bool:
        """Whether its process sees the container's files already, and no longer this machine's."""
        try:
            return not os.path.samestat(os.stat(f"/proc/{self.pid}/root"), os.stat("/"))
        except OSError:
            return False

    @property
    def pid(self) -> int | None:
        """Process 1 of the container, as this namespace numbers it."""
        try:
            found = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        except OSError:
            return None
        return int(found[0]) if found else None

    def ended(self) -> int | None:
        """The exit status, as Kubernetes counts it, once it has ended."""
        status = self._process.poll()
        if status is not None and self._killed:
            return KILLED  # some versions of unshare cannot pass that on
        return status if status is None or status >= 0 else 128 - status

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to process 1."""
        pid = self.pid
        if pid is not None and self.ended() is None:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                return

    def run(self, command: Sequence[str], timeout_s: float | None) -> int:
        """Runs a command in the container. Its exit status; 124 when it took too long."""
        pid = self.pid
        if pid is None:
            return 126
        inside = ["nsenter", f"--target={pid}", "--mount", "--net", "--pid", "--uts", "--ipc", "--root", "--wdns=/",
                  *self._recipe.rights.command(), *command]  # fmt: skip
        with self._recipe.log.open("ab") as log:
            with subprocess.Popen(
                inside, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=dict(self._recipe.environment)
            ) as process:
                try:
                    return process.wait(timeout_s)
                except subprocess.TimeoutExpired:
                    process.kill()
                    return 124

    def kill(self) -> None:
        """Ends it at once."""
        self._killed = True
        self.signal(signal.SIGKILL)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
