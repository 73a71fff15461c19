"""Owns clients that ask without a pause while a test does something, and what becomes of their requests.

Must not know what is done meanwhile.
"""

import threading
import time
from typing import Any, Self

from support.clients import Client, GrpcClient, RestClient
from support.processes import poll

PAUSE_S = 0.005
"""After a request that failed: whoever refuses at once must not make a busy loop of us."""


class Asking:
    """Each client is a thread with a connection of its own. Leaving the `with` block stops them.

    They say `said` and must hear it again; a text stands for strData. Over REST only with an `http_port`.
    """

    def __init__(self, target: str | None, said: Any, http_port: int | None = None, each: int = 2) -> None:
        self.failed: list[Exception] = []
        self._said = {"strData": said} if isinstance(said, str) else said
        self._over = threading.Event()
        self._grpc = [GrpcClient(target) for _ in range(each)] if target is not None else []
        rest = [RestClient(http_port) for _ in range(each)] if http_port is not None else []
        made: list[Client] = [*self._grpc, *rest]
        self.answered = [0] * len(made)
        self._threads = [threading.Thread(target=self._ask, args=pair) for pair in enumerate(made)]

    def _ask(self, index: int, client: Client) -> None:
        while not self._over.is_set():
            try:
                reply = client.predict(self._said)
                assert {key: reply.said[key] for key in self._said} == self._said, reply
                self.answered[index] += 1
            except Exception as error:
                self.failed.append(error)
                time.sleep(PAUSE_S)

    @property
    def statuses(self) -> set[Any]:
        """How requests failed, those that were refused in good order by their status."""
        return {getattr(each, "status", type(each)) for each in self.failed}

    def go_on(self, more: int = 5, timeout_s: float = 30.0) -> None:
        """Waits until each client has had so many more answers."""
        before = list(self.answered)
        poll(
            lambda: all(now >= old + more for now, old in zip(self.answered, before, strict=True)),
            timeout_s,
            f"{more} more answers for each: {before}, {self.answered}, {self.failed[-3:]}",
        )

    def settle(self, more: int = 20, rounds: int = 50) -> None:
        """Waits until each client has had so many more answers, and none failed in the meantime."""
        for _ in range(rounds):
            failed = len(self.failed)
            self.go_on(more)
            if len(self.failed) == failed:
                return
        raise AssertionError(f"requests keep failing: {self.failed[-3:]}")

    def __enter__(self) -> Self:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for each in self._threads:
            each.join()
        for client in self._grpc:
            client.channel.close()
