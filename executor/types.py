"""Owns the words that parts of the executor share: node methods, encodings, walks.

Must not hold behaviour. The numbers are those of the native modules (`_native/types.pxd`).
"""

from enum import IntEnum


class Method(IntEnum):
    """What a node is asked to do. One RPC or REST path each; which one is the protocol's business."""

    PREDICT = 0
    TRANSFORM_INPUT = 1
    TRANSFORM_OUTPUT = 2
    ROUTE = 3
    AGGREGATE = 4
    SEND_FEEDBACK = 5


class Encoding(IntEnum):
    """How a message is written."""

    ANY = -1
    """Only for endpoints: takes whatever encoding the message has."""
    SELDON_PROTO = 0
    SELDON_JSON = 1


class Form(IntEnum):
    """Which message of its protocol a message is."""

    MESSAGE = 0
    LIST = 1
    FEEDBACK = 2
    FOREIGN = 3
    """A request's body in no encoding known here, such as multipart: only for graphs whose nodes take it as it is.
    Its Content-Type and Content-Encoding travel with the request's headers.
    """


CODED = "\n"
"""Stands in a message's kind between its Content-Type and its Content-Encoding, where it has one."""


class Keeps(IntEnum):
    """Which codings of an answer are left as they are."""

    NONE = 0
    UNKNOWN = 1
    """Those that cannot be undone here."""
    ALL = 2


class Mode(IntEnum):
    """How a handler of a Python endpoint is run."""

    QUICK = 0
    """Inline on the event loop's thread: for code that returns in microseconds."""
    ASYNC = 1
    """A coroutine function, as a Task on the event loop."""
    BLOCKING = 2
    """In a bounded pool of threads."""
    CALLBACK = 3
    """Called inline, and answers later through its third argument, an `exits.Pending`."""


class Walk(IntEnum):
    """How a request goes through a plan."""

    PREDICT = 0
    """Input step, route, children, aggregate, output step; from the root down."""
    FEEDBACK = 1
    """Children on the taken path first, then the node itself."""
    CALL = 2
    """One method of the root node, once: what a node server does."""


ROUTE_ALL = -1
"""A router's answer: every child, in parallel."""
ROUTE_NONE = -2
"""A router's answer: no child; the message goes back as it is."""
