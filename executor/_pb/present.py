"""Owns which definition of Seldon's messages this process has: one that other code brought, else the generated one.

Must not be imported by the executor process before a message needs protobuf.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from executor._pb import descriptors

_PACKAGE = "seldon.protos"
_GENERATED = "executor._pb.seldon_pb2"
_MESSAGES, _TENSORS = "executor/_pb/seldon.proto", "executor/_pb/tensorflow.proto"


class Present(ModuleType):
    """Stands for the generated module where protobuf's default pool has the same messages from elsewhere: it takes one
    definition of a name, whatever file that comes from.
    """

    def __getattr__(self, name: str) -> Any:
        try:
            found = descriptor_pool.Default().FindMessageTypeByName(f"{_PACKAGE}.{name}")
        except KeyError:
            raise AttributeError(f"{_PACKAGE}, as other code of this process defines it, has no {name}") from None
        return message_factory.GetMessageClass(found)


def is_defined() -> bool:
    """Whether the default pool has Seldon's messages already."""
    return _file_of(f"{_PACKAGE}.SeldonMessage") is not None


def seldon() -> ModuleType:
    """The module with Seldon's messages; from now on it is what importing the generated one gives."""
    if _GENERATED not in sys.modules:
        tensors = _file_of("tensorflow.TensorProto")
        if not is_defined() and tensors not in (None, _TENSORS):
            _define_with(tensors)
        if is_defined():
            sys.modules[_GENERATED] = Present(_GENERATED)
    return import_module(_GENERATED)


def _file_of(message: str) -> str | None:
    """The file that defines `message` in the default pool."""
    try:
        return str(descriptor_pool.Default().FindMessageTypeByName(message).file.name)
    except KeyError:
        return None


def _define_with(tensors: str | None) -> None:
    """Adds Seldon's messages to the default pool, with TensorFlow's own definition of a tensor, which is there."""
    file = descriptor_pb2.FileDescriptorProto.FromString(descriptors.FILES[_MESSAGES])
    file.dependency[:] = [tensors if each == _TENSORS else each for each in file.dependency]
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
