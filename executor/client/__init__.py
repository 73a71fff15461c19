"""Owns the public client: `Client` (blocking) and `AsyncClient` (asyncio) for graphs and nodes served over gRPC.

    from executor.client import Client

    with Client("localhost:5001") as client:
        response = client.predict(numpy.array([[1.0, 2.0]]), names=["a", "b"])
        print(response.array(), response.routing)
        client.feedback(None, response, reward=1.0)

Must not need grpcio or protobuf; who wants plain gRPC stubs finds them in `executor.client.stubs`.
"""

import logging

from executor.client.asynchronous import AsyncClient
from executor.client.payload import Response
from executor.client.synchronous import Client

# Python would print warnings of a library to stderr where the application has set up no logging.
logging.getLogger("millrace").addHandler(logging.NullHandler())

__all__ = ["AsyncClient", "Client", "Response"]
