"""Plain grpcio with the stubs, and that nothing else brings grpcio in."""

import re
import subprocess
import sys
from pathlib import Path

import grpc
from support.seldon_server import seldon_server

from executor.client import stubs


def test_plain_grpcio() -> None:
    with seldon_server() as (_, target), grpc.insecure_channel(target) as channel:
        stub = stubs.SeldonStub(channel)
        assert stub.Predict(stubs.SeldonMessage(strData="hello"), timeout=5).strData == "hello"


def test_the_readme_s_example() -> None:
    readme = Path(__file__).parents[2].joinpath("README.md").read_text()
    (example,) = [each for each in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "stubs" in each]
    with seldon_server() as (_, target):
        assert run(example.replace("localhost:5001", target)) == "[1.0, 2.0]"


def test_everything_named_is_there() -> None:
    assert all(hasattr(stubs, name) for name in stubs.__all__)


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


def test_the_client_needs_neither_grpcio_nor_protobuf() -> None:
    code = "import sys, executor.client; print([m for m in ('grpc', 'google.protobuf') if m in sys.modules])"
    assert run(code) == "[]"


def test_without_grpcio_the_stubs_say_what_to_install() -> None:
    code = (
        "import sys; sys.modules['grpc'] = None\n"
        "try: import executor.client.stubs\n"
        "except ImportError as error: print(error)"
    )
    assert run(code).endswith("needs grpcio and protobuf, and grpc is not installed: pip install grpcio protobuf")
