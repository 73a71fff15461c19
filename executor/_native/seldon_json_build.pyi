"""Owns building seldon.protos messages as JSON text from Python values. Must not know how a message is sent."""

from collections.abc import Sequence
from typing import Any

from executor._native import message

def build(
    kind: str,
    value: Any = None,
    names: Sequence[str] | None = None,
    meta: dict[str, Any] | None = None,
    status: dict[str, Any] | None = None,
) -> message.Message:
    """A SeldonMessage of `kind`: tensor, ndarray, tftensor, binData, strData, jsonData, customData, "" for none.

    `names` go with the first three kinds, and an empty list of them is written too; `meta` and `status` are dicts in
    their JSON form. customData is a dict with "@type", or (type_url, bytes) of a type that has a JSON form. Integers
    stay integers. Raises EncodeError for what does not fit.
    """

def build_feedback(
    request: message.Message | None, response: message.Message | None, reward: float, truth: message.Message | None
) -> message.Message:
    """A Feedback of messages (or None) and a reward, by reference."""

def plain(value: Any) -> Any:
    """What stands for a value that Python's json does not know. Raises TypeError when nothing does."""

def dumped(value: Any) -> str:
    """The JSON text of a value of Python's, as answers have it: with dates as HTTP's headers write them, and texts for
    decimals and UUIDs. Raises TypeError or ValueError.
    """

def sort_members(wanted: bool) -> None:
    """Whether members of Python's dicts are written in the order of their names, in all of this process; so they are
    from the beginning.
    """
