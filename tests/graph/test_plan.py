"""Tests `executor.graph.plan`."""

import dataclasses
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from executor.errors import ManifestError
from executor.graph.builtin import BUILTINS
from executor.graph.plan import DEPTH_MAX, Plan, PlanNode, check, compile_plan, feeders, node_plan, tree
from executor.graph.spec import Endpoint, Node, NodeType, Parameter, Predictor
from executor.types import Method

MODEL, ROUTER, COMBINER = NodeType.MODEL, NodeType.ROUTER, NodeType.COMBINER
TRANSFORMER, OUTPUT_TRANSFORMER, UNKNOWN = NodeType.TRANSFORMER, NodeType.OUTPUT_TRANSFORMER, NodeType.UNKNOWN_TYPE


def compiled(root: Node) -> Plan:
    return compile_plan(Predictor("main", root), "graph")


def test_whose_answer_a_node_is_given() -> None:
    below = Node("c", COMBINER, children=(Node("m0", MODEL), Node("m1", MODEL)), methods=(Method.TRANSFORM_OUTPUT,))
    plan = compiled(Node("r", ROUTER, children=(Node("t", TRANSFORMER, children=(below,)), Node("m", MODEL))))
    found = {node.name: feeders(plan, node) for node in plan.nodes}
    assert found["r"][Method.ROUTE] == found["t"][Method.TRANSFORM_INPUT] == found["m"][Method.PREDICT] == ()
    assert found["m0"][Method.PREDICT] == ("t",)
    assert found["c"][Method.AGGREGATE] == ("m0", "m1")
    assert found["c"][Method.TRANSFORM_OUTPUT] == ("c",)
    alone = compiled(Node("o", OUTPUT_TRANSFORMER, children=(Node("s", MODEL),)))
    assert feeders(alone, alone.root)[Method.TRANSFORM_OUTPUT] == ("s",)


def calls(plan: Plan) -> list[str]:
    """What each node is called for on the way of a request, in the order of the nodes: `a:predict`."""
    lines = []
    for node in plan.nodes:
        steps = [step for step in (node.input, node.route, node.aggregate, node.output) if step is not None]
        lines += [f"{node.name}:{step.name.lower().replace('_', '-')}" for step in steps]
    return lines


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        (Node("a", MODEL, children=(Node("b", MODEL),)), ["a:predict", "b:predict"]),
        (Node("t", TRANSFORMER, children=(Node("m", MODEL),)), ["t:transform-input", "m:predict"]),
        (Node("o", OUTPUT_TRANSFORMER, children=(Node("m", MODEL),)), ["o:transform-output", "m:predict"]),
        (
            Node("r", ROUTER, children=(Node("m0", MODEL), Node("m1", MODEL))),
            ["r:route", "m0:predict", "m1:predict"],
        ),
        (
            Node("c", COMBINER, children=(Node("m0", MODEL), Node("m1", MODEL))),
            ["c:aggregate", "m0:predict", "m1:predict"],
        ),
        (
            Node("a", MODEL, children=(Node("b", MODEL), Node("c", MODEL))),
            ["a:predict", "b:predict", "c:predict"],
        ),
        (
            Node(
                "n",
                UNKNOWN,
                methods=(Method.AGGREGATE, Method.ROUTE, Method.TRANSFORM_INPUT, Method.TRANSFORM_OUTPUT),
                children=(Node("m", MODEL),),
            ),
            ["n:transform-input", "n:route", "n:aggregate", "n:transform-output", "m:predict"],
        ),
        (
            Node(
                "t",
                TRANSFORMER,
                children=(
                    Node(
                        "c",
                        COMBINER,
                        children=(
                            Node("r", ROUTER, children=(Node("m0", MODEL), Node("m1", MODEL))),
                            Node("m2", MODEL),
                        ),
                    ),
                ),
            ),
            ["t:transform-input", "c:aggregate", "r:route", "m0:predict", "m1:predict", "m2:predict"],
        ),
    ],
    ids=["chain", "transformer", "output", "router", "combiner", "fan-out", "methods", "deep"],
)
def test_walks(root: Node, expected: list[str]) -> None:
    assert calls(compiled(root)) == expected


TYPE_STEPS: dict[NodeType, set[Method]] = {
    MODEL: {Method.PREDICT, Method.SEND_FEEDBACK},
    ROUTER: {Method.ROUTE, Method.SEND_FEEDBACK},
    COMBINER: {Method.AGGREGATE},
    TRANSFORMER: {Method.TRANSFORM_INPUT},
    OUTPUT_TRANSFORMER: {Method.TRANSFORM_OUTPUT},
    UNKNOWN: set(),
}
METHODS = [each for each in Method if each is not Method.PREDICT]


