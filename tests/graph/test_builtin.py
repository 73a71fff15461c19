"""Tests `executor.graph.builtin`."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.errors import ComponentError
from executor.graph.builtin import BUILTINS, RANDOM_ABTEST, SIMPLE_ROUTER, AverageCombiner, ratio_a
from executor.graph.spec import Node, NodeType, Parameter, Value
from executor.types import Method


def parameter(value: Value, name: str = "ratioA") -> Parameter:
    return Parameter(name, value, "FLOAT", str(value))


def test_the_table_knows_seldons_four_and_those_that_learn() -> None:
    assert {name: (each.stands_for, each.step) for name, each in BUILTINS.items()} == {
        **dict.fromkeys(("EPSILON_GREEDY", "THOMPSON_SAMPLING", "UCB1", "EXP3"), (NodeType.ROUTER, Method.ROUTE)),
        "SIMPLE_MODEL": (NodeType.MODEL, Method.PREDICT),
        "SIMPLE_ROUTER": (NodeType.ROUTER, Method.ROUTE),
        "RANDOM_ABTEST": (NodeType.ROUTER, Method.ROUTE),
        "AVERAGE_COMBINER": (NodeType.COMBINER, Method.AGGREGATE),
    }


def test_only_the_combiner_computes() -> None:
    assert [name for name, each in BUILTINS.items() if each.component is not None] == ["AVERAGE_COMBINER"]
    assert BUILTINS["AVERAGE_COMBINER"].component is AverageCombiner


def test_simple_router_takes_the_first_child() -> None:
    assert SIMPLE_ROUTER.weights is not None
    assert SIMPLE_ROUTER.weights(Node("r", children=(Node("a"), Node("b"), Node("c")))) == (1.0, 0.0, 0.0)
    assert SIMPLE_ROUTER.weights(Node("r", children=(Node("a"),))) == (1.0,)


def test_random_ab_weights() -> None:
    assert RANDOM_ABTEST.weights is not None
    children = (Node("a"), Node("b"))
    assert RANDOM_ABTEST.weights(Node("r", children=children)) == (0.5, 0.5)
    weights = RANDOM_ABTEST.weights(Node("r", parameters=(parameter(0.2),), children=children))
    assert weights == pytest.approx((0.2, 0.8))


@pytest.mark.parametrize("value", [0.25, "0.25", "2.5e-1"])
def test_ratio_a_is_read_whatever_its_type(value: Value) -> None:
    assert ratio_a([parameter(1, "verbose"), parameter(value), parameter(2, "n")]) == 0.25


def test_ratio_a_bounds_and_default() -> None:
    assert ratio_a([]) == 0.5
    assert ratio_a([parameter(0)]) == 0.0
    assert ratio_a([parameter(1)]) == 1.0


@pytest.mark.parametrize("value", [-0.1, 1.5, math.nan, math.inf, "half", "", 10**400])
def test_ratio_a_refuses(value: Value) -> None:
    with pytest.raises(ValueError, match="ratioA must be a number from 0 to 1, not "):
        ratio_a([parameter(value)])


def test_average() -> None:
    answer = AverageCombiner().aggregate([np.array([[1, 2]]), np.array([[2, 4]]), np.array([[6.0, 0]])], [[], [], []])
    assert answer.dtype == np.float64
    np.testing.assert_array_equal(answer, [[3.0, 2.0]])


def test_average_leaves_its_inputs_alone() -> None:
    first = np.array([1.0, 2.0])
    answer = AverageCombiner().aggregate([first, np.array([3.0, 4.0])], [])
    np.testing.assert_array_equal(first, [1.0, 2.0])
    np.testing.assert_array_equal(answer, [2.0, 3.0])


def test_average_of_lists_and_of_one() -> None:
    np.testing.assert_array_equal(AverageCombiner().aggregate([[[1, 3]], [[3, 5]]], [[], []]), [[2.0, 4.0]])
    np.testing.assert_array_equal(AverageCombiner().aggregate([np.array([True, False])], [[]]), [1.0, 0.0])


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([np.zeros((1, 2)), np.zeros((2, 1))], r"answers of one shape; got child 0 \(1, 2\), child 1 \(2, 1\)"),
        ([np.zeros(2), np.array(["a", "b"])], r"averages numbers; child 1 answered <U1"),
        ([np.zeros(2), {"a": 1}], r"averages numbers; child 1 answered object"),
        ([[[1, 2], [3]]], r"averages arrays; the answer of child 0 is none: "),
        ([], r"got no answer to average"),
    ],
)
def test_average_refuses(features: list[Any], message: str) -> None:
    with pytest.raises(ComponentError, match=f"AVERAGE_COMBINER .*{message}") as caught:
        AverageCombiner().aggregate(features, [[] for _ in features])
    assert caught.value.reason == "BAD_COMBINER_INPUT"


def test_average_names_the_children_it_knows() -> None:
    average = AverageCombiner(["left", "right"])
    with pytest.raises(ComponentError, match=r"got 'left' \(2,\), 'right' \(3,\)"):
        average.aggregate([np.zeros(2), np.zeros(3)], [[], []])
    with pytest.raises(ComponentError, match="'right' answered object"):
        average.aggregate([np.zeros(2), {"a": 1}], [[], []])


class ForeignArray:
    """Stands for another array library: knows its own namespace, as the array API asks."""

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self.array = array

    def __array_namespace__(self) -> type["ForeignModule"]:
        return ForeignModule


class ForeignModule:
    float64 = np.float64
    seen: int = 0

    @classmethod
    def asarray(cls, value: Any) -> np.ndarray[Any, Any]:
        cls.seen += 1
        return value.array if isinstance(value, ForeignArray) else np.asarray(value)


def test_average_uses_the_library_of_its_input() -> None:
    ForeignModule.seen = 0
    answer = AverageCombiner().aggregate([ForeignArray(np.array([2.0])), ForeignArray(np.array([4.0]))], [[], []])
    assert ForeignModule.seen == 2
    assert answer.tolist() == [3.0]


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3), min_size=1, max_size=6))
def test_average_is_the_mean(rows: list[list[float]]) -> None:
    answer = AverageCombiner().aggregate([np.array(row) for row in rows], [[] for _ in rows])
    np.testing.assert_allclose(answer, np.mean(np.array(rows), axis=0), atol=1e-6)
