"""Spans of requests that the flow does not have, or refuses at its end, as a receiver sees them.

`rest.asked` keeps those over REST and `native.errand` writes them.
"""

import asyncio
import json
from typing import Any

import grpc
import pytest
from support import serving
from support.clients import FEEDBACK, PREDICTIONS, Refused
from support.collector import ERROR, INTERNAL, SERVER, UNSET, GrpcCollector, Span
from support.servers import free_port

from executor.settings import ServeLimits

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
PARENT = ("traceparent", f"00-{TRACE}-{CALLER}-01")
JSON_TYPE = ("Content-Type", "application/json")
ASKED = {"strData": "x"}
BODY = json.dumps(ASKED).encode()
MODEL = serving.node("m", "model")


def servers(collector: GrpcCollector) -> list[Span]:
    return [each for each in collector.got.spans if each.kind == SERVER]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", [], 400),
        (BODY, [("Content-Type", "text/plain")], 415),
        (b"x" * 5000, [], 413),
        (BODY, [("Millrace-Timeout", "soon")], 400),
        (BODY, [("Millrace-Timeout", "soon"), ("Content-Type", "application/json; charset=utf-8")], 400),
        (b"junk", [("Content-Encoding", "gzip")], 400),
    ],
    ids=["bad JSON", "415", "413", "bad timeout", "bad timeout, the long way", "bad gzip"],
)
def test_what_is_refused_over_rest_before_it_runs(
    collector: GrpcCollector, body: bytes, headers: list[tuple[str, str]], status: int
) -> None:
    kind = [] if any(name == "Content-Type" for name, _ in headers) else [JSON_TYPE]
    with serving.graph(MODEL, {"m": "Echo"}, limits=ServeLimits(max_message_bytes=4000)) as served:
        told, _, said = served.rest.ask("POST", PREDICTIONS, body, [*kind, *headers, PARENT])
        assert told == status
    (span,) = servers(collector)  # it was sent as the process ended
    assert (span.trace, span.parent, span.name) == (TRACE, CALLER, f"POST {PREDICTIONS}")
    assert span.attributes["http.response.status_code"] == status
    assert span.attributes["http.route"] == PREDICTIONS
    assert span.attributes["millrace.puid"]
    assert span.status == UNSET  # what a client did wrong is no failure of the server
    assert span.events[0][1]["exception.message"] in json.loads(said)["status"]["info"]


def test_a_node_that_cannot_be_asked_is_an_error(collector: GrpcCollector) -> None:
    with serving.graph(MODEL, endpoints={"m": f"http://127.0.0.1:{free_port()}"}) as served:
        status, _, said = served.rest.ask("GET", "/api/v1.0/metadata/m", None, [PARENT])
        assert status == 500
    (span,) = servers(collector)
    assert (span.attributes["http.response.status_code"], span.attributes["error.type"]) == (500, "500")
    assert (span.status, span.trace, span.parent) == (ERROR, TRACE, CALLER)
    assert span.said in json.loads(said)["status"]["info"]


def test_metadata_and_status_and_the_nodes_that_are_asked(collector: GrpcCollector) -> None:
    with (
        serving.component("Said", name="m") as m,
        serving.graph(MODEL, endpoints={"m": f"http://127.0.0.1:{m.port}"}) as served,
    ):
        paths = ("/api/v1.0/metadata/m", "/api/v1.0/metadata", "/api/v1.0/status/m")
        for path in paths:
            status, _, _ = served.rest.ask("GET", path, None, [PARENT])
            assert status == 200
        spans = collector.got.wait(6)
    assert {each.trace for each in spans} == {TRACE}
    ours = {each.id: each for each in spans if each.service == "executor"}
    theirs = [each for each in spans if each.service == "m"]
    assert [each.parent for each in ours.values()] == [CALLER] * 3
    assert sorted(each.name for each in ours.values()) == [
        "GET /api/v1.0/metadata", "GET /api/v1.0/metadata/{name}", "GET /api/v1.0/status/{name}",
    ]  # fmt: skip
    assert sorted((ours[each.parent].name, each.name) for each in theirs) == [
        ("GET /api/v1.0/metadata", "GET /metadata"),
        ("GET /api/v1.0/metadata/{name}", "GET /metadata"),
        ("GET /api/v1.0/status/{name}", "GET /health/status"),
    ]
    assert {each.attributes["http.response.status_code"] for each in spans} == {200}
    assert {each.status for each in spans} == {UNSET}


