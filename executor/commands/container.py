"""Owns `millrace executor`: a graph served as the container that Seldon's operator puts beside its nodes.

Must not serve it itself, nor know what its flags mean: `executor.container` does.
"""

import argparse
import logging
from collections.abc import Mapping

from executor import options, server_options
from executor.container import flags, settings

log = logging.getLogger("millrace")

PURPOSE = "serve a graph as Seldon's executor container does"
EPILOG = """\
Takes the flags, environment variables and pod annotations of Seldon Core v1's executor (seldon-container-engine).
The graph is the predictor in ENGINE_PREDICTOR (base64 of its JSON), or that of --file. Nodes are where its endpoints
say: REST requests go to their httpPort, gRPC requests to their grpcPort; where the endpoints' types differ, each node
is spoken to as its type says.

examples:
  millrace executor --sdep churn --namespace shop --predictor main --http_port 8000 --grpc_port 5001
  millrace executor --sdep churn --namespace shop --predictor main --file deployment.yaml --full_health_checks=true

environment: ENGINE_PREDICTOR, POD_NAME, REQUEST_LOGGER_DEFAULT_ENDPOINT, SELDON_ENABLE_ROUTING_INJECTION,
CORS_ALLOWED_ORIGINS, CORS_ALLOWED_HEADERS, SELDON_CERT_MOUNT_PATH, SELDON_CERT_FILE_NAME, SELDON_CERT_KEY_FILE_NAME,
SELDON_DEBUG, SELDON_LOG_LEVEL, GOMAXPROCS.
"""


def main(parsed: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Serves until it is told to stop; the exit status."""
    asked = settings.read(parsed, environment)
    server_options.export(parsed, environment)
    from executor import app

    app.log_to_stderr(asked.settings.log_level, asked.settings.watch.log_format)
    for note in asked.notes:
        log.warning("%s", note)
    return app.run(asked.settings, asked.text)


def add(parser: options.Parser) -> None:
    """Its flags."""
    flags.add(parser)
