"""Owns the options of the command line about what people watch a process with: log, page and admin port.

Must not serve nor log.
"""

import argparse

from executor import errors, options
from executor.telemetry.logs import FORMATS
from executor.watching import Watch

TRACES = """\
traces go where OTEL_EXPORTER_OTLP_ENDPOINT says, in the environment; a request
with the header `millrace-timing: 1` is told where its time went"""


def add(parser: argparse.ArgumentParser, page: bool) -> None:
    """What `millrace run`, `node` and `executor` take. `page` says whether there is one on the REST port by itself."""
    group = parser.add_argument_group("watching it", TRACES)
    add_format(group)
    group.add_argument("--access-log", action="store_true", help="log a line for every request")
    default = "default: yes" if page else "default: with --admin-port"
    group.add_argument("--page", action=argparse.BooleanOptionalAction, default=True if page else None,
                       help=f"a page at / that shows the graph at work ({default})")  # fmt: skip
    group.add_argument("--admin-port", type=options.port, metavar="PORT",
                       help="where page, metrics and /log-level are instead of the REST port")  # fmt: skip
    group.add_argument("--admin-host", metavar="ADDRESS",
                       help=f"address that the admin port listens on (default {Watch().admin_host})")  # fmt: skip


def add_format(parser: argparse._ActionsContainer) -> None:
    """The one of them that `millrace microservice` takes too."""
    parser.add_argument("--log-format", choices=FORMATS, default="console", help="(default console)")


def read(parsed: argparse.Namespace) -> Watch:
    """What they ask for. Raises RequestError."""
    if parsed.admin_host is not None and parsed.admin_port is None:
        raise errors.RequestError("--admin-host: needs --admin-port as well")
    return Watch(
        log_format=parsed.log_format,
        access_log=parsed.access_log,
        page=parsed.admin_port is not None if parsed.page is None else parsed.page,
        admin_host=parsed.admin_host or Watch().admin_host,
        admin_port=parsed.admin_port,
    )
