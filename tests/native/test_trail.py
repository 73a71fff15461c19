"""What is written down of requests: their spans and where their time went. Also `tracer`, which decides and keeps."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from support.collector import CLIENT, ERROR, SERVER, UNSET, Span, parsed
from support.graphs import Bench, Recorder, failing, node, text

from executor import errors
from executor._native import exits, front, propagation, seldon, span, tracer
from executor._native import message as native
from executor._native import program as programs
from executor.graph.spec import Node
from executor.status import Status
from executor.types import Method, Mode, Walk

TRACE, PARENT = f"{7:032x}", f"{9:016x}"
GRPC, HTTP = 1, 2


class Traced:
    """A bench whose requests are traced, with a label of HTTP."""

    def __init__(self, root: Node, *, kinds: int = 0, forms: Sequence[int] = (propagation.W3C,), **more: Any) -> None:
        sampler = {key: more.pop(key) for key in ("parents", "ratio", "rate", "waiting_max", "batch", "bytes_max")
                   if key in more}  # fmt: skip
        self.headers: dict[str, dict[str, str]] = {}
        replaced = more.pop("replaced", {})
        self.bench = Bench(root, replaced=replaced, **more)
        self.woken = 0
        self.tracer = tracer.Tracer(self.bench.reactor, forms, wake=self._wake, **sampler)
        self.bench.engine.trace(self.tracer)
        spans = [
            (kinds, {method: span.static(f"{each.name} {method.name.lower()}", span.CLIENT, {}) for method in Method})
            for each in self.bench.plan.nodes
        ]
        bound = [self.bench.endpoints[each.name] if each.calls else None for each in self.bench.plan.nodes]
        self.bench.program = programs.Program(self.bench.plan.nodes, bound, spans=spans)
        self.label = tracer.Label(span.static("POST /x", span.SERVER, {}), lambda error: error.http_status)
        self.times: list[str] = []

    def _wake(self) -> None:
        self.woken += 1

    def start(self, headers: Sequence[tuple[str, str]] = (), *, walk: Walk = Walk.PREDICT, deadline: float = 0,
              message: native.Message | None = None) -> front.Request:  # fmt: skip
        return front.submit(
            self.bench.engine, self.bench.program, walk, Method.PREDICT, message or seldon.build("strData", "x"),
            headers, "puid-1", deadline, None, self.times.append, self.label,
        )  # fmt: skip

    async def run(self, headers: Sequence[tuple[str, str]] = (), **more: Any) -> native.Message:
        return await asyncio.wait_for(self.start(headers, **more).future, 10)

    def spans(self) -> list[Span]:
        return parsed(self.tracer.take(100_000)[0])


class Heard(Recorder):
    """A node that keeps the headers it was given."""

    def __init__(self, name: str, heard: dict[str, dict[str, str]]) -> None:
        super().__init__(name, [])
        self._heard = heard

    def _handle(self, message: native.Message, context: exits.Context) -> native.Message:
        self._heard[f"{self.name} {Method(context.method).name.lower()}"] = dict(context.headers)
        return super()._handle(message, context)


@pytest.fixture
async def made() -> AsyncIterator[list[Traced]]:
    """Closes what is put in."""
    found: list[Traced] = []
    yield found
    for each in found:
        each.bench.close()


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


# --- where the time went -----------------------------------------------------------------------------


def entries(told: str) -> dict[str, dict[str, float | str]]:
    """Entries of a Server-Timing header by name."""
    found: dict[str, dict[str, float | str]] = {}
    for entry in told.split(", "):
        name, *parts = entry.split(";")
        values = dict(part.split("=") for part in parts)
        found[name] = {key: value.strip('"') if key == "desc" else float(value) for key, value in values.items()}
    return found


def sleeping(seconds: float) -> dict[Method, tuple[Mode, Any]]:
    def handle(message: native.Message, context: exits.Context) -> native.Message:
        time.sleep(seconds)
        return message

    return dict.fromkeys(Method, (Mode.BLOCKING, handle))


async def test_times_are_told_where_they_are_asked_for(made: list[Traced]) -> None:
    graph = node("t", "transformer", node("c", "combiner", node("slow"), node("fast")))
    made.append(Traced(graph, replaced={"slow": sleeping(0.05), "fast": sleeping(0.001)}, ratio=0))
    await made[0].run()
    assert made[0].times == []
    await made[0].run([("millrace-timing", "1")])
    found = entries(made[0].times[0])
    assert list(found) == ["millrace", "t", "c", "slow", "fast"]
    whole = found["millrace"]
    assert whole["desc"] == "t c slow"
    for each in ("t", "c", "slow", "fast"):
        told = found[each]
        assert told["queue"] + told["network"] + told["compute"] == pytest.approx(told["dur"], abs=0.01)  # type: ignore[operator]
        assert told["network"] == 0
    assert found["slow"]["compute"] >= 50  # type: ignore[operator]
    assert whole["dur"] >= found["slow"]["dur"] > found["fast"]["dur"]  # type: ignore[operator]
    assert made[0].tracer.sampled == 0


async def test_times_of_a_failure_lead_to_the_node_that_failed(made: list[Traced]) -> None:
    graph = node("c", "combiner", node("good"), node("bad"))
    made.append(Traced(graph, replaced={"good": sleeping(0.0), "bad": failing()}))
    with pytest.raises(errors.Error):
        await made[0].run([("millrace-timing", "true")])
    assert entries(made[0].times[0])["millrace"]["desc"] == "c bad"


@pytest.mark.parametrize("value", ["0", "", "no", "11"])
async def test_other_values_ask_for_nothing(made: list[Traced], value: str) -> None:
    made.append(Traced(node("m")))
    await made[0].run([("millrace-timing", value)])
    assert made[0].times == []


async def test_names_become_tokens_and_many_nodes_fit(made: list[Traced]) -> None:
    graph = node("c", "combiner", *(node(f'n "{number}", é;=') for number in range(200)))
    made.append(Traced(graph))
    await made[0].run([("millrace-timing", "1")])
    told = made[0].times[0]
    assert len(told) <= 4096
    assert re.fullmatch(r'millrace;dur=[\d.]+;queue=[\d.]+;desc="[\w.\- ]+"(, [\w.\-]+(;\w+=[\d.]+)+)+', told)
    assert len(entries(told)) > 20


async def test_what_a_node_says_of_itself_is_told_apart(made: list[Traced]) -> None:
    class Call:
        waited, retries, status, timing = 0.0, 0, 200, "millrace;dur=5.000;queue=2.000"

        def cancel(self) -> None:
            """Nothing goes on."""

    def handle(message: native.Message, context: exits.Context, pending: exits.Pending) -> Call:
        assert dict(context.headers)["millrace-timing"] == "1"
        asyncio.get_running_loop().call_later(0.03, pending.answer, message)
        return Call()

    made.append(Traced(node("m"), replaced={"m": dict.fromkeys(Method, (Mode.CALLBACK, handle))}, kinds=HTTP))
    assert text(await made[0].run([("millrace-timing", "1")])) == "x"
    told = entries(made[0].times[0])["m"]
    assert (told["queue"], told["compute"]) == (2.0, 3.0)
    assert told["network"] == pytest.approx(float(told["dur"]) - 5.0, abs=0.01)
    (call,) = [each for each in made[0].spans() if each.kind == CLIENT]
    assert call.attributes["http.response.status_code"] == 200
    for timing in (None, "db;dur=3", "millrace;dur=x"):
        Call.timing = timing  # type: ignore[assignment]
        await made[0].run([("millrace-timing", "1")])
        assert set(entries(made[0].times[-1])["m"]) == {"dur", "queue"}