@pytest.mark.parametrize("node_type", list(NodeType))
def test_type_and_methods_add_up(node_type: NodeType) -> None:
    for size in range(len(METHODS) + 1):
        for methods in itertools.combinations(METHODS, size):
            steps = TYPE_STEPS[node_type] | set(methods)
            if not steps:
                continue
            node = compiled(Node("n", node_type, methods=methods, children=(Node("m", MODEL),))).root
            if Method.TRANSFORM_INPUT in steps:
                assert node.input is Method.TRANSFORM_INPUT
            else:
                assert node.input is (Method.PREDICT if Method.PREDICT in steps else None)
            assert node.route is (Method.ROUTE if Method.ROUTE in steps else None)
            assert node.aggregate is (Method.AGGREGATE if Method.AGGREGATE in steps else None)
            assert node.output is (Method.TRANSFORM_OUTPUT if Method.TRANSFORM_OUTPUT in steps else None)
            assert node.feedback is (Method.SEND_FEEDBACK in steps)
            assert node.calls
            assert node.needs_endpoint
            assert node.weights is None


def ab(*children: str, **fields: object) -> Node:
    return dataclasses.replace(
        Node("ab", UNKNOWN, "RANDOM_ABTEST", children=tuple(Node(name, MODEL) for name in children)),
        **fields,  # type: ignore[arg-type]
    )


def test_simple_model_makes_no_call_whatever_its_type() -> None:
    for node_type in NodeType:
        node = compiled(Node("m", node_type, "SIMPLE_MODEL")).root
        assert (node.input, node.route, node.aggregate, node.output, node.feedback) == (None, None, None, None, False)
        assert (node.calls, node.needs_endpoint, node.builtin, node.type) == (False, False, None, MODEL)


def test_simple_router_picks_the_first_child() -> None:
    plan = compiled(Node("r", ROUTER, "SIMPLE_ROUTER", children=(Node("a", MODEL), Node("b", MODEL))))
    assert plan.root.weights == (1.0, 0.0)
    assert (plan.root.route, plan.root.calls, plan.root.feedback) == (None, False, False)
    assert plan.reports_routing


def test_random_abtest_picks_by_ratio_even_with_a_type() -> None:
    ratio = Parameter("ratioA", 0.25, "FLOAT", "0.25")
    plan = compiled(ab("a", "b", type=ROUTER, parameters=(Parameter("seed", 1, "INT", "1"), ratio)))
    assert plan.root.weights == (0.25, 0.75)
    assert (plan.root.route, plan.root.calls, plan.root.needs_endpoint) == (None, False, False)


def test_methods_of_a_picking_builtin_are_still_called() -> None:
    node = compiled(ab("a", "b", methods=(Method.TRANSFORM_INPUT, Method.ROUTE))).root
    assert (node.input, node.route, node.weights) == (Method.TRANSFORM_INPUT, None, (0.5, 0.5))
    assert node.needs_endpoint


def test_average_combiner_computes_in_process() -> None:
    node = compiled(Node("avg", UNKNOWN, "AVERAGE_COMBINER", children=(Node("a", MODEL), Node("b", MODEL)))).root
    assert (node.aggregate, node.builtin, node.type) == (Method.AGGREGATE, "AVERAGE_COMBINER", COMBINER)
    assert (node.calls, node.needs_endpoint) == (True, False)


def test_a_node_carries_what_its_host_needs() -> None:
    parameters = (Parameter("n", 3, "INT", "3"), Parameter("name", "x", "STRING", "x"))
    endpoint = Endpoint("host", 9000)
    node = compiled(Node("m", MODEL, parameters=parameters, endpoint=endpoint, image="i:1")).root
    assert node.arguments == {"n": 3, "name": "x"}
    assert (node.parameters, node.endpoint, node.image) == (parameters, endpoint, "i:1")


def test_plan_as_a_whole() -> None:
    plan = compiled(Node("a", MODEL, children=(Node("b", MODEL, children=(Node("c", MODEL),)), Node("d", MODEL))))
    assert (plan.name, plan.deployment, plan.depth) == ("main", "graph", 3)
    assert plan.index == {"a": 0, "b": 1, "c": 2, "d": 3}
    assert not plan.reports_routing
    assert plan.root is plan.nodes[0]
    found = plan.find("d")
    assert found is plan.nodes[3]
    assert plan.find("e") is None


