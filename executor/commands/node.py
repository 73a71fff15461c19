"""Owns `millrace node`: one Python class served as a node.

Must not serve it itself.
"""

import argparse
from collections.abc import Mapping

from executor import options, parameters, server_options, tls_options, watch_options, workers_option
from executor.settings import ListenSettings, NodeSettings

METRICS_PORT = "PREDICTIVE_UNIT_METRICS_SERVICE_PORT"
NODE_TYPES = ("MODEL", "ROUTER", "COMBINER", "TRANSFORMER", "OUTPUT_TRANSFORMER")
PURPOSE = "serve one Python class as a node"
EPILOG = """\
A class has methods named predict, transform_input, transform_output, route, aggregate or send_feedback, as Seldon's
Python classes do. In its place may stand SKLEARN_SERVER, XGBOOST_SERVER, MLFLOW_SERVER or ONNX_SERVER.

examples:
  millrace node model.py:Model --type MODEL
  millrace node model.py:Model --parameters '{"threshold": 0.5}' --grpc-port 0
  millrace node router.py:Router --type ROUTER --uds /tmp/router.sock
  millrace node SKLEARN_SERVER --parameters '{"model_uri": "s3://models/iris"}'

environment: PREDICTIVE_UNIT_GRPC_SERVICE_PORT, PREDICTIVE_UNIT_HTTP_SERVICE_PORT, PREDICTIVE_UNIT_PARAMETERS and
PREDICTIVE_UNIT_ID stand in for --grpc-port, --http-port, --parameters and --name; metrics
are told at PREDICTIVE_UNIT_METRICS_ENDPOINT (/metrics) of the HTTP port, and of the port
PREDICTIVE_UNIT_METRICS_SERVICE_PORT where that is set;
SELDON_CERT_MOUNT_PATH, SELDON_CERT_FILE_NAME and SELDON_CERT_KEY_FILE_NAME for --tls-cert and --tls-key.
"""


def main(parsed: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Serves until it is told to stop; the exit status."""
    settings = settings_of(parsed, environment)
    server_options.export(parsed, environment)
    from executor import app

    return app.node(settings)


def settings_of(parsed: argparse.Namespace, environment: Mapping[str, str]) -> NodeSettings:
    """What `millrace node` was asked. Raises `UsageError`."""
    grpc_port, http_port, metrics_port = parsed.grpc_port, parsed.http_port, None
    if parsed.uds is None:
        grpc_port = options.port_from(environment, "PREDICTIVE_UNIT_GRPC_SERVICE_PORT", grpc_port, 5000)
        http_port = options.port_from(environment, "PREDICTIVE_UNIT_HTTP_SERVICE_PORT", http_port, 9000)
        if environment.get(METRICS_PORT):
            metrics_port = options.port_from(environment, METRICS_PORT, None, 0)
    text = parsed.parameters or environment.get("PREDICTIVE_UNIT_PARAMETERS") or "{}"
    return NodeSettings(
        component=parsed.component,
        type=parsed.type,
        name=parsed.name or environment.get("PREDICTIVE_UNIT_ID", ""),
        parameters=parameters.parse(text),
        listen=ListenSettings(parsed.host, grpc_port, http_port, parsed.uds),
        limits=options.limits(parsed, parsed.workers),
        default_timeout_s=parsed.default_timeout,
        tls=tls_options.serving(parsed, environment),
        threads=parsed.threads,
        log_level=parsed.log_level,
        workers=parsed.workers,
        metrics_port=metrics_port,
        metrics_path=environment.get("PREDICTIVE_UNIT_METRICS_ENDPOINT") or "/metrics",
        watch=watch_options.read(parsed),
    )


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("component", metavar="path.py:Class",
                        help="the class; or package.module:Class; or a server's name")  # fmt: skip
    parser.add_argument("--type", choices=NODE_TYPES, default="MODEL", help="(default MODEL)")
    parser.add_argument("--name", default="", help="name of the node in its graph")
    parser.add_argument("--parameters", metavar="JSON", help="constructor arguments, as an object of names and values")
    serving = options.add_serving(parser, None, (None, None))
    serving.add_argument("--uds", metavar="PATH",
                         help="serve gRPC on this unix socket; TCP then only where a port is given")  # fmt: skip
    workers_option.add_node(serving)
    server_options.add(parser)
    watch_options.add(parser, page=True)
