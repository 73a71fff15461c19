"""Owns the codec of encoding seldon-protobuf and its face to Python. Must not know JSON, nor what a graph does.

Opening looks at the envelope only; each part is decoded when it is asked for.
"""

from typing import Any

from executor._native import message
from executor._native.seldon_build import build as build
from executor._native.seldon_build import build_feedback as build_feedback

class Parts:
    """One SeldonMessage, opened: its parts, each decoded when asked for. Made by `open`, never directly."""

    @property
    def kind(self) -> str:
        """tensor, ndarray, tftensor, binData, strData, jsonData, customData; "" when there is no payload."""

    @property
    def names(self) -> list[str]:
        """The names of `data`, in order."""

    @property
    def has_meta(self) -> bool:
        """Whether there is a meta field, be it empty."""

    @property
    def meta(self) -> dict[str, Any]:
        """The meta field as a dict in its JSON form; absent keys are left out."""

    @property
    def status(self) -> dict[str, Any] | None:
        """The status field as a dict (code, info, reason, status), None when there is none."""

    def raw_meta(self) -> bytes:
        """The content of the meta field as it lies on the wire, occurrences merged; b"" when there is none."""

    def message(self) -> message.Message:
        """This SeldonMessage as a message of its own, by reference."""

    def array(self, xp: Any = None) -> Any:
        """The numbers of tensor, ndarray or tftensor as an array of module `xp` (numpy when None).

        Without a copy when the message alone owns the bytes and they are aligned; always writable. An ndarray
        that is no rectangle of numbers becomes what numpy.array makes of the nested list.
        """

    def value(self) -> Any:
        """The payload as a Python object: nested lists for ndarray, bytes, str, or what the JSON says;
        (type_url, value) for customData, an array for tensor and tftensor, None when there is no payload.
        """

class FeedbackParts:
    """One Feedback, opened."""

    @property
    def request(self) -> Parts | None: ...
    @property
    def response(self) -> Parts | None: ...
    @property
    def truth(self) -> Parts | None: ...
    @property
    def reward(self) -> float: ...

def open(message: message.Message) -> Parts:  # noqa: A001 the word of all codecs
    """Opens a SeldonMessage. Raises DecodeError for a broken envelope, ValueError for another kind of message."""

def open_list(message: message.Message) -> list[Parts]:
    """Opens a SeldonMessageList: its messages in order. Raises as `open` does."""

def open_feedback(message: message.Message) -> FeedbackParts:
    """Opens a Feedback. Raises as `open` does."""
