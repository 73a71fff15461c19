"""Owns a client that asks a graph over TLS: at an address, by the name that its certificate is for, trusting one CA.

Must not keep a connection: each request makes one, with a handshake of its own.
"""

import http.client
import json
import socket
import ssl
from typing import Any

import grpc
from google.protobuf import json_format

from executor._pb import seldon_pb2, seldon_pb2_grpc

TIMEOUT_S = 20.0


class SecureClient:
    """One that trusts `ca`, a PEM text."""

    def __init__(self, ca: bytes, address: str, name: str, http_port: int = 8000, grpc_port: int = 5001) -> None:
        self._ca = ca
        self._name = name
        self._rest = (address, http_port)
        self._grpc = f"{address}:{grpc_port}"

    def rest(self, said: dict[str, Any]) -> Any:
        """The answer over REST. Raises `ssl.SSLError` for a certificate that it does not trust."""
        context = ssl.create_default_context(cadata=self._ca.decode())
        plain = socket.create_connection(self._rest, TIMEOUT_S)
        with plain, context.wrap_socket(plain, server_hostname=self._name) as wrapped:
            connection = http.client.HTTPConnection(self._name)
            connection.sock = wrapped
            headers = {"Content-Type": "application/json"}
            connection.request("POST", "/api/v1.0/predictions", json.dumps(said), headers)
            answer = connection.getresponse()
            body = answer.read()
        assert answer.status == 200, f"{answer.status}: {body.decode(errors='replace')}"
        return json.loads(body)

    def grpc(self, said: dict[str, Any]) -> Any:
        """The answer over gRPC. Raises `grpc.RpcError`, UNAVAILABLE for a certificate that it does not trust."""
        options = (("grpc.ssl_target_name_override", self._name), ("grpc.use_local_subchannel_pool", 1))
        with grpc.secure_channel(self._grpc, grpc.ssl_channel_credentials(self._ca), options) as channel:
            message = json_format.ParseDict(said, seldon_pb2.SeldonMessage())
            return json_format.MessageToDict(seldon_pb2_grpc.SeldonStub(channel).Predict(message, timeout=TIMEOUT_S))
