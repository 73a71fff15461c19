"""Owns how the JSON that a node answers is written where Seldon's wrapper has it otherwise: ASCII alone, or with lines.

Must not change what it says.
"""

import json
import re
from collections.abc import Callable

Written = Callable[[bytes], bytes]
_BEYOND = re.compile("[^\x00-\x7f]")


def wording(as_ascii: bool, pretty: bool) -> Written | None:
    """What makes JSON text look as asked; None where it does already."""
    if pretty:
        return lambda text: _pretty(text, as_ascii)
    return ascii_of if as_ascii else None


def ascii_of(text: bytes) -> bytes:
    """JSON text with escapes for all that is not ASCII; the same object where there is none."""
    if text.isascii():
        return text
    try:
        return _BEYOND.sub(_escape, text.decode()).encode()
    except UnicodeDecodeError:  # a raw method may answer anything
        return text


def _escape(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]


def _pretty(text: bytes, as_ascii: bool) -> bytes:
    try:
        content = json.loads(text)
    except ValueError:
        return text
    return json.dumps(content, indent=2, ensure_ascii=as_ascii).encode("utf-8", "replace") + b"\n"
