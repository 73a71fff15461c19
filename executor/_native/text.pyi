"""Owns the writing of JSON text and the table of names. Must not read JSON. Its face is for tools and tests."""

from typing import Any

def of_str(value: str) -> bytes:
    """The JSON string of `value`, quotes included, as UTF-8."""

def of_bytes(value: bytes) -> bytes:
    """The JSON string of the base64 of `value`."""

def of_doubles(values: Any, narrow: bool = False) -> bytes:
    """Contiguous doubles with commas between, as float32 when `narrow`; those that are not finite in quotes."""

def double_names(names: list[str]) -> list[int]:
    """The indices of names that stand before them already, as the table of names finds them."""
