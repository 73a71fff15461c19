"""Owns the way from proto/*.proto to the committed code in executor/_pb.

Must not be needed to build, install or run millrace: only to change a .proto file, and to check that nobody forgot.

Usage: generate.py [--check]
    no option   write executor/_pb anew
    --check     write nothing; exit with 1 and name the files when executor/_pb is not what the .proto files say

The generator is old on purpose. Its code loads on every protobuf runtime from 4.25 to 7; code from a newer one refuses
runtimes older than itself. It lives in an environment of its own under the user's cache folder, made on first use.
"""

import argparse
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = ROOT / "proto"
TARGET = ROOT / "executor" / "_pb"
PACKAGE = "executor/_pb"  # the import path that every .proto file is known by, here and in reflection
REQUIREMENTS = ("grpcio-tools==1.62.3", "protobuf==4.25.9", "mypy-protobuf==3.6.0", "setuptools==80.9.0")
GENERATED = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi", "descriptors.py")
PYTHONS = (11, 12)  # the minor versions that the pinned grpcio-tools has wheels for


def cache_folder() -> pathlib.Path:
    """Where the generator's environment is kept, named after what is in it."""
    base = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    key = hashlib.sha256(repr((REQUIREMENTS, sys.version_info[:2])).encode()).hexdigest()[:12]
    return base / "millrace" / f"proto-{key}"


def generator() -> pathlib.Path:
    """The bin folder of the generator's environment; makes it when it is not there yet."""
    folder = cache_folder()
    ready = folder / "ready"
    if not ready.exists():
        if sys.version_info[1] not in PYTHONS:
            sys.exit(
                f"proto/generate.py needs Python 3.{PYTHONS[0]} or 3.{PYTHONS[1]}: {REQUIREMENTS[0]} has no others"
            )
        print(f"proto: installing the pinned generator into {folder} (once, half a minute)", flush=True)
        venv.create(folder, clear=True, with_pip=True)
        subprocess.run([folder / "bin" / "pip", "install", "--quiet", *REQUIREMENTS], check=True)
        ready.touch()
    return folder / "bin"


def compile_all(out: pathlib.Path) -> None:
    """Generate code, stubs and the reflection index for every .proto file into `out`/executor/_pb."""
    tools = generator()
    names = sorted(source.name for source in SOURCES.glob("*.proto"))
    with_services = [name for name in names if "\nservice " in (SOURCES / name).read_text()]
    protoc = [str(tools / "python"), "-m", "grpc_tools.protoc", "-I", f"{PACKAGE}={SOURCES}"]
    protoc += [f"--plugin=protoc-gen-{plugin}={tools}/protoc-gen-{plugin}" for plugin in ("mypy", "mypy_grpc")]
    described = out / "set.binpb"
    outputs: tuple[tuple[list[str], *tuple[str, ...]], ...] = (
        (names, f"--python_out={out}", f"--mypy_out=quiet:{out}"),
        (names, f"--descriptor_set_out={described}", "--include_imports"),
        (with_services, f"--grpc_python_out={out}", f"--mypy_grpc_out=quiet:{out}"),
    )
    for chosen, *flags in outputs:
        subprocess.run([*protoc, *flags, *(f"{PACKAGE}/{name}" for name in chosen)], check=True)
    index = subprocess.run(
        [tools / "python", SOURCES / "describe.py", described], check=True, capture_output=True, text=True
    )
    (out / PACKAGE / "descriptors.py").write_text(index.stdout)


def contents(folder: pathlib.Path) -> dict[str, str]:
    """The generated files of a folder, by name."""
    return {path.name: path.read_text() for pattern in GENERATED for path in folder.glob(pattern)}


def differences(wanted: dict[str, str], found: dict[str, str]) -> list[str]:
    """The names of files that are missing, stale or left over."""
    return sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))


def write(wanted: dict[str, str]) -> None:
    """Make the generated files of executor/_pb exactly these."""
    for name in contents(TARGET).keys() - wanted.keys():
        (TARGET / name).unlink()
    for name, text in wanted.items():
        (TARGET / name).write_text(text)


def main() -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(description="Generate executor/_pb from proto/*.proto.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when executor/_pb is stale")
    check: bool = parser.parse_args().check
    with tempfile.TemporaryDirectory() as scratch:
        compile_all(pathlib.Path(scratch))
        wanted = contents(pathlib.Path(scratch) / PACKAGE)
    stale = differences(wanted, contents(TARGET))
    if not check:
        write(wanted)
        print(f"proto: {len(stale)} of {len(wanted)} generated files changed in {PACKAGE}")
        return 0
    if stale:
        print(f"proto: stale in {PACKAGE}: {', '.join(stale)}; run `python proto/generate.py`", file=sys.stderr)
        return 1
    print(f"proto: the {len(wanted)} generated files in {PACKAGE} are fresh")
    return 0


if __name__ == "__main__":
    sys.exit(main())
