"""Owns the checked reader of JSON text. Must not know any message type. Its face is for tools and tests."""

from typing import Literal

from typing_extensions import Buffer

from executor._native import buffer

def check(data: Buffer) -> None:
    """Checks that `data` is one JSON value. Raises DecodeError."""

def numbers(data: Buffer) -> tuple[tuple[int, ...], Literal["int64", "float64"], buffer.Memory] | None:
    """The nested array of numbers in `data` as (shape, dtype, memory); None when it is something else.

    Raises DecodeError for what is not JSON.
    """
