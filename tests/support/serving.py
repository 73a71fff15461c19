"""Owns graphs and nodes that the test's own process serves, over real sockets, on a thread with a loop of its own.

Must not reach into what is served: tests ask it as any client does.
"""

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self, TypeVar

import uvloop
from support.clients import GrpcClient, RestClient

from executor import app, manifest
from executor.process import Process
from executor.settings import ListenSettings, NodeSettings, RunSettings, ServeLimits, parse_url

Result = TypeVar("Result")
LISTEN = ListenSettings("127.0.0.1", 0, 0)
COMPONENTS = str(Path(__file__).parent.parent / "e2e" / "components.py")


def node(name: str, type: str = "", /, *children: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """A node of a manifest; `type` in short, such as "router". Other fields are its parameters."""
    words = {"output": "OUTPUT_TRANSFORMER"}
    made: dict[str, Any] = {"name": name, "children": list(children)}
    if type:
        made["type"] = words.get(type, type.upper())
    for key in ("methods", "implementation", "endpoint", "logger"):
        if key in fields:
            made[key] = fields.pop(key)
    kinds = {str: "STRING", int: "INT", float: "FLOAT"}
    made["parameters"] = [
        {"name": key, "value": str(value), "type": kinds[value.__class__]} for key, value in fields.items()
    ]
    return made


def deployment(root: Mapping[str, Any], name: str = "demo") -> str:
    """The text of a manifest with this graph; a whole manifest is written as it is."""
    if "spec" in root:
        return json.dumps(root)
    return json.dumps(
        {
            "apiVersion": "machinelearning.seldon.io/v1",
            "kind": "SeldonDeployment",
            "metadata": {"name": name},
            "spec": {"predictors": [{"name": "main", "graph": root}]},
        }
    )


class Served(AbstractContextManager["Served"]):
    """What `make` made a process serve."""

    def __init__(self, make: Callable[[Process], object], limits: ServeLimits | None = None) -> None:
        self._make = make
        self._limits = limits or ServeLimits()
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="served")

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.call(self._start())
        except BaseException:
            self._close()
            raise
        self.target = self.process.grpc_told[0]
        self.port = int(self.process.rest_told[0].rpartition(":")[2])
        self.grpc = GrpcClient(self.target)
        self.rest = RestClient(self.port)
        return self

    def __exit__(self, *_: object) -> None:
        self.grpc.channel.close()
        self.call(self.process.stop())
        self._close()
        assert self.process.engine.in_flight == 0

    def submit(self, work: Coroutine[Any, Any, Result]) -> "Future[Result]":
        """Starts a coroutine on the loop that serves."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call(self, work: Coroutine[Any, Any, Result]) -> Result:
        """The result of a coroutine on the loop that serves."""
        return self.submit(work).result(30)

    async def _start(self) -> None:
        self.process = Process(LISTEN, self._limits, None)
        try:
            self._make(self.process)
            await self.process.start()
        except BaseException:
            await self.process.stop()
            raise

    def _close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


def graph(
    root: Mapping[str, Any],
    components: Mapping[str, str] | None = None,
    endpoints: Mapping[str, str] | None = None,
    *,
    limits: ServeLimits | None = None,
    **more: Any,
) -> Served:
    """The graph being served. Components are classes of `e2e/components.py`, endpoints are URLs."""
    settings = RunSettings(
        "graph",
        components={name: f"{COMPONENTS}:{kind}" for name, kind in (components or {}).items()},
        endpoints={name: parse_url(url) for name, url in (endpoints or {}).items()},
        listen=LISTEN,
        limits=limits or ServeLimits(),
        **more,
    )
    selected = manifest.load(deployment(root), reached=[*settings.components, *settings.endpoints])
    return Served(lambda process: app.graph(process, settings, selected), limits)


def component(kind: str, type: str = "MODEL", name: str = "", **parameters: Any) -> Served:
    """A node being served. The parameter `name` is the constructor's too."""
    if name:
        parameters["name"] = name
    settings = NodeSettings(f"{COMPONENTS}:{kind}", type=type, name=name, parameters=parameters, listen=LISTEN)
    return Served(lambda process: app.component(process, settings))
