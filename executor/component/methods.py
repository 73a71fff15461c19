"""Owns what is known of a user object's methods: which it has, what they take, how they are to be run.

Must not call any of them. Everything here happens once, when a host is made, never per request.
"""

import inspect
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from executor.component import mark
from executor.errors import ComponentError
from executor.graph import builtin
from executor.types import Encoding, Mode

logger = logging.getLogger(__name__)

BASE_CLASS = "SeldonComponent"
"""Seldon's optional base class. Its methods only say "not implemented", so one inherited from it counts as absent."""

_BUILTIN = tuple(each.component for each in builtin.BUILTINS.values() if isinstance(each.component, type))


@dataclass(frozen=True, slots=True)
class UserMethod:
    """One method of a user object."""

    name: str
    call: Callable[..., Any]
    mode: Mode
    takes: frozenset[str] | None
    """Names of the arguments it can be given by name; None is any."""
    places: int | None
    """Number of arguments that it can be given by position; None is any."""

    def accepts(self, argument: str) -> bool:
        """Whether `argument` may be given by name."""
        return self.takes is None or argument in self.takes

    def needs(self, argument: str) -> bool:
        """Whether `argument` must be given."""
        try:
            found = inspect.signature(self.call).parameters.get(argument)
        except (TypeError, ValueError):
            return False
        return found is not None and found.default is found.empty

    @property
    def is_async(self) -> bool:
        return self.mode is Mode.ASYNC


def find(component: Any, name: str) -> UserMethod | None:
    """The method `name` of `component`, or None where it has none of its own."""
    function = getattr(component, name, None)
    if function is None or not callable(function) or owner_of(component, name).__name__ == BASE_CLASS:
        return None
    takes, places = _arguments(function)
    return UserMethod(name, function, _mode(component, name, function), takes, places)


def whole(component: Any, name: str) -> dict[int, UserMethod]:
    """The methods that are given whole messages in place of the method `name`, by encoding: `*_raw`, or the deprecated
    forms that go before it. Of those, `predict_rest` and `predict_grpc` are for one encoding each; of the others,
    `*_rest` and else `*_grpc` is for both.
    """
    rest, grpc, raw = (find(component, f"{name}_{kind}") for kind in ("rest", "grpc", "raw"))
    if name != "predict":
        rest = grpc = rest or grpc
    for each in {method.name for method in (rest, grpc) if method is not None}:
        logger.warning("%s.%s is deprecated: write %s_raw", type(component).__name__, each, name)
    chosen = {Encoding.SELDON_JSON: rest or raw, Encoding.SELDON_PROTO: grpc or raw}
    return {int(encoding): method for encoding, method in chosen.items() if method is not None}


def owner_of(component: Any, name: str) -> type:
    """The class whose body says `name`; the object's own class where none does."""
    for each in type(component).__mro__:
        if name in vars(each):
            return each
    return type(component)


def inherits_base(component: Any) -> bool:
    """Whether the object's class is written on top of Seldon's base class."""
    return any(each.__name__ == BASE_CLASS for each in type(component).__mro__)


def _mode(component: Any, name: str, function: Callable[..., Any]) -> Mode:
    if _is_coroutine_function(function):
        return Mode.ASYNC
    if isinstance(component, _BUILTIN) or mark.is_marked(owner_of(component, name), function):
        return Mode.QUICK
    return Mode.BLOCKING


def _is_coroutine_function(function: Callable[..., Any]) -> bool:
    """True for `async def`, also behind functools.partial or as the `__call__` of an object."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _arguments(function: Callable[..., Any]) -> tuple[frozenset[str] | None, int | None]:
    """What can be given by name, and how many by position. Compiled functions without a signature take anything."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return frozenset(), None
    by_name = frozenset(p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))
    by_place = sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)
    takes = None if any(p.kind is p.VAR_KEYWORD for p in parameters) else by_name
    places = None if any(p.kind is p.VAR_POSITIONAL for p in parameters) else by_place
    return takes, places


def joint_mode(mains: list[UserMethod], companions: list[UserMethod], node: str) -> Mode:
    """How to run a handler that calls `mains` (a method and its raw form) and `companions` (tags, metrics, names).

    Companions are run where the main method is. Refuses the mixtures that cannot be run well.
    """
    kinds = {method.is_async for method in mains}
    if len(kinds) > 1:
        both = " and ".join(method.name for method in mains)
        raise _bad(node, f"{both} fall back on one another: write both as `async def` or neither")
    rigid = mains or companions
    if not any(method.is_async for method in rigid):
        waiting = [method.name for method in companions if method.is_async]
        if waiting:
            raise _bad(node, f"{waiting[0]} is `async def` but {rigid[0].name} is not: write both the same way")
        return max((method.mode for method in rigid), default=Mode.QUICK)
    return Mode.ASYNC


def check_call(method: UserMethod, places: tuple[str, ...], names: tuple[str, ...], node: str) -> None:
    """Refuse a method that cannot be called with arguments `places` by position and `names` by name."""
    try:
        signature = inspect.signature(method.call)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*places, **dict.fromkeys(names))
    except TypeError as exc:
        wanted = ", ".join(places)
        raise _bad(node, f"{method.name}{signature} cannot be called as {method.name}({wanted}): {exc}") from None


def _bad(node: str, message: str) -> ComponentError:
    return ComponentError(f"node {node!r}: {message}", reason="BAD_COMPONENT", node=node)
