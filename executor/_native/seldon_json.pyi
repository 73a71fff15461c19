"""Owns the codec of encoding seldon-JSON and its face to Python. Must not know what a graph does with a message.

Opening finds the members; each part is checked and decoded when it is asked for. Members that are not known are left
alone here; they are an error where a message changes its encoding.
"""

from typing import Any

from executor._native import message
from executor._native.seldon_json_build import build as build
from executor._native.seldon_json_build import build_feedback as build_feedback

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
        """Whether there is a meta member, be it empty."""

    @property
    def meta(self) -> dict[str, Any]:
        """The meta member as a dict; keys that are absent or null are left out.

        Raises DecodeError when puid, tags, routing, requestPath or metrics are of the wrong type.
        """

    @property
    def status(self) -> dict[str, Any] | None:
        """The status member as a dict (code, info, reason, status), None when there is none."""

    def strays(self) -> list[tuple[str, tuple[str, ...]]]:
        """Members that are not known, which may be misspelt: (name, names that are known in its place) of each."""

    def raw_meta(self) -> bytes:
        """The text of the meta member; b"" when there is none."""

    def message(self) -> message.Message:
        """This SeldonMessage as a message of its own, by reference."""

    def array(self, xp: Any = None) -> Any:
        """The numbers of tensor, ndarray or tftensor as an array of module `xp` (numpy when None).

        Always writable. A tensor or ndarray of integers alone becomes int64, as in Seldon's wrapper, other numbers
        float64; an ndarray of anything else what numpy.array makes of the nested list.
        """

    def value(self) -> Any:
        """The payload as a Python object: nested lists for ndarray, bytes, str, or what the JSON says (for
        customData too), an array for tensor and tftensor, None when there is no payload.
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
    """Opens a SeldonMessage. Raises DecodeError for what is no JSON object, ValueError for another kind of message."""

def open_list(message: message.Message) -> list[Parts]:
    """Opens a SeldonMessageList, a bare array or an object with `seldonMessages`: its messages in order."""

def open_feedback(message: message.Message) -> FeedbackParts:
    """Opens a Feedback. Raises as `open` does."""
