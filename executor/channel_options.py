"""Owns the command line's options on connections to gRPC nodes: how they are written, what they mean.

Must not connect: `executor.rpc.channels` does.
"""

import argparse

from executor import errors
from executor.settings import ChannelSettings

_DEFAULT = ChannelSettings()


def add(parser: argparse.ArgumentParser) -> None:
    """How `millrace run` keeps its connections to gRPC nodes."""
    group = parser.add_argument_group("connections to gRPC nodes", "TIME is like 2s, 500ms or 5m; off: never")
    group.add_argument("--node-connections", type=_count, default=_DEFAULT.connections, metavar="N",
                       help="to an address that may stand for several servers, as a Service's does; more than one"
                            f" only under load (default {_DEFAULT.connections})")  # fmt: skip
    group.add_argument("--node-max-age", type=_time_or_off, default=_DEFAULT.max_age_s, metavar="TIME",
                       help=f"replace connections at this age, ±20 %% (default {_DEFAULT.max_age_s:g}s)")  # fmt: skip
    group.add_argument("--node-resolve-every", type=_time, default=_DEFAULT.resolve_every_s, metavar="TIME",
                       help=f"look host names up again (default {_DEFAULT.resolve_every_s:g}s)")  # fmt: skip
    group.add_argument("--node-calls-max", type=_count, default=_DEFAULT.calls_max, metavar="N",
                       help=f"calls of a worker at once; more wait (default {_DEFAULT.calls_max})")  # fmt: skip
    group.add_argument("--node-keepalive", type=_time_or_off, default=_DEFAULT.keepalive_s, metavar="TIME",
                       help="PING a connection whose calls have heard nothing for so long; mind that servers may"
                            " take PINGs for abuse (default off)")  # fmt: skip


def read(parsed: argparse.Namespace) -> ChannelSettings:
    """From the arguments."""
    return ChannelSettings(
        connections=parsed.node_connections,
        max_age_s=parsed.node_max_age,
        resolve_every_s=parsed.node_resolve_every,
        calls_max=parsed.node_calls_max,
        keepalive_s=parsed.node_keepalive,
    )


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _time(text: str) -> float:
    from executor.rest.headers import parse_timeout

    try:
        return parse_timeout(text, "time")
    except errors.RequestError as cause:
        raise argparse.ArgumentTypeError(cause.message) from None


def _time_or_off(text: str) -> float | None:
    return None if text == "off" else _time(text)
