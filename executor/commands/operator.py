"""Owns `millrace operator`: SeldonDeployments of a cluster become running pods.

Must not know how: `operator_lite` does, and is imported when the command runs.
"""

import argparse
import importlib.util
from collections.abc import Mapping

from executor import app, options, webhook_options

PURPOSE = "run SeldonDeployments in a Kubernetes cluster, or show what would change there"
EPILOG = """\
In a cluster it is the program of the operator's Deployment, and needs no options. Elsewhere it takes the cluster that
kubectl would (--kubeconfig, KUBECONFIG). Several may run: one leads, the others wait.

--dry-run changes nothing. It prints, for each SeldonDeployment, what this operator would make, change and delete, as
the API server would do it: run it before this operator takes over from Seldon's.

examples:
  millrace operator --dry-run                        what would change in the whole cluster
  millrace operator --dry-run --namespace models     and in one namespace
  millrace operator --namespace models               take care of one namespace alone
  millrace operator --kubeconfig k --no-leader-election --metrics-addr 127.0.0.1:8080
                                                     from a machine of your own

environment: WATCH_NAMESPACE, POD_NAMESPACE, POD_NAME, CONTROLLER_ID, MILLRACE_IMAGE, TRAFFIC, GATEWAY, and the other
variables of Seldon's operator; docs/operator.md lists them. The config map (--config-map) takes the same names, and
wins over them; a change of it counts within seconds.
"""
NEEDS = "the operator needs the client of Kubernetes: pip install 'millrace[operator]'"


def main(parsed: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Runs it; the exit status."""
    if importlib.util.find_spec("kubernetes") is None:
        raise options.UsageError(NEEDS)
    from operator_lite import election, program

    app.log_to_stderr(parsed.log_level)
    if parsed.renew_deadline >= parsed.lease_duration:
        raise options.UsageError("--renew-deadline must be shorter than --lease-duration, or two could lead at once")
    found = program.Options(
        namespace=parsed.namespace if parsed.namespace is not None else environment.get("WATCH_NAMESPACE", ""),
        own_namespace=parsed.operator_namespace,
        kubeconfig=parsed.kubeconfig,
        context=parsed.context,
        config_map=parsed.config_map,
        lease=parsed.leader_election_id,
        elects=parsed.leader_election,
        terms=election.Terms(parsed.lease_duration, parsed.renew_deadline, parsed.retry_period),
        workers=parsed.workers,
        resync_s=parsed.resync,
        settle_s=parsed.route_settle,
        pages=parsed.metrics_addr,
        webhook=webhook_options.read(parsed),
    )
    return program.preview(found, environment) if parsed.dry_run else program.run(found, environment)


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--dry-run", action="store_true", help="print what would change, and change nothing")
    parser.add_argument("--log-level", choices=options.LOG_LEVELS, default="info", help="(default info)")
    cluster = parser.add_argument_group("which cluster, and what of it")
    cluster.add_argument("--namespace", metavar="NAME",
                         help="take care of this one alone (default: WATCH_NAMESPACE, or all)")  # fmt: skip
    cluster.add_argument("--kubeconfig", default="", metavar="FILE", help="(default: the cluster that it runs in, or "
                         "what KUBECONFIG names)")  # fmt: skip
    cluster.add_argument("--context", default="", metavar="NAME", help="of the kubeconfig (default: its current one)")
    cluster.add_argument("--operator-namespace", default="", metavar="NAME",
                         help="where config map and Lease are (default: POD_NAMESPACE, or its own)")  # fmt: skip
    cluster.add_argument("--config-map", default="millrace-config", metavar="NAME",
                         help="with settings, if there is one; may be seldon-config (default %(default)s)")  # fmt: skip
    _add_running(parser.add_argument_group("how it runs"))
    webhook_options.add(parser)
    _add_election(parser.add_argument_group("which of several leads"))


def _add_running(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--workers", type=options.positive, default=4, metavar="N",
                       help="resources that are looked at at once (default %(default)s)")  # fmt: skip
    group.add_argument("--resync", type=options.seconds, default=600.0, metavar="TIME",
                       help="look at all resources this often, whatever happens (default 10m)")  # fmt: skip
    group.add_argument("--route-settle", type=options.seconds, default=10.0, metavar="TIME",
                       help="time that gateways have to hear of a route before old pods go (default 10s)")  # fmt: skip
    group.add_argument("--metrics-addr", type=_address, default=("0.0.0.0", 8080), metavar="[HOST]:PORT",
                       help="/metrics, /healthz and /readyz; 0 for none (default :8080)")  # fmt: skip


def _add_election(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--leader-election", action=argparse.BooleanOptionalAction, default=True,
                       help="(default: yes) without it there must be only one")  # fmt: skip
    group.add_argument("--leader-election-id", default="millrace-operator", metavar="NAME",
                       help="the Lease's name; CONTROLLER_ID is added to it (default %(default)s)")  # fmt: skip
    group.add_argument("--lease-duration", type=options.seconds, default=15.0, metavar="TIME",
                       help="a leader that is silent for longer is replaced (default 15s)")  # fmt: skip
    group.add_argument("--renew-deadline", type=options.seconds, default=10.0, metavar="TIME",
                       help="a leader that cannot renew the Lease for this long gives up (default 10s)")  # fmt: skip
    group.add_argument("--retry-period", type=options.seconds, default=2.0, metavar="TIME",
                       help="between two tries (default 2s)")  # fmt: skip


def _address(text: str) -> tuple[str, int] | None:
    if text == "0":
        return None
    host, separator, number = text.rpartition(":")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is no address; write it as HOST:PORT or :PORT, or 0 for none")
    return host.strip("[]") or "0.0.0.0", options.port(number)
