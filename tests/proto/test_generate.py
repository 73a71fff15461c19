"""Tests proto/generate.py: the committed code is what the .proto files say, and a stale file is noticed."""

import pathlib
import runpy
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "proto" / "generate.py"


def test_the_committed_code_is_fresh() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr


def test_stale_missing_and_left_over_files_are_named() -> None:
    differences = runpy.run_path(str(SCRIPT))["differences"]
    wanted = {"same_pb2.py": "1", "stale_pb2.py": "2", "missing_pb2.py": "3"}
    found = {"same_pb2.py": "1", "stale_pb2.py": "old", "left_pb2.py": "4"}
    assert differences(wanted, found) == ["left_pb2.py", "missing_pb2.py", "stale_pb2.py"]
    assert differences(wanted, wanted) == []


def test_each_proto_file_has_its_code() -> None:
    protos = {path.stem for path in (ROOT / "proto").glob("*.proto")}
    code = {path.name.removesuffix("_pb2.py") for path in (ROOT / "executor" / "_pb").glob("*_pb2.py")}
    assert protos == code
