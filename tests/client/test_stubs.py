"""Plain grpcio with the stubs, and that nothing else brings grpcio in."""

import subprocess
import sys

import grpc
from support.seldon_server import seldon_server

from executor.client import stubs


def test_plain_grpcio() -> None:
    with seldon_server() as (_, target), grpc.insecure_channel(target) as channel:
        stub = stubs.SeldonStub(channel)
        assert stub.Predict(stubs.SeldonMessage(strData="hello"), timeout=5).strData == "hello"


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
    assert run(code).endswith("needs grpcio and protobuf, and grpc is not installed: pip install 'millrace[client]'")
