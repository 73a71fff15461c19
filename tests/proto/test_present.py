"""Seldon's messages where other code of the process has defined them, or what they need, already."""

import subprocess
import sys
from pathlib import Path

import pytest
from support import vendored
from support.seldon_server import seldon_server


def run(folder: Path, code: str) -> str:
    """What a fresh Python prints that finds what is in `folder`."""
    told = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{code}"]
    done = subprocess.run(told, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


CLIENT = """
import {module}
import grpc
from executor.client import stubs

with grpc.insecure_channel({target!r}) as channel:
    answer = stubs.SeldonStub(channel).Predict(stubs.SeldonMessage(strData="hello"), timeout=10)
print(answer.strData, type(answer).DESCRIPTOR.file.name)
assert stubs.DefaultData(tftensor={{"int_val": [1]}}).tftensor.int_val == [1]
"""


@pytest.mark.parametrize(
    ("module", "names", "file"),
    [
        ("prediction_pb2", ["prediction"], "prediction.proto"),
        ("tensor_pb2", [], "executor/_pb/seldon.proto"),
        ("json", [], "executor/_pb/seldon.proto"),
    ],
)
def test_stubs_beside_a_definition_of_the_application_s_own(
    tmp_path: Path, module: str, names: list[str], file: str
) -> None:
    vendored.write(tmp_path, *names)
    with seldon_server() as (_, target):
        assert run(tmp_path, CLIENT.format(module=module, target=target)) == f"hello {file}"


COMPONENT = """
import {module}
from executor._native import message
from executor.component import raw
from executor.component.host import Host

class Model:
    def predict_raw(self, message):
        assert type(message) is raw.messages().SeldonMessage
        return type(message)(strData=message.strData + "!")

_, handler = Host(Model(), "n").handlers[0]
answer = bytes(handler(message.Message(raw.messages().SeldonMessage(strData="x").SerializeToString(), 0), None))
print(raw.messages().SeldonMessage.FromString(answer).strData, raw.messages().SeldonMessage.DESCRIPTOR.file.name)
"""


@pytest.mark.parametrize(
    ("module", "names", "file"),
    [
        ("prediction_pb2", ["prediction"], "prediction.proto"),
        ("tensor_pb2", [], "executor/_pb/seldon.proto"),
        ("json", [], "executor/_pb/seldon.proto"),
    ],
)
def test_raw_methods_beside_a_definition_of_user_code_s_own(
    tmp_path: Path, module: str, names: list[str], file: str
) -> None:
    vendored.write(tmp_path, *names)
    assert run(tmp_path, COMPONENT.format(module=module)) == f"x! {file}"


def test_the_classes_are_those_of_the_other_code(tmp_path: Path) -> None:
    vendored.write(tmp_path, "prediction")
    code = "import prediction_pb2\nfrom executor._pb import present\n"
    code += "print(present.seldon().SeldonMessage is prediction_pb2.SeldonMessage, hasattr(present.seldon(), 'No'))"
    assert run(tmp_path, code) == "True False"


def test_a_message_that_the_other_definition_lacks_is_told(tmp_path: Path) -> None:
    vendored.write(tmp_path, "prediction")
    code = "import prediction_pb2\nfrom executor._pb import present\n"
    code += "try: present.seldon().SeldonMassage\nexcept AttributeError as error: print(error)"
    assert run(tmp_path, code) == "seldon.protos, as other code of this process defines it, has no SeldonMassage"
