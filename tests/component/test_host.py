"""A hosted object answers each call as Seldon's wrapper would, in the encoding that it was asked in."""

import asyncio
from types import SimpleNamespace
from typing import Any

import numpy
import pytest
from support.components import BOTH, ask, call, content, request

from executor._native import message as native
from executor.component import quick
from executor.component.host import ASSUMED_HEALTHY, HEALTHY, Host
from executor.component.seldon_core.user_model import SeldonNotImplementedError
from executor.errors import ComponentError
from executor.types import Encoding, Form, Method, Mode

TWO_ROWS = {"data": {"names": ["a", "b"], "ndarray": [[1.0, 2.0], [3.0, 4.0]]}}


class Full:
    """Written as for Seldon's wrapper, with all that it knows."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def predict(self, X: Any, features_names: Any, meta: Any = None) -> Any:
        self.seen.append((X.tolist(), list(features_names), meta))
        return X * 2

    def transform_input(self, X: Any, names: Any, meta: Any = None) -> Any:
        return X + 1

    def transform_output(self, X: Any, names: Any) -> Any:
        return X - 1

    def route(self, features: Any, feature_names: Any) -> int:
        return 1

    def aggregate(self, features_list: Any, names_list: Any) -> Any:
        self.seen.append(names_list)
        return sum(features_list)

    def send_feedback(self, features: Any, names: Any, reward: float, truth: Any, routing: Any = None) -> None:
        self.seen.append((features.tolist(), list(names), reward, truth.tolist(), routing))

    def tags(self) -> dict[str, Any]:
        return {"own": 1}

    def metrics(self) -> list[dict[str, Any]]:
        return [{"key": "calls", "type": "COUNTER", "value": 1}]

    def class_names(self) -> list[str]:
        return ["x", "y"]

    def feature_names(self) -> list[str]:
        return ["f", "g"]


@pytest.mark.parametrize("encoding", BOTH)
def test_a_full_class_answers_a_prediction(encoding: int) -> None:
    full = Full()
    asked = {**TWO_ROWS, "meta": {"puid": "p1", "tags": {"from": "client"}, "requestPath": {"before": "b:1"}}}
    said = ask(full, asked, encoding=encoding, image="mine:3")
    assert said["data"] == {"names": ["x", "y"], "ndarray": [[2, 4], [6, 8]]}
    assert said["meta"] == {
        "puid": "p1",
        "tags": {"from": "client", "own": 1},
        "requestPath": {"before": "b:1", "node": "mine:3"},
        "metrics": [{"key": "calls", "type": "COUNTER", "value": 1}],
    }
    features, names, meta = full.seen[0]
    assert (features, names) == ([[1, 2], [3, 4]], ["a", "b"])
    assert meta["puid"] == "p1"
    assert meta["tags"] == {"from": "client"}


@pytest.mark.parametrize("encoding", BOTH)
@pytest.mark.parametrize(
    ("method", "data"),
    [
        (Method.TRANSFORM_INPUT, {"names": ["x", "y"], "ndarray": [[2, 3], [4, 5]]}),
        (Method.TRANSFORM_OUTPUT, {"names": ["x", "y"], "ndarray": [[0, 1], [2, 3]]}),
        (Method.ROUTE, {"names": ["x", "y"], "ndarray": [[1]]}),
    ],
)
def test_a_full_class_answers_the_other_calls(encoding: int, method: Method, data: Any) -> None:
    said = ask(Full(), TWO_ROWS, method, encoding)
    said["data"].setdefault("names", [])
    assert said["data"] == {"names": [], **data}
    assert said["meta"]["tags"] == {"own": 1}


@pytest.mark.parametrize("encoding", BOTH)
def test_a_combiner_gets_all_and_joins_their_meta(encoding: int) -> None:
    full = Full()
    asked = [
        {**TWO_ROWS, "meta": {"puid": "first", "tags": {"k": 1, "one": 1}, "requestPath": {"m0": "i:0"}}},
        {**TWO_ROWS, "meta": {"puid": "second", "tags": {"k": 2}, "routing": {"r": 1}}},
    ]
    said = ask(full, asked, Method.AGGREGATE, encoding)
    assert said["data"] == {"names": ["x", "y"], "ndarray": [[2, 4], [6, 8]]}
    assert said["meta"]["tags"] == {"k": 2, "one": 1, "own": 1}
    assert said["meta"]["puid"] == "first"
    assert said["meta"]["requestPath"] == {"m0": "i:0"}
    assert "routing" not in said["meta"]
    assert [list(names) for names in full.seen[0]] == [["a", "b"], ["a", "b"]]


@pytest.mark.parametrize("encoding", BOTH)
def test_feedback_comes_with_reward_truth_and_the_route_taken(encoding: int) -> None:
    full = Full()
    feedback = {
        "request": {**TWO_ROWS, "meta": {"tags": {"not": "inherited"}}},
        "response": {"meta": {"routing": {"node": 1, "other": 0}}},
        "reward": 0.5,
        "truth": {"data": {"ndarray": [[1.0], [0.0]]}},
    }
    said = ask(full, feedback, Method.SEND_FEEDBACK, encoding)
    assert full.seen == [([[1, 2], [3, 4]], ["a", "b"], 0.5, [[1], [0]], 1)]
    assert said["data"]["ndarray"] == []
    assert said["meta"]["tags"] == {"own": 1}


@pytest.mark.parametrize("encoding", BOTH)
def test_feedback_may_leave_parts_out_and_a_class_need_not_want_it(encoding: int) -> None:
    full = Full()
    ask(full, {"reward": 1.0}, Method.SEND_FEEDBACK, encoding)
    assert full.seen == [([], [], 1.0, [], None)]
    plain = ask(SimpleNamespace(), {"request": TWO_ROWS, "reward": 1.0}, Method.SEND_FEEDBACK, encoding)
    assert plain["data"]["ndarray"] == []


@pytest.mark.parametrize("encoding", BOTH)
@pytest.mark.parametrize("method", [Method.TRANSFORM_INPUT, Method.TRANSFORM_OUTPUT])
def test_a_missing_transform_is_the_identity(encoding: int, method: Method) -> None:
    class Bare:
        def tags(self) -> dict[str, str]:
            return {"was": "here"}

    said = ask(Bare(), TWO_ROWS, method, encoding)
    assert said["data"]["ndarray"] == [[1, 2], [3, 4]]
    assert said["meta"]["tags"] == {"was": "here"}


def test_every_call_has_a_handler_and_what_a_node_needs_must_be_there() -> None:
    class Model:
        def predict(self, X: Any, names: Any) -> Any:
            return X

    for each in (SimpleNamespace(), Model()):
        assert set(Host(each, "n", environ={}).handlers) == set(Method)
    for method in (Method.ROUTE, Method.AGGREGATE):
        with pytest.raises(ComponentError, match="is not implemented") as caught:
            ask(Model(), [TWO_ROWS] if method is Method.AGGREGATE else TWO_ROWS, method)
        assert (caught.value.http_status, caught.value.reason) == (400, "MICROSERVICE_BAD_DATA")
    with pytest.raises(ComponentError, match="node 'n': class Model has no route and no aggregate; it has predict"):
        Host(Model(), "n", methods=[Method.PREDICT, Method.ROUTE, Method.AGGREGATE], environ={})


class SeldonComponent:
    """As Seldon's base class: every method is there, and says that it is not."""

    def predict(self, X: Any, names: Any, meta: Any = None) -> Any:
        raise NotImplementedError

    def route(self, X: Any, names: Any, meta: Any = None) -> Any:
        raise NotImplementedError

    def health_status(self) -> Any:
        raise NotImplementedError

    def tags(self) -> Any:
        raise NotImplementedError

    def load(self) -> None:
        pass


