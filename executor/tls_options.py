"""Owns the TLS options of the command line: how they are written, what they and the environment mean.

Must not open files: `executor.tls` reads them.
"""

import argparse
import os
from collections.abc import Mapping

from executor import errors
from executor.settings import NodeTlsSettings, TlsSettings

CERT_NAME, KEY_NAME = "tls.crt", "tls.key"


def add_serving(parser: argparse.ArgumentParser) -> None:
    """What `millrace run` and `millrace node` serve with."""
    group = parser.add_argument_group("TLS", "for clients; files that change are loaded again")
    group.add_argument("--tls-cert", metavar="FILE", help="serve gRPC and REST over TLS with this certificate chain")
    group.add_argument("--tls-key", metavar="FILE", help="its key")
    group.add_argument("--tls-client-ca", metavar="FILE", help="ask clients for a certificate of one of these CAs")


def add_nodes(parser: argparse.ArgumentParser) -> None:
    """How `millrace run` reaches nodes."""
    group = parser.add_argument_group("TLS to nodes", "for endpoints grpcs:// and https://")
    group.add_argument("--node-ca", metavar="FILE", help="CAs of the nodes' certificates (default: the system's)")
    group.add_argument("--node-cert", metavar="FILE", help="certificate chain to show to nodes that ask for one")
    group.add_argument("--node-key", metavar="FILE", help="its key")


def serving(parsed: argparse.Namespace, environment: Mapping[str, str]) -> TlsSettings | None:
    """From the arguments, else from Seldon's environment variables. Raises `errors.RequestError`."""
    cert, key = parsed.tls_cert, parsed.tls_key
    if cert is None and key is None and environment.get("SELDON_CERT_MOUNT_PATH"):
        folder = environment["SELDON_CERT_MOUNT_PATH"]
        cert = os.path.join(folder, environment.get("SELDON_CERT_FILE_NAME") or CERT_NAME)
        key = os.path.join(folder, environment.get("SELDON_CERT_KEY_FILE_NAME") or KEY_NAME)
    _both("--tls-cert", cert, "--tls-key", key)
    if cert is None and parsed.tls_client_ca is not None:
        raise errors.RequestError("--tls-client-ca: needs --tls-cert and --tls-key")
    return None if cert is None else TlsSettings(cert, key, parsed.tls_client_ca)


def nodes(parsed: argparse.Namespace) -> NodeTlsSettings:
    """From the arguments. Raises `errors.RequestError`."""
    _both("--node-cert", parsed.node_cert, "--node-key", parsed.node_key)
    return NodeTlsSettings(parsed.node_ca, parsed.node_cert, parsed.node_key)


def add_client(parser: argparse.ArgumentParser) -> None:
    """How `millrace call` asks."""
    group = parser.add_argument_group("TLS")
    group.add_argument("--tls", action="store_true", help="ask over TLS; so do the other options here")
    group.add_argument("--ca", metavar="FILE", help="CAs of the server's certificate (default: the system's)")
    group.add_argument("--cert", metavar="FILE", help="certificate chain to show to a server that asks for one")
    group.add_argument("--key", metavar="FILE", help="its key")


def client(parsed: argparse.Namespace) -> NodeTlsSettings | None:
    """From the arguments; None is without TLS. Raises `errors.RequestError`."""
    _both("--cert", parsed.cert, "--key", parsed.key)
    if not parsed.tls and parsed.ca is None and parsed.cert is None:
        return None
    return NodeTlsSettings(parsed.ca, parsed.cert, parsed.key)


def _both(first: str, cert: str | None, second: str, key: str | None) -> None:
    if (cert is None) != (key is None):
        given, missing = (first, second) if key is None else (second, first)
        raise errors.RequestError(f"{given}: needs {missing} as well")
