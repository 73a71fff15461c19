"""Owns what a component adds to an answer besides its payload: tags, metrics, and the names of the columns.

Must not join them with what came in (see `executor.component.meta`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from executor.component import convert, faults, meta, methods
from executor.component.methods import UserMethod


class Added(NamedTuple):
    """What one call added. `names` is None where the component leaves them to the rules."""

    tags: Mapping[str, Any]
    metrics: list[meta.Meta]
    names: tuple[str, ...] | None


NOTHING = Added({}, [], None)


@dataclass(frozen=True, slots=True)
class Extras:
    """The methods to ask after a call, in the order they are asked."""

    node: str
    tags: UserMethod | None
    metrics: UserMethod | None
    names: UserMethod | None
    """`class_names` or `feature_names`, as the call needs."""
    fixed_names: tuple[str, ...] | None
    """Names that the class has as a plain attribute."""

    @property
    def asked(self) -> list[UserMethod]:
        """The methods that there are."""
        return [each for each in (self.tags, self.metrics, self.names) if each is not None]

    def __bool__(self) -> bool:
        return bool(self.asked) or self.fixed_names is not None

    def collect(self) -> Added:
        """Ask all of them."""
        return self._added([_ask(each, self.node) for each in (self.tags, self.metrics, self.names)])

    async def collect_async(self) -> Added:
        """Ask all of them, those too that are `async def`."""
        return self._added([await _ask_async(each, self.node) for each in (self.tags, self.metrics, self.names)])

    def _added(self, answers: list[Any]) -> Added:
        tags, metrics, names = answers
        return Added(
            meta.checked_tags(tags, self.node, "tags()"),
            meta.checked_metrics(metrics, self.node, "metrics()"),
            self.fixed_names if names is None else convert.texts(names),
        )


def extras_of(component: Any, node: str, naming: Sequence[str] = ()) -> Extras:
    """What `component` adds; the first of `naming` that it has, method or attribute, names the columns."""
    naming = [name for name in naming if _fixed(component, name) or methods.find(component, name)]
    fixed = _fixed(component, naming[0]) if naming else None
    found = [methods.find(component, name) for name in ("tags", "metrics", *naming[:1])]
    found += [None] * (3 - len(found))
    asked = [None if each is None else _checked(each, node) for each in found]
    return Extras(node, asked[0], asked[1], asked[2], fixed)


def _fixed(component: Any, name: str) -> tuple[str, ...] | None:
    plain = getattr(component, name, None)
    return None if plain is None or callable(plain) else convert.texts(plain)


def _checked(method: UserMethod, node: str) -> UserMethod:
    methods.check_call(method, (), (), node)
    return method


def _ask(method: UserMethod | None, node: str) -> Any:
    if method is None:
        return None
    try:
        return method.call()
    except BaseException as exc:
        return _nothing_if_missing(exc, method, node)


async def _ask_async(method: UserMethod | None, node: str) -> Any:
    if method is None or not method.is_async:
        return _ask(method, node)
    try:
        return await method.call()
    except BaseException as exc:
        return _nothing_if_missing(exc, method, node)


def _nothing_if_missing(exc: BaseException, method: UserMethod, node: str) -> None:
    faults.let_pass(exc)
    if not faults.says_not_implemented(exc):
        raise faults.raised(exc, node, method.name) from exc
