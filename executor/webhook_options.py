"""Owns the options of the operator's admission webhook: how they are written.

Must not know what a webhook does: `operator_lite.webhook` does.
"""

import argparse
from collections.abc import Mapping

from executor import options


def add(parser: argparse.ArgumentParser) -> None:
    """Those of `millrace operator`."""
    group = parser.add_argument_group("the admission webhook, which refuses what is wrong when it is applied")
    group.add_argument("--webhook-port", type=_address, default=None, metavar="[HOST:]PORT",
                       help="serve it here; 0 for none (default: none; the manifests say 4443)")  # fmt: skip
    group.add_argument("--webhook-service", default="millrace-webhook", metavar="NAME",
                       help="its Service, in the operator's namespace (default %(default)s)")  # fmt: skip
    group.add_argument("--webhook-secret", default="millrace-webhook-tls", metavar="NAME",
                       help="where its keys are kept, for all replicas (default %(default)s)")  # fmt: skip
    group.add_argument("--webhook-configuration", default="millrace-webhook", metavar="NAME",
                       help="the configurations that are told its CA (default %(default)s)")  # fmt: skip


def read(parsed: argparse.Namespace) -> Mapping[str, str | int] | None:
    """What they say; None without a webhook."""
    if parsed.webhook_port is None:
        return None
    host, port = parsed.webhook_port
    return {
        "host": host,
        "port": port,
        "service": parsed.webhook_service,
        "secret": parsed.webhook_secret,
        "configuration": parsed.webhook_configuration,
    }


def _address(text: str) -> tuple[str, int] | None:
    host, _, number = text.rpartition(":")
    port = options.port(number)
    return (host.strip("[]") or "0.0.0.0", port) if port else None
