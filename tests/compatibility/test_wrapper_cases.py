"""Seldon's own tests of its wrapper ask each kind of class the same things over REST and gRPC; so do these: what every
call does with a puid, a request's path, tags, metrics, names, each payload, raw methods and errors.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.clients import Refused
from support.serving import Served
from support.wrapping import RPCS, rest, rpc, serving_of

Node = Callable[[str], Served]
CALLS = {
    "predict": "/predict",
    "transform_input": "/transform-input",
    "transform_output": "/transform-output",
    "route": "/route",
    "aggregate": "/aggregate",
    "send_feedback": "/send-feedback",
}
ROWS: dict[str, Any] = {"data": {"names": ["a", "b"], "ndarray": [[1.5, 2.5]]}}
TENSOR: dict[str, Any] = {"data": {"names": ["a", "b"], "tensor": {"shape": [1, 2], "values": [1.5, 2.5]}}}
TF: dict[str, Any] = {
    "data": {"tftensor": {"dtype": "DT_DOUBLE", "tensorShape": {"dim": [{"size": "2"}]}, "doubleVal": [1.5, 2.5]}}
}
METRIC = {"key": "in", "type": "GAUGE", "value": 1.5}
META: dict[str, Any] = {
    "puid": "p", "tags": {"in": "yes", "both": "in"}, "metrics": [METRIC], "requestPath": {"before": "image:1"},
}  # fmt: skip
BOTH = pytest.mark.parametrize("how", ["rest", "grpc"])
EACH = pytest.mark.parametrize("call", CALLS)
INHERIT = pytest.mark.parametrize("call", [call for call in CALLS if call not in ("route", "send_feedback")])
OWN = {"n": "image:2"}


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """A class being served; once for all tests."""
    with serving_of(Path(__file__).with_name("cases.py")) as serve:
        made: dict[str, Served] = {}

        def node(kind: str) -> Served:
            made[kind] = made.get(kind) or serve(kind)
            return made[kind]

        yield node


def told(call: str, message: Any, how: str = "rest") -> Any:
    """`message` as the call takes it."""
    if call == "aggregate":
        return [message, message] if how == "rest" else {"seldonMessages": [message, message]}
    return {"request": message, "reward": 1, "truth": message} if call == "send_feedback" else message


def ask(served: Served, how: str, call: str, message: Any) -> Any:
    said = told(call, message, how)
    if how == "grpc":
        return rpc(served.grpc, *RPCS[CALLS[call]], said)
    status, answer = rest(served.port, CALLS[call], said)
    assert status == 200, answer
    return answer


@BOTH
@EACH
def test_the_puid_comes_back(node: Node, how: str, call: str) -> None:
    assert ask(node("Plain"), how, call, {**ROWS, "meta": {"puid": "p"}})["meta"]["puid"] == "p"


@BOTH
@EACH
def test_a_path_of_one_node(node: Node, how: str, call: str) -> None:
    assert ask(node("Plain"), how, call, ROWS)["meta"]["requestPath"] == OWN


@BOTH
@INHERIT
def test_a_path_of_two_nodes(node: Node, how: str, call: str) -> None:
    said = ask(node("Plain"), how, call, {**ROWS, "meta": META})
    assert said["meta"]["requestPath"] == {"before": "image:1", **OWN}


@BOTH
@pytest.mark.parametrize("call", ["route", "send_feedback"])
def test_routes_and_feedback_inherit_nothing_but_the_puid(node: Node, how: str, call: str) -> None:
    assert ask(node("Plain"), how, call, {**ROWS, "meta": META})["meta"] == {"puid": "p", "requestPath": OWN}


@BOTH
@INHERIT
@pytest.mark.parametrize("kind", ["Plain", "Tagged", "Runtime"])
def test_tags_and_metrics_pass_and_are_added_to(node: Node, how: str, call: str, kind: str) -> None:
    meta = ask(node(kind), how, call, {**ROWS, "meta": META})["meta"]
    own, late = {"own": 1, "both": "own"}, {"both": "late"}
    assert meta["tags"] == {**META["tags"], **(own if kind != "Plain" else {}), **(late if kind == "Runtime" else {})}
    came = ["in"] * (2 if call == "aggregate" else 1)
    assert [each["key"] for each in meta["metrics"]] == [
        *came, *(["k"] if kind != "Plain" else []), *(["late"] if kind == "Runtime" else [])
    ]  # fmt: skip
    assert meta["metrics"][0] == METRIC


@BOTH
@EACH
def test_tags_and_metrics_of_the_class(node: Node, how: str, call: str) -> None:
    meta = ask(node("Tagged"), how, call, ROWS)["meta"]
    assert meta["tags"] == {"own": 1, "both": "own"}
    assert [(each["key"], each["value"]) for each in meta["metrics"]] == [("k", 2)]


@BOTH
@pytest.mark.parametrize("call", [call for call in CALLS if call != "route"])
@pytest.mark.parametrize("kind", ["Plain", "Tagged"])
def test_names_of_columns(node: Node, how: str, call: str, kind: str) -> None:
    names = ["x", "y"] if kind == "Tagged" else ["t:0", "t:1"]
    assert ask(node(kind), how, call, ROWS)["data"]["names"] == names


@BOTH
@pytest.mark.parametrize("call", [call for call in CALLS if call != "route"])
@pytest.mark.parametrize("sent", [ROWS, TENSOR], ids=["ndarray", "tensor"])
def test_numbers_come_back_as_they_were_asked(node: Node, how: str, call: str, sent: Any) -> None:
    (kind,) = sent["data"].keys() - {"names"}
    assert ask(node("Plain"), how, call, sent)["data"][kind] == sent["data"][kind]


@BOTH
@pytest.mark.parametrize("call", [call for call in CALLS if call != "route"])
def test_a_tftensor_comes_back_as_one(node: Node, how: str, call: str) -> None:
    said = ask(node("Plain"), how, call, TF)["data"]["tftensor"]
    assert (said["dtype"], said["tensorShape"]) == ("DT_DOUBLE", {"dim": [{"size": "2"}]})
    assert "doubleVal" in said or "tensorContent" in said


@BOTH
@INHERIT
@pytest.mark.parametrize("sent", [{"strData": "text"}, {"binData": "AP8="}, {"jsonData": {"a": [1.5]}}])
def test_other_payloads_come_back(node: Node, how: str, call: str, sent: Any) -> None:
    said = ask(node("Plain"), how, call, sent)
    said.pop("meta")
    assert said == sent


@BOTH
@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        (ROWS, "ndarray"),
        (TENSOR, "tensor"),
        (TF, "tensor"),
        ({"strData": "x"}, "tensor"),
        ({"binData": "AA=="}, "tensor"),
    ],
)
def test_a_route_is_a_number_whatever_was_asked(node: Node, how: str, sent: Any, kind: str) -> None:
    said = ask(node("Plain"), how, "route", sent)["data"]
    assert said[kind] == ([[1]] if kind == "ndarray" else {"shape": [1, 1], "values": [1]})


@BOTH
@EACH
def test_raw_methods_get_the_message_as_it_is(node: Node, how: str, call: str) -> None:
    kind = {"aggregate": "list" if how == "rest" else "SeldonMessageList", "send_feedback": "Feedback"}
    wanted = kind.get(call, "dict" if how == "rest" else "SeldonMessage")
    assert ask(node("Raw"), how, call, ROWS)["strData"] == wanted


@BOTH
@EACH
def test_raw_methods_that_are_not_there_leave_it_to_the_plain_ones(node: Node, how: str, call: str) -> None:
    data = ask(node("Shy"), how, call, ROWS)["data"]
    assert data["ndarray"] == ([[1]] if call == "route" else [[1.5, 2.5]])


@EACH
@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"", "application/json"), (b"no JSON", "application/json"), (b"{", "application/json"), (b"{}", "text/plain"),
     (b"data=1", "application/x-www-form-urlencoded")],
)  # fmt: skip
def test_what_is_no_json_is_bad_data(node: Node, call: str, body: bytes, kind: str) -> None:
    status, said = rest(node("Plain").port, CALLS[call], body, {"Content-Type": kind})
    assert (status, said["status"]["code"], said["status"]["reason"]) == (400, -1, "MICROSERVICE_BAD_DATA")


@EACH
def test_bad_metrics_are_an_error_over_rest(node: Node, call: str) -> None:
    status, said = rest(node("BadMetrics").port, CALLS[call], told(call, ROWS))
    assert (status, said["status"]["reason"]) == (500, "MICROSERVICE_BAD_METRIC")


@EACH
def test_bad_metrics_are_an_error_over_grpc(node: Node, call: str) -> None:
    with pytest.raises(Refused, match="metrics"):
        ask(node("BadMetrics"), "grpc", call, ROWS)


@EACH
@pytest.mark.parametrize(
    ("kind", "told_back"),
    [
        ("Refuses", (402, {"code": -1, "info": "not today", "reason": "CLOSED", "status": 1})),
        ("Fails", (500, {"code": -1, "info": "broken", "reason": "MICROSERVICE_INTERNAL_ERROR", "status": 1})),
    ],
)
def test_codes_of_errors(node: Node, call: str, kind: str, told_back: Any) -> None:
    status, said = rest(node(kind).port, CALLS[call], told(call, ROWS))
    assert (status, said["status"]) == told_back


@EACH
@pytest.mark.parametrize("kind", ["Refuses", "Fails"])
def test_errors_over_grpc_say_why(node: Node, call: str, kind: str) -> None:
    with pytest.raises(Refused, match="not today" if kind == "Refuses" else "broken"):
        ask(node(kind), "grpc", call, ROWS)


@BOTH
@pytest.mark.parametrize("path", [path for path in RPCS if path.startswith("/api")])
def test_paths_of_the_external_api(node: Node, how: str, path: str) -> None:
    call = "send_feedback" if "feedback" in path else "predict"
    served, said = node("Plain"), told(call, {**ROWS, "meta": {"puid": "p"}})
    answer = rpc(served.grpc, *RPCS[path], said) if how == "grpc" else rest(served.port, path, said)[1]
    assert (answer["data"]["ndarray"], answer["meta"]["puid"]) == ([[1.5, 2.5]], "p")


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (b'name="strData"\r\n\r\nsome text', {"strData": "some text"}),
        (b'name="strData"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\nsome text', {"strData": "some text"}),
        (
            b'name="binData"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n\x89PNG\x00\xff',
            {"binData": "iVBORwD/"},
        ),
        (b'name="jsonData"\r\n\r\n{"a": 1}', {"jsonData": {"a": 1}}),
        (b'name="data"\r\n\r\n{"ndarray": [[1, 2]]}', {"data": {"names": ["t:0", "t:1"], "ndarray": [[1, 2]]}}),
    ],
)
@pytest.mark.parametrize("call", ["predict", "transform_input", "transform_output"])
def test_forms_of_several_parts(node: Node, call: str, part: bytes, said: Any) -> None:
    body = b"--b\r\nContent-Disposition: form-data; " + part + b"\r\n--b--\r\n"
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    status, answer = rest(node("Plain").port, CALLS[call], body, kind)
    answer.pop("meta")
    assert (status, answer) == (200, said)


def test_documents_of_a_node(node: Node) -> None:
    served = node("Plain")
    assert rest(served.port, "/health/ping") == (200, "pong")
    for path in ("/health/status", "/api/v1.0/health/status"):
        assert rest(served.port, path)[1]["strData"] == "healthy"
    for path in ("/metadata", "/api/v1.0/metadata"):
        assert list(rest(served.port, path)[1]) == ["custom", "inputs", "name", "outputs", "platform", "versions"]
    assert "/predict" in json.dumps(rest(served.port, "/seldon.json")[1]["paths"])
