"""Owns the command line of the tests against a real cluster: `PYTHONPATH=tests python -m envtest [PYTEST OPTION...]`.

Must not run a test itself: pytest does, in namespaces of its own (`inside`), which end with all that runs in them.
`--build` stops when the programs are there; `--shell` runs a command in such namespaces instead of pytest.
Where there is no Go the last line says so; with CI set in the environment that counts as a failure.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from envtest import crds, tools

TESTS = ("tests/operator_lite", "tests/operator_e2e")
NAMESPACES = ("--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child=KILL")
NEEDED = {
    "ip": "iproute2", "nft": "nftables", "nginx": "nginx-light", "redis-server": "redis-server",
    "setpriv": "util-linux", "unshare": "util-linux",
}  # fmt: skip


def obstacle() -> str | None:
    """Why the tests cannot run here, if they cannot."""
    if platform.system() != "Linux":
        return "this is not Linux: there are no network namespaces"
    if os.geteuid() != 0:
        return "network namespaces and mounts need root"
    missing = [f"{name} (of Debian's package {package})" for name, package in NEEDED.items() if not shutil.which(name)]
    if missing:
        return f"not installed: {', '.join(missing)}"
    done = subprocess.run(["unshare", *NAMESPACES, "true"], capture_output=True, text=True)
    return f"no new namespaces are allowed: {done.stderr.strip()}" if done.returncode else None


def run(command: list[str]) -> int:
    """Runs a command in namespaces of its own. Its exit status."""
    with tempfile.TemporaryDirectory(prefix="millrace-envtest-") as scratch:
        environment = {**os.environ, "MILLRACE_ENVTEST": scratch}
        inside = [sys.executable, "-m", "envtest.inside", *command]
        return subprocess.run(["unshare", *NAMESPACES, "--", *inside], env=environment).returncode


def main(arguments: list[str]) -> int:
    """Builds what is lacking, then runs the tests. The exit status."""
    try:
        os.environ["KUBEBUILDER_ASSETS"] = str(tools.find_or_build())
        os.environ["MILLRACE_CRDS"] = str(crds.folder())
        why = obstacle()
    except tools.Unavailable as unavailable:
        why = str(unavailable)
    if why:
        tools.say(f"skipped: {why}")
        return 1 if os.environ.get("CI") else 0
    if arguments[:1] == ["--build"]:
        print(f"KUBEBUILDER_ASSETS={os.environ['KUBEBUILDER_ASSETS']}\nMILLRACE_CRDS={os.environ['MILLRACE_CRDS']}")
        return 0
    if arguments[:1] == ["--shell"]:
        return run(arguments[1:] or [os.environ.get("SHELL", "/bin/sh")])
    given = arguments if any(Path(each.partition("::")[0]).exists() for each in arguments) else [*TESTS, *arguments]
    return run([sys.executable, "-m", "pytest", *given])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
