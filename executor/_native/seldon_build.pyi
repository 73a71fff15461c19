"""Owns building seldon.protos messages from Python values. Must not know how a message is sent."""

from collections.abc import Sequence
from typing import Any

from executor._native import message

def build(
    kind: str,
    value: Any = None,
    names: Sequence[str] | None = (),
    meta: dict[str, Any] | None = None,
    status: dict[str, Any] | None = None,
) -> message.Message:
    """A SeldonMessage of `kind`: tensor, ndarray, tftensor, binData, strData, jsonData, customData, "" for none.

    `names` go with the first three kinds; `meta` and `status` are dicts in their JSON form. Raises EncodeError
    for what the message cannot hold. Bytes objects of 16 KiB and more are sent by reference.
    """

def build_feedback(
    request: message.Message | None, response: message.Message | None, reward: float, truth: message.Message | None
) -> message.Message:
    """A Feedback of messages (or None) and a reward, by reference."""
