"""Tests proto/describe.py by what it made: the descriptors that reflection serves, read with google.protobuf."""

import importlib

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor

from executor._pb import descriptors

OURS = sorted(name for name in descriptors.FILES if name.startswith("executor/_pb/"))


def pool() -> descriptor_pool.DescriptorPool:
    """A pool of its own, filled as a reflection client fills it: dependencies first."""
    filled = descriptor_pool.DescriptorPool()
    added: set[str] = set()

    def add(name: str) -> None:
        if name not in added:
            added.add(name)
            for dependency in descriptors.DEPENDENCIES[name]:
                add(dependency)
            filled.AddSerializedFile(descriptors.FILES[name])

    for name in descriptors.FILES:
        add(name)
    return filled


def test_every_dependency_is_there() -> None:
    for name in descriptors.FILES:
        assert set(descriptors.DEPENDENCIES[name]) <= descriptors.FILES.keys()
        found = pool().FindFileByName(name)
        assert tuple(file.name for file in found.dependencies) == descriptors.DEPENDENCIES[name]


@pytest.mark.parametrize("name", OURS)
def test_the_bytes_are_those_of_the_generated_code(name: str) -> None:
    # A client that has imported the stubs and then reflects the server must see equal files, or it refuses the second.
    module = importlib.import_module(name.removesuffix(".proto").replace("/", ".") + "_pb2")
    assert module.DESCRIPTOR.serialized_pb == descriptors.FILES[name]


def test_every_symbol_is_in_its_file() -> None:
    filled = pool()
    methods = 0
    for symbol, name in descriptors.SYMBOLS.items():
        try:
            file = filled.FindFileContainingSymbol(symbol)
        except KeyError:  # the C implementation does not look methods up
            service, _, method = symbol.rpartition(".")
            found = filled.FindServiceByName(service)
            assert isinstance(found, ServiceDescriptor)
            assert method in found.methods_by_name
            file = found.file
            methods += 1
        assert file.name == name
    assert len(descriptors.SYMBOLS) > 500
    assert methods > 0


def test_every_service_and_method_is_a_symbol() -> None:
    filled = pool()
    for name in OURS:
        for service in filled.FindFileByName(name).services_by_name.values():
            wanted = {service.full_name, *(method.full_name for method in service.methods)}
            assert wanted <= descriptors.SYMBOLS.keys()
