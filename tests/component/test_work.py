"""The general way from message to answer: arguments as the method takes them, exceptions as errors."""

import asyncio
from typing import Any

import pytest
from support.components import BOTH, ask

from executor._pb import seldon_pb2
from executor.component.host import Host
from executor.errors import ComponentError, DecodeError
from executor.telemetry.users import Recorder
from executor.types import Method

ROW = {"data": {"names": ["a"], "ndarray": [[1.0]]}, "meta": {"puid": "p"}}


def answered(predict: Any, **members: Any) -> Any:
    """What a class with this method, and tags, answers: tags make the call go the general way."""
    members.setdefault("tags", lambda self: {"t": 1})
    return ask(type("Model", (), {"predict": predict, **members})(), ROW)


def test_a_method_gets_what_it_takes() -> None:
    assert answered(lambda self, X: str(X.tolist()))["strData"] == "[[1.0]]"
    assert answered(lambda self, X, names: names[0])["strData"] == "a"
    assert answered(lambda self, X, names, meta: meta["puid"])["strData"] == "p"
    assert answered(lambda self, X, *, meta=None: meta["puid"])["strData"] == "p"
    assert answered(lambda self, *places, **named: f"{len(places)}{list(named)}")["strData"] == "2['meta']"


def test_a_type_error_has_the_method_called_again_without_meta() -> None:
    calls: list[Any] = []

    def hidden(self: Any, *places: Any, **named: Any) -> Any:
        calls.append(sorted(named))
        return (lambda X, names: f"{len(X)} without meta")(*places, **named)

    def told(self: Any, X: Any, names: Any, meta: Any = None) -> Any:
        raise TypeError(f"meta is {meta}")

    def needed(self: Any, X: Any, names: Any, meta: Any) -> Any:
        raise TypeError(f"meta is {meta}")

    assert answered(hidden)["strData"] == "1 without meta"
    assert ask(type("Model", (), {"predict": hidden})(), ROW)["strData"] == "1 without meta"
    assert calls == [["meta"], []] * 2
    with pytest.raises(ComponentError, match="predict raised TypeError: meta is None"):
        answered(told)
    with pytest.raises(ComponentError, match=r"predict raised TypeError: meta is \{'puid': 'p'\}"):
        answered(needed)


@pytest.mark.parametrize(
    "predict", [lambda self: "x", lambda self, X, names, more: "x", lambda self, X, names, *, more: "x"]
)
def test_a_method_that_cannot_be_called_is_refused_at_once(predict: Any) -> None:
    with pytest.raises(ComponentError, match=r"predict\(.*\) cannot be called as predict\(X") as caught:
        Host(type("Model", (), {"predict": predict})(), "n", environ={})
    assert caught.value.reason == "BAD_COMPONENT"


def test_exceptions_are_named() -> None:
    def broken(self: Any, X: Any, names: Any) -> Any:
        raise ValueError("bad shape")

    async def waiting(self: Any, X: Any, names: Any) -> Any:
        await asyncio.sleep(0)
        raise ValueError("bad shape")

    for predict in (broken, waiting):
        with pytest.raises(ComponentError, match="node 'node': predict raised ValueError: bad shape") as caught:
            answered(predict)
        assert isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(ComponentError, match="tags raised ValueError: bad shape"):
        answered(lambda self, X, names: X, tags=lambda self: broken(self, 0, 0))


def test_cancelling_goes_through() -> None:
    async def stuck(self: Any, X: Any, names: Any) -> Any:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        answered(stuck)


@pytest.mark.parametrize("encoding", BOTH)
def test_an_async_class_may_leave_calls_out(encoding: int) -> None:
    class Waiting:
        async def tags(self) -> dict[str, int]:
            return {"t": 1}

    said = ask(Waiting(), ROW, Method.TRANSFORM_INPUT, encoding)
    assert said["data"]["ndarray"] == [[1]]
    assert said["meta"] == {"puid": "p", "tags": {"t": 1}}


@pytest.mark.parametrize("encoding", BOTH)
def test_a_message_that_does_not_open_names_the_node(encoding: int) -> None:
    class Tagged:
        def predict(self, X: Any, names: Any) -> Any:
            return X

        def tags(self) -> dict[str, int]:
            return {}

    with pytest.raises(DecodeError) as caught:
        ask(Tagged(), {"data": {"tensor": {"shape": [5], "values": [1.0]}}}, encoding=encoding)
    assert caught.value.node == "node"


class Noting(Recorder):
    """Notes what it is told to count."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def record(self, method: str, entries: Any) -> None:
        self.told += [(method, each["key"], each["type"], each["value"]) for each in entries]

    def reward(self, reward: float) -> None:
        self.told.append(reward)


SEEN = {"key": "seen", "type": "COUNTER", "value": 1}


@pytest.mark.parametrize("encoding", BOTH)
@pytest.mark.parametrize("tells", ["true", "false"])
def test_metrics_are_counted_whether_or_not_they_are_told(encoding: int, tells: str) -> None:
    class Model:
        def predict(self, X: Any, names: Any) -> Any:
            return X

        def metrics(self) -> Any:
            return [SEEN]

    noting = Noting()
    host = Host(Model(), "n", environ={"INCLUDE_METRICS_IN_CLIENT_RESPONSE": tells}, recorder=noting)
    assert ("metrics" in ask(host, ROW, encoding=encoding)["meta"]) == (tells == "true")
    assert noting.told == [("predict", "seen", "COUNTER", 1)]


@pytest.mark.parametrize("encoding", BOTH)
def test_metrics_of_raw_methods_are_counted(encoding: int) -> None:
    class Model:
        def predict_raw(self, message: Any) -> Any:
            if isinstance(message, dict):
                return {"meta": {"metrics": [{"key": "seen", "value": 1}, "odd"]}}
            message.Clear()
            message.meta.metrics.add(key="seen", value=1)
            return message

    noting = Noting()
    ask(Host(Model(), "n", environ={}, recorder=noting), ROW, encoding=encoding)
    assert noting.told == [("predict", "seen", "COUNTER", 1)]


def test_a_raw_answer_with_bad_metrics_goes_out_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    answer = {"meta": {"metrics": [{"key": "seen", "type": "TALLY", "value": 1}]}}
    noting = Noting()
    model = type("Model", (), {"predict_raw": lambda self, message: answer})()
    assert ask(Host(model, "n", environ={}, recorder=noting), ROW) == answer
    assert noting.told == []
    assert "needs a `type`" in caplog.text


@pytest.mark.parametrize("encoding", BOTH)
@pytest.mark.parametrize("raw", [False, True])
def test_rewards_are_counted(encoding: int, raw: bool) -> None:
    def send_feedback(self: Any, *places: Any) -> None:
        return None

    def send_feedback_raw(self: Any, feedback: Any) -> Any:
        return {} if isinstance(feedback, dict) else seldon_pb2.SeldonMessage()

    given: Any = send_feedback_raw if raw else send_feedback
    noting = Noting()
    host = Host(type("Model", (), {given.__name__: given})(), "n", environ={}, recorder=noting)
    ask(host, {"request": ROW, "reward": 0.5}, Method.SEND_FEEDBACK, encoding)
    assert noting.told == [0.5]


async def test_metrics_of_a_health_check_are_counted() -> None:
    class Model:
        def health_status(self) -> str:
            return "fine"

        def metrics(self) -> Any:
            return [SEEN]

    noting = Noting()
    await Host(Model(), "n", environ={}, recorder=noting).health()
    assert noting.told == [("health", "seen", "COUNTER", 1)]
