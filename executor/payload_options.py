"""Owns the options of payload logging: what `millrace run` calls them, and the settings they make.

Must not log anything.
"""

import argparse

from executor.settings import PayloadLogSettings


def add(parser: "argparse._ActionsContainer") -> None:
    """The options."""
    parser.add_argument("--payload-log-url", default="", metavar="URL",
                        help="where payloads of nodes with a `logger` go, if that names no url")  # fmt: skip


def read(parsed: argparse.Namespace) -> PayloadLogSettings | None:
    """What they ask for."""
    return PayloadLogSettings(default_url=parsed.payload_log_url) if parsed.payload_log_url else None
