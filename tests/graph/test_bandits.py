"""Tests `executor.graph.bandits`: the parameters of routers that learn, one by one."""

import math
from typing import Any

import pytest
from support.graphs import node, plan

from executor import errors
from executor.graph import bandits
from executor.graph import plan as plans
from executor.graph.learners import EpsilonGreedy, Exp3, ThompsonSampling, Ucb1
from executor.graph.spec import Node, Parameter
from executor.types import Method

NAMES = ("EPSILON_GREEDY", "THOMPSON_SAMPLING", "UCB1", "EXP3")
MAKERS = {
    "EPSILON_GREEDY": bandits.epsilon_greedy,
    "THOMPSON_SAMPLING": bandits.thompson_sampling,
    "UCB1": bandits.ucb1,
    "EXP3": bandits.exp3,
}


def router(implementation: str, /, **parameters: Any) -> Node:
    given = tuple(Parameter(name, value, "STRING", str(value)) for name, value in parameters.items())
    return Node("r", implementation=implementation, parameters=given, children=(node("a"), node("b"), node("c")))


def test_defaults() -> None:
    made = {name: make(router(name)) for name, make in MAKERS.items()}
    assert {name: each.learner for name, each in made.items()} == {
        "EPSILON_GREEDY": EpsilonGreedy(0.1, 0),
        "THOMPSON_SAMPLING": ThompsonSampling(1.0, 1.0),
        "UCB1": Ucb1(),
        "EXP3": Exp3(0.1),
    }
    assert {(each.labels, each.seed, each.verbose) for each in made.values()} == {(("a", "b", "c"), None, False)}


def test_all_parameters_as_seldons_images_take_them() -> None:
    common = {"n_branches": 3, "branch_names": "x:y:z", "seed": 7, "verbose": True, "history": "false"}
    made = bandits.epsilon_greedy(router("EPSILON_GREEDY", epsilon="0.25", best_branch=2.0, **common))
    assert made == bandits.Bandit(EpsilonGreedy(0.25, 2), ("x", "y", "z"), 7, True)
    assert bandits.thompson_sampling(router("THOMPSON_SAMPLING", alpha=2, beta="0.5")).learner == ThompsonSampling(
        2, 0.5
    )
    assert bandits.exp3(router("EXP3", gamma=1)).learner == Exp3(1.0)
    assert bandits.ucb1(router("UCB1", seed=2**64 - 1)).seed == 2**64 - 1


@pytest.mark.parametrize(
    ("implementation", "name", "value", "allowed"),
    [
        ("EPSILON_GREEDY", "epsilon", 1.5, "a number from 0 to 1"),
        ("EPSILON_GREEDY", "epsilon", math.nan, "a number from 0 to 1"),
        ("EPSILON_GREEDY", "epsilon", "often", "a number from 0 to 1"),
        ("EPSILON_GREEDY", "epsilon", True, "a number from 0 to 1"),
        ("EPSILON_GREEDY", "best_branch", 3, "a whole number from 0 to 2"),
        ("EPSILON_GREEDY", "best_branch", 0.5, "a whole number from 0 to 2"),
        ("THOMPSON_SAMPLING", "alpha", 0, "a number from 0.001 to 1e9"),
        ("THOMPSON_SAMPLING", "beta", math.inf, "a number from 0.001 to 1e9"),
        ("EXP3", "gamma", 0.0, "a number from 1e-6 to 1"),
        ("UCB1", "n_branches", 2, "3, the number of children"),
        ("UCB1", "seed", -1, "a whole number from 0 to 2**64 - 1"),
        ("UCB1", "seed", "1e400", "a whole number from 0 to 2**64 - 1"),
        ("UCB1", "verbose", "loud", "true or false"),
        ("UCB1", "history", 2, "true or false"),
        ("UCB1", "branch_names", "x:y", "3 different names with colons between, like a:b:c"),
        ("UCB1", "branch_names", "x:y:x", "3 different names with colons between, like a:b:c"),
        ("UCB1", "branch_names", "x:y:", "3 different names with colons between, like a:b:c"),
    ],
)
def test_a_wrong_value_is_told_with_node_parameter_and_what_is_allowed(
    implementation: str, name: str, value: Any, allowed: str
) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 the whole text is looked at
        MAKERS[implementation](router(implementation, **{name: value}))
    assert str(caught.value) == f"node 'r': {name} must be {allowed}; it is {value!r}"


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(errors.ManifestError) as caught:
        plan(router("EPSILON_GREEDY", epsilon=2, best_branch=9, seed=-1, verbose="loud", branch_names="x", what=1))
    told = [problem.message for problem in caught.value.problems]
    for name in ("epsilon must", "best_branch must", "seed must", "verbose must", "branch_names must", "'what'"):
        assert sum(name in each for each in told) == 1
    assert len(told) == 6


def test_an_unknown_parameter_is_told_with_those_that_are_known() -> None:
    with pytest.raises(errors.ManifestError) as caught:
        plan(router("UCB1", epsilon=0.1))
    told = "allowed are n_branches, branch_names, seed, verbose, history"
    assert f"r.parameters: node 'r': UCB1 takes no parameter 'epsilon'; {told}" in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_the_plan_of_a_router_that_learns(name: str) -> None:
    made = plan(router(name))
    root = made.root
    assert made.learns
    assert made.reports_routing
    assert (root.picks, root.weights, root.route, root.feedback, root.builtin) == (True, None, None, True, name)
    assert root.bandit == MAKERS[name](router(name))
    assert not root.needs_endpoint
    assert f"r     {name}" in plans.tree(made)
    assert "picks a, b, c by what it has learned" in plans.tree(made)


def test_it_takes_over_route_and_feedback_and_nothing_else() -> None:
    methods = (Method.ROUTE, Method.SEND_FEEDBACK)
    assert plan(node("r", "router", node("a"), implementation="UCB1", methods=methods)).root.bandit is not None
    with pytest.raises(errors.ManifestError, match="UCB1 computes in this process and cannot be called for AGGREGATE"):
        plan(node("r", "", node("a"), implementation="UCB1", methods=(Method.AGGREGATE,)))
    with pytest.raises(errors.ManifestError, match="UCB1 needs at least one child"):
        plan(node("r", "", implementation="UCB1"))


def test_other_graphs_do_not_learn() -> None:
    assert not plan(node("r", "", node("a"), node("b"), implementation="RANDOM_ABTEST")).learns
