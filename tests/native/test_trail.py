"""What is written down of requests: their spans and where their time went. Also `tracer`, which decides and keeps."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest
from support.collector import CLIENT, ERROR, SERVER, UNSET, Span
from support.graphs import Recorder, failing, node
from support.servers import until
from support.traced import Traced

from executor import errors
from executor._native import exits, front, seldon, span, tracer
from executor._native import message as native
from executor._native import program as programs
from executor.status import Status
from executor.types import Method, Mode, Walk

TRACE, PARENT = f"{7:032x}", f"{9:016x}"
GRPC, HTTP = 1, 2


class Heard(Recorder):
    """A node that keeps the headers it was given."""

    def __init__(self, name: str, heard: dict[str, dict[str, str]]) -> None:
        super().__init__(name, [])
        self._heard = heard

    def _handle(self, message: native.Message, context: exits.Context) -> native.Message:
        self._heard[f"{self.name} {Method(context.method).name.lower()}"] = dict(context.headers)
        return super()._handle(message, context)


def hearing(*names: str) -> tuple[dict[str, dict[str, str]], dict[str, Any]]:
    heard: dict[str, dict[str, str]] = {}
    return heard, {name: Heard(name, heard).handlers() for name in names}


def by_name(spans: Sequence[Span]) -> dict[str, Span]:
    assert len({each.name for each in spans}) == len(spans)
    return {each.name: each for each in spans}


# --- spans ----------------------------------------------------------------------------------------


async def test_a_span_for_the_request_and_one_for_each_call(made: list[Traced]) -> None:
    heard, handlers = hearing("t", "a", "b")
    graph = node("t", "transformer", node("c", "combiner", node("a"), node("b")))
    made.append(Traced(graph, replaced=handlers))
    before = time.time_ns()
    await made[0].run([("traceparent", f"00-{TRACE}-{PARENT}-01"), ("tracestate", "x=1")])
    spans = by_name(made[0].spans())
    assert set(spans) == {"POST /x", "t transform_input", "a predict", "b predict", "c aggregate"}
    server = spans.pop("POST /x")
    assert (server.kind, server.trace, server.parent) == (SERVER, TRACE, PARENT)
    assert server.attributes == {"millrace.puid": "puid-1", "http.response.status_code": 200}
    assert (server.status, server.said, server.events) == (UNSET, "", [])
    assert before - 10**9 < server.start <= server.end < time.time_ns() + 10**9
    for each in spans.values():
        assert (each.kind, each.trace, each.parent, each.status) == (CLIENT, TRACE, server.id, UNSET)
        assert server.start <= each.start <= each.end <= server.end
    assert len({each.id for each in spans.values()} | {server.id}) == 5
    for name, headers in heard.items():
        assert headers["traceparent"] == f"00-{TRACE}-{spans[name].id}-01"
        assert headers["tracestate"] == "x=1"


async def test_an_answer_may_have_a_status_of_its_own(made: list[Traced]) -> None:
    made.append(Traced(node("m")))
    made[0].label = tracer.Label(span.static("POST /x", span.SERVER, {}), None, lambda body: 500 + len(body))
    answered = await made[0].run()
    server = by_name(made[0].spans())["POST /x"]
    assert server.attributes["http.response.status_code"] == 500 + len(answered)


async def test_without_a_caller_s_trace_a_new_one_begins(made: list[Traced]) -> None:
    heard, handlers = hearing("m")
    made.append(Traced(node("m"), replaced=handlers))
    await made[0].run([("traceparent", "bad"), ("tracestate", "x=1")])
    await made[0].run()
    spans = made[0].spans()
    assert len({each.trace for each in spans}) == 2
    assert [each.parent for each in spans if each.kind == SERVER] == ["", ""]
    assert heard["m predict"]["traceparent"].endswith("-01")
    assert "tracestate" not in heard["m predict"]


async def test_errors_are_told(made: list[Traced]) -> None:
    made.append(Traced(node("m"), replaced={"m": failing(Status.UNAVAILABLE)}, kinds=GRPC))
    with pytest.raises(errors.Error, match="m says no"):
        await made[0].run()
    spans = by_name(made[0].spans())
    call, server = spans["m predict"], spans["POST /x"]
    assert (call.status, call.attributes["rpc.grpc.status_code"], call.attributes["error.type"]) == (
        ERROR, 14, "UNAVAILABLE",
    )  # fmt: skip
    assert "m says no" in call.said
    assert call.events == [("exception", {"exception.type": "ComponentError", "exception.message": call.said})]
    assert (server.status, server.attributes["http.response.status_code"], server.attributes["error.type"]) == (
        ERROR, 503, "503",
    )  # fmt: skip
    assert server.events[0][0] == "exception"


@pytest.mark.parametrize(("code", "told"), [(200, "INTERNAL"), (503, "503"), (0, "INTERNAL")])
async def test_a_call_over_http_fails_with_its_status_where_that_says_so(
    made: list[Traced], code: int, told: str
) -> None:
    class Call:
        waited, retries, status, timing = 0.0, 0, code, None

    def begin(message: native.Message, context: exits.Context, pending: exits.Pending) -> Call:
        asyncio.get_running_loop().call_soon(pending.fail, errors.ComponentError("not JSON"))
        return Call()

    made.append(Traced(node("m"), replaced={"m": dict.fromkeys(Method, (Mode.CALLBACK, begin))}, kinds=HTTP))
    with pytest.raises(errors.ComponentError):
        await made[0].run()
    (call,) = [each for each in made[0].spans() if each.kind == CLIENT]
    assert (call.attributes["error.type"], call.said) == (told, "not JSON")


async def test_what_the_client_did_wrong_is_no_failure_of_the_server(made: list[Traced]) -> None:
    made.append(Traced(node("m"), replaced={"m": failing(Status.INVALID_ARGUMENT)}, kinds=HTTP))
    with pytest.raises(errors.Error):
        await made[0].run()
    spans = by_name(made[0].spans())
    assert (spans["m predict"].status, spans["POST /x"].status) == (ERROR, UNSET)
    assert spans["POST /x"].attributes["http.response.status_code"] == 400
    assert "rpc.grpc.status_code" not in spans["m predict"].attributes


async def test_a_deadline_and_a_caller_that_left(made: list[Traced]) -> None:
    async def hang(message: native.Message, context: exits.Context) -> native.Message:
        await asyncio.sleep(30)
        return message

    made.append(Traced(node("m"), replaced={"m": dict.fromkeys(Method, (Mode.ASYNC, hang))}, kinds=GRPC))
    with pytest.raises(errors.DeadlineError):
        await made[0].run(deadline=time.monotonic() + 0.05)
    spans = by_name(made[0].spans())
    assert spans["m predict"].attributes["rpc.grpc.status_code"] == Status.CANCELLED
    assert spans["POST /x"].attributes["http.response.status_code"] == 504
    request = made[0].start()
    await asyncio.sleep(0)
    request.cancel()
    spans = by_name(made[0].spans())
    assert spans["POST /x"].attributes["http.response.status_code"] == 499
    assert (spans["POST /x"].status, spans["m predict"].status) == (UNSET, ERROR)


async def test_texts_that_are_no_utf8_do_not_spoil_a_span(made: list[Traced]) -> None:
    def fail(message: native.Message, context: exits.Context) -> native.Message:
        raise errors.ComponentError("é" * 3000)

    made.append(Traced(node("m"), replaced={"m": dict.fromkeys(Method, (Mode.QUICK, fail))}))
    with pytest.raises(errors.Error):
        await made[0].run()
    (call,) = [each for each in made[0].spans() if each.kind == CLIENT]
    assert "é" * 1000 in call.said
    assert len(call.said.encode()) <= 2048


async def test_a_feedback_walk_is_traced(made: list[Traced]) -> None:
    made.append(Traced(node("t", "transformer", node("m"))))
    feedback = seldon.build_feedback(seldon.build("strData", "x"), None, 1.0, None)
    await made[0].run(walk=Walk.FEEDBACK, message=feedback)
    assert {each.name for each in made[0].spans()} == {"POST /x", "m send_feedback"}


# --- which -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sampler", "flags", "traced"),
    [
        ({}, None, True), ({}, "00", False), ({}, "01", True),
        ({"ratio": 0}, None, False), ({"ratio": 0}, "01", True),
        ({"ratio": 0, "parents": False}, "01", False), ({"parents": False}, "00", True),
    ],
)  # fmt: skip
async def test_the_caller_decides_where_it_may(
    made: list[Traced], sampler: dict[str, Any], flags: str | None, traced: bool
) -> None:
    heard, handlers = hearing("m")
    made.append(Traced(node("m"), replaced=handlers, **sampler))
    headers = [] if flags is None else [("traceparent", f"00-{TRACE}-{PARENT}-{flags}")]
    await made[0].run(headers)
    assert (len(made[0].spans()) > 0) == traced == bool(made[0].tracer.sampled)
    told = heard["m predict"].get("traceparent", "")
    assert (TRACE in told) == (flags is not None)
    assert (PARENT in told) == (flags is not None and not traced)
    # Nodes are told of a no as well where there is a trace: they would decide for themselves.
    assert told[-2:] == ("01" if traced else "" if flags is None else "00")


async def test_what_is_not_traced_passes_as_it_came(made: list[Traced]) -> None:
    heard, handlers = hearing("m")
    made.append(Traced(node("m"), replaced=handlers))
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-00", "tracestate": "x=1", "b3": "0", "a": "b"}
    await made[0].run([*headers.items()])
    assert heard["m predict"] == headers


async def test_without_forms_headers_are_left_alone(made: list[Traced]) -> None:
    heard, handlers = hearing("m")
    made.append(Traced(node("m"), replaced=handlers, forms=()))
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    await made[0].run([*headers.items()])
    assert heard["m predict"] == headers
    assert TRACE not in {each.trace for each in made[0].spans()}


async def test_a_ratio_is_kept_and_decided_by_the_trace(made: list[Traced]) -> None:
    made.append(Traced(node("m"), ratio=0.25, waiting_max=100_000))
    for _ in range(2000):
        await made[0].run()
    assert 350 < made[0].tracer.sampled < 650
    assert all(int(each.trace[16:], 16) < 2**62 for each in made[0].spans())


async def test_so_many_a_second(made: list[Traced]) -> None:
    made.append(Traced(node("m"), rate=3))
    for _ in range(50):
        await made[0].run()
    assert 3 <= made[0].tracer.sampled < 50


# --- what is kept ------------------------------------------------------------------------------------


async def test_what_there_is_no_room_for_is_counted(made: list[Traced]) -> None:
    made.append(Traced(node("m"), waiting_max=6, batch=4))
    for _ in range(5):
        await made[0].run()
    assert (made[0].tracer.waiting, made[0].tracer.lost) == (6, 4)
    assert made[0].woken > 0
    chunks, count = made[0].tracer.take(3)  # whole requests
    assert (len(chunks), count, made[0].tracer.waiting) == (1, 2, 4)
    assert made[0].tracer.take(1)[1] == 2
    await made[0].run()
    assert made[0].tracer.lost == 4


async def test_bytes_are_bounded(made: list[Traced]) -> None:
    made.append(Traced(node("m"), bytes_max=600))
    for _ in range(5):
        await made[0].run()
    assert made[0].tracer.lost > 0
    assert sum(map(len, made[0].tracer.take(100)[0])) <= 600


async def test_bad_settings_are_refused(made: list[Traced]) -> None:
    made.append(Traced(node("m")))
    with pytest.raises(ValueError, match="ratio"):
        tracer.Tracer(made[0].bench.reactor, [], ratio=1.5)
    with pytest.raises(ValueError, match="forms"):
        tracer.Tracer(made[0].bench.reactor, [1] * 5)
    with pytest.raises(ValueError, match="spans for 0"):
        programs.Program(made[0].bench.plan.nodes, [made[0].bench.endpoints["m"]], spans=[])
    with pytest.raises(ValueError, match="method 9"):
        programs.Program(made[0].bench.plan.nodes, [made[0].bench.endpoints["m"]], spans=[(0, {9: b""})])


class Quitting:
    """A callback node that answers nothing; its `request` is cancelled when a call of it is."""

    def __init__(self) -> None:
        self.request: front.Request | None = None

    def begin(self, message: native.Message, context: exits.Context, pending: exits.Pending) -> "Quitting":
        return self

    def cancel(self) -> None:
        if self.request is not None:
            self.request.cancel()

    def handlers(self) -> dict[Method, tuple[Mode, Any]]:
        return dict.fromkeys(Method, (Mode.CALLBACK, self.begin))


@pytest.mark.parametrize("late", [True, False])
async def test_a_call_that_ends_behind_its_request_is_in_no_span(made: list[Traced], late: bool) -> None:
    quitting = Quitting()
    bad = {} if late else {"bad": dict.fromkeys(Method, (Mode.BLOCKING, failing()[Method.PREDICT][1]))}
    graph = node("c", "combiner", node("w"), node("v"), node("bad"))
    made.append(Traced(graph, replaced={"w": quitting.handlers(), "v": Quitting().handlers(), **bad}))
    if late:
        made[0].bench.endpoints["w"].timeout_s = 0.01
    quitting.request = made[0].start([("millrace-timing", "1")])
    await until(lambda: made[0].bench.engine.in_flight == 0)
    names = [each.name for each in made[0].spans()]
    assert names[-1] == "POST /x"
    assert sorted(names[:-1]) == ["bad predict", "v predict"]