def test_metadata_over_grpc(collector: GrpcCollector) -> None:
    with (
        serving.component("Said", name="m") as m,
        serving.graph(MODEL, endpoints={"m": f"grpc://{m.target}"}) as served,
    ):
        served.grpc.model_metadata("m")
        served.grpc.graph_metadata()
        with pytest.raises(grpc.RpcError) as caught:
            served.grpc.model_metadata("nobody")
        spans = collector.got.wait(5)
    ours = [each for each in spans if each.service == "executor"]
    theirs = [each for each in spans if each.service == "m"]
    assert [(each.name, each.attributes["rpc.grpc.status_code"]) for each in ours] == [
        ("seldon.protos.Seldon/ModelMetadata", 0),
        ("seldon.protos.Seldon/GraphMetadata", 0),
        ("seldon.protos.Seldon/ModelMetadata", caught.value.code().value[0]),
    ]
    assert [each.name for each in theirs] == ["seldon.protos.Model/Metadata"] * 2
    assert [each.parent for each in theirs] == [each.id for each in ours[:2]]
    assert (ours[2].status, ours[2].said) == (ERROR, caught.value.details())
    assert len({each.trace for each in ours}) == 3


def test_feedback_on_both_fronts(collector: GrpcCollector) -> None:
    said = {"request": ASKED, "reward": 0.5}
    with serving.graph(MODEL, {"m": "Echo"}) as served:
        served.grpc.feedback(said, [PARENT])
        assert served.rest.ask("POST", FEEDBACK, json.dumps(said).encode(), [JSON_TYPE, PARENT])[0] == 200
        assert served.rest.ask("POST", FEEDBACK, b"{", [JSON_TYPE, PARENT])[0] == 400
    found = [(each.name, each.trace, each.parent) for each in servers(collector)]
    assert found == [
        ("seldon.protos.Seldon/SendFeedback", TRACE, CALLER),
        (f"POST {FEEDBACK}", TRACE, CALLER),
        (f"POST {FEEDBACK}", TRACE, CALLER),
    ]


def test_an_answer_that_is_too_large_is_an_error(collector: GrpcCollector) -> None:
    said = serving.node("m", "model", name="m")
    with serving.graph(said, {"m": "Said"}, limits=ServeLimits(max_message_bytes=1000)) as served:
        with pytest.raises(Refused) as caught:
            served.grpc.predict({"strData": "x" * 990}, [PARENT])
        assert caught.value.status is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert served.grpc.predict(ASKED).said  # the connection goes on
    refused, served_one = servers(collector)
    assert "is larger than the limit of 1000 bytes" in caught.value.text
    assert (refused.attributes["rpc.grpc.status_code"], refused.status, refused.said) == (8, ERROR, caught.value.text)
    assert refused.events[0][1]["exception.message"] == caught.value.text
    assert served_one.attributes["rpc.grpc.status_code"] == 0
    assert served_one.events == []


def test_who_hangs_up_before_it_ran(collector: GrpcCollector) -> None:
    async def half(served: serving.Served) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", served.port)
        head = f"POST {PREDICTIONS} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n"
        writer.write(f"{head}{PARENT[0]}: {PARENT[1]}\r\n\r\n{{".encode())
        await writer.drain()
        await asyncio.sleep(0.2)
        writer.close()
        await writer.wait_closed()

    with serving.graph(MODEL, {"m": "Echo"}) as served:
        asyncio.run(half(served))
        (span,) = collector.got.wait(1)
    assert (span.kind, span.trace, span.attributes["http.response.status_code"]) == (SERVER, TRACE, 499)


def test_probes_and_unknown_paths_have_none(collector: GrpcCollector) -> None:
    with serving.graph(MODEL, {"m": "Echo"}) as served:
        for path in ("/live", "/ready", "/api/v1.0/status", "/metrics", "/nothing", "/api/v1.0/predictions"):
            served.rest.ask("GET", path, None, [PARENT])
        assert served.grpc.healthy()
        with pytest.raises(grpc.RpcError):
            served.grpc.channel.unary_unary("/no.Such/Method")(b"", metadata=[PARENT], timeout=20)
        served.grpc.predict(ASKED)
        spans = collector.got.wait(2)
    assert sorted(each.kind for each in spans) == sorted([SERVER, INTERNAL])


def test_nothing_is_told_of_what_is_not_traced(collector: GrpcCollector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    asked: list[Any] = []
    with (
        serving.component("Said", name="m") as m,
        serving.graph(MODEL, endpoints={"m": f"http://127.0.0.1:{m.port}"}) as served,
    ):
        asked.append(served.rest.ask("POST", PREDICTIONS, b"{", [JSON_TYPE, PARENT])[0])
        asked.append(served.rest.ask("GET", "/api/v1.0/metadata/m", None, [PARENT])[0])
        served.grpc.model_metadata("m")
    assert asked == [400, 200]
    assert collector.got.spans == []
