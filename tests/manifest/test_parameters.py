"""Tests `executor.manifest.parameters`."""

import math

import pytest

from executor.graph.spec import Value
from executor.manifest.parameters import typed


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("INT", "3", 3),
        ("INT", "-12", -12),
        ("FLOAT", "0.5", 0.5),
        ("FLOAT", "3", 3.0),
        ("DOUBLE", "1e-3", 0.001),
        ("STRING", "1.10", "1.10"),
        ("STRING", "", ""),
        ("BOOL", "true", True),
        ("BOOL", "True", True),
        ("BOOL", "1", True),
        ("BOOL", "yes", True),
        ("BOOL", "FALSE", False),
        ("BOOL", "0", False),
        ("BOOL", "off", False),
    ],
)
def test_typed(kind: str, text: str, value: Value) -> None:
    found = typed(kind, text)
    assert found == value
    assert type(found) is type(value)


def test_floats_may_be_infinite() -> None:
    assert typed("FLOAT", "inf") == math.inf


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("INT", "3.5", '"3.5" is no INT; write a whole number'),
        ("INT", "", '"" is no INT; write a whole number'),
        ("FLOAT", "half", '"half" is no FLOAT; write a number'),
        ("DOUBLE", "1,5", '"1,5" is no DOUBLE; write a number'),
        ("BOOL", "maybe", '"maybe" is no BOOL; allowed: true, false, yes, no, on, off, 1, 0'),
        ("LIST", "x", "LIST is no parameter type; allowed: INT, FLOAT, DOUBLE, STRING, BOOL"),
    ],
)
def test_refused(kind: str, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        typed(kind, text)
    assert str(caught.value) == message


def test_long_values_are_cut_in_messages() -> None:
    with pytest.raises(ValueError, match=r'^"x{60}" is no INT'):
        typed("INT", "x" * 10_000)
