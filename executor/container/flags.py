"""Owns the flags of Seldon's executor, spelled and read as Go's flag package does it, and our own flags beside them.

Must not decide what they mean together with the environment: `executor.container.settings` does.
"""

import argparse
import re

from executor import channel_options, options, server_options, state_options, tls_options, watch_options
from executor.cpus import processes
from executor.settings import ALL_INTERFACES, PayloadLogSettings

ANNOTATIONS = "/etc/podinfo/annotations"
"""Where Kubernetes' downward API puts those of the pod, as Seldon's operator mounts it."""

_LOG = PayloadLogSettings()
_UNIT_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
_DURATION_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_BOOLEANS = dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True) | dict.fromkeys(
    ("0", "f", "F", "false", "FALSE", "False"), False
)


def boolean(text: str) -> bool:
    """What Go reads as a boolean."""
    if text not in _BOOLEANS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a boolean; allowed are {', '.join(_BOOLEANS)}")
    return _BOOLEANS[text]


def integer(text: str) -> int:
    """What Go reads as a whole number."""
    try:
        return int(text, 0)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def duration(text: str) -> float:
    """Seconds of what Go reads as a duration, such as `15s` or `1m30s`."""
    bare = text.removeprefix("+")
    parts = _DURATION_PART.findall(bare)
    if bare != "0" and (not parts or "".join(map("".join, parts)) != bare):
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration of 0 or more; write it like 15s, 500ms or 1m30s")
    return sum(float(number) * _UNIT_S[unit] for number, unit in parts)


def filled(text: str) -> str:
    """A text that is not empty."""
    if not text:
        raise argparse.ArgumentTypeError("must not be empty")
    return text


def spelled(argument: str) -> str:
    """An argument as our parser takes it: Go's flags begin with one dash or two, and Seldon's have underscores."""
    name, separator, value = argument.partition("=")
    bare = name.lstrip("-")
    if bare == name or len(bare) < 2 or not bare[0].isalpha():
        return argument
    underscored = bare.replace("-", "_")
    return f"--{underscored if underscored in NAMES else bare}{separator}{value}"


NAMES = frozenset({
    "sdep", "namespace", "predictor", "server_type", "http_port", "grpc_port", "protocol", "transport", "file",
    "config", "hostname", "graceful_timeout", "shutdown_delay", "logger_workers", "log_work_buffer_size",
    "log_write_timeout_ms", "prometheus_path", "kafka_broker", "kafka_input_topic", "kafka_output_topic",
    "kafka_full_graph", "kafka_workers", "kafka_auto_commit", "log_kafka_broker", "log_kafka_topic",
    "full_health_checks", "debug", "log_level",
})  # fmt: skip
"""Seldon's."""


def add(parser: options.Parser) -> None:
    """All flags."""
    parser.spelled = spelled
    _add_identity(parser.add_argument_group("what is served"))
    _add_serving(parser.add_argument_group("how it is served"))
    _add_logging(parser.add_argument_group("logging"))
    _add_kafka(parser.add_argument_group("Kafka mode, which is refused"))
    _add_own(parser)


def _add_identity(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--sdep", type=filled, required=True, metavar="NAME", help="name of the SeldonDeployment")
    group.add_argument("--namespace", type=filled, required=True, metavar="NAME", help="its namespace")
    group.add_argument("--predictor", type=filled, required=True, metavar="NAME", help="which of its predictors")
    group.add_argument("--file", metavar="FILE", help="the SeldonDeployment (default: ENGINE_PREDICTOR is served)")
    group.add_argument("--hostname", default="", metavar="NAME", help="of this pod (default: POD_NAME, or localhost)")
    group.add_argument("--config", metavar="FILE", help="accepted, and without effect")


def _add_serving(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--http_port", type=options.port, default=8080, metavar="PORT", help="(default 8080)")
    group.add_argument("--grpc_port", type=options.port, default=5000, metavar="PORT", help="(default 5000)")
    group.add_argument("--server_type", choices=("rpc", "kafka"), default="rpc", help="(default rpc; kafka is refused)")
    group.add_argument("--protocol", choices=("seldon", "tensorflow", "v2", "kfserving"), default="seldon",
                       help="(default seldon; all others are refused)")  # fmt: skip
    group.add_argument("--transport", choices=("rest", "grpc"), default="rest",
                       help="without effect: both are served, and nodes are spoken to as clients speak")  # fmt: skip
    group.add_argument("--graceful_timeout", type=duration, default=15.0, metavar="TIME",
                       help="how long requests may take to end when it is stopped (default 15s)")  # fmt: skip
    group.add_argument("--shutdown_delay", type=duration, default=0.0, metavar="TIME",
                       help="how long it goes on before, not ready any more (default 0s)")  # fmt: skip
    group.add_argument("--full_health_checks", type=boolean, nargs="?", const=True, default=False, metavar="BOOL",
                       help="/ready asks nodes for their health, instead of whether they listen")  # fmt: skip
    group.add_argument("--prometheus_path", default="/metrics", metavar="PATH", help="(default /metrics)")


def _add_logging(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--debug", type=boolean, nargs="?", const=True, metavar="BOOL",
                       help="log everything (default: SELDON_DEBUG)")  # fmt: skip
    group.add_argument("--log_level", metavar="LEVEL", help="(default: SELDON_LOG_LEVEL, or INFO)")
    group.add_argument("--logger_workers", type=options.positive, default=_LOG.workers, metavar="N",
                       help=f"workers of the payload log (default {_LOG.workers})")  # fmt: skip
    group.add_argument("--log_work_buffer_size", type=options.positive, default=_LOG.queue_max, metavar="N",
                       help=f"payloads that may wait to be logged (default {_LOG.queue_max})")  # fmt: skip
    group.add_argument("--log_write_timeout_ms", type=integer, default=_LOG.write_timeout_ms, metavar="MS",
                       help=f"how long they may wait for room to wait (default {_LOG.write_timeout_ms})")  # fmt: skip
    group.add_argument("--log_kafka_broker", default="", metavar="HOST", help="refused")
    group.add_argument("--log_kafka_topic", default="", metavar="TOPIC", help="without effect")


def _add_kafka(group: "argparse._ArgumentGroup") -> None:
    for name in ("kafka_broker", "kafka_input_topic", "kafka_output_topic"):
        group.add_argument(f"--{name}", default="", metavar="TEXT", help="without effect")
    for name in ("kafka_full_graph", "kafka_auto_commit"):
        group.add_argument(f"--{name}", type=boolean, nargs="?", const=True, metavar="BOOL", help="without effect")
    group.add_argument("--kafka_workers", type=integer, metavar="N", help="without effect")


def _add_own(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("millrace's own")
    group.add_argument("--host", default=ALL_INTERFACES, metavar="ADDRESS", help="to listen on (default: all)")
    group.add_argument("--workers", type=processes, metavar="N",
                       help="processes that serve (default: GOMAXPROCS, or by the container's limits)")  # fmt: skip
    group.add_argument("--no-routing-meta", action="store_true",
                       help="leave meta.routing out of answers; feedback then cannot follow the route")  # fmt: skip
    group.add_argument("--annotations", metavar="FILE", help=f"those of the pod (default {ANNOTATIONS})")
    group.add_argument("--prepackaged", choices=("remote", "in-process"), default="remote",
                       help="whether servers with a modelUri run here (default remote)")  # fmt: skip
    options.add_bounds(group, None)
    server_options.add(parser)
    tls_options.add_serving(parser)
    tls_options.add_nodes(parser)
    channel_options.add(parser)
    state_options.add_serving(parser)
    watch_options.add(parser, page=False)
