"""Owns the first process in the namespaces of the tests: sets them up, runs one command, sees that its end ends all.

Must not know what the command does. When this process ends, the kernel ends every other one in the namespaces, and
takes their mounts, addresses and rules away.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

FOLDER = "MILLRACE_ENVTEST"
ADDRESS = "10.88.0.1"  # this machine, as pods see it; nothing outside the namespace can reach it
CLAIMS = "/tmp/hostpath_pv"  # where kube-controller-manager makes the folders of claims
SERVICES = "10.96.0.0/16"


def set_up(folder: Path) -> None:
    """Memory for what pods write, names for network namespaces that others do not see, and addresses."""
    commands = [
        "mount --make-rprivate /",
        f"mount -t tmpfs -o mode=755 tmpfs {folder}",
        f"mkdir {folder}/netns",
        f"mount --bind {folder}/netns /run/netns",
        "mount --make-shared /run/netns",
        f"mount -t tmpfs tmpfs {CLAIMS}",
        "ip link set lo up",
        f"ip address add {ADDRESS}/32 dev lo",
        f"ip route add {SERVICES} dev lo src {ADDRESS}",  # so that rules may rewrite it
    ]
    for path in (CLAIMS, "/run/netns"):
        Path(path).mkdir(exist_ok=True)
    for command in commands:
        subprocess.run(command.split(), check=True)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def run(command: list[str]) -> int:
    """Runs it, and reaps whatever loses its parent meanwhile. The exit status."""
    process = subprocess.Popen(command)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command gets it too, and ends as it likes
    while True:
        pid, status = os.wait()
        if pid == process.pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode if process.returncode >= 0 else 128 - process.returncode


if __name__ == "__main__":
    set_up(Path(os.environ[FOLDER]))
    sys.exit(run(sys.argv[1:]))
