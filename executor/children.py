"""Owns the processes that components have of their own: isolated nodes, and custom services.

Must not know how a node is called: it is told where the node is to listen.
"""

import asyncio
import json
import os
import socket

from executor import errors
from executor.graph import plan as plans
from executor.limits import budget
from executor.settings import NodeSettings, ServeLimits
from executor.supervisor import Child, python
from executor.telemetry import logs, trace_settings

START_S = 60.0
"""How long an isolated component may take to load."""
_POLL_S = 0.05


class Isolated:
    """A node whose component runs in a process of its own, which listens at the unix socket `path`."""

    def __init__(self, child: Child, path: str) -> None:
        self.child = child
        self.path = path

    async def start(self) -> None:
        """Returns when it listens, which it does when its component is loaded. Raises ComponentError."""
        name = self.child.name
        try:
            await self.child.start()
        except OSError as error:
            raise errors.ComponentError(f"node '{name}': cannot start its process: {error}", node=name) from None
        due = asyncio.get_running_loop().time() + START_S
        while not _listens(self.path):
            ended = self.child.ended or (asyncio.get_running_loop().time() > due and f"not in {START_S:g} s")
            if ended:
                told = f"node '{name}': its process did not come up ({ended}); its own output says why"
                raise errors.ComponentError(told, node=name)
            await asyncio.sleep(_POLL_S)
        self.child.keep()

    async def stop(self) -> None:
        """Ends it."""
        await self.child.stop()


def isolated(node: plans.PlanNode, target: str, path: str, threads: int | None, limits: ServeLimits) -> Isolated:
    """The process of a node's component, not started yet. Its log looks like ours."""
    output = logs.current()
    form = "json" if output is not None and output.json else "console"
    command = python(
        "executor", "node", target, "--type", str(node.type), "--name", node.name, "--uds", path,
        "--parameters", json.dumps(node.arguments), "--log-level", "warning", "--log-format", form,
        "--max-message-bytes", str(limits.max_message_bytes), "--memory-budget", str(budget(limits).hard),
        *(() if threads is None else ("--threads", str(threads))),
    )  # fmt: skip
    # Which node it is, as a container is told; for requestPath.
    told = {"PREDICTIVE_UNIT_ID": node.name, "PREDICTIVE_UNIT_IMAGE": node.image} if node.image else {}
    if trace_settings.read(os.environ)[0] is not None:
        told["OTEL_TRACES_SAMPLER"] = "parentbased_always_off"  # who calls it decides which requests are traced
    return Isolated(Child(node.name, command, {**os.environ, **told}), path)


def service(settings: NodeSettings) -> Child:
    """The process that runs the `custom_service()` of a node's component, not started yet."""
    told = {
        "target": settings.component,
        "parameters": dict(settings.parameters),
        "imported": settings.imported,
        "log_level": settings.log_level,
        "log_format": settings.watch.log_format,
    }

    def link() -> socket.socket:
        ours, theirs = socket.socketpair()
        with ours:
            ours.sendall(json.dumps(told).encode())
        return theirs

    return Child("custom_service", python("executor.component.custom"), kind="service", link=link)


def _listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        return probe.connect_ex(path) == 0
