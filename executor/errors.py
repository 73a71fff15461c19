"""Owns the error tree: every error that a caller of millrace can meet, each with its gRPC status.

Must not know any protocol's error body (see `executor.protocol`) nor decide how an error is logged.

    Error                      base; carries the status, the reason, and the node if there is one
    ├── ManifestError          the user's manifest is wrong: all problems of a file at once
    ├── ComponentError         user code failed, or answered something that cannot be sent
    ├── DecodeError            bytes or text that are not what they claim to be, with the offset
    ├── EncodeError            a value that the wanted encoding cannot hold
    ├── RequestError           the caller's request cannot be served as it is
    ├── RouteError             a router answered a route that does not exist
    ├── FetchError             files of a model could not be had
    ├── NodeError              a remote node failed or could not be reached
    ├── StateError             what routers have learned cannot be read or written
    ├── LimitError             a bound was met: message too large, queue full
    ├── DeadlineError          the deadline passed first
    └── CancelledError         the caller went away
"""

from collections.abc import Sequence
from dataclasses import dataclass

from executor.status import HTTP_OF_STATUS, Status


class Error(Exception):
    """Base of all errors that millrace raises on purpose.

    `status` is the gRPC status it becomes on the wire; `http_status` what a REST caller sees; `reason` a short
    upper-case word for Seldon-form bodies; `node` the graph node it happened at, if any; `details` the raw
    `grpc-status-details-bin` bytes that came with it, if any; `body` a node's own error body, passed on as it is.
    """

    status: Status = Status.INTERNAL
    reason: str = "INTERNAL_ERROR"
    said: str | None = None
    """What user code said itself, without where it was: all that a node alone answers, as Seldon's wrapper does."""

    def __init__(
        self,
        message: str,
        *,
        status: Status | None = None,
        http_status: int | None = None,
        reason: str | None = None,
        node: str | None = None,
        details: bytes | None = None,
        body: bytes | None = None,
        body_type: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if status is not None:
            self.status = status
        if reason is not None:
            self.reason = reason
        self.http_status = http_status if http_status is not None else HTTP_OF_STATUS[self.status]
        self.node = node
        self.details = details
        self.body = body
        self.body_type = body_type


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a manifest: where it is and what is allowed there."""

    path: str
    """Dotted path of the field, for example `spec.predictors[0].graph.children[1].type`."""
    message: str
    line: int | None = None
    """1-based line in the file, when it came from a file."""
    column: int | None = None

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line is not None else ""
        return f"{where}{self.path}: {self.message}" if self.path else f"{where}{self.message}"


class ManifestError(Error):
    """The user's manifest is wrong. `problems` holds everything that is wrong with it."""

    status = Status.INVALID_ARGUMENT
    reason = "INVALID_MANIFEST"

    def __init__(self, problems: Sequence[Problem], source: str = "") -> None:
        self.problems = tuple(problems)
        self.source = source
        count = len(self.problems)
        head = f"{source}: {count} problem{'s' if count != 1 else ''}" if source else f"{count} problem(s)"
        super().__init__("\n  ".join([head, *map(str, self.problems)]))


class ComponentError(Error):
    """User code failed, or answered something that cannot be sent."""

    reason = "MICROSERVICE_INTERNAL_ERROR"


class DecodeError(Error):
    """Bytes or text that are not what they claim to be. `offset` counts bytes from the start of the message."""

    status = Status.INVALID_ARGUMENT
    reason = "MICROSERVICE_BAD_DATA"

    def __init__(self, message: str, offset: int | None = None, *, node: str | None = None) -> None:
        text = f"{message} (at byte {offset})" if offset is not None else message
        super().__init__(text, node=node)
        self.offset = offset


class EncodeError(Error):
    """A value that the wanted encoding cannot hold, such as NaN in an ndarray sent as JSON."""

    status = Status.INVALID_ARGUMENT
    reason = "MICROSERVICE_BAD_DATA"


class RequestError(Error):
    """The caller's request cannot be served as it is: unknown node, unknown method, wrong form."""

    status = Status.INVALID_ARGUMENT
    reason = "BAD_REQUEST"


class RouteError(Error):
    """A router answered a route that does not exist; names the node, the value and the allowed range."""

    reason = "BAD_ROUTE"


class FetchError(Error):
    """Files of a model could not be had: they are not there, or the way to them failed."""

    status = Status.UNAVAILABLE
    reason = "NOT_FETCHED"


class NodeError(Error):
    """A remote node failed or could not be reached."""

    status = Status.UNAVAILABLE
    reason = "NODE_ERROR"


class StateError(Error):
    """What routers have learned cannot be read or written. Whether an event was counted is then not known."""

    status = Status.UNAVAILABLE
    reason = "STATE_UNAVAILABLE"


class LimitError(Error):
    """A bound was met: message too large, queue full."""

    status = Status.RESOURCE_EXHAUSTED
    reason = "LIMIT_EXCEEDED"


class DeadlineError(Error):
    """The deadline passed before the answer was there."""

    status = Status.DEADLINE_EXCEEDED
    reason = "DEADLINE_EXCEEDED"


class CancelledError(Error):
    """The caller went away before the answer was there."""

    status = Status.CANCELLED
    reason = "CANCELLED"
