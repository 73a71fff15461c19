"""Owns the plan: a checked spec compiled for running, immutable and indexed, with every decision made beforehand.

Must not run anything, nor know how a node is reached.

A node's calls are those of its `type` and those in its `methods`, together. Its steps run in this order: input,
then route or pick, then the children, then aggregate, then output; feedback goes the other way, children first.
A built-in takes one step over, and its `type` is then ignored; calls that `methods` adds are still made.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from executor.errors import ManifestError, Problem
from executor.graph.bandits import Bandit
from executor.graph.builtin import BUILTINS, Builtin
from executor.graph.spec import Endpoint, Logger, Node, NodeType, Parameter, Predictor, Value
from executor.types import Method

DEPTH_MAX = 64
"""Levels of nodes, the root's included. A request's bookkeeping grows with it, and no real graph comes near."""

_CALLS_OF_TYPE: Mapping[NodeType, frozenset[Method]] = {
    NodeType.MODEL: frozenset({Method.PREDICT, Method.SEND_FEEDBACK}),
    NodeType.ROUTER: frozenset({Method.ROUTE, Method.SEND_FEEDBACK}),
    NodeType.COMBINER: frozenset({Method.AGGREGATE}),
    NodeType.TRANSFORMER: frozenset({Method.TRANSFORM_INPUT}),
    NodeType.OUTPUT_TRANSFORMER: frozenset({Method.TRANSFORM_OUTPUT}),
    NodeType.UNKNOWN_TYPE: frozenset(),
}


@dataclass(frozen=True, slots=True)
class PlanNode:
    """One node, ready to run. `Method.PREDICT` is 0: compare `input` with None, never take its truth."""

    index: int
    name: str
    parent: int | None
    children: tuple[int, ...]
    type: NodeType
    """For display: what the node behaves like."""
    implementation: str
    input: Method | None
    """PREDICT or TRANSFORM_INPUT; where both apply, only TRANSFORM_INPUT is called."""
    route: Method | None
    """ROUTE where the node is asked for the child."""
    weights: tuple[float, ...] | None
    """Chances of the children, where the executor picks the child itself; they sum to 1."""
    bandit: Bandit | None
    """How the chances are learned, where they change."""
    aggregate: Method | None
    output: Method | None
    feedback: bool
    builtin: str | None
    """The built-in that computes the node's only call in this process, if one does."""
    calls: bool
    """Whether the node is called at all, be it a built-in."""
    parameters: tuple[Parameter, ...]
    endpoint: Endpoint
    image: str
    logger: Logger | None
    model_uri: str

    @property
    def picks(self) -> bool:
        """Whether the executor picks the child itself."""
        return self.weights is not None or self.bandit is not None

    @property
    def needs_endpoint(self) -> bool:
        """Whether somebody has to say where this node is: a component, or an address."""
        return self.calls and self.builtin is None

    @property
    def arguments(self) -> dict[str, Value]:
        """The parameters by name, as a component's constructor takes them."""
        return {parameter.name: parameter.value for parameter in self.parameters}


@dataclass(frozen=True, slots=True)
class Plan:
    """A graph, ready to run."""

    name: str
    """The predictor's."""
    deployment: str
    nodes: tuple[PlanNode, ...]
    """Depth first, parents before children; the root is number 0."""
    index: Mapping[str, int]
    """Number of each node, by name."""
    depth: int
    """Levels of nodes."""
    reports_routing: bool
    """Whether some node routes or picks, so that answers should say which way they went."""
    learns: bool
    """Whether some router learns: answers must then say which way they went, and which request they are of."""

    @property
    def root(self) -> PlanNode:
        """Where a request enters."""
        return self.nodes[0]

    def find(self, name: str) -> PlanNode | None:
        """The node of that name, if there is one."""
        number = self.index.get(name)
        return None if number is None else self.nodes[number]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with a graph, whatever manifest it came from."""

    node: Node
    field: str
    """Which field of the node is to blame; empty for the node as a whole."""
    message: str


def compile_plan(predictor: Predictor, deployment: str = "", *, untyped: bool = False) -> Plan:
    """The plan for `predictor`. Raises ManifestError with all faults of the graph; `untyped` is `check`'s."""
    faults = check(predictor.graph, idle=True, untyped=untyped)
    if faults:
        raise ManifestError([_problem(fault) for fault in faults])
    nodes: list[PlanNode] = []
    _number(predictor.graph, None, nodes)
    return _plan(predictor.name, deployment, nodes)


