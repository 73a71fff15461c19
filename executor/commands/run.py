"""Owns `millrace run`: a graph served on this machine.

Must not serve it itself.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

from executor import (
    channel_options,
    manifest,
    options,
    payload_options,
    server_options,
    state_options,
    tls_options,
    watch_options,
    workers_option,
)
from executor.settings import ListenSettings, NodeTimeouts, RunSettings, parse_url

PURPOSE = "serve the graph of a manifest on this machine"
EPILOG = """\
Every node that is called needs a component (a Python class) or an endpoint, unless the manifest says where it is, or
it is a SKLEARN_SERVER, XGBOOST_SERVER, MLFLOW_SERVER or ONNX_SERVER with a modelUri: those run in this process.

examples:
  millrace run graph.yaml --component scaler=nodes.py:Scaler --component model=nodes.py:Model
  millrace run graph.yaml --endpoint model=grpc://127.0.0.1:9000 --endpoint scaler=http://127.0.0.1:9001
  millrace run graph.yaml --component model=nodes.py:Model --isolate model

endpoints are written grpc://HOST:PORT, unix:/PATH (gRPC over a unix socket) or http://HOST:PORT.
grpcs:// and https:// are the same over TLS.

A changed manifest, or SIGHUP, puts its graph in place of the one before without failing a request. For nodes that it
may bring, give their --component or --endpoint from the start; what no node uses is told, and waits.
"""


def main(parsed: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Serves until it is told to stop; the exit status."""
    settings = settings_of(parsed, environment)
    server_options.export(parsed, environment)
    from executor import app

    text = manifest.read(Path(settings.manifest))
    return app.run(workers_option.settled(parsed, settings, app.hosts(settings, text)), text)


def settings_of(parsed: argparse.Namespace, environment: Mapping[str, str]) -> RunSettings:
    """What `millrace run` was asked; one process where it says none. Raises `UsageError` and `errors.RequestError`."""
    components: dict[str, str] = parsed.component
    endpoints = {name: parse_url(url, f"--endpoint {name}:") for name, url in parsed.endpoint.items()}
    both = sorted(components.keys() & endpoints.keys())
    if both:
        raise options.UsageError(f"node {both[0]!r} has both a --component and an --endpoint; give one of them")
    lost = sorted(set(parsed.isolate) - components.keys())
    if lost:
        raise options.UsageError(f"--isolate {lost[0]}: only nodes with a --component can be isolated")
    workers = parsed.workers or 1
    return RunSettings(
        manifest=parsed.manifest,
        components=components,
        endpoints=endpoints,
        isolate=frozenset(parsed.isolate),
        document=parsed.document,
        predictor=parsed.predictor,
        listen=ListenSettings(parsed.host, parsed.grpc_port, parsed.http_port),
        limits=options.limits(parsed, workers * (1 + len(set(parsed.isolate)))),
        default_timeout_s=parsed.default_timeout,
        tls=tls_options.serving(parsed, environment),
        node_tls=tls_options.nodes(parsed),
        channels=channel_options.read(parsed),
        state=state_options.place(parsed, workers),
        routing_meta=not parsed.no_routing_meta,
        threads=parsed.threads,
        log_level=parsed.log_level,
        workers=workers,
        node_timeouts=NodeTimeouts(parsed.node_timeout, parsed.node_timeout, parsed.node_timeout),
        payload_log=payload_options.read(parsed),
        watch=watch_options.read(parsed),
    )


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    nodes = options.add_choice(parser)
    nodes.add_argument("--isolate", action="append", default=[], metavar="NODE",
                       help="run the node's component in a process of its own; again for each node")  # fmt: skip
    nodes.add_argument("--node-timeout", type=options.seconds, metavar="TIME",
                       help="what one call of a node may take (default: as long as its request)")  # fmt: skip
    serving = options.add_serving(parser, RunSettings("").default_timeout_s, (5001, 8000))
    workers_option.add_run(serving)
    serving.add_argument("--no-routing-meta", action="store_true",
                         help="leave meta.routing out of answers; feedback then cannot follow the route")  # fmt: skip
    payload_options.add(serving)
    tls_options.add_nodes(parser)
    channel_options.add(parser)
    state_options.add_serving(parser)
    server_options.add(parser)
    watch_options.add(parser, page=True)
