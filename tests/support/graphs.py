"""Owns small graphs for tests: specs from a line of text each, and handlers that write down what they were asked.

Must not use sockets.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from executor import errors
from executor._native import budget, exits, flow, front, program, seldon, seldon_json, transport
from executor._native import message as native
from executor.graph import plan as plans
from executor.graph.spec import Node, NodeType, Parameter, Predictor
from executor.status import Status
from executor.types import Encoding, Form, Method, Mode, Walk

CODECS = (seldon, seldon_json)

_TYPES = {
    "model": NodeType.MODEL,
    "router": NodeType.ROUTER,
    "combiner": NodeType.COMBINER,
    "transformer": NodeType.TRANSFORMER,
    "output": NodeType.OUTPUT_TRANSFORMER,
    "": NodeType.UNKNOWN_TYPE,
}


def node(name: str, type: str = "model", *children: Node, **fields: Any) -> Node:
    """A node of the spec; `type` in short, such as "router"."""
    parameters = tuple(
        Parameter(key, str(value), "FLOAT", value) for key, value in fields.pop("parameters", {}).items()
    )
    return Node(name, type=_TYPES[type], children=children, parameters=parameters, **fields)


def plan(root: Node) -> plans.Plan:
    """The plan of a graph."""
    return plans.compile_plan(Predictor("main", root), "test")


def text(message: native.Message) -> str:
    """The strData of a message in protobuf, or of one in JSON."""
    codec = seldon if message.encoding == Encoding.SELDON_PROTO else seldon_json
    if message.form == Form.LIST:
        return "[" + ",".join(str(part.value()) for part in codec.open_list(message)) + "]"
    if message.form == Form.FEEDBACK:
        return f"feedback({codec.open_feedback(message).reward:g})"
    return str(codec.open(message).value())


def answer(value: str, like: native.Message) -> native.Message:
    """A strData message in the encoding of `like`."""
    if like.encoding == Encoding.SELDON_PROTO:
        return seldon.build("strData", value)
    return seldon_json.build("strData", value)


def failing(status: Status = Status.FAILED_PRECONDITION) -> dict[Method, tuple[Mode, Any]]:
    """Handlers that raise an error of that status."""

    def handle(message: native.Message, context: exits.Context) -> native.Message:
        raise errors.ComponentError(f"{context.node} says no", status=status)

    return dict.fromkeys(Method, (Mode.QUICK, handle))


class Recorder:
    """Handlers of a node that answer `name.method(input)` and note each call in `calls`, which nodes may share."""

    def __init__(self, name: str, calls: list[str], route: int | None = None) -> None:
        self.name = name
        self.calls = calls
        self.route = route

    def handlers(self, mode: Mode = Mode.QUICK) -> dict[Method, tuple[Mode, Callable[..., Any]]]:
        """One handler for every method."""
        kinds: dict[Mode, Callable[..., Any]] = {Mode.ASYNC: self._async, Mode.CALLBACK: self._later}
        return dict.fromkeys(Method, (mode, kinds.get(mode, self._handle)))

    def _handle(self, message: native.Message, context: exits.Context) -> native.Message:
        method = Method(context.method)
        said = f"{self.name}.{method.name.lower()}({text(message)})"
        self.calls.append(said)
        if method is Method.ROUTE:
            if message.encoding == Encoding.SELDON_PROTO:
                return seldon.build("ndarray", [[self.route]])
            return seldon_json.build("ndarray", [[self.route]])
        return answer(said, message)

    def _later(self, message: native.Message, context: exits.Context, pending: exits.Pending) -> asyncio.Handle:
        return asyncio.get_running_loop().call_soon(lambda: pending.answer(self._handle(message, context)))

    async def _async(self, message: native.Message, context: exits.Context) -> native.Message:
        await asyncio.sleep(0)
        return self._handle(message, context)


class Bench:
    """A plan bound to recorders, on the running loop: `await bench.predict("x")`."""

    def __init__(
        self,
        root: Node,
        *,
        mode: Mode = Mode.QUICK,
        routes: Mapping[str, int] | None = None,
        replaced: Mapping[str, Mapping[Method, tuple[Mode, Callable[..., Any]]]] | None = None,
        routing: int = 0,
        encoding: Encoding | Mapping[str, Encoding] = Encoding.ANY,
        memory: budget.Budget | None = None,
    ) -> None:
        self.calls: list[str] = []
        self.plan = plan(root)
        self.reactor = transport.Reactor(budget=memory)
        self.engine = flow.Engine(self.reactor)
        self.pool = exits.Pool(self.reactor, 4)
        self.endpoints: dict[str, exits.Component] = {}
        taken = dict.fromkeys(self.plan.index, encoding) if isinstance(encoding, Encoding) else encoding
        for each in self.plan.nodes:
            recorder = Recorder(each.name, self.calls, (routes or {}).get(each.name))
            handlers = (replaced or {}).get(each.name) or recorder.handlers(mode)
            self.endpoints[each.name] = exits.Component(
                self.reactor, each.name, handlers, self.pool, encoding=int(taken.get(each.name, Encoding.ANY))
            )
        bound = [self.endpoints[each.name] if each.calls else None for each in self.plan.nodes]
        self.program = program.Program(self.plan.nodes, bound, routing)

    def submit(
        self, message: native.Message, walk: Walk = Walk.PREDICT, method: Method = Method.PREDICT, deadline: float = 0
    ) -> front.Request:
        """Starts a request."""
        return front.submit(self.engine, self.program, walk, method, message, [("a", "b")], "puid-1", deadline)

    async def run(self, message: native.Message, walk: Walk = Walk.PREDICT) -> native.Message:
        """The answer to a message; fails the test when it takes more than 10 s."""
        return await asyncio.wait_for(self.submit(message, walk).future, 10)

    async def predict(self, value: str) -> str:
        """The answer's text to a request of that text."""
        return text(await self.run(seldon.build("strData", value)))

    def close(self) -> None:
        """Ends threads and connections; checks that no request was left behind."""
        assert self.engine.in_flight == 0
        self.pool.stop()
        self.reactor.close()
        assert self.reactor.timers == 0
        assert self.reactor.pool.lent == 0
