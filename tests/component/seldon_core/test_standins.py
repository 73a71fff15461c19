"""The stand-ins `user_model`, `metrics`, `flask_utils`, `microservice` and `utils` do what classes import them for."""

from typing import Any

import numpy
import pytest

from executor._pb import seldon_pb2
from executor.component.seldon_core import flask_utils, metrics, microservice, user_model, utils
from executor.component.seldon_core.flask_utils import SeldonMicroserviceException

ROWS = numpy.array([[1.0, 2.0], [3.0, 4.0]])


def test_an_exception_words_its_body() -> None:
    plain = SeldonMicroserviceException("bad")
    assert (plain.status_code, plain.message, str(plain)) == (400, "bad", "bad")
    assert plain.to_dict()["status"] == {"code": -1, "info": "bad", "reason": "MICROSERVICE_BAD_DATA", "status": 1}
    own = SeldonMicroserviceException("late", status_code=503, reason="LATE", payload={"a": 1})
    assert (own.status_code, own.payload, own.to_dict()["status"]["reason"]) == (503, {"a": 1}, "LATE")
    assert microservice.SeldonMicroserviceException is flask_utils.SeldonMicroserviceException


@pytest.mark.parametrize(
    ("create", "kind"),
    [(metrics.create_counter, "COUNTER"), (metrics.create_gauge, "GAUGE"), (metrics.create_timer, "TIMER")],
)
def test_makers_of_metrics(create: Any, kind: str) -> None:
    assert create("k", 2) == {"key": "k", "type": kind, "value": 2}
    assert create("k", numpy.float32(0.5))["value"] == 0.5
    with pytest.raises(TypeError, match=f"the {kind} 'k' needs a number, not '2'"):
        create("k", "2")


@pytest.mark.parametrize(
    ("given", "right"),
    [
        ([], True),
        ([metrics.create_counter("a", 1), metrics.create_timer("b", 2.5)], True),
        ([{"key": "a", "type": "OTHER", "value": 1}], False),
        ([{"key": "a", "value": 1}], False),
        ([{"type": "COUNTER", "value": 1}], False),
        ([{"key": "a", "type": "COUNTER", "value": "1"}], False),
        ([{"key": "a", "type": "COUNTER"}], False),
        (["a"], False),
        ({"key": "a", "type": "COUNTER", "value": 1}, False),
        (None, False),
    ],
)
def test_metrics_are_validated(given: Any, right: bool) -> None:
    assert metrics.validate_metrics(given) is right


def test_the_base_class_has_all_methods_and_says_that_none_is_there() -> None:
    base = user_model.SeldonComponent(anything=1)
    base.load()
    calls: dict[str, tuple[Any, ...]] = {
        **dict.fromkeys(("predict", "transform_input", "transform_output", "route", "aggregate"), (ROWS, [])),
        **dict.fromkeys([f"{name}_raw" for name in ("predict", "transform_input", "transform_output")], (None,)),
        **dict.fromkeys(("route_raw", "aggregate_raw", "send_feedback_raw"), (None,)),
        **dict.fromkeys(("tags", "metrics", "class_names", "feature_names", "init_metadata"), ()),
        **dict.fromkeys(("health_status", "health_status_raw"), ()),
        "send_feedback": (ROWS, [], 1.0, None),
    }
    for name, arguments in calls.items():
        with pytest.raises(user_model.SeldonNotImplementedError, match=f"{name} is not implemented"):
            getattr(base, name)(*arguments)


def test_an_answer_with_tags_and_metrics() -> None:
    bare = user_model.SeldonResponse(1)
    assert (bare.data, bare.tags, bare.metrics) == (1, {}, [])
    assert user_model.SeldonResponse.create(bare) is bare
    assert user_model.SeldonResponse.create("x") == user_model.SeldonResponse("x")
    assert bare != user_model.SeldonResponse(1, tags={"a": 1})
    assert bare != 1


@pytest.mark.parametrize("kind", ["tensor", "ndarray", "tftensor"])
def test_arrays_go_into_messages_and_come_back(kind: str) -> None:
    datadef = utils.array_to_grpc_datadef(kind, ROWS, ["a", "b"])
    assert datadef.WhichOneof("data_oneof") == kind
    message = seldon_pb2.SeldonMessage(data=datadef)
    assert list(message.data.names) == ["a", "b"]
    assert utils.get_data_from_proto(message).tolist() == ROWS.tolist()
    assert utils.grpc_datadef_to_array(datadef).tolist() == ROWS.tolist()
    said = utils.seldon_message_to_json(message)
    assert utils.json_to_seldon_message(said) == message
    assert said["data"]["names"] == utils.array_to_rest_datadef(kind, ROWS, ["a", "b"])["names"]
    assert kind in utils.array_to_rest_datadef(kind, ROWS)
    features, meta, found, name = utils.extract_request_parts_json({"data": said["data"], "meta": {"puid": "p"}})
    assert (features.tolist(), meta, found, name) == (ROWS.tolist(), {"puid": "p"}, said["data"], "data")


@pytest.mark.parametrize(
    ("said", "value"),
    [({"strData": "x"}, "x"), ({"binData": "aGk="}, b"hi"), ({"jsonData": {"a": [1]}}, {"a": [1]}), ({"data": {}}, [])],
)
def test_other_payloads(said: dict[str, Any], value: Any) -> None:
    message = utils.json_to_seldon_message({**said, "meta": {"puid": "p"}})
    found = utils.get_data_from_proto(message)
    assert (found.tolist() if isinstance(found, numpy.ndarray) else found) == value
    assert utils.extract_request_parts(message)[1:] == ({"puid": "p"}, message.data, next(iter(said)))
    again = utils.extract_request_parts_json(said)[0]
    assert (again.tolist() if isinstance(again, numpy.ndarray) else again) == value


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(SeldonMicroserviceException, match="Invalid JSON"):
        utils.json_to_seldon_message({"nonsense": 1})
    with pytest.raises(SeldonMicroserviceException, match="Unknown data"):
        utils.get_data_from_proto(seldon_pb2.SeldonMessage())
    wrongs: list[Any] = [{}, [1]]
    for wrong in wrongs:
        with pytest.raises(SeldonMicroserviceException, match="Invalid request data type"):
            utils.extract_request_parts_json(wrong)


def test_lists_feedback_and_metadata() -> None:
    two = [{"strData": "a"}, {"strData": "b"}]
    messages = utils.json_to_seldon_messages(two)
    assert messages == utils.json_to_seldon_messages({"seldonMessages": two})
    assert utils.seldon_messages_to_json(messages) == {"seldonMessages": two}
    feedback = utils.json_to_feedback(
        {"request": {"data": {"ndarray": [[1]]}}, "reward": 0.5, "truth": {"data": {"ndarray": [[2]]}}}
    )
    datadef, features, truth, reward = utils.extract_feedback_request_parts(feedback)
    assert (datadef, features.tolist(), truth.tolist(), reward) == (feedback.request.data, [[1]], [[2]], 0.5)
    assert utils.feedback_to_json(feedback)["reward"] == 0.5
    assert utils.json_to_seldon_model_metadata({"name": "m"}).name == "m"
    assert utils.seldon_message_to_json(utils.array_to_list_value(numpy.array([]))) == []


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECOND", "False")
    assert utils.getenv("FIRST_OF_NONE", "SECOND") == "False"
    assert utils.getenv("FIRST_OF_NONE", default="d") == "d"
    assert utils.getenv_as_bool("SECOND", default=True) is False
    assert utils.getenv_as_bool("FIRST_OF_NONE", default=True) is True
