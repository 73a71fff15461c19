"""What a node says of its time, read; writing it is with `trail`."""

import pytest

from executor._native import timing


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"millrace;dur=12.500;queue=0.250", (0.0125, 0.00025)),
        (b'millrace;dur=1.000;queue=0.000;desc="m", m;dur=1.000', (0.001, 0.0)),
        (b"millrace;dur=3;queue=1, other;dur=9", (0.003, 0.001)),
    ],
)
def test_what_is_of_ours_is_read(text: bytes, found: tuple[float, float]) -> None:
    assert timing.read(text) == pytest.approx(found)


@pytest.mark.parametrize(
    "text",
    [
        b"", b"millrace", b"millrace;", b"millrace;dur", b"millrace;dur=", b"millrace;dur=1", b"db;dur=1;queue=1",
        b"millrace;dur=x;queue=1", b"millrace;dur=-1;queue=1", b"millrace;dur=1;queue=", b"millrace;queue=1;dur=1",
        b"millrace;dur=99999999999999;queue=1", b"millrace;dur=nan;queue=1", b"Millrace;dur=1;queue=1",
    ],
)  # fmt: skip
def test_what_is_not_is_nothing(text: bytes) -> None:
    assert timing.read(text) is None
