"""Owns the built-in nodes: which step each takes over, how it picks a child, and what it computes.

Must not call anything nor hold state between requests: what routers learn, `executor.state` keeps.

A node whose `implementation` is in `BUILTINS` is a built-in whatever its `type` says. To add one, write it as a
`Builtin` in a file of its own and name it in the table at the end.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from executor.errors import ComponentError
from executor.graph import bandits
from executor.graph.spec import Node, NodeType, Parameter
from executor.types import Method

RATIO_A_DEFAULT = 0.5


class AverageCombiner:
    """Answers the element-wise mean of its children's answers, as float64.

    Written like a user's combiner class, so it is hosted like one. Arrays may be of any library that follows the
    Python array API (numpy, cupy); the answer is of the same library. `children` are their names, for errors.
    """

    def __init__(self, children: Sequence[str] = ()) -> None:
        self._children = tuple(children)

    def aggregate(self, features_list: Sequence[Any], names_list: Sequence[Sequence[str]]) -> Any:
        """The mean of `features_list`; the children's names play no part."""
        if not features_list:
            raise _refusal("got no answer to average")
        xp = _array_module(features_list[0])
        told = [self._told(index) for index in range(len(features_list))]
        arrays = [_as_array(xp, child, features) for child, features in zip(told, features_list, strict=True)]
        _check_one_shape(told, arrays)
        total = arrays[0].astype(xp.float64)
        for array in arrays[1:]:
            total += array
        total /= len(arrays)
        return total

    def _told(self, index: int) -> str:
        return f"'{self._children[index]}'" if index < len(self._children) else f"child {index}"


def _array_module(features: Any) -> ModuleType | Any:
    """The library that made `features`; numpy for lists and the like."""
    namespace = getattr(features, "__array_namespace__", None)
    if namespace is not None:
        return namespace()
    import numpy

    return numpy


def _as_array(xp: Any, child: str, features: Any) -> Any:
    """The answer of a child as an array of numbers; text, mappings and ragged lists are refused."""
    try:
        array = xp.asarray(features)
    except ValueError as error:
        raise _refusal(f"averages arrays; the answer of {child} is none: {error}") from error
    if array.dtype.kind not in "biuf":
        raise _refusal(f"averages numbers; {child} answered {array.dtype}")
    return array


def _check_one_shape(children: Sequence[str], arrays: Sequence[Any]) -> None:
    if len({tuple(array.shape) for array in arrays}) > 1:
        shapes = ", ".join(f"{child} {tuple(array.shape)}" for child, array in zip(children, arrays, strict=True))
        raise _refusal(f"needs answers of one shape; got {shapes}")


def _refusal(message: str) -> ComponentError:
    return ComponentError(f"AVERAGE_COMBINER {message}", reason="BAD_COMBINER_INPUT")


def ratio_a(parameters: Iterable[Parameter]) -> float:
    """The share of requests that RANDOM_ABTEST sends to child 0: parameter `ratioA`, of any type, 0 to 1.

    Raises ValueError with a message for the user where the value is no such number.
    """
    for parameter in parameters:
        if parameter.name == "ratioA":
            return _ratio(parameter.value)
    return RATIO_A_DEFAULT


def _ratio(value: object) -> float:
    allowed = "ratioA must be a number from 0 to 1"
    try:
        ratio = float(value)  # type: ignore[arg-type]
    except (ValueError, OverflowError):
        raise ValueError(f"{allowed}, not {value!r}") from None
    if not 0.0 <= ratio <= 1.0:  # false for NaN too
        raise ValueError(f"{allowed}, not {value!r}")
    return ratio


def _first_child(node: Node) -> tuple[float, ...]:
    return (1.0,) + (0.0,) * (len(node.children) - 1)


def _random_ab(node: Node) -> tuple[float, ...]:
    ratio = ratio_a(node.parameters)
    return (ratio, 1.0 - ratio)


@dataclass(frozen=True, slots=True)
class Builtin:
    """What an `implementation` that millrace brings along lowers to."""

    name: str
    stands_for: NodeType
    """The type that it behaves like, for display and for rules on children."""
    step: Method
    """The call that is not made, because the executor does the work itself."""
    weights: Callable[[Node], tuple[float, ...]] | None = None
    """Chances of each child, where the executor picks one. Raises ValueError for parameters it cannot read."""
    component: Callable[[Sequence[str]], Any] | None = None
    """Makes the object that computes, where something has to be computed, from the names of the node's children."""
    children: int | None = None
    """Exact number of children needed; None for any."""
    bandit: Callable[[Node], bandits.Bandit] | None = None
    """How the router learns, where it does; it then takes feedback too. Raises ValueError as `weights` does."""

    @property
    def does(self) -> frozenset[Method]:
        """The calls that are not made, because the executor does the work itself."""
        return frozenset({self.step, Method.SEND_FEEDBACK} if self.bandit else {self.step})


SIMPLE_MODEL = Builtin("SIMPLE_MODEL", NodeType.MODEL, Method.PREDICT)
SIMPLE_ROUTER = Builtin("SIMPLE_ROUTER", NodeType.ROUTER, Method.ROUTE, weights=_first_child)
RANDOM_ABTEST = Builtin("RANDOM_ABTEST", NodeType.ROUTER, Method.ROUTE, weights=_random_ab, children=2)
AVERAGE_COMBINER = Builtin("AVERAGE_COMBINER", NodeType.COMBINER, Method.AGGREGATE, component=AverageCombiner)

LEARNING = tuple(
    Builtin(name, NodeType.ROUTER, Method.ROUTE, bandit=bandit)
    for name, bandit in (
        ("EPSILON_GREEDY", bandits.epsilon_greedy),
        ("THOMPSON_SAMPLING", bandits.thompson_sampling),
        ("UCB1", bandits.ucb1),
        ("EXP3", bandits.exp3),
    )
)

BUILTINS = {each.name: each for each in (SIMPLE_MODEL, SIMPLE_ROUTER, RANDOM_ABTEST, AVERAGE_COMBINER, *LEARNING)}
