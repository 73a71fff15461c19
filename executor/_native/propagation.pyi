"""Owns the headers in which a trace travels: W3C Trace Context, B3 in one header and in several, Jaeger."""

from collections.abc import Iterable, Sequence

W3C: int
B3: int
B3_MULTI: int
JAEGER: int

def read(headers: Iterable[tuple[str, str]], forms: Sequence[int]) -> tuple[int | None, int | None, bool | None]:
    """What headers say in the first of `forms` that says anything: trace, span, and whether it is sampled."""

def written(
    headers: Iterable[tuple[str, str]], forms: Sequence[int], trace: int, span: int, sampled: bool
) -> list[tuple[str, str]]:
    """`headers` with this context in each of `forms`, and no other."""
