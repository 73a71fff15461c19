"""Owns the Triton ensemble of scenario `grpc-compose`: writes its model repository, then becomes the server.

Must not import the executor: it runs in an environment of its own, with the server that `nvidia-pytriton` carries.
"""

import argparse
import os
import shutil
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

# By name: type checkers run where it is not installed.
distribution: Any = import_module("pytriton.utils.distribution")

TENSORS = """
input [{ name: "X" data_type: TYPE_FP64 dims: [-1, -1, -1] }]
output [{ name: "Y" data_type: TYPE_FP64 dims: [-1, -1, -1] }]
"""
STEP = """
backend: "python"
instance_group [{ count: 1 kind: KIND_CPU }]
parameters { key: "divisor" value: { string_value: "%s" } }
"""
ENSEMBLE = """
platform: "ensemble"
ensemble_scheduling { step [
  { model_name: "scaler" model_version: -1
    input_map { key: "X" value: "X" } output_map { key: "Y" value: "scaled" } },
  { model_name: "model" model_version: -1
    input_map { key: "X" value: "scaled" } output_map { key: "Y" value: "Y" } }
] }
"""


def repository(folder: Path) -> Path:
    """A scaler, a model, and the ensemble of both."""
    model = Path(__file__).with_name("triton_model.py")
    for name, config in (("scaler", STEP % "16"), ("model", STEP % "1"), ("compose", ENSEMBLE)):
        version = folder / name / "1"
        version.mkdir(parents=True)
        (folder / name / "config.pbtxt").write_text(config + TENSORS)
        if config is not ENSEMBLE:
            shutil.copy(model, version / "model.py")
    return folder


def server() -> Path:
    """The folder of the server, with the part of its Python backend that fits this Python where it looks for it."""
    root = Path(distribution.get_root_module_path()) / "tritonserver"
    stub = root / "backends" / "python" / "triton_python_backend_stub"
    if not stub.exists():
        shutil.copy(distribution.get_stub_path(f"{sys.version_info.major}.{sys.version_info.minor}"), stub)
    return root


def main() -> None:
    """Reads the arguments and serves."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--grpc-port", required=True)
    parser.add_argument("--http-port", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    root = server()
    program = str(root / "bin" / "tritonserver")
    command = [program, f"--model-repository={repository(arguments.folder / 'triton')}"]
    command += [f"--backend-directory={root / 'backends'}", "--allow-metrics=false", "--log-info=false"]
    for protocol, port in (("grpc", arguments.grpc_port), ("http", arguments.http_port)):
        command += [f"--{protocol}-port={port}", f"--{protocol}-address=127.0.0.1"]
    os.execv(program, command)


if __name__ == "__main__":
    main()
