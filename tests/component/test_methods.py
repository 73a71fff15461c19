"""What is known of a user's methods is found once: presence, mode, arguments."""

import functools
from types import SimpleNamespace
from typing import Any

import pytest

from executor.component import methods
from executor.component.mark import quick
from executor.component.methods import UserMethod
from executor.errors import ComponentError
from executor.graph.builtin import AverageCombiner
from executor.types import Encoding, Mode


class SeldonComponent:
    def predict(self, X: Any, names: Any) -> Any: ...


class User(SeldonComponent):
    number = 3

    def route(self, X: Any, names: Any, *, meta: Any = None) -> int:
        return 0

    async def aggregate(self, *anything: Any, **named: Any) -> Any: ...

    @quick
    def tags(self) -> dict[str, Any]:
        return {}


def found(name: str, component: Any = None) -> UserMethod:
    method = methods.find(component or User(), name)
    assert method is not None
    return method


def test_only_the_users_own_methods_are_found() -> None:
    assert [methods.find(User(), name) for name in ("predict", "number", "gone")] == [None, None, None]
    assert found("route").call(None, None) == 0
    assert methods.inherits_base(User())
    assert not methods.inherits_base(AverageCombiner())


def test_modes() -> None:
    assert found("route").mode is Mode.BLOCKING
    assert found("aggregate").mode is Mode.ASYNC
    assert found("tags").mode is Mode.QUICK
    assert found("aggregate", AverageCombiner()).mode is Mode.QUICK


def test_a_method_may_be_any_callable() -> None:
    class Waiting:
        async def __call__(self, X: Any, names: Any) -> Any: ...

    class Holder:
        predict = None
        route: Any = None

    holder = Holder()
    holder.route = functools.partial(max, 3)
    assert methods.find(holder, "predict") is None
    assert found("route", holder).call(1) == 3
    holder.route = Waiting()
    assert found("route", holder).mode is Mode.ASYNC


def test_arguments() -> None:
    route, aggregate = found("route"), found("aggregate")
    assert (route.places, route.accepts("meta"), route.accepts("other")) == (2, True, False)
    assert (aggregate.places, aggregate.accepts("anything at all")) == (None, True)


def test_a_method_that_cannot_be_called_as_it_will_be_is_refused() -> None:
    route = found("route")
    methods.check_call(route, ("X", "names"), ("meta",), "n")
    with pytest.raises(ComponentError, match=r"node 'n': route\(X.*cannot be called as route\(X, names, more\)"):
        methods.check_call(route, ("X", "names", "more"), (), "n")


def test_what_runs_together_must_run_alike() -> None:
    blocking, waiting, inline = found("route"), found("aggregate"), found("tags")
    assert methods.joint_mode([], [], "n") is Mode.QUICK
    assert methods.joint_mode([inline], [blocking], "n") is Mode.QUICK
    assert methods.joint_mode([], [blocking, inline], "n") is Mode.BLOCKING
    assert methods.joint_mode([blocking, inline], [], "n") is Mode.BLOCKING
    assert methods.joint_mode([waiting], [blocking, waiting], "n") is Mode.ASYNC
    assert methods.joint_mode([], [blocking, waiting], "n") is Mode.ASYNC
    with pytest.raises(ComponentError, match="aggregate and route fall back on one another"):
        methods.joint_mode([waiting, blocking], [], "n")
    with pytest.raises(ComponentError, match="aggregate is `async def` but route is not"):
        methods.joint_mode([blocking], [waiting], "n")


def test_methods_that_are_given_whole_messages(caplog: pytest.LogCaptureFixture) -> None:
    def named(**found: str) -> dict[int, str]:
        made = SimpleNamespace(**{name: (lambda message: message) for name in found.values()})
        return {encoding: method.name for encoding, method in methods.whole(made, "predict").items()}

    proto, text = int(Encoding.SELDON_PROTO), int(Encoding.SELDON_JSON)
    assert named() == {}
    assert named(a="predict_raw") == {proto: "predict_raw", text: "predict_raw"}
    assert not caplog.records
    assert named(a="predict_raw", b="predict_rest") == {proto: "predict_raw", text: "predict_rest"}
    assert named(a="predict_grpc") == {proto: "predict_grpc"}
    other = SimpleNamespace(route_rest=print, route_grpc=print, route_raw=print)
    assert {each.name for each in methods.whole(other, "route").values()} == {"route_rest"}
    assert "SimpleNamespace.route_rest is deprecated: write route_raw" in caplog.text
