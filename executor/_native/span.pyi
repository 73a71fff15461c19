"""Owns bytes in OTLP's form: growing memory, protobuf fields written front to back, attributes, spans."""

from collections.abc import Mapping

INTERNAL: int
SERVER: int
CLIENT: int

def static(name: str, kind: int, attributes: Mapping[str, str | int]) -> bytes:
    """What spans of one name have in common: name, kind and attributes, as fields of a span."""

def source(resource: Mapping[str, str | int], scope: str, version: str) -> tuple[bytes, bytes]:
    """Who sends spans: a resource's attributes, and what measured them."""

def request(source: tuple[bytes, bytes], spans: list[bytes]) -> bytes:
    """An ExportTraceServiceRequest; `spans` are chunks as a Tracer hands them out."""
