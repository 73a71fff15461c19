"""Owns the tests of `bench.payloads`: requests of the right size, and checks that see wrong answers."""

import json
from typing import Any

import pytest

from bench import payloads
from executor._pb import inference_pb2, seldon_pb2


@pytest.mark.parametrize(
    ("text", "size"), [("64", 64), ("4KiB", 4096), ("4 kib", 4096), ("600k", 614400), ("4MiB", 4 << 20), ("9b", 9)]
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert payloads.parse_size(text) == size


@pytest.mark.parametrize("text", ["", "x", "4GB", "-1", "1.5k"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        payloads.parse_size(text)


@pytest.mark.parametrize(("size", "text"), [(64, "64 B"), (4096, "4 KiB"), (4 << 20, "4 MiB"), (1500, "1500 B")])
def test_sizes_are_shown(size: int, text: str) -> None:
    assert payloads.show_size(size) == text


@pytest.mark.parametrize("size", [64, 4096, 614400])
def test_a_tensor_has_its_size_and_passes_its_own_check(size: int) -> None:
    request = payloads.tensor_request(size)
    message = seldon_pb2.SeldonMessage.FromString(request)
    assert 8 * len(message.data.tensor.values) == size
    assert payloads.tensor_check(size)(request) == ""


def test_another_tensor_is_not_right() -> None:
    check = payloads.tensor_check(64)
    assert "shape" in check(payloads.tensor_request(128))
    message = seldon_pb2.SeldonMessage.FromString(payloads.tensor_request(64))
    message.data.tensor.values[3] += 1
    assert "other values" in check(message.SerializeToString())


@pytest.mark.parametrize("request_of", [payloads.json_request, payloads.numbers_request])
def test_json_passes_its_own_check_only(request_of: payloads.RequestOf) -> None:
    check = payloads.json_check(request_of)(1024)
    assert check(request_of(1024)) == ""
    assert check(b'{"data": {"ndarray": [[1.0]]}}')


def test_json_has_about_its_size() -> None:
    assert 1024 <= len(payloads.json_request(1024)) < 1060


def test_a_failure_status_is_not_right() -> None:
    failed = seldon_pb2.SeldonMessage()
    failed.status.status = seldon_pb2.Status.FAILURE
    assert payloads.message_check(64)(failed.SerializeToString()) == "a failure status"
    assert payloads.message_check(64)(b"") == ""


def test_probabilities_add_up() -> None:
    message = seldon_pb2.SeldonMessage()
    message.data.tensor.values.extend([0.1] * 10)
    assert payloads.probabilities_check(0)(message.SerializeToString()) == ""
    message.data.tensor.values[0] = 0.5
    assert payloads.probabilities_check(0)(message.SerializeToString())


def test_feedback_holds_request_and_reward() -> None:
    message = seldon_pb2.Feedback.FromString(payloads.feedback_request(64))
    assert message.reward == 1.0
    assert len(message.request.data.tensor.values) == 8


def test_numbers_are_a_thousand() -> None:
    assert len(json.loads(payloads.numbers_request(0))["data"]["tensor"]["values"]) == 1000


def test_the_inference_protocol_carries_the_same_tensor() -> None:
    request: Any = inference_pb2.ModelInferRequest.FromString(payloads.infer_request(4096))
    values = payloads.array_of(4096)
    assert tuple(request.inputs[0].shape) == values.shape
    assert request.raw_input_contents[0] == values.tobytes()
    answer: Any = inference_pb2.ModelInferResponse()
    answer.outputs.add(name="Y", datatype="FP64", shape=values.shape)
    answer.raw_output_contents.append((values / 16).tobytes())
    check = payloads.infer_check(4096, 16.0)
    assert check(answer.SerializeToString()) == ""
    assert "other values" in payloads.infer_check(4096)(answer.SerializeToString())
    del answer.raw_output_contents[:]
    answer.outputs[0].contents.fp64_contents.extend((values / 16).ravel())
    assert check(answer.SerializeToString()) == ""
    answer.outputs[0].shape[0] = 2
    assert "instead of" in check(answer.SerializeToString())


def test_kserve_s_instances_are_the_same_numbers() -> None:
    request = payloads.instances_request(1024)
    sent = json.loads(payloads.json_request(1024))["data"]["ndarray"]
    assert json.loads(request) == {"instances": sent}
    check = payloads.json_check(payloads.instances_request, 2.0)(1024)
    halves = [[value / 2 for value in sent[0]]]
    assert check(json.dumps({"predictions": halves}).encode()) == ""
    assert "not those sent" in check(json.dumps({"predictions": sent}).encode())
