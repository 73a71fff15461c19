"""Owns how failures of a component look over gRPC where clients know Seldon's wrapper: as grpcio words exceptions.

Must not change what REST answers, nor failures that are not the component's: deadlines, limits, shutdown.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from executor._native import message as native
from executor.errors import Error
from executor.status import Status
from executor.types import Encoding, Mode

Handler = Callable[[native.Message, Any], native.Message] | Callable[[native.Message, Any], Awaitable[native.Message]]
CALLING = "Exception calling application: "


def around(mode: Mode, handler: Any) -> Handler:
    """`handler`, whose errors over gRPC have the one status and the words that grpcio has for all exceptions."""

    async def run_async(message: native.Message, context: Any) -> native.Message:
        try:
            answer: native.Message = await handler(message, context)
        except Error as error:
            _reword(error, message.encoding)
            raise
        return answer

    def run(message: native.Message, context: Any) -> native.Message:
        try:
            answer: native.Message = handler(message, context)
        except Error as error:
            _reword(error, message.encoding)
            raise
        return answer

    return run_async if mode is Mode.ASYNC else run


def no_graph() -> Error:
    """The error for asking a component for the metadata of a graph: an exception too, to Seldon's wrapper."""
    return Error(f"{CALLING}GraphMetadata is a graph's, and this is one node", status=Status.UNKNOWN)


def _reword(error: Error, encoding: int) -> None:
    if encoding == Encoding.SELDON_PROTO:
        error.message = f"{CALLING}{error.said or error.message}"
        error.status, error.details = Status.UNKNOWN, None