def test_what_is_inherited_from_seldons_base_class_counts_as_absent() -> None:
    class Derived(SeldonComponent):
        def predict(self, X: Any, names: Any, meta: Any = None) -> Any:
            return X

    host = Host(Derived(), "n", environ={})
    assert Method.PREDICT in host.handlers
    with pytest.raises(ComponentError, match="route is not implemented"):
        ask(host, TWO_ROWS, Method.ROUTE)
    assert ask(host, TWO_ROWS)["meta"] == {}


@pytest.mark.parametrize("encoding", BOTH)
def test_methods_that_say_not_implemented_have_their_stand_in(encoding: int) -> None:
    class Shy:
        def predict(self, X: Any, names: Any) -> Any:
            raise SeldonNotImplementedError("no")

        def transform_input(self, X: Any, names: Any) -> Any:
            raise SeldonNotImplementedError("no")

        def transform_output(self, X: Any, names: Any) -> Any:
            raise NotImplementedError("deep inside")

        def tags(self) -> Any:
            raise NotImplementedError

    said = ask(Shy(), TWO_ROWS, Method.TRANSFORM_INPUT, encoding)["data"]
    assert said["ndarray"] == TWO_ROWS["data"]["ndarray"]
    assert ask(Shy(), TWO_ROWS, Method.PREDICT, encoding)["data"]["ndarray"] == []
    with pytest.raises(ComponentError, match="transform_output raised NotImplementedError: deep inside") as caught:
        ask(Shy(), TWO_ROWS, Method.TRANSFORM_OUTPUT, encoding)
    assert caught.value.http_status == 500


