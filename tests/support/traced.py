"""Owns a bench whose requests are traced and timed, as the native engine does it.

Must not send spans.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from support.collector import Span, parsed
from support.graphs import Bench

from executor._native import front, propagation, seldon, span, tracer
from executor._native import message as native
from executor._native import program as programs
from executor.graph.spec import Node
from executor.types import Method, Walk


class Traced:
    """A bench whose requests are traced, with a label of HTTP."""

    def __init__(self, root: Node, *, kinds: int = 0, forms: Sequence[int] = (propagation.W3C,), **more: Any) -> None:
        sampler = {key: more.pop(key) for key in ("parents", "ratio", "rate", "waiting_max", "batch", "bytes_max")
                   if key in more}  # fmt: skip
        self.headers: dict[str, dict[str, str]] = {}
        replaced = more.pop("replaced", {})
        self.bench = Bench(root, replaced=replaced, **more)
        self.woken = 0
        self.tracer = tracer.Tracer(self.bench.reactor, forms, wake=self._wake, **sampler)
        self.bench.engine.trace(self.tracer)
        spans = [
            (kinds, {method: span.static(f"{each.name} {method.name.lower()}", span.CLIENT, {}) for method in Method})
            for each in self.bench.plan.nodes
        ]
        bound = [self.bench.endpoints[each.name] if each.calls else None for each in self.bench.plan.nodes]
        self.bench.program = programs.Program(self.bench.plan.nodes, bound, spans=spans)
        self.label = tracer.Label(span.static("POST /x", span.SERVER, {}), lambda error: error.http_status)
        self.times: list[str] = []

    def _wake(self) -> None:
        self.woken += 1

    def start(self, headers: Sequence[tuple[str, str]] = (), *, walk: Walk = Walk.PREDICT, deadline: float = 0,
              message: native.Message | None = None) -> front.Request:  # fmt: skip
        return front.submit(
            self.bench.engine, self.bench.program, walk, Method.PREDICT, message or seldon.build("strData", "x"),
            headers, "puid-1", deadline, None, self.times.append, self.label,
        )  # fmt: skip

    async def run(self, headers: Sequence[tuple[str, str]] = (), **more: Any) -> native.Message:
        return await asyncio.wait_for(self.start(headers, **more).future, 10)

    def spans(self) -> list[Span]:
        return parsed(self.tracer.take(100_000)[0])