def node_plan(
    name: str, node_type: NodeType, methods: Iterable[Method] = (), parameters: Iterable[Parameter] = ()
) -> Plan:
    """A plan of a single node, for a server of that node: a router or combiner is no fault without children here."""
    node = Node(name, type=node_type, methods=tuple(methods), parameters=tuple(parameters))
    if not calls_of(node):
        raise ManifestError([Problem("", f'node "{name}" is of type {node_type} and has no methods: nothing to serve')])
    return _plan(name, "", [_compiled(node, 0, None)])


def feeders(plan: Plan, node: PlanNode) -> dict[Method, tuple[str, ...]]:
    """By each call of `node`, those whose answer it may be given; none where it is given what the caller sent."""
    above = node.parent
    while above is not None and plan.nodes[above].input is None:
        above = plan.nodes[above].parent
    came: tuple[str, ...] = () if above is None else (plan.nodes[above].name,)
    own = came if node.input is None else (node.name,)
    below = tuple(plan.nodes[child].name for child in node.children) or own
    found = {method: came for method in (node.input,) if method is not None}
    found |= {Method.ROUTE: own, Method.AGGREGATE: below}
    return {**found, Method.TRANSFORM_OUTPUT: below if node.aggregate is None else (node.name,)}


def calls_of(node: Node) -> frozenset[Method]:
    """The calls that `node` needs somebody for: what its type and methods say, less what a built-in does itself."""
    builtin = BUILTINS.get(node.implementation)
    if builtin is None:
        return _CALLS_OF_TYPE[node.type].union(node.methods)
    return frozenset(node.methods) - builtin.does


def _problem(fault: Fault) -> Problem:
    path = ".".join(part for part in (fault.node.path or fault.node.name, fault.field) if part)
    return Problem(path, fault.message, fault.node.line)


def _plan(name: str, deployment: str, nodes: list[PlanNode]) -> Plan:
    depths: list[int] = []
    for node in nodes:
        depths.append(1 if node.parent is None else depths[node.parent] + 1)
    return Plan(
        name=name,
        deployment=deployment,
        nodes=tuple(nodes),
        index={node.name: node.index for node in nodes},
        depth=max(depths),
        reports_routing=any(node.route is not None or node.picks for node in nodes),
        learns=any(node.bandit is not None for node in nodes),
    )


def _number(node: Node, parent: int | None, nodes: list[PlanNode]) -> int:
    """Append `node` and all below it to `nodes`; the node's own number."""
    index = len(nodes)
    made = _compiled(node, index, parent)
    nodes.append(made)  # holds the place; the children's numbers come after it
    children = tuple(_number(child, index, nodes) for child in node.children)
    if children:
        nodes[index] = replace(made, children=children)
    else:
        nodes[index] = replace(made, route=None, aggregate=None)  # there is nothing to choose or join
    return index


def _compiled(node: Node, index: int, parent: int | None) -> PlanNode:
    builtin = BUILTINS.get(node.implementation)
    calls = calls_of(node)
    bandit = builtin.bandit(node) if builtin and builtin.bandit else None
    computes = builtin is not None and builtin.component is not None
    if builtin is not None and computes:
        calls |= {builtin.step}
    if bandit is not None:
        calls |= {Method.SEND_FEEDBACK}
    return PlanNode(
        index=index,
        name=node.name,
        parent=parent,
        children=(),
        type=builtin.stands_for if builtin else node.type,
        implementation=node.implementation,
        input=_first(calls, Method.TRANSFORM_INPUT, Method.PREDICT),
        route=_first(calls, Method.ROUTE),
        weights=builtin.weights(node) if builtin and builtin.weights else None,
        bandit=bandit,
        aggregate=_first(calls, Method.AGGREGATE),
        output=_first(calls, Method.TRANSFORM_OUTPUT),
        feedback=Method.SEND_FEEDBACK in calls,
        builtin=node.implementation if computes or bandit else None,
        calls=bool(calls),
        parameters=node.parameters,
        endpoint=node.endpoint,
        image=node.image,
        model_uri=node.model_uri,
        logger=node.logger,
    )


def _first(calls: frozenset[Method], *wanted: Method) -> Method | None:
    return next((method for method in wanted if method in calls), None)


def check(root: Node, depth_max: int = DEPTH_MAX, *, idle: bool = False, untyped: bool = False) -> list[Fault]:
    """Everything wrong with the graph below and with `root`, in the order of its nodes. `idle` lets routers and
    combiners without children pass, which Seldon takes and never calls; `untyped` nodes of no type, which its executor
    takes and passes messages through.
    """
    faults: list[Fault] = []
    first: dict[str, Node] = {}
    for node, depth in _levels(root, 1, depth_max):
        if depth > depth_max:
            faults.append(Fault(node, "", f"the graph is more than {depth_max} levels deep"))
            continue
        other = first.setdefault(node.name, node)
        if other is not node:
            where = f" (line {other.line})" if other.line is not None else ""
            faults.append(Fault(node, "name", f'the graph already has a node "{node.name}"{where}'))
        faults += [Fault(node, field, message) for field, message in _faults_of(node, idle, untyped)]
    return faults