def test_modes_follow_the_methods() -> None:
    class Mixed:
        @quick
        def predict(self, X: Any, names: Any) -> Any:
            return X

        async def route(self, X: Any, names: Any) -> int:
            return 0

        def aggregate(self, features_list: Any, names_list: Any) -> Any:
            return features_list[0]

    modes = {method: mode for method, (mode, _) in Host(Mixed(), "n", environ={}).handlers.items()}
    assert modes == {
        Method.PREDICT: Mode.QUICK,
        Method.ROUTE: Mode.ASYNC,
        Method.AGGREGATE: Mode.BLOCKING,
        Method.TRANSFORM_INPUT: Mode.QUICK,
        Method.TRANSFORM_OUTPUT: Mode.QUICK,
        Method.SEND_FEEDBACK: Mode.QUICK,
    }


@pytest.mark.parametrize("encoding", BOTH)
def test_a_class_may_be_async_throughout(encoding: int) -> None:
    class Waiting:
        async def predict(self, X: Any, names: Any, meta: Any = None) -> Any:
            await asyncio.sleep(0)
            return X * 3

        async def tags(self) -> dict[str, int]:
            return {"a": 1}

        def metrics(self) -> list[Any]:
            return []

        async def class_names(self) -> list[str]:
            return ["p", "q"]

        async def load(self) -> None:
            self.ready = True

    waiting = Waiting()
    host = Host(waiting, "n", environ={})
    asyncio.run(host.load())
    assert waiting.ready
    said = ask(host, TWO_ROWS, encoding=encoding)
    assert said["data"] == {"names": ["p", "q"], "ndarray": [[3, 6], [9, 12]]}
    assert said["meta"] == {"tags": {"a": 1}}


def test_request_path_needs_an_image_or_the_environments_word() -> None:
    class Model:
        def predict(self, X: Any, names: Any) -> Any:
            return X

    def path(**given: Any) -> Any:
        return ask(Model(), TWO_ROWS, **given)["meta"].get("requestPath")

    assert path() is None
    assert path(image="model:2") == {"node": "model:2"}
    assert path(environ={"PREDICTIVE_UNIT_ID": "node", "PREDICTIVE_UNIT_IMAGE": "i:4"}) == {"node": "i:4"}
    assert path(environ={"PREDICTIVE_UNIT_ID": "node"}) == {"node": "NOT_IMPLEMENTED:NOT_IMPLEMENTED"}
    assert path(environ={"PREDICTIVE_UNIT_ID": "another"}) is None


