"""Raw methods see a dict for JSON and a protobuf message for protobuf, and may answer either."""

import json
import subprocess
import sys
import types
from typing import Any

import pytest
from support.components import BOTH, ask, call, request

from executor._native import message as native
from executor._pb import seldon_pb2
from executor.component import raw
from executor.component.host import Host
from executor.errors import ComponentError, DecodeError
from executor.types import Encoding, Form, Method, Mode

PROTO, JSON = Encoding.SELDON_PROTO, Encoding.SELDON_JSON
ASKED = {"data": {"ndarray": [[1.0, 2.0]]}, "meta": {"puid": "p"}}


class Raw:
    """Keeps what it gets, and answers what it was told to."""

    def __init__(self, answer: Any = None) -> None:
        self.seen: list[Any] = []
        self.answer = answer

    def predict_raw(self, message: Any) -> Any:
        self.seen.append(message)
        return message if self.answer is None else self.answer

    transform_input_raw = transform_output_raw = route_raw = aggregate_raw = send_feedback_raw = predict_raw


def test_a_dict_for_json_and_a_message_for_protobuf() -> None:
    user = Raw()
    assert ask(user, ASKED, encoding=JSON) == ASKED
    assert ask(user, ASKED, encoding=PROTO) == ASKED
    as_json, as_proto = user.seen
    assert as_json == ASKED
    assert type(as_proto).DESCRIPTOR.full_name == "seldon.protos.SeldonMessage"
    assert as_proto.meta.puid == "p"


@pytest.mark.parametrize("encoding", BOTH)
@pytest.mark.parametrize("answer", [{"strData": "x"}, seldon_pb2.SeldonMessage(strData="x")])
def test_either_answer_will_do(encoding: int, answer: Any) -> None:
    assert ask(Raw(answer), ASKED, encoding=encoding) == {"strData": "x"}


def test_a_combiner_gets_the_list() -> None:
    user = Raw({"strData": "x"})
    ask(user, [ASKED, ASKED], Method.AGGREGATE, JSON)
    ask(user, [ASKED, ASKED], Method.AGGREGATE, PROTO)
    assert user.seen[0] == [ASKED, ASKED]
    assert len(user.seen[1].seldonMessages) == 2


def test_a_router_may_answer_a_bare_list_in_json() -> None:
    assert ask(Raw([1]), ASKED, Method.ROUTE, JSON) == [1]


@pytest.mark.parametrize("encoding", BOTH)
def test_feedback_is_a_protobuf_message_always(encoding: int) -> None:
    user = Raw({"strData": "x"})
    ask(user, {"request": ASKED, "reward": 0.5}, Method.SEND_FEEDBACK, encoding)
    assert type(user.seen[0]).DESCRIPTOR.full_name == "seldon.protos.Feedback"
    assert user.seen[0].reward == 0.5


@pytest.mark.parametrize("encoding", BOTH)
def test_not_implemented_falls_back_on_the_plain_method(encoding: int) -> None:
    class Both(Raw):
        def predict_raw(self, message: Any) -> Any:
            raise NotImplementedError

        def predict(self, X: Any, names: Any) -> Any:
            return "plain"

    assert ask(Both(), ASKED, encoding=encoding)["strData"] == "plain"


@pytest.mark.parametrize("encoding", BOTH)
def test_a_raw_method_may_be_async(encoding: int) -> None:
    class Waiting:
        async def predict_raw(self, message: Any) -> Any:
            return {"strData": "waited"}

    class Shy:
        async def predict_raw(self, message: Any) -> Any:
            raise NotImplementedError

        async def predict(self, X: Any, names: Any) -> Any:
            return "plain"

    assert Host(Waiting(), "n", environ={}).handlers[Method.PREDICT][0] is Mode.ASYNC
    assert ask(Waiting(), ASKED, encoding=encoding) == {"strData": "waited"}
    assert ask(Shy(), ASKED, encoding=encoding)["strData"] == "plain"


@pytest.mark.parametrize("answer", [{"strData": object()}, b"bytes"])
def test_an_answer_that_is_no_json_is_named(answer: Any) -> None:
    with pytest.raises(ComponentError, match=r"node 'node': predict_raw answered .*, which cannot be sent"):
        ask(Raw(answer), ASKED, encoding=JSON)


@pytest.mark.parametrize("answer", [3, {"nonsense": 1}, {"strData": object()}, b"bytes"])
def test_an_answer_over_grpc_that_is_no_message_is_named(answer: Any) -> None:
    with pytest.raises(ComponentError, match=r"node 'node': predict_raw answered .*, which cannot be sent"):
        ask(Raw(answer), ASKED, encoding=Encoding.SELDON_PROTO)


@pytest.mark.parametrize("answer", [3, "text", [1, {"b": 2, "a": None}], {"nonsense": 1}])
def test_raw_is_raw_over_rest(answer: Any) -> None:
    assert ask(Raw(answer), ASKED, encoding=JSON) == answer


@pytest.mark.parametrize("method", [Method.PREDICT, Method.SEND_FEEDBACK])
@pytest.mark.parametrize("encoding", BOTH)
def test_what_is_no_message_is_refused(method: Method, encoding: int) -> None:
    form = Form.FEEDBACK if method is Method.SEND_FEEDBACK else Form.MESSAGE
    with pytest.raises(DecodeError) as caught:
        call(Host(Raw(), "n", environ={}), native.Message(b"\xff{", encoding, form), method)
    assert caught.value.node == "n"


def test_json_that_is_no_feedback_is_refused() -> None:
    with pytest.raises(DecodeError, match=r"not a seldon\.protos\.Feedback"):
        call(Host(Raw(), "n", environ={}), request({"rewar": 1}, Method.SEND_FEEDBACK), Method.SEND_FEEDBACK)


def test_an_exception_is_named() -> None:
    class Sour:
        def predict_raw(self, message: Any) -> Any:
            raise KeyError("gone")

    with pytest.raises(ComponentError, match="predict_raw raised KeyError: 'gone'"):
        ask(Sour(), ASKED)


def test_the_users_own_messages_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = types.ModuleType(raw.SELDON_PACKAGE)
    monkeypatch.setitem(sys.modules, raw.SELDON_PACKAGE, theirs)
    assert raw.messages() is theirs
    monkeypatch.delitem(sys.modules, raw.SELDON_PACKAGE)
    assert raw.messages() is seldon_pb2


def test_protobuf_is_loaded_only_when_a_message_needs_it() -> None:
    code = """
import sys
from executor._native import message
from executor.component.host import Host

class Raw:
    def predict_raw(self, message):
        return message

_, handler = Host(Raw(), "n", environ={}).handlers[0]
handler(message.Message(b'{"strData":"x"}', 1), None)
before = "google.protobuf" in sys.modules
handler(message.Message(b"", 0), None)
print([before, "google.protobuf" in sys.modules])
"""
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.lower()) == [False, True]