def _levels(node: Node, depth: int, depth_max: int) -> Iterator[tuple[Node, int]]:
    """Every node with its level, going one level past `depth_max` and no deeper."""
    yield node, depth
    if depth <= depth_max:
        for child in node.children:
            yield from _levels(child, depth + 1, depth_max)


def _faults_of(node: Node, idle: bool, untyped: bool) -> Iterator[tuple[str, str]]:
    builtin = BUILTINS.get(node.implementation)
    if builtin is not None:
        yield from _faults_of_builtin(node, builtin)
        return
    calls = calls_of(node)
    if not calls and not untyped:
        yield "type", f"{node.type} without methods does nothing; give a type, or list the node's methods"
    if not node.children and not idle:
        if Method.ROUTE in calls:
            yield "children", "a router needs at least one child"
        if Method.AGGREGATE in calls:
            yield "children", "a combiner needs at least one child"


def _faults_of_builtin(node: Node, builtin: Builtin) -> Iterator[tuple[str, str]]:
    if builtin.children is not None and len(node.children) != builtin.children:
        yield "children", f"{builtin.name} needs exactly {builtin.children} children, not {len(node.children)}"
    elif builtin.stands_for is not NodeType.MODEL and not node.children:
        yield "children", f"{builtin.name} needs at least one child"
    elif lowers := builtin.weights or builtin.bandit:
        try:
            lowers(node)
        except ValueError as error:
            yield from (("parameters", str(message)) for message in error.args)
    if (builtin.component or builtin.bandit) and calls_of(node):
        more = ", ".join(sorted(method.name for method in calls_of(node)))
        yield "methods", f"{builtin.name} computes in this process and cannot be called for {more}; use another node"


def tree(plan: Plan, reached: Mapping[str, str] | None = None) -> str:
    """The graph as text, one node a line in aligned columns: name, what it is, what it does.

    `reached` adds a last column: how each node is reached, by name, where the caller knows.
    """
    rows = []
    for stem, node in _stems(plan, plan.root, "", ""):
        rows.append((stem + node.name, _kind(node), _does(plan, node), (reached or {}).get(node.name, "")))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    head = f"{plan.deployment}/{plan.name}" if plan.deployment else plan.name
    return "\n".join([head, *lines])


def _stems(plan: Plan, node: PlanNode, own: str, below: str) -> Iterator[tuple[str, PlanNode]]:
    """Each node from `node` down with the lines drawn before its name."""
    yield own, node
    for place, child in enumerate(node.children, 1):
        branch, gap = ("└─ ", "   ") if place == len(node.children) else ("├─ ", "│  ")
        yield from _stems(plan, plan.nodes[child], below + branch, below + gap)


def _kind(node: PlanNode) -> str:
    if node.implementation in BUILTINS:
        return node.implementation
    return f"{node.type} ({node.implementation})" if node.implementation else str(node.type)


def _does(plan: Plan, node: PlanNode) -> str:
    """The steps of `node` in the order they run."""
    names = [plan.nodes[child].name for child in node.children]
    steps = [_word(node.input), _word(node.route), _picks(node, names)]
    steps.append("averages" if node.builtin and node.aggregate is not None else _word(node.aggregate))
    if len(names) > 1 and node.route is None and not node.picks and node.aggregate is None:
        steps.append(f"calls all, answers with {names[0]}'s")
    steps.append(_word(node.output))
    told = " → ".join(filter(None, steps)) or ("passes on" if names else "returns its input")
    by_type = node.type in (NodeType.MODEL, NodeType.ROUTER)
    return told + (" (+ send-feedback)" if node.feedback and not by_type else "")


def _picks(node: PlanNode, names: list[str]) -> str:
    if node.bandit is not None:
        return f"picks {', '.join(names)} by what it has learned"
    if node.weights is None:
        return ""
    chances = dict(zip(names, node.weights, strict=True))
    certain = [name for name, chance in chances.items() if chance == 1.0]
    return f"picks {', '.join(certain or (f'{name} {100 * chance:.4g} %' for name, chance in chances.items()))}"


def _word(method: Method | None) -> str:
    return method.name.lower().replace("_", "-") if method is not None else ""
