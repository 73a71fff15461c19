"""Owns operators that run in tests' own process. Must not know what they should do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from support.cluster import Cluster

from operator_lite.api import Api
from operator_lite.config import Config
from operator_lite.controller import Controller
from operator_lite.metrics import Metrics

Running = Callable[..., Controller]
"""Starts an operator for a cluster: `(cluster, config, namespace, **options)`, of its namespace by default."""


@contextmanager
def operators() -> Iterator[Running]:
    """Starts operators, and stops them at the end."""
    running: list[Controller] = []

    def start(
        at: Cluster, config: Config | None = None, namespace: str | None = None, **options: Any
    ) -> Controller:  # fmt: skip
        where = at.namespace if namespace is None else namespace
        api = Api.connect(str(at.kubeconfig))
        options = {"settle_s": 0.0, **options}
        found = Controller(api, config or Config(image="millrace:test"), Metrics(), where, **options)
        found.start()
        running.append(found)
        return found

    try:
        yield start
    finally:
        for each in running:
            each.stop()
