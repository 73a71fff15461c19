"""Owns clients that go on asking a graph through a gateway, over REST and gRPC, and what came of each request.

Must not try anything twice: a request that fails has failed.
"""

import http.client
import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from support.clients import GrpcClient
from support.gateway.running import Gateway

ASKED = {"data": {"ndarray": [[1.0, 2.0]]}}
PAUSE_S = 0.02
CLOSED_S = 30.0


class Client:
    """One that asks one graph."""

    def __init__(self, gateway: Gateway, namespace: str, name: str) -> None:
        self._host = urlsplit(gateway.http).netloc
        self._path = f"/seldon/{namespace}/{name}/api/v1.0"
        self._headers = (("seldon", name), ("namespace", namespace))
        self._grpc = GrpcClient(gateway.grpc)

    def rest(self) -> str:
        """Who answered over REST."""
        return str(self.asked(ASKED)["strData"])

    def asked(self, said: Mapping[str, Any], what: str = "predictions") -> Any:
        """The answer over REST."""
        connection = http.client.HTTPConnection(self._host, timeout=30)
        try:
            connection.request("POST", f"{self._path}/{what}", json.dumps(said), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == 200, f"{answer.status}: {body.decode(errors='replace')}"
            return json.loads(body)
        finally:
            connection.close()

    def grpc(self) -> str:
        """Who answered over gRPC."""
        return str(self._grpc.predict(ASKED, self._headers).said["strData"])

    def close(self) -> None:
        """Ends its connection."""
        self._grpc.channel.close()


class Load:
    """Requests one after the other, over each protocol, while the block runs."""

    def __init__(self, client: Client) -> None:
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []
        self._stop = threading.Event()
        ways = {"rest": client.rest, "grpc": client.grpc}
        self._threads = [threading.Thread(target=self._ask, args=each) for each in ways.items()]

    def __enter__(self) -> Self:
        for each in self._threads:
            each.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for each in self._threads:
            each.join(CLOSED_S)

    def _ask(self, way: str, ask: Callable[[], str]) -> None:
        while not self._stop.wait(PAUSE_S):
            try:
                self.answers[f"{way} {ask()}"] += 1
            except Exception as error:
                self.failures.append(f"{way}: {error!r}")
