"""Tags, metrics and names are asked for after the call, and checked."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy
import pytest

from executor.component.extras import NOTHING, Added, Extras, extras_of
from executor.errors import ComponentError


def extras(naming: Sequence[str] = ("class_names",), **members: Any) -> Extras:
    return extras_of(SimpleNamespace(**members), "n", naming)


def test_nothing_to_ask() -> None:
    assert not extras()
    assert extras().collect() == NOTHING
    assert not extras((), class_names=lambda: ["a"])


def test_all_are_asked() -> None:
    metric = {"key": "k", "type": "GAUGE", "value": 1}
    given = extras(tags=lambda: {"a": 1}, metrics=lambda: [metric], class_names=lambda: numpy.array(["x", "y"]))
    assert len(given.asked) == 3
    assert given.collect() == Added({"a": 1}, [{**metric, "value": 1.0}], ("x", "y"))


def test_names_may_be_a_plain_attribute() -> None:
    assert extras(class_names=["x", 2]).collect() == Added({}, [], ("x", "2"))
    assert extras(("class_names", "feature_names"), feature_names=("f",)).collect().names == ("f",)
    assert extras(class_names=["x"])


def test_async_ones_are_waited_for() -> None:
    async def tags() -> dict[str, int]:
        return {"a": 1}

    async def shy() -> Any:
        raise NotImplementedError

    async def broken() -> Any:
        raise ValueError("no")

    assert asyncio.run(extras(tags=tags, metrics=list).collect_async()) == Added({"a": 1}, [], None)
    assert asyncio.run(extras(metrics=shy).collect_async()) == NOTHING
    with pytest.raises(ComponentError, match="node 'n': tags raised ValueError: no"):
        asyncio.run(extras(tags=broken).collect_async())


def test_errors_are_named() -> None:
    def broken() -> Any:
        raise ValueError("no")

    def shy() -> Any:
        raise NotImplementedError

    with pytest.raises(ComponentError, match="node 'n': metrics raised ValueError: no"):
        extras(metrics=broken).collect()
    assert extras(tags=shy, metrics=shy, class_names=shy).collect() == NOTHING
    with pytest.raises(ComponentError, match=r"tags\(\) must be a dict, not list"):
        extras(tags=list).collect()
    with pytest.raises(ComponentError, match=r"node 'n': tags\(one\) cannot be called as tags\(\)"):
        extras(tags=lambda one: one)
