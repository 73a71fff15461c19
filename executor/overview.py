"""Owns what the page shows: the graph that is served, and the numbers of its nodes, over all processes of the group.

Must not serve, nor draw. However many look, the numbers are gathered once in a while.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any, Protocol

from executor import __version__
from executor.graph import plan as plans
from executor.telemetry.glance import READ, Glance, Node
from executor.telemetry.store import Store

FRESH_S = 0.5
"""How long gathered numbers are told before they are gathered again."""
_BY_SCHEME = {"grpc": "gRPC", "unix": "gRPC, unix socket", "http": "REST"}


class Ready(Protocol):
    """Who knows whether requests can be served."""

    @property
    def ready(self) -> bool: ...


class Overview:
    """What the page of a process shows."""

    def __init__(self, store: Store, readiness: Ready) -> None:
        self._store = store
        self._readiness = readiness
        self._plan: plans.Plan | None = None
        self._reached: Mapping[str, str] = {}
        self._gathering: asyncio.Task[bytes] | None = None
        self._gathered_at = 0.0

    def show(self, plan: plans.Plan, reached: Mapping[str, str]) -> None:
        """Shows this graph from now on; `reached` says how its nodes are reached, in words."""
        self._plan, self._reached, self._gathering = plan, reached, None

    async def text(self) -> bytes:
        """All of it as JSON text."""
        now = asyncio.get_running_loop().time()
        task = self._gathering
        if task is None or (task.done() and (task.exception() is not None or now - self._gathered_at > FRESH_S)):
            self._gathered_at = now
            self._store.sample()
            self._gathering = task = asyncio.create_task(asyncio.to_thread(self._gather))
        return await asyncio.shield(task)  # who hangs up ends it for nobody else

    def _gather(self) -> bytes:
        now = time.monotonic()
        glance = Glance(self._store.region.read(now, READ))
        plan = self._plan
        found = {
            "version": __version__,
            "name": plan.deployment or plan.name if plan else "",
            "predictor": plan.name if plan and plan.deployment else "",
            "time": now,
            "ready": self._readiness.ready,
            "workers": glance.workers,
            "connections": glance.connections,
            "in_flight": glance.in_flight,
            "requests": glance.requests.told(),
            "shares": "critical path" if glance.critical else "call time",
            "nodes": [self._node(node, plan, glance) for node in plan.nodes] if plan else [],
        }
        return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")

    def _node(self, node: plans.PlanNode, plan: plans.Plan, glance: Glance) -> dict[str, Any]:
        known = glance.nodes.get(node.name) or Node()
        times = known.times.told()
        # Calls of built-ins are not timed, and who picks is not called at all.
        count = known.times.count or (None if node.picks or not node.calls else known.calls)
        busy = glance.critical.get(node.name, 0.0) if glance.critical else known.times.seconds
        return {
            "name": node.name,
            "type": node.implementation or str(node.type),
            "reached": _short(self._reached.get(node.name, "")) or ("" if node.needs_endpoint else "built in"),
            "children": list(node.children),
            "splits": node.picks or node.route is not None,
            **times,
            "count": count,
            "busy": busy,
            "in_flight": known.in_flight,
            "connections": dict(known.connections),
            "branches": _branches(node, plan, known),
        }


def _branches(node: plans.PlanNode, plan: plans.Plan, known: Node) -> list[dict[str, Any]]:
    """What is known of each child, where the executor picks one."""
    if not node.picks:
        return []
    names = [plan.nodes[child].name for child in node.children]
    chances = node.weights or (None,) * len(names)
    labels = node.bandit.labels if node.bandit is not None else names
    return [
        {"name": name, "label": label, "chance": chance} | known.branches.get(name, {})
        for name, label, chance in zip(names, labels, chances, strict=True)
    ]


def _short(reached: str) -> str:
    """How a node is reached, without saying where: the page may be open to many."""
    schemes = dict.fromkeys(_BY_SCHEME.get(part.strip()[:4], "") for part in reached.split(" and "))
    return " and ".join(filter(None, schemes)) or reached.partition(":")[0].partition(";")[0]
