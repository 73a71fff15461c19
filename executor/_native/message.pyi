"""Owns messages: a payload on the wire as an encoding and a gather list of spans. Must not know what the bytes mean."""

from typing import Any

from executor._native import buffer

class Message:
    """A payload on the wire, over bytes or any contiguous buffer.

    `encoding` is one of `executor.types.Encoding`, `form` one of `executor.types.Form`, `kind` an HTTP Content-Type
    where the encoding does not say it all. Bytes and read-only buffers are kept by reference, writable ones copied.
    Raises ValueError for a number that is neither.
    """

    def __init__(self, data: Any = None, encoding: int = 0, form: int = 0, kind: str | None = None) -> None: ...
    @property
    def encoding(self) -> int: ...
    @property
    def form(self) -> int: ...
    @property
    def kind(self) -> str | None:
        """The Content-Type that its sender gave it; None where the encoding says it."""

    @property
    def spans(self) -> int:
        """Number of spans in the gather list."""

    def __len__(self) -> int: ...
    def __bytes__(self) -> bytes: ...
    def inflated(self) -> Message:
        """Says that its bytes came compressed, for those who count copies; the message itself."""

    def parts(self) -> list[buffer.Memory]:
        """The spans as a list of read-only buffers, without copying."""
