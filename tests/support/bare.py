"""Owns the bare systems that proofs run in: a minimal Debian by debootstrap, kept in the user's cache folder.

Must not know what is proved.
"""

import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile

SUITES = {(3, 11): "bookworm", (3, 13): "trixie"}  # the Debian release whose own Python is this one
PACKAGES = "python3,python3-venv"
FORBIDDEN = ("usr/bin/*cc", "usr/bin/*gcc*", "usr/bin/*clang*", "usr/lib/**/libnghttp2*")


def cache_folder() -> pathlib.Path:
    """Where the root file system is kept, outside the tree."""
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "millrace"


def obstacle() -> str | None:
    """Why debootstrap cannot run here, if it cannot."""
    if platform.system() != "Linux":
        return "this is not Linux"
    if os.geteuid() != 0:
        return "debootstrap and chroot need root"
    if sys.version_info[:2] not in SUITES:
        return f"no Debian release has Python {sys.version_info[0]}.{sys.version_info[1]} as its own"
    if not shutil.which("debootstrap"):
        return "debootstrap is not installed"
    return None


def root_file_system(who: str) -> pathlib.Path:
    """A minimal Debian with its own Python; made on first use. It is shared: leave it as it was."""
    suite = SUITES[sys.version_info[:2]]
    root = cache_folder() / f"{suite}-{platform.machine()}"
    if not root.exists():
        print(f"{who}: making a minimal Debian {suite} in {root} (once, about a minute)", flush=True)
        root.parent.mkdir(parents=True, exist_ok=True)
        scratch = pathlib.Path(tempfile.mkdtemp(prefix="debootstrap-", dir=root.parent))
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", suite, str(scratch)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            shutil.rmtree(scratch)
            sys.exit(f"{who}: debootstrap failed with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        scratch.chmod(0o755)
        scratch.rename(root)
    found = sorted(str(path.relative_to(root)) for pattern in FORBIDDEN for path in root.glob(pattern))
    if found:
        sys.exit(f"{who}: {root} is not bare, it has {', '.join(found)}; remove that folder and run again")
    return root