@pytest.mark.parametrize(
    ("root", "path", "message"),
    [
        (Node("n", UNKNOWN), "n.type", "UNKNOWN_TYPE without methods does nothing"),
        (Node("s", UNKNOWN, "SIMPLE_ROUTER"), "s.children", "SIMPLE_ROUTER needs at least one child"),
        (Node("s", UNKNOWN, "AVERAGE_COMBINER"), "s.children", "AVERAGE_COMBINER needs at least one child"),
        (ab("a"), "ab.children", "RANDOM_ABTEST needs exactly 2 children, not 1"),
        (ab("a", "b", "c"), "ab.children", "RANDOM_ABTEST needs exactly 2 children, not 3"),
        (
            ab("a", "b", parameters=(Parameter("ratioA", 7, "INT", "7"),)),
            "ab.parameters",
            "ratioA must be a number from 0 to 1, not 7",
        ),
        (
            Node("avg", UNKNOWN, "AVERAGE_COMBINER", methods=(Method.TRANSFORM_OUTPUT,), children=(Node("a", MODEL),)),
            "avg.methods",
            "AVERAGE_COMBINER computes in this process and cannot be called for TRANSFORM_OUTPUT",
        ),
        (Node("a", MODEL, children=(Node("a", MODEL),)), "a.name", 'the graph already has a node "a"'),
    ],
)
def test_faults(root: Node, path: str, message: str) -> None:
    with pytest.raises(ManifestError) as caught:
        compiled(root)
    (problem,) = caught.value.problems
    assert problem.path == path
    assert problem.message.startswith(message)


@pytest.mark.parametrize(
    ("leaf", "message"),
    [
        (Node("r", ROUTER), "a router needs at least one child"),
        (Node("c", COMBINER), "a combiner needs at least one child"),
        (Node("n", UNKNOWN, methods=(Method.ROUTE,)), "a router needs at least one child"),
    ],
)
def test_a_router_or_combiner_without_children_is_never_called(leaf: Node, message: str) -> None:
    assert [(each.field, each.message) for each in check(leaf)] == [("children", message)]
    assert check(leaf, idle=True) == []
    plan = compiled(leaf)
    assert (plan.root.route, plan.root.aggregate) == (None, None)
    assert plan.root.feedback == (leaf.name == "r")
    assert not plan.reports_routing


def test_all_faults_at_once_with_path_and_line() -> None:
    child = Node("x", COMBINER, path="graph.children[0]", line=7)
    with pytest.raises(ManifestError) as caught:
        compiled(Node("x", UNKNOWN, children=(child,), path="graph", line=5))
    assert [(each.line, each.path) for each in caught.value.problems] == [
        (5, "graph.type"),
        (7, "graph.children[0].name"),
    ]
    assert "(line 5)" in caught.value.problems[1].message


def chain(length: int) -> Node:
    node = Node(f"n{length}", MODEL)
    for number in range(length - 1, 0, -1):
        node = Node(f"n{number}", MODEL, children=(node,))
    return node


def test_depth_is_bounded() -> None:
    assert compiled(chain(DEPTH_MAX)).depth == DEPTH_MAX
    (fault,) = check(chain(DEPTH_MAX + 5))
    assert fault.node.name == f"n{DEPTH_MAX + 1}"
    assert fault.message == "the graph is more than 64 levels deep"
    assert [fault.node.name for fault in check(chain(4), depth_max=2)] == ["n3"]


@pytest.mark.parametrize(
    ("node_type", "step"),
    [
        (MODEL, "input"),
        (ROUTER, "route"),
        (COMBINER, "aggregate"),
        (TRANSFORMER, "input"),
        (OUTPUT_TRANSFORMER, "output"),
    ],
)
def test_node_plan(node_type: NodeType, step: str) -> None:
    plan = node_plan("n", node_type, parameters=(Parameter("a", 1, "INT", "1"),))
    (node,) = plan.nodes
    assert (plan.name, plan.depth, node.name, node.type) == ("n", 1, "n", node_type)
    assert getattr(node, step) is not None
    assert node.arguments == {"a": 1}


def test_node_plan_of_methods_alone() -> None:
    node = node_plan("n", UNKNOWN, [Method.ROUTE, Method.SEND_FEEDBACK]).root
    assert (node.route, node.feedback, node.input) == (Method.ROUTE, True, None)
    with pytest.raises(ManifestError, match="nothing to serve"):
        node_plan("n", UNKNOWN)


BIG = Node(
    "prepare",
    TRANSFORMER,
    children=(
        Node(
            "ensemble",
            UNKNOWN,
            "AVERAGE_COMBINER",
            children=(
                ab("small", "large", parameters=(Parameter("ratioA", 0.333, "FLOAT", "0.333"),)),
                Node("choose", ROUTER, children=(Node("iris", MODEL, "SKLEARN_SERVER"), Node("echo", MODEL))),
                Node(
                    "custom",
                    UNKNOWN,
                    methods=(Method.TRANSFORM_OUTPUT, Method.SEND_FEEDBACK),
                    children=(Node("a", MODEL), Node("b", UNKNOWN, "SIMPLE_MODEL")),
                ),
            ),
        ),
    ),
)


