"""Owns the Python face of the codec table, for tools, clients and tests. Must not know any protocol."""

from collections.abc import Iterable

from executor._native import message

def scan(message: message.Message) -> None:
    """Checks the envelope. Raises DecodeError for what is none."""

def route(answer: message.Message) -> int:
    """The route that a router's answer means. Raises DecodeError where there should be one and is none."""

def edit_meta(message: message.Message, routing: dict[str, int], puid: str = "") -> message.Message:
    """The same message with `routing` entries and `puid` added inside its one meta field, by reference."""

def make_list(messages: Iterable[message.Message], encoding: int | None = None) -> message.Message:
    """One list message of `messages`, all of one encoding, by reference. Without any, `encoding` says which."""

def feedback_routes(feedback: message.Message, nodes: Iterable[str]) -> list[int]:
    """The routes that a feedback message's response took at `nodes`; -1 where it says nothing."""

def feedback_puid(feedback: message.Message) -> str:
    """The start of the puid of the request that a feedback message is about; "" where it says nothing."""

def transcode(message: message.Message, encoding: int) -> message.Message:
    """The same message in another encoding. Raises DecodeError, or Error when there is no such way."""
