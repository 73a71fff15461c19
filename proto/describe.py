"""Owns the shape of `executor/_pb/descriptors.py`: what server reflection answers from.

Must not import anything of the project; it runs in the generator's own environment (see generate.py).

Usage: describe.py DESCRIPTOR_SET > descriptors.py
"""

import pathlib
import sys
from collections.abc import Iterable, Iterator

from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet

HEADER = '''# Made by proto/generate.py from proto/*.proto. Do not edit.
"""Owns the descriptors that server reflection serves, as data that can be read without a protobuf library.

Must not import anything: the executor process knows these contracts by their bytes alone.
"""

from typing import Final

'''
LINE = 100  # characters of one chunk of a bytes literal


def bytes_literal(data: bytes) -> Iterator[str]:
    """The lines of a bytes literal, none much longer than LINE."""
    start = 0
    while start < len(data):
        end = min(start + LINE, len(data))
        while len(repr(data[start:end])) > LINE and end - start > 1:
            end -= 1
        yield f"        {data[start:end]!r}"
        start = end


def enum_symbols(enum: EnumDescriptorProto, scope: str) -> Iterator[str]:
    """The enum and its values; a value is named beside its enum, not inside it, as protobuf scopes them."""
    yield f"{scope}.{enum.name}"
    yield from (f"{scope}.{value.name}" for value in enum.value)


def message_symbols(message: DescriptorProto, scope: str) -> Iterator[str]:
    """The message, its fields, its oneofs and everything inside it."""
    name = f"{scope}.{message.name}"
    yield name
    yield from (f"{name}.{field.name}" for field in message.field)
    yield from (f"{name}.{oneof.name}" for oneof in message.oneof_decl)
    for enum in message.enum_type:
        yield from enum_symbols(enum, name)
    for nested in message.nested_type:
        yield from message_symbols(nested, name)


def file_symbols(file: FileDescriptorProto) -> Iterator[str]:
    """Every name that a client may ask for and that this file defines."""
    for message in file.message_type:
        yield from message_symbols(message, file.package)
    for enum in file.enum_type:
        yield from enum_symbols(enum, file.package)
    for service in file.service:
        yield f"{file.package}.{service.name}"
        yield from (f"{file.package}.{service.name}.{method.name}" for method in service.method)


def strip_json_names(messages: Iterable[DescriptorProto]) -> None:
    """Drop the derived JSON names: the generated Python code leaves them out too, and a client that has both must see
    two equal files, or its descriptor pool refuses the second."""
    for message in messages:
        for field in message.field:
            field.ClearField("json_name")
        strip_json_names(message.nested_type)


def render(files: Iterable[FileDescriptorProto]) -> str:
    """The whole module."""
    by_name = sorted(files, key=lambda file: file.name)
    out = [HEADER, "FILES: Final[dict[str, bytes]] = {\n"]
    for file in by_name:
        strip_json_names(file.message_type)
        lines = "\n".join(bytes_literal(file.SerializeToString(deterministic=True)))
        out.append(f"    {file.name!r}: (\n{lines}\n    ),\n")
    out.append('}\n"""Serialized google.protobuf.FileDescriptorProto by file name."""\n\n')
    out.append("DEPENDENCIES: Final[dict[str, tuple[str, ...]]] = {\n")
    out += [f"    {file.name!r}: {tuple(file.dependency)!r},\n" for file in by_name]
    out.append('}\n"""The files that each file imports; every one of them is in FILES."""\n\n')
    out.append("SYMBOLS: Final[dict[str, str]] = {\n")
    out += [f"    {symbol!r}: {file.name!r},\n" for file in by_name for symbol in file_symbols(file)]
    out.append('}\n"""The file that defines each message, field, oneof, enum, enum value, service and method."""\n')
    return "".join(out)


def main() -> None:
    """Read a FileDescriptorSet, print the module."""
    files = FileDescriptorSet.FromString(pathlib.Path(sys.argv[1]).read_bytes())
    sys.stdout.write(render(files.file))


if __name__ == "__main__":
    main()