@pytest.mark.parametrize("encoding", BOTH)
def test_health(encoding: int) -> None:
    def health(component: Any) -> Any:
        return content(asyncio.run(Host(component, "n", environ={}).health(encoding)))

    assert health(SimpleNamespace())["strData"] == HEALTHY
    assert health(SeldonComponent())["strData"] == ASSUMED_HEALTHY
    assert health(SimpleNamespace(health_status=lambda: {"fine": True}))["jsonData"] == {"fine": True}
    said = health(SimpleNamespace(health_status=lambda: numpy.array([1.0]), tags=lambda: {"k": 1}))
    assert said["data"]["tensor"]["values"] == [1]
    assert said["meta"]["tags"] == {"k": 1}
    assert health(SimpleNamespace(health_status_raw=lambda: {"strData": "raw"}))["strData"] == "raw"


def test_ill_health_is_an_error() -> None:
    def ill() -> Any:
        raise RuntimeError("fever")

    with pytest.raises(ComponentError, match="health_status raised RuntimeError: fever"):
        asyncio.run(Host(SimpleNamespace(health_status=ill), "n", environ={}).health())


def test_handlers_can_be_called_again_with_the_same_message() -> None:
    class InPlace:
        def predict(self, X: Any, names: Any) -> Any:
            X *= 10
            return X

    host = Host(InPlace(), "n", environ={})
    for encoding in BOTH:
        message = request({"data": {"tensor": {"shape": [2], "values": [1.0, 2.0]}}}, encoding=encoding)
        before = bytes(message)
        for _ in range(2):
            assert content(call(host, message))["data"]["tensor"]["values"] == [10, 20]
        assert bytes(message) == before


@pytest.mark.parametrize("encoding", BOTH)
def test_the_environment_may_keep_metrics_out_of_answers(encoding: int) -> None:
    class Model:
        def predict(self, X: Any, names: Any) -> Any:
            metric = {"key": "late", "type": "GAUGE", "value": 1}
            return SimpleNamespace(data=X, tags={"t": 1}, metrics=[metric])

        def metrics(self) -> Any:
            return [{"key": "k", "type": "COUNTER", "value": 1}]

    told = ask(Model(), TWO_ROWS, encoding=encoding)["meta"]
    assert [each["key"] for each in told["metrics"]] == ["k", "late"]
    environ = {"INCLUDE_METRICS_IN_CLIENT_RESPONSE": "False"}
    assert ask(Model(), TWO_ROWS, encoding=encoding, environ=environ)["meta"] == {"tags": {"t": 1}}


def test_the_environment_may_pass_json_bodies_to_raw_methods_as_bytes() -> None:
    class Raw:
        def predict_raw(self, message: Any) -> Any:
            return message.upper() if isinstance(message, bytes) else message

        def send_feedback_raw(self, feedback: Any) -> Any:
            return {"strData": f"{feedback.reward}"}

    host = Host(Raw(), "n", environ={"PAYLOAD_PASSTHROUGH": "true"})
    assert bytes(call(host, request({"strdata": "x"}))) == b'{"STRDATA": "X"}'
    assert ask(host, {"strData": "x"}, encoding=Encoding.SELDON_PROTO) == {"strData": "x"}
    feedback = native.Message(b'{"reward": 0.5}', Encoding.SELDON_JSON, Form.FEEDBACK)
    assert content(call(host, feedback, Method.SEND_FEEDBACK)) == {"strData": "0.5"}


@pytest.mark.parametrize("encoding", BOTH)
def test_what_is_changed_in_meta_is_answered(encoding: int) -> None:
    class Model:
        def predict(self, X: Any, names: Any, meta: Any) -> Any:
            meta["tags"] = {"changed": 1}
            return X

    asked: Any
    for asked in ({**TWO_ROWS, "meta": {}}, {**TWO_ROWS, "meta": {"puid": "p", "tags": {"in": 1}}}):
        assert ask(Model(), asked, encoding=encoding)["meta"]["tags"] == {"changed": 1}