def test_tree() -> None:
    assert tree(compiled(BIG)) == (
        "graph/main\n"
        "prepare         TRANSFORMER             transform-input\n"
        "└─ ensemble     AVERAGE_COMBINER        averages\n"
        "   ├─ ab        RANDOM_ABTEST           picks small 33.3 %, large 66.7 %\n"
        "   │  ├─ small  MODEL                   predict\n"
        "   │  └─ large  MODEL                   predict\n"
        "   ├─ choose    ROUTER                  route\n"
        "   │  ├─ iris   MODEL (SKLEARN_SERVER)  predict\n"
        "   │  └─ echo   MODEL                   predict\n"
        "   └─ custom    UNKNOWN_TYPE            calls all, answers with a's → transform-output (+ send-feedback)\n"
        "      ├─ a      MODEL                   predict\n"
        "      └─ b      SIMPLE_MODEL            returns its input"
    )


def test_tree_with_how_nodes_are_reached() -> None:
    plan = compile_plan(Predictor("main", Node("r", ROUTER, children=(Node("long-name", MODEL),))))
    assert tree(plan, {"r": "in-process router.py:Pick"}) == (
        "main\nr             ROUTER  route    in-process router.py:Pick\n└─ long-name  MODEL   predict"
    )


def test_tree_tells_steps_in_their_order() -> None:
    methods = (Method.TRANSFORM_OUTPUT, Method.AGGREGATE, Method.ROUTE, Method.TRANSFORM_INPUT)
    plan = compiled(Node("n", UNKNOWN, methods=methods, children=(Node("m", UNKNOWN, "SIMPLE_MODEL"),)))
    assert "transform-input → route → aggregate → transform-output" in tree(plan)
    plan = compiled(Node("r", UNKNOWN, "SIMPLE_ROUTER", children=(Node("a", MODEL), Node("b", MODEL))))
    assert tree(plan).splitlines()[1] == "r     SIMPLE_ROUTER  picks a"


def test_tree_of_a_node_that_only_passes_on() -> None:
    plan = compiled(Node("m", UNKNOWN, "SIMPLE_MODEL", children=(Node("a", MODEL),)))
    assert tree(plan).splitlines()[1] == "m     SIMPLE_MODEL  passes on"


# Properties

_NAMES = st.text(min_size=1, max_size=8)


@st.composite
def graphs(draw: st.DrawFn) -> Node:
    """Any graph that has no fault."""
    names = draw(st.lists(_NAMES, min_size=1, max_size=12, unique=True))
    return draw(_subgraph(names))


@st.composite
def _subgraph(draw: st.DrawFn, names: list[str]) -> Node:
    below = names[1:]
    cuts = sorted(draw(st.sets(st.integers(1, len(below) - 1), max_size=3))) if len(below) > 1 else []
    parts = [below[start:end] for start, end in itertools.pairwise([0, *cuts, len(below)]) if start < end]
    children = tuple(draw(_subgraph(part)) for part in parts)
    leaf_types = [MODEL, TRANSFORMER, OUTPUT_TRANSFORMER]
    node_type = draw(st.sampled_from(leaf_types + ([ROUTER, COMBINER] if children else [])))
    allowed = METHODS if children else [Method.TRANSFORM_INPUT, Method.TRANSFORM_OUTPUT, Method.SEND_FEEDBACK]
    methods = tuple(draw(st.lists(st.sampled_from(allowed), max_size=3, unique=True)))
    fitting = ["", "", "SIMPLE_MODEL", *(["SIMPLE_ROUTER"] if children else [])]
    fitting += ["RANDOM_ABTEST"] if len(children) == 2 else []
    fitting += ["AVERAGE_COMBINER"] if children and not methods else []
    return Node(names[0], node_type, draw(st.sampled_from(fitting)), methods, children=children)


def check_consistent(plan: Plan, node: PlanNode, position: int) -> None:
    assert node.index == position
    assert plan.index[node.name] == position
    assert all(plan.nodes[child].parent == position for child in node.children)
    if node.parent is None:
        assert position == 0
    else:
        assert node.parent < position
        assert position in plan.nodes[node.parent].children
    if node.weights is not None:
        assert len(node.weights) == len(node.children)
        assert sum(node.weights) == pytest.approx(1.0)
        assert node.route is None
    if node.builtin is not None:
        assert BUILTINS[node.builtin].component is not None
        assert not node.needs_endpoint
    steps = (node.input, node.route, node.aggregate, node.output)
    assert node.calls == (any(step is not None for step in steps) or node.feedback)


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_any_sound_graph_compiles_to_a_consistent_plan(root: Node) -> None:
    plan = compiled(root)
    assert [node.name for node in plan.nodes] == [node.name for node in root.walk()]
    for position, node in enumerate(plan.nodes):
        check_consistent(plan, node, position)
    assert len(tree(plan).split("\n")) >= len(plan.nodes) + 1
    assert plan.reports_routing == any(node.route is not None or node.weights is not None for node in plan.nodes)
